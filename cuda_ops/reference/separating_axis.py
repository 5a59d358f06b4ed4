"""Plain twin of `separating_axis` in numpy, bit for bit: each triangle with its box of cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BoolGrid = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]
_PAIRS = 1 << 15  # of triangles and cells that are tested at once; many more leave the cache


def separating_axis(triangles: Array, resolution: int) -> BoolGrid:
    """Cells that triangles meet; see `benchbench.cuda_ops.separating_axis`.

    Args:
        triangles: (F, 3, 3) float64, cell n spanning [n, n + 1].
        resolution: R.

    Returns:
        (R, R, R) bool.
    """
    grid = np.zeros(resolution**3, np.bool_)
    corners = triangles[np.isfinite(triangles).all((1, 2))]
    low = np.clip(np.ceil(corners.min(1)) - 1, 0, resolution).astype(np.int64)
    high = np.clip(np.floor(corners.max(1)), -1, resolution - 1).astype(np.int64)
    sides = np.maximum(high - low + 1, 0)
    ends = np.cumsum(sides.prod(1))
    total = int(ends[-1]) if len(ends) else 0
    for first in range(0, total, _PAIRS):
        pair = np.arange(first, min(first + _PAIRS, total))
        face = np.searchsorted(ends, pair, side="right")
        within = pair - (ends[face] - sides[face].prod(1))
        side = sides[face]
        x, rest = np.divmod(within, side[:, 1] * side[:, 2])
        y, z = np.divmod(rest, side[:, 2])
        cell = low[face] + np.stack([x, y, z], 1)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows meets nothing
            meets = _meets(corners[face] - (cell + 0.5)[:, None])
        grid[np.ravel_multi_index(tuple(cell[meets].T), (resolution,) * 3)] = True
    return grid.reshape((resolution,) * 3)


def _meets(triangle: Array) -> BoolGrid:
    """Whether (P, 3, 3) triangles meet the closed cube of side 1 around the origin."""
    corners = triangle.transpose(1, 2, 0)
    low, high = _extremes(*corners)
    meets: BoolGrid = np.logical_and.reduce((low <= 0.5) & (high >= -0.5), axis=0)
    edges = np.roll(triangle, -1, 1) - triangle
    normal = np.cross(edges[:, 0], edges[:, 1])
    meets &= np.abs((normal * triangle[:, 0]).sum(1)) <= 0.5 * np.abs(normal).sum(1)
    for edge in edges.transpose(1, 2, 0):
        for axis in range(3):
            one, two = (axis + 1) % 3, (axis + 2) % 3
            low, high = _extremes(*(edge[two] * c[one] - edge[one] * c[two] for c in corners))
            radius = 0.5 * (np.abs(edge[two]) + np.abs(edge[one]))
            meets &= (low <= radius) & (high >= -radius)
    return meets


def _extremes(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    """Smallest and largest of three."""
    return np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
