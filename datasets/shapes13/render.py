"""Pictures of an object from the cameras of the field's data sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.keyed import keyed_rng
from benchbench.core.types import Mesh
from benchbench.datasets import drawing
from benchbench.datasets.cameras import (
    Cameras,
    choy_cameras,
    kato_cameras,
    look_at,
    random_choy_rows,
    scaled,
)
from benchbench.datasets.shapes13.generate import Shape

Array = npt.NDArray[Any]

VIEWS = 24
KATO_SIZE, CHOY_SIZE, WILD_SIZE = 64, 137, 137
WILD_PARAMETERS = ("azimuth", "elevation", "distance", "field_of_view")


def kato_pictures(shape: Shape) -> tuple[Array, Cameras]:
    """The 24 views of Kato's data set: (24, 64, 64, 4) uint8 straight alpha, and the cameras.

    Example:
        >>> from benchbench.datasets.shapes13.generate import generate
        >>> pictures, cameras = kato_pictures(generate("chair", 0))
        >>> pictures.shape, cameras.world_to_camera.shape
        ((24, 64, 64, 4), (24, 4, 4))
    """
    cameras = kato_cameras(KATO_SIZE)
    return draw(shape, cameras, KATO_SIZE, KATO_SIZE), cameras


def choy_pictures(shape: Shape) -> tuple[Array, Cameras]:
    """24 random views as 3D-R2N2 draws them: (24, 137, 137, 4) uint8, and the cameras.

    3D-R2N2 renders the object with a bounding-box diagonal of 1. The cameras given here stand in
    the object frame instead (longest side 1): the whole scene is scaled, which changes no pixel,
    and the parameters stay those of 3D-R2N2.
    """
    rows = random_choy_rows(keyed_rng(shape.seed, "shapes13", "choy", shape.id), VIEWS)
    cameras = scaled(choy_cameras(rows, CHOY_SIZE, CHOY_SIZE), diagonal(shape.solid.vertices))
    return draw(shape, cameras, CHOY_SIZE, CHOY_SIZE), cameras


def wild_pictures(shape: Shape) -> tuple[Array, Cameras]:
    """24 views from anywhere with any lens: (24, 137, 137, 4) uint8, and the cameras.

    Azimuth is uniform, elevation uniform in -20 to 60 degrees, the field of view uniform in 15 to
    75 degrees (so perspective is anything from nearly none to strong). The camera looks at the
    origin from where the sphere around the object's box fills 0.6 to 1 of the picture's side, so
    nothing is cut off. Columns: azimuth, elevation, distance, field of view.

    Example:
        >>> from benchbench.datasets.shapes13.generate import generate
        >>> pictures, cameras = wild_pictures(generate("chair", 0))
        >>> pictures.shape, cameras.parameters.shape
        ((24, 137, 137, 4), (24, 4))
    """
    cameras = wild_cameras(shape.id, shape.seed, diagonal(shape.solid.vertices) / 2)
    return draw(shape, cameras, WILD_SIZE, WILD_SIZE), cameras


def wild_cameras(id: str, seed: int, radius: float) -> Cameras:
    """The cameras of `wild_pictures`.

    Args:
        id: Names the object.
        seed: Seed of the set.
        radius: Of a sphere around the origin that holds the object.
    """
    drawn = keyed_rng(seed, "shapes13", "wild", id).random((VIEWS, 4))
    azimuth = np.round(360 * drawn[:, 0], 6)
    elevation = np.round(80 * drawn[:, 1] - 20, 6)
    field = np.round(60 * drawn[:, 2] + 15, 6)
    half = np.tan(np.radians(field / 2))
    distance = np.round(radius / np.sin(np.arctan((0.6 + 0.4 * drawn[:, 3]) * half)), 6)
    a, e = np.radians(azimuth), np.radians(elevation)
    toward = np.stack([np.cos(a) * np.cos(e), np.sin(e), np.sin(a) * np.cos(e)], -1)
    matrices = np.array([look_at(eye) for eye in distance[:, None] * toward])
    intrinsics = np.tile(np.eye(3), (VIEWS, 1, 1))
    intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = WILD_SIZE / 2 / half
    intrinsics[:, :2, 2] = WILD_SIZE / 2
    return Cameras(matrices, intrinsics, np.stack([azimuth, elevation, distance, field], -1))


def diagonal(vertices: Array) -> float:
    """Length of the bounding box's diagonal."""
    return float(np.linalg.norm(vertices.max(0) - vertices.min(0)))


def draw(shape: Shape, cameras: Cameras, height: int, width: int) -> Array:
    """Draws an object from K cameras in the object frame: (K, H, W, 4) uint8, straight alpha."""
    return drawing.draw(solid_mesh(shape), shaded(shape), cameras, height, width)


def shaded(shape: Shape) -> Array:
    """(F, 3) uint8: the lit colour of every face, in the object frame's light."""
    colours = np.array([shape.colours[name] for name in shape.solid.palette])
    return drawing.lit(solid_mesh(shape), colours[shape.solid.colours])


def solid_mesh(shape: Shape) -> Mesh:
    """The surface with the corners as they were made, in double precision."""
    return Mesh(shape.solid.vertices, shape.solid.faces)
