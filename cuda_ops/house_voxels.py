"""house-voxeliser-v1: Kato's voxeliser on any grid, without its leak at the border.

Kato's fill takes every empty border cell as outside, so a closed mesh that touches the border of
its grid comes out hollow; the longest side of every object touches the unit cube. With cells of the
same size around the grid there is room.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh

RESOLUTION = 32

BoolGrid = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float64]


def unit_cube_grid(resolution: int = RESOLUTION) -> Matrix:
    """`grid_to_object` of the object frame's unit cube cut into `resolution` cells a side.

    Example:
        >>> unit_cube_grid(32)[0].tolist()
        [0.03125, 0.0, 0.0, -0.5]
    """
    matrix = np.eye(4)
    matrix[:3, :3] /= resolution
    matrix[:3, 3] = -0.5
    return matrix


def house_voxels(mesh: Mesh, grid_to_object: Matrix, resolution: int = RESOLUTION) -> BoolGrid:
    """Cells of a mesh, surface and inside: voxelised in a grid of twice the side, middle part kept.

    Args:
        mesh: Object frame, finite.
        grid_to_object: (4, 4) of the wanted grid, cell n spanning [n, n + 1).
        resolution: R, cells per side of the wanted grid; even.

    Returns:
        (R, R, R) bool, [x, y, z].

    Example:
        >>> corners = np.array([[-0.4, -0.4, 0], [0.4, -0.4, 0], [0, 0.4, 0]], np.float32)
        >>> triangle = Mesh(corners, np.array([[0, 1, 2]], np.int32))
        >>> house_voxels(triangle, unit_cube_grid()).any((0, 1)).nonzero()[0].tolist()
        [16]
    """
    from benchbench.cuda_ops.voxelize import voxelize

    to_grid = np.linalg.inv(grid_to_object)
    cells = mesh.vertices.astype(np.float64) @ to_grid[:3, :3].T + to_grid[:3, 3]
    margin = resolution // 2
    unit = ((cells + margin) / (2 * resolution)).astype(np.float32)
    faces = tensor(mesh.faces, np.int32)
    grid = voxelize(tensor(unit, np.float32)[None], faces, resolution=2 * resolution)
    inner = slice(margin, margin + resolution)
    return np.ascontiguousarray(grid[0, inner, inner, inner].numpy())


def tensor(array: npt.NDArray[Any], dtype: type[np.generic]) -> Any:
    """An array as torch tensor without a copy where that is safe (torch wants it writable)."""
    import torch

    return torch.from_numpy(np.require(array, dtype, ["C", "W"]))
