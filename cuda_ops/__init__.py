"""Kernels for scoring and rendering 3D shapes, on CPU and CUDA with the same numbers.

Importing builds nothing and loads no library; the first call does. The functions carry their
files' names: importing them here, once, keeps `benchbench.cuda_ops.nearest` the function whatever
is imported later.
"""

from __future__ import annotations

from benchbench.cuda_ops.nearest import chamfer_nearest, nearest
from benchbench.cuda_ops.point_to_mesh import point_to_mesh
from benchbench.cuda_ops.points_in_mesh import points_in_mesh
from benchbench.cuda_ops.rasterize import rasterize_maps, rasterize_silhouettes
from benchbench.cuda_ops.sample_surface import sample_surface
from benchbench.cuda_ops.separating_axis import separating_axis
from benchbench.cuda_ops.voxel_iou import voxel_iou
from benchbench.cuda_ops.voxelize import voxelize

__all__ = [
    "chamfer_nearest",
    "nearest",
    "point_to_mesh",
    "points_in_mesh",
    "rasterize_maps",
    "rasterize_silhouettes",
    "sample_surface",
    "separating_axis",
    "voxel_iou",
    "voxelize",
]
