"""separating-axis-v1: View Prior Learning's voxeliser, exact overlap of triangles and cells.

A cell is marked where a triangle meets the closed cell (13-axis separating-axis test, Akenine-
Moeller 2001; touching counts), then everything that empty cells do not reach from the border of
the grid is filled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh
from benchbench.protocols.convert import RESOLUTION, Matrix, check_size

BoolGrid = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]
_PAIRS = 1 << 15  # of triangles and cells that are tested at once; many more leave the cache


def separating_axis_voxels(
    mesh: Mesh, grid_to_object: Matrix, resolution: int = RESOLUTION
) -> BoolGrid:
    """Cells of a grid that a mesh meets or encloses.

    Args:
        mesh: Object frame.
        grid_to_object: (4, 4), cell n spanning [n, n + 1).
        resolution: R, cells per side.

    Returns:
        (R, R, R) bool, [x, y, z].

    Raises:
        Unscorable: The coordinates are absurd.

    Example:
        >>> from benchbench.protocols.convert import unit_cube_grid
        >>> corners = np.array([[-0.4, -0.4, 0.01], [0.4, -0.4, 0.01], [0, 0.4, 0.01]], np.float32)
        >>> triangle = Mesh(corners, np.array([[0, 1, 2]], np.int32))
        >>> grid = separating_axis_voxels(triangle, unit_cube_grid())
        >>> grid.any((0, 1)).nonzero()[0].tolist()
        [16]
    """
    check_size(mesh)
    to_grid = np.linalg.inv(grid_to_object)
    cells = mesh.vertices.astype(np.float64) @ to_grid[:3, :3].T + to_grid[:3, 3]
    # Float32 as in the original, and so that a border computed in float64 is met exactly.
    corners = cells.astype(np.float32).astype(np.float64)[mesh.faces]
    return fill(_surface(corners, resolution))


def fill(surface: BoolGrid) -> BoolGrid:
    """Adds every cell that cannot be reached from an empty border cell, by six neighbours.

    Example:
        >>> shell = np.ones((3, 3, 3), bool); shell[1, 1, 1] = False
        >>> bool(fill(shell).all())
        True
    """
    from scipy.ndimage import label

    # A layer of empty cells around the grid joins all empty border cells into one region.
    regions, _ = label(np.pad(~surface, 1, constant_values=True))
    outside: BoolGrid = regions == regions[0, 0, 0]
    return ~outside[1:-1, 1:-1, 1:-1]


def _surface(corners: Array, resolution: int) -> BoolGrid:
    grid = np.zeros(resolution**3, np.bool_)
    # The closed cell c spans [c, c + 1].
    low = np.clip(np.ceil(corners.min(1)) - 1, 0, resolution).astype(np.int64)
    high = np.clip(np.floor(corners.max(1)), -1, resolution - 1).astype(np.int64)
    sides = np.maximum(high - low + 1, 0)
    boxes = np.ascontiguousarray(np.concatenate([low, sides], 1).T)
    planes = _planes(corners)
    ends = np.cumsum(sides.prod(1))
    total = int(ends[-1]) if len(ends) else 0
    for first in range(0, total, _PAIRS):
        pair = np.arange(first, min(first + _PAIRS, total))
        face = np.searchsorted(ends, pair, side="right")
        cell = _cell(pair - (ends - sides.prod(1))[face], boxes[:, face])
        near = np.flatnonzero(_near(planes[:, face], cell))
        face, cell = face[near], cell[:, near]
        met = cell[:, _meets(corners[face] - (cell.T + 0.5)[:, None])]
        grid[np.ravel_multi_index(tuple(met), (resolution,) * 3)] = True
    return grid.reshape((resolution,) * 3)


def _cell(number: Array, box: Array) -> Array:
    """(3, P) the cells of these numbers in boxes, (6, P) their lowest cells and sides."""
    x, rest = np.divmod(number, box[4] * box[5])
    y, z = np.divmod(rest, box[5])
    return box[:3] + np.stack([x, y, z])


def _planes(corners: Array) -> Array:
    """(5, F): normals of triangles, offsets from the centre of cell 0, and reach of a cell."""
    edges = corners[:, 1:] - corners[:, :1]
    normal = np.cross(edges[:, 0], edges[:, 1])
    offset = (normal * (corners[:, 0] - 0.5)).sum(1)
    # Thousands of times what rounding does here and in `_meets`, which decides.
    size = np.abs(edges).max((1, 2)) + 1
    slack = 1e-9 * size**2 * (np.abs(corners).max((1, 2)) + size)
    reach = 0.5 * np.abs(normal).sum(1) + slack
    planes: Array = np.concatenate([normal.T, [offset, reach]])
    return planes


def _near(planes: Array, cell: Array) -> BoolGrid:
    """Whether (3, P) cells may meet the planes, (5, P), of their triangles."""
    away = planes[0] * cell[0] + planes[1] * cell[1] + planes[2] * cell[2] - planes[3]
    near: BoolGrid = np.abs(away) <= planes[4]
    return near


def _meets(triangle: Array) -> BoolGrid:
    """Whether (P, 3, 3) triangles meet the closed cube of side 1 around the origin."""
    corners = triangle.transpose(1, 2, 0)
    low, high = _extremes(*corners)
    meets: BoolGrid = np.logical_and.reduce((low <= 0.5) & (high >= -0.5), axis=0)
    edges = np.roll(triangle, -1, 1) - triangle
    normal = np.cross(edges[:, 0], edges[:, 1])
    meets &= np.abs((normal * triangle[:, 0]).sum(1)) <= 0.5 * np.abs(normal).sum(1)
    # Most pairs are decided by now; the nine products of edges and axes see the others alone.
    left = np.flatnonzero(meets)
    corners = np.ascontiguousarray(corners[:, :, left])
    for edge in np.ascontiguousarray(edges.transpose(1, 2, 0)[:, :, left]):
        for axis in range(3):
            one, two = (axis + 1) % 3, (axis + 2) % 3
            low, high = _extremes(*(edge[two] * c[one] - edge[one] * c[two] for c in corners))
            radius = 0.5 * (np.abs(edge[two]) + np.abs(edge[one]))
            near: BoolGrid = (low <= radius) & (high >= -radius)
            meets[left[~near]] = False
    return meets


def _extremes(a: Array, b: Array, c: Array) -> tuple[Array, Array]:
    """Smallest and largest of three."""
    return np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
