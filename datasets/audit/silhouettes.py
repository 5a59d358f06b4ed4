"""Do voxels and masks of an object agree? Occupied cells go through the stored cameras.

A grid of R^3 cells is about one cell thicker than the object it stands for, so a thin part's cells
may well fall beside its picture. What is judged therefore allows for half a cell's diagonal, in
pixels, around the mask; the plain share is measured too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.datasets.cameras import Camera, project

Array = npt.NDArray[Any]

SIDE = 64  # finer grids are made coarser: any occupied cell of a block occupies it
OPAQUE = 128  # a pixel that is at least half covered must be covered by cells


@dataclass(frozen=True)
class Shares:
    """How a grid and one mask, or the mean of several, agree.

    Attributes:
        inside: Share of the occupied cells whose centres fall on a visible pixel.
        near: The same, for centres within half a cell's diagonal of a visible pixel.
        covered: Share of the at least half covered pixels within half a cell's diagonal of a
            centre.
    """

    inside: float
    near: float
    covered: float


def coarse(grid: Array, grid_to_object: Array, side: int = SIDE) -> tuple[Array, Array]:
    """A grid of at most `side` cells a side, and its matrix.

    Args:
        grid: (R, R, R) bool.
        grid_to_object: (4, 4), of the grid.
        side: Cells.

    Example:
        >>> fine = np.zeros((4, 4, 4), bool)
        >>> fine[3, 0, 1] = True
        >>> cells, matrix = coarse(fine, np.eye(4), 2)
        >>> np.argwhere(cells).tolist(), matrix.diagonal().tolist()
        ([[1, 0, 0]], [2.0, 2.0, 2.0, 1.0])
    """
    step = math.ceil(len(grid) / side)
    if step <= 1:
        return grid, grid_to_object
    count = math.ceil(len(grid) / step)
    padded = np.pad(grid, (0, count * step - len(grid)))
    blocks = padded.reshape(count, step, count, step, count, step)
    return np.asarray(blocks.any(axis=(1, 3, 5))), grid_to_object @ np.diag([step, step, step, 1.0])


def shares(
    grid: Array, grid_to_source: Array, camera: Camera, visible: Array, solid: Array
) -> Shares | None:
    """How one mask agrees with a grid.

    Args:
        grid: (R, R, R) bool.
        grid_to_source: (4, 4) from cell coordinates to the camera's world.
        camera: The picture's.
        visible: (H, W) bool, pixels in which anything of the object is seen.
        solid: (H, W) bool, those that are at least half covered.

    Returns:
        The shares, or None where nothing is occupied or no pixel is solid.
    """
    from scipy import ndimage

    cells = np.argwhere(grid) + 0.5
    if not len(cells) or not solid.any():
        return None
    points = cells @ grid_to_source[:3, :3].T + grid_to_source[:3, 3]
    pixels, depth = project(camera, points)
    height, width = visible.shape
    inside = (
        (depth > 0)
        & (pixels[:, 0] >= 0)
        & (pixels[:, 0] < width)
        & (pixels[:, 1] >= 0)
        & (pixels[:, 1] < height)
    )
    column, row = np.floor(pixels[inside]).astype(int).T
    reach = _reach(grid_to_source, camera, depth[depth > 0], max(height, width))
    size = 2 * reach + 1
    near = ndimage.maximum_filter(visible.astype(np.uint8), size, mode="constant") > 0
    hit = np.zeros(visible.shape, np.uint8)
    hit[row, column] = 1
    hit = ndimage.maximum_filter(hit, size, mode="constant")
    return Shares(
        float(np.count_nonzero(visible[row, column]) / len(cells)),
        float(np.count_nonzero(near[row, column]) / len(cells)),
        float(np.count_nonzero(hit[solid]) / np.count_nonzero(solid)),
    )


def _reach(grid_to_source: Array, camera: Camera, depth: Array, most: int) -> int:
    """Half a cell's diagonal in whole pixels, in the middle of the object."""
    if not len(depth):
        return 0
    diagonal = float(np.linalg.norm(grid_to_source[:3, :3] @ np.ones(3)))
    to_camera = float(np.linalg.norm(camera.world_to_camera[0, :3]))
    focal = max(abs(float(camera.intrinsics[0, 0])), abs(float(camera.intrinsics[1, 1])))
    pixels = focal * diagonal * to_camera / 2 / float(np.median(depth))
    return min(math.ceil(pixels), most) if math.isfinite(pixels) else 0


def mean(found: list[Shares]) -> Shares:
    """The mean over views.

    Example:
        >>> mean([Shares(1.0, 1.0, 0.5), Shares(0.5, 1.0, 1.0)])
        Shares(inside=0.75, near=1.0, covered=0.75)
    """
    table = np.array([[s.inside, s.near, s.covered] for s in found])
    return Shares(*table.mean(0).tolist())
