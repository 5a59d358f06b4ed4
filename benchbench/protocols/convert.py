"""The named conversions: mesh to voxels, voxels to voxels, voxels to mesh.

A prediction of one kind is converted for a protocol of another only by a conversion that the
protocol names. A conversion that moves a number gets a new name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchbench.core.types import Mesh, Voxels
from benchbench.cuda_ops.house_voxels import (
    RESOLUTION,
    BoolGrid,
    Matrix,
    tensor,
    unit_cube_grid,
)
from benchbench.cuda_ops.house_voxels import house_voxels as voxels_of_mesh
from benchbench.protocols.truth import Unscorable, memory_of

__all__ = [
    "RESOLUTION", "BoolGrid", "Matrix", "check_size", "house_voxels", "kato_grid", "marching_cubes",
    "meshed", "nearest_cell", "same_grid", "tensor", "unit_cube_grid",
]  # fmt: skip
LARGEST_COORDINATE = 1e6


def kato_grid() -> Matrix:
    """`grid_to_object` of Kato's 32^3 grid: cell n covers [(n - 16)/31, (n - 15)/31]."""
    matrix = np.eye(4)
    matrix[:3, :3] /= 31
    matrix[:3, 3] = -16 / 31
    return matrix


def check_size(mesh: Mesh) -> None:
    """Refuses meshes so large that squares of their coordinates mean nothing in float32."""
    largest = float(np.abs(mesh.vertices).max())
    if largest > LARGEST_COORDINATE:
        raise Unscorable("invalid", f"a coordinate of {largest:.3g} is beyond 1e6 object sizes")


def house_voxels(mesh: Mesh, grid_to_object: Matrix, resolution: int = RESOLUTION) -> BoolGrid:
    """house-voxeliser-v1, see `benchbench.cuda_ops.house_voxels`, of a mesh of sane size.

    Raises:
        Unscorable: The coordinates are absurd.
    """
    check_size(mesh)
    return voxels_of_mesh(mesh, grid_to_object, resolution)


def same_grid(a: Voxels, resolution: int, grid_to_object: Matrix) -> bool:
    """True if both grids have the same cells."""
    return a.occupancy.shape[0] == resolution and bool(
        np.allclose(a.grid_to_object, grid_to_object, rtol=0, atol=1e-9)
    )


def nearest_cell(
    voxels: Voxels, threshold: float, grid_to_object: Matrix, resolution: int = RESOLUTION
) -> BoolGrid:
    """nearest-cell-v1: occupied where the cell of `voxels` at the wanted cell's centre is.

    On the same grid this is the plain threshold. Outside its own grid a prediction is empty.

    Args:
        voxels: The prediction.
        threshold: Occupied if p >= threshold, compared in float32.
        grid_to_object: (4, 4) of the wanted grid.
        resolution: R, cells per side of the wanted grid.

    Returns:
        (R, R, R) bool.

    Example:
        >>> half = Voxels(np.full((2, 2, 2), 0.5, np.float32), unit_cube_grid(2))
        >>> nearest_cell(half, 0.5, unit_cube_grid(4), 4).shape
        (4, 4, 4)
    """
    occupied = voxels.occupancy.astype(np.float32, copy=False) >= np.float32(threshold)
    if same_grid(voxels, resolution, grid_to_object):
        return occupied
    steps = np.arange(resolution) + 0.5
    centres = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    matrix = np.linalg.inv(voxels.grid_to_object) @ grid_to_object
    # 1e-9 of a cell: a centre that lies on a border by rounding belongs to the upper cell.
    index = np.floor(centres @ matrix[:3, :3].T + matrix[:3, 3] + 1e-9).astype(np.int64)
    inside = ((index >= 0) & (index < occupied.shape[0])).all(axis=1)
    result = np.zeros(resolution**3, dtype=np.bool_)
    x, y, z = index[inside].T
    result[inside] = occupied[x, y, z]
    return result.reshape(resolution, resolution, resolution)


def marching_cubes(voxels: Voxels, threshold: float) -> Mesh:
    """marching-cubes-v1: the surface p = threshold, in the object frame, outward winding.

    The grid is padded by one empty cell, a value sits at its cell's centre, the surface is
    interpolated linearly, ambiguous cases are Lewiner's (scikit-image).

    Raises:
        Unscorable: No cell reaches the threshold.

    Example:
        >>> cube = np.zeros((4, 4, 4), np.float32)
        >>> cube[1:3, 1:3, 1:3] = 1
        >>> mesh = marching_cubes(Voxels(cube, np.eye(4)), 0.5)
        >>> mesh.vertices.min().item(), mesh.vertices.max().item()
        (1.0, 3.0)
    """
    from skimage.measure import marching_cubes as lewiner

    padded = np.pad(voxels.occupancy.astype(np.float32, copy=False), 1)
    if not float(padded.max()) > threshold or threshold <= 0:
        raise Unscorable("empty", f"no cell is above the threshold {threshold:g}")
    vertices, faces, _, _ = lewiner(padded, level=threshold)
    # Index i of the padded grid is the centre of cell i - 1, at index coordinate i - 0.5.
    cells = vertices.astype(np.float64) - 0.5
    matrix = voxels.grid_to_object
    points = cells @ matrix[:3, :3].T + matrix[:3, 3]
    if np.linalg.det(matrix[:3, :3]) < 0:
        faces = faces[:, ::-1]
    return Mesh(points.astype(np.float32), np.ascontiguousarray(faces[:, ::-1], dtype=np.int32))


def meshed(voxels: Voxels, settings: Mapping[str, Any]) -> Mesh:
    """`marching_cubes` of a prediction at the method's threshold, made once an item.

    Args:
        voxels: The prediction.
        settings: "threshold", and the item's memory, see `memory_of`.

    Raises:
        Unscorable: No cell reaches the threshold.
    """
    level = float(settings["threshold"])
    return memory_of(settings).remember(
        ("marching cubes", level), lambda: marching_cubes(voxels, level)
    )
