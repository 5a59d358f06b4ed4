"""The two grids stored with every object, made by the voxeliser of the protocol that scores them.

Both use Kato's conservative voxeliser, which marks every cell a surface touches. A grid sampled
at cell centres would cap even a perfect prediction far below IoU 1 under such a protocol.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.datasets.records import VoxelKind

Array = npt.NDArray[Any]

RESOLUTION = 32


def kato_grid_to_object() -> Array:
    """Cell n of an axis spans [(n - 16)/31, (n - 15)/31] in the object frame."""
    matrix = np.diag([1 / 31] * 3 + [1.0])
    matrix[:3, 3] = -16 / 31
    return matrix


def unit_grid_to_object() -> Array:
    """Cell n of an axis spans [-0.5 + n/32, -0.5 + (n + 1)/32] in the object frame."""
    matrix = np.diag([1 / RESOLUTION] * 3 + [1.0])
    matrix[:3, 3] = -0.5
    return matrix


VOXEL_KINDS = {
    "kato": VoxelKind(
        RESOLUTION, kato_grid_to_object(), "Kato's voxeliser, his grid (31 c + 16), filled"
    ),
    "binvox": VoxelKind(
        RESOLUTION,
        unit_grid_to_object(),
        "binvox-like cells of the unit cube by Kato's voxeliser (not the program binvox), filled",
    ),
}


def kato_grid(vertices: Array, faces: Array) -> Array:
    """The grid of Kato's protocol, in object axes.

    His code voxelises in its mirrored mesh frame (x, y, z) = (-Z, Y, -X) and the arithmetic is not
    symmetric, so the detour through that frame is taken here too.

    Args:
        vertices: (V, 3), object frame.
        faces: (F, 3).

    Returns:
        (32, 32, 32) bool, [x, y, z] of the object frame.

    Example:
        >>> from benchbench.datasets.shapes13.parts import box
        >>> grid = kato_grid(*box((0.2, -0.1, -0.1), (0.5, 0.1, 0.1)))
        >>> grid.any((1, 2)).nonzero()[0][[0, -1]].tolist()  # 31 * 0.2 + 16 to 31 * 0.5 + 16
        [22, 31]
    """
    mirrored = np.stack([-vertices[:, 2], vertices[:, 1], -vertices[:, 0]], -1).astype(np.float32)
    unit = mirrored * np.float32(31) / np.float32(32) + np.float32(0.5)
    cells = _voxelize(unit, faces, RESOLUTION)
    stored = cells.transpose(1, 0, 2)[:, :, ::-1]  # as his data set holds it: (y, x, 31 - z)
    return np.ascontiguousarray(stored[:, ::-1, :].transpose(2, 0, 1))


def unit_grid(vertices: Array, faces: Array, resolution: int = RESOLUTION) -> Array:
    """The grid of the unit cube, in object axes.

    A surface on the border of a grid can leak, and the longest side touches it; so the cube
    [-1, 1]^3 is voxelised at (2 R)^3, which has the same cells, and its middle is cut out.

    Args:
        vertices: (V, 3), object frame.
        faces: (F, 3).
        resolution: Cells per side R, even.

    Returns:
        (R, R, R) bool, [x, y, z] of the object frame.
    """
    doubled = vertices.astype(np.float32) * np.float32(0.5) + np.float32(0.5)
    cells = _voxelize(doubled, faces, 2 * resolution)
    low, high = resolution // 2, resolution // 2 + resolution
    return np.ascontiguousarray(cells[low:high, low:high, low:high])


def _voxelize(unit: Array, faces: Array, resolution: int) -> Array:
    import torch

    from benchbench.cuda_ops.voxelize import voxelize

    grid = voxelize(
        torch.from_numpy(np.ascontiguousarray(unit))[None],
        torch.from_numpy(np.ascontiguousarray(faces, dtype=np.int64)),
        resolution,
    )
    return grid[0].numpy()
