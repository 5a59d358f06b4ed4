"""Plain twin of `voxelize`: every face against every lattice line, then a flood step by step."""

from __future__ import annotations

import torch
from torch import Tensor

FARTHEST = float(2**24)  # cells; single precision ends to count there


def voxelize(vertices: Tensor, faces: Tensor, resolution: int = 32) -> Tensor:
    """Conservative voxelisation; see `benchbench.cuda_ops.voxelize` for the definition.

    Takes about 3 F R^2 operations a mesh and no care for memory.

    Args:
        vertices: (B, V, 3) float32, unit-cube coordinates.
        faces: (F, 3) integers.
        resolution: Cells per side R.

    Returns:
        (B, R, R, R) bool, indexed [x, y, z].
    """
    grids = []
    for mesh in vertices.to(torch.float32):
        corners = (mesh * float(resolution))[faces.to(torch.int64)]  # (F, 3 corners, 3 axes)
        usable = (corners.abs() < FARTHEST).all(dim=2).all(dim=1)
        grids.append(_fill(mark(corners[usable], resolution)))
    return torch.stack(grids)


def mark(corners: Tensor, resolution: int) -> Tensor:
    """The cells that faces touch, not filled.

    Args:
        corners: (F, 3, 3) float32, face, corner, axis; voxel units.
        resolution: Cells per side R.

    Returns:
        (R, R, R) bool.
    """
    # One cell more on the low side takes what falls outside.
    grid = corners.new_zeros((resolution + 1,) * 3, dtype=torch.bool)
    cells = corners.reshape(-1, 3).trunc().clamp(-1, resolution).to(torch.int64)
    cells = cells[((cells >= 0) & (cells < resolution)).all(dim=1)] + 1
    grid[cells[:, 0], cells[:, 1], cells[:, 2]] = True
    for axis, (first, second) in enumerate(((2, 1), (0, 2), (0, 1))):
        for face in corners:
            _mark_lines(grid, face, first, second, axis, resolution)
    return grid[1:, 1:, 1:]


def _mark_lines(
    grid: Tensor, face: Tensor, first: int, second: int, axis: int, resolution: int
) -> None:
    a, b, c = face
    e1, e2 = b - a, c - a
    det = e1[second] * e2[first] - e2[second] * e1[first]
    if det == 0:
        return
    lines = torch.arange(resolution, dtype=torch.float32, device=face.device)
    d0, d1 = (lines - a[first])[:, None], (lines - a[second])[None, :]
    t1 = (e2[first] * d1 - e2[second] * d0) / det
    t2 = (-e1[first] * d1 + e1[second] * d0) / det
    depth = torch.floor((t1 * e1[axis] + t2 * e2[axis]) + a[axis])
    hit = (t1 >= 0) & (t2 >= 0) & (t1 + t2 <= 1) & (depth >= 0) & (depth < resolution)
    i0, i1 = hit.nonzero(as_tuple=True)
    k = depth[i0, i1].to(torch.int64)
    for back0 in (0, 1):
        for back1 in (0, 1):
            index = [i0, i0, i0]
            index[first], index[second], index[axis] = i0 - back0 + 1, i1 - back1 + 1, k + 1
            grid[index[0], index[1], index[2]] = True


def _fill(marked: Tensor) -> Tensor:
    """Everything that the unmarked boundary cells do not reach."""
    free = ~marked
    outside = free.clone()
    outside[1:-1, 1:-1, 1:-1] = False
    while True:
        grown = outside.clone()
        for axis in range(3):
            n = outside.shape[axis] - 1
            grown.narrow(axis, 1, n).logical_or_(outside.narrow(axis, 0, n))
            grown.narrow(axis, 0, n).logical_or_(outside.narrow(axis, 1, n))
        grown &= free
        if torch.equal(grown, outside):
            return ~outside
        outside = grown
