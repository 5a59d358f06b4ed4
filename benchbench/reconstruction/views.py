"""A shape as a camera of a data set sees it: meshes, voxels as blocks, points as dots."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh, Points, Prediction, Voxels
from benchbench.datasets import drawing
from benchbench.datasets.cameras import Camera, Cameras, kato_camera
from benchbench.datasets.shapes13.sheet import on_white
from benchbench.datasets.store import Store

Array = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]
Colour = tuple[float, float, float]

WHITE: Colour = (0.96, 0.96, 0.96)
BLUE: Colour = (0.72, 0.84, 1.0)  # of truths
OTHER_SIDE = 120.0  # degrees from the first look to the second
_KATO_VIEW, _KATO_SIDE = 3, 64  # of sets without pictures
_NEAR = 0.05  # as the rasteriser's: what is nearer is not drawn
_AMBIENT, _LAMP = 0.4, 0.6
_TOWARDS = (-0.4, -0.7, -0.6)  # the lamp: left of the camera and above it
_MOST_DOTS = 4096
_DOT = 0.006  # of the picture's side
_SAMPLES = 2  # per pixel side, of dots
# Corners of a cell's six sides, anticlockwise seen from outside: (axis, step, corners).
_SIDES = (
    (0, 1, ((1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 0, 1))),
    (0, -1, ((0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0))),
    (1, 1, ((0, 1, 0), (0, 1, 1), (1, 1, 1), (1, 1, 0))),
    (1, -1, ((0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1))),
    (2, 1, ((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1))),
    (2, -1, ((0, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 0))),
)


@dataclass(frozen=True)
class Seat:
    """From where a shape is looked at.

    Attributes:
        camera: Its world is the source's frame.
        object_to_source: (4, 4) from the object frame to that world.
        height, width: Of the pictures that the intrinsics are meant for, pixels.
        turn: Degrees by which the shape is turned around its upright axis first.
    """

    camera: Camera
    object_to_source: Array
    height: int
    width: int
    turn: float = 0.0

    @classmethod
    def of(cls, store: Store, index: int, view: int, rendering: str | None) -> Seat:
        """The camera of a picture.

        Args:
            store: The data set.
            index: Row of the object.
            view: Its view.
            rendering: Of the set's renderings; None for one of Kato's views.
        """
        if rendering is None:
            return cls(kato_camera(_KATO_VIEW, _KATO_SIDE), np.eye(4), _KATO_SIDE, _KATO_SIDE)
        height, width = store.picture_size(rendering)
        camera = store.camera(index, view, rendering)
        return cls(camera, np.linalg.inv(store.source_to_object(index)), height, width)

    @property
    def azimuth(self) -> float:
        """Degrees at which the camera stands around the object's upright axis, from x towards z.

        Example:
            >>> Seat(kato_camera(2), np.eye(4), 64, 64).azimuth
            30.0
        """
        eye = np.linalg.inv(self.camera.world_to_camera @ self.object_to_source)[:3, 3]
        return round(float(np.degrees(np.arctan2(eye[2], eye[0]))) + self.turn, 6)

    def turned(self, degrees: float) -> Seat:
        """The same camera, the shape turned."""
        return replace(self, turn=self.turn + degrees)

    def square(self, side: int) -> Camera:
        """The camera for a square picture that holds the whole of the original one."""
        scale = side / max(self.height, self.width)
        intrinsics = self.camera.intrinsics.copy()
        intrinsics[0, 2] += (max(self.height, self.width) - self.width) / 2
        intrinsics[1, 2] += (max(self.height, self.width) - self.height) / 2
        intrinsics[:2] *= scale
        return replace(self.camera, intrinsics=intrinsics)

    def seen(self, points: npt.NDArray[np.floating]) -> Array:
        """(N, 3) points of the object frame in the camera's axes: x right, y down, z forward."""
        angle = np.radians(self.turn)
        around = np.eye(4)
        around[0, 0] = around[2, 2] = np.cos(angle)
        around[0, 2], around[2, 0] = np.sin(angle), -np.sin(angle)
        matrix = self.camera.world_to_camera @ self.object_to_source @ around
        return np.asarray(points, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def draw_shape(
    shape: Prediction, seat: Seat, side: int, colour: Colour = WHITE, threshold: float = 0.5
) -> Picture | None:
    """A shape on white, lit from the camera's upper left; both sides of faces are drawn.

    Args:
        shape: Object frame.
        seat: The camera.
        side: Pixels per side of the picture.
        colour: Of all of it, in [0, 1].
        threshold: Of voxels: occupied if p >= threshold.

    Returns:
        (side, side, 3) uint8; None where there is nothing to draw.

    Example:
        >>> seat = Seat(kato_camera(0), np.eye(4), 64, 64)
        >>> cell = Voxels(np.ones((1, 1, 1), np.float32), np.eye(4))
        >>> picture = draw_shape(cell, seat, 32)
        >>> picture.shape, bool((picture < 255).any())
        ((32, 32, 3), True)
    """
    if isinstance(shape, Points):
        return _dots(shape.points, seat, side, colour)
    mesh = blocks(shape, threshold) if isinstance(shape, Voxels) else shape
    seen = seat.seen(mesh.vertices)
    faces = mesh.faces[(seen[mesh.faces, 2] > _NEAR).all(1)]
    if not len(faces):
        return None
    used, flat = np.unique(faces, return_inverse=True)
    faces = flat.reshape(-1, 3).astype(np.int32)
    both = Mesh(seen[used], np.concatenate([faces, faces[:, ::-1]]))  # type: ignore[arg-type]
    camera = seat.square(side)
    own = Cameras(np.eye(4)[None], camera.intrinsics[None], np.zeros((1, 0)))
    return on_white(drawing.draw(both, _lit(both, colour), own, side, side)[0])


def _lit(mesh: Mesh, colour: Colour) -> Picture:
    """(F, 3) uint8 colours of faces in the camera's axes."""
    corners = np.asarray(mesh.vertices)[mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
    towards = np.asarray(_TOWARDS) / np.linalg.norm(_TOWARDS)
    light = _AMBIENT + _LAMP * np.clip(normal @ towards, 0, 1)
    return np.rint(255 * np.asarray(colour) * light[:, None]).astype(np.uint8)


def blocks(voxels: Voxels, threshold: float = 0.5) -> Mesh:
    """The outer sides of occupied cells, two triangles each, winding outward.

    Args:
        voxels: The grid.
        threshold: Occupied if p >= threshold, compared in float32.

    Returns:
        Object frame; without faces where no cell is occupied.

    Example:
        >>> two = np.zeros((2, 2, 2), np.float32)
        >>> two[0, 0] = 1
        >>> len(blocks(Voxels(two, np.eye(4))).faces)  # ten sides
        20
    """
    occupied = np.pad(voxels.occupancy.astype(np.float32) >= np.float32(threshold), 1)
    quads = []
    for axis, step, corners in _SIDES:
        bare = occupied & ~np.roll(occupied, -step, axis)
        quads.append((np.argwhere(bare) - 1)[:, None] + np.array(corners))
    corners_of = np.concatenate(quads).reshape(-1, 3).astype(np.float64)
    matrix = voxels.grid_to_object
    vertices = corners_of @ matrix[:3, :3].T + matrix[:3, 3]
    first = 4 * np.arange(len(corners_of) // 4)[:, None, None]
    faces = (first + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)
    if np.linalg.det(matrix[:3, :3]) < 0:
        faces = faces[:, ::-1]
    return Mesh(vertices.astype(np.float32), np.ascontiguousarray(faces, np.int32))


def _dots(points: npt.NDArray[np.float32], seat: Seat, side: int, colour: Colour) -> Picture | None:
    """Discs, the nearest above the others, paler the farther they are."""
    step = -(-len(points) // _MOST_DOTS)
    seen = seat.seen(points[::step])
    seen = seen[seen[:, 2] > _NEAR]
    if not len(seen):
        return None
    seen = seen[np.argsort(-seen[:, 2], kind="stable")]
    wide = side * _SAMPLES
    at = seen @ seat.square(wide).intrinsics.T
    place = np.floor(np.clip(at[:, :2] / at[:, 2:], -wide, 2 * wide)).astype(np.int64)
    far = (seen[:, 2] - seen[-1, 2]) / max(float(np.ptp(seen[:, 2])), 1e-9)
    shade = np.rint(255 * np.asarray(colour) * (0.25 + 0.55 * far[:, None])).astype(np.uint8)
    radius = max(1.0, _DOT * wide)
    reach = np.arange(-int(radius), int(radius) + 1)
    disc = [(dx, dy) for dy in reach for dx in reach if dx * dx + dy * dy <= radius * radius]
    steps = np.array(disc)
    column, row = (place[:, None] + steps).reshape(-1, 2).T
    inside = (column >= 0) & (column < wide) & (row >= 0) & (row < wide)
    canvas = np.full((wide, wide, 3), 255, np.uint8)
    # Of equal places the last is kept, which is the nearest dot's.
    canvas[row[inside], column[inside]] = np.repeat(shade, len(steps), axis=0)[inside]
    small = canvas.reshape(side, _SAMPLES, side, _SAMPLES, 3).mean((1, 3))
    return np.rint(small).astype(np.uint8)
