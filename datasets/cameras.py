"""Cameras: world-to-camera matrix, intrinsics in pixels, and the source's own parameters.

A camera looks along its +z axis, x points right and y down in the picture; pixel (row r, column c)
covers [c, c + 1) x [r, r + 1), so the middle of a 137-pixel picture is 68.5. The world of a camera
is the frame of its source; `Store.source_to_object` leads from there to the object frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

KATO_DISTANCE = 2.732
KATO_ELEVATION = 30.0
KATO_HALF_FIELD = 15.0
KATO_VIEWS = 24

CHOY_FOCAL = 35.0 / 32.0  # 35 mm lens on a 32 mm sensor: times the picture's width in pixels
CHOY_DISTANCE = 1.75  # the distance column is a ratio of this
CHOY_PARAMETERS = ("azimuth", "elevation", "in_plane", "distance_ratio", "field_of_view")


@dataclass(frozen=True)
class Camera:
    """One camera.

    Attributes:
        world_to_camera: (4, 4) float64, from the source's frame; x right, y down, z forward.
        intrinsics: (3, 3) float64, pixels.
        parameters: The source's own numbers, untouched.
    """

    world_to_camera: Array
    intrinsics: Array
    parameters: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Cameras:
    """The cameras of all views of one object: K of them.

    Attributes:
        world_to_camera: (K, 4, 4) float64.
        intrinsics: (K, 3, 3) float64.
        parameters: (K, P) float64, columns named by the rendering.
    """

    world_to_camera: Array
    intrinsics: Array
    parameters: Array


def is_orthonormal(matrix: Array, error: float = 1e-3) -> bool:
    """Whether a (3, 3) matrix turns, or turns and mirrors, and does nothing else.

    Args:
        matrix: Any numbers, also infinite ones or such that overflow when multiplied.
        error: Of the products of its rows; the default is what an honest matrix in 32 bits keeps.

    Example:
        >>> is_orthonormal(np.eye(3)), is_orthonormal(np.full((3, 3), 1e300))
        (True, False)
    """
    if not (np.abs(matrix) < 2).all():  # NaN too
        return False
    return bool(np.abs(matrix @ matrix.T - np.eye(3)).max() <= error)


def project(camera: Camera, points: Array) -> tuple[Array, Array]:
    """Where points of the source's frame fall in the picture.

    Args:
        camera: The camera.
        points: (N, 3), source frame.

    Returns:
        pixels (N, 2) as (column, row) float64, and depth (N,) along the viewing direction. Points
        at or behind the camera have no picture: their pixels are NaN.

    Example:
        >>> pixels, depth = project(kato_camera(0), np.zeros((1, 3)))
        >>> pixels.round(6).tolist(), depth.round(3).tolist()
        ([[32.0, 32.0]], [2.732])
    """
    matrix = camera.world_to_camera
    seen = np.asarray(points, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    depth = seen[:, 2]
    image = seen @ camera.intrinsics.T
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = image[:, :2] / image[:, 2:]
    pixels[depth <= 0] = np.nan
    return pixels, depth


def choy_cameras(metadata: Array, height: int = 137, width: int = 137) -> Cameras:
    """Cameras of 3D-R2N2's renderings from the rows of ``rendering_metadata.txt``.

    The world is the raw OBJ of ShapeNetCore v1 (y up, bounding-box diagonal 1). The field-of-view
    column is ignored, as the renderer ignored it: the lens is 35 mm on a 32 mm sensor.

    Args:
        metadata: (K, 5) azimuth, elevation and in-plane rotation in degrees, distance ratio,
            field of view. The in-plane rotation is 0 in every genuine file and is not used.
        height: Rows of the pictures.
        width: Columns of the pictures.

    Returns:
        K cameras with the rows as parameters (`CHOY_PARAMETERS`).

    Example:
        >>> cameras = choy_cameras(np.array([[0.0, 30.0, 0.0, 0.8, 25.0]]))
        >>> float(cameras.intrinsics[0, 0, 0]), cameras.world_to_camera[0, 2, 3].round(6).item()
        (149.84375, 1.4)
    """
    rows = np.asarray(metadata, np.float64).reshape(-1, len(CHOY_PARAMETERS))
    azimuth, elevation = -np.radians(rows[:, 0]), -np.radians(rows[:, 1])
    ca, sa, ce, se = np.cos(azimuth), np.sin(azimuth), np.cos(elevation), np.sin(elevation)
    zero = np.zeros_like(ca)
    turn = np.array([[ca * ce, sa * ce, -se], [-sa, ca, zero], [ca * se, sa * se, ce]])
    turn = turn.transpose(2, 0, 1)  # (K, 3, 3), acts on the z-up point
    y_up_to_z_up = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    blender_to_camera = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])
    matrix = np.tile(np.eye(4), (len(rows), 1, 1))
    matrix[:, :3, :3] = blender_to_camera @ turn @ y_up_to_z_up
    matrix[:, 2, 3] = CHOY_DISTANCE * rows[:, 3]
    focal = CHOY_FOCAL * width
    intrinsics = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    return Cameras(matrix, np.tile(intrinsics, (len(rows), 1, 1)), rows.copy())


def random_choy_rows(rng: np.random.Generator, views: int = 24) -> Array:
    """Rows of a `rendering_metadata.txt` drawn as 3D-R2N2 draws them.

    Args:
        rng: The source of randomness.
        views: K.

    Returns:
        (K, 5) float64 in steps of 1e-6, for `choy_cameras`: azimuth uniform in 0 to 360 degrees,
        elevation in 25 to 30, distance ratio in 0.65 to 0.95; in-plane rotation 0, field 25.

    Example:
        >>> rows = random_choy_rows(np.random.default_rng(0), 3)
        >>> rows.shape, bool((rows[:, 1] >= 25).all() and (rows[:, 1] <= 30).all())
        ((3, 5), True)
    """
    rows = np.zeros((views, len(CHOY_PARAMETERS)))
    for row in rows:
        row[0] = 360 * rng.random()
        row[1] = 25 + 5 * rng.random()
        row[3] = 0.65 + 0.3 * rng.random()
    rows[:, 4] = 25
    return np.round(rows, 6)


def scaled(cameras: Cameras, factor: float) -> Cameras:
    """The same pictures when the world is `factor` times as large.

    3D-R2N2 draws an object whose box has diagonal 1. For the same object in the object frame
    (longest side 1) its cameras are scaled by that frame's diagonal.

    Example:
        >>> scaled(kato_cameras(), 2.0).world_to_camera[0, 2, 3].item()
        5.464
    """
    matrix = cameras.world_to_camera.copy()
    matrix[:, :3, 3] *= factor
    return Cameras(matrix, cameras.intrinsics, cameras.parameters)


def kato_cameras(size: int = 64) -> Cameras:
    """The 24 cameras of Kato's data set, in the object frame.

    View k stands at azimuth a = 15k degrees, elevation 30: 2.732 (cos a cos e, sin e, sin a cos e),
    looking at the origin with y up; half the field of view is 15 degrees both ways. In the
    renderer's own (mirrored) frame this is azimuth -15k.

    Args:
        size: Pixels per side.

    Returns:
        24 cameras; parameters are azimuth, elevation (degrees) and distance.
    """
    elevation = math.radians(KATO_ELEVATION)
    matrices, rows = [], []
    for view in range(KATO_VIEWS):
        degrees = 360.0 / KATO_VIEWS * view
        angle = math.radians(degrees)
        direction = np.array(
            [
                math.cos(angle) * math.cos(elevation),
                math.sin(elevation),
                math.sin(angle) * math.cos(elevation),
            ]
        )
        matrices.append(look_at(KATO_DISTANCE * direction))
        rows.append([degrees, KATO_ELEVATION, KATO_DISTANCE])
    focal = size / 2 / math.tan(math.radians(KATO_HALF_FIELD))
    intrinsics = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1.0]])
    return Cameras(np.array(matrices), np.tile(intrinsics, (KATO_VIEWS, 1, 1)), np.array(rows))


KATO_PARAMETERS = ("azimuth", "elevation", "distance")


def kato_camera(view: int, size: int = 64) -> Camera:
    """One of `kato_cameras`.

    Args:
        view: 0 to 23.
        size: Pixels per side.
    """
    cameras = kato_cameras(size)
    parameters = dict(zip(KATO_PARAMETERS, cameras.parameters[view].tolist(), strict=True))
    return Camera(cameras.world_to_camera[view], cameras.intrinsics[view], parameters)


def look_at(eye: Array, at: Array | None = None, up: Array | None = None) -> Array:
    """World-to-camera matrix (4, 4) of a camera at `eye`: x right, y down, z forward, right-handed.

    Example:
        >>> look_at(np.array([0.0, 0.0, 3.0]))[:3, :3].tolist()
        [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]]
    """
    eye = np.asarray(eye, np.float64)
    forward = (np.zeros(3) if at is None else np.asarray(at, np.float64)) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, np.array([0.0, 1.0, 0.0]) if up is None else up)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward]) + 0.0  # no -0.0
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = -rotation @ eye
    return matrix
