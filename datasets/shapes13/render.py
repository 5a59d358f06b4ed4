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
    random_choy_rows,
    scaled,
)
from benchbench.datasets.shapes13.generate import Shape

Array = npt.NDArray[Any]

VIEWS = 24
KATO_SIZE, CHOY_SIZE = 64, 137


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
