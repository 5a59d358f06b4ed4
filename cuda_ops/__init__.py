"""Kernels for scoring and rendering 3D shapes, on CPU and CUDA with the same numbers.

Everything is exported lazily, so that `import benchbench.cuda_ops` costs nothing and builds
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

_EXPORTS = {
    "chamfer_nearest": "nearest",
    "nearest": "nearest",
    "point_to_mesh": "point_to_mesh",
    "rasterize_maps": "rasterize",
    "rasterize_silhouettes": "rasterize",
    "sample_surface": "sample_surface",
    "voxel_iou": "voxel_iou",
    "voxelize": "voxelize",
}

__all__ = [
    "chamfer_nearest",
    "nearest",
    "point_to_mesh",
    "rasterize_maps",
    "rasterize_silhouettes",
    "sample_surface",
    "voxel_iou",
    "voxelize",
]

if TYPE_CHECKING:
    from benchbench.cuda_ops.nearest import chamfer_nearest, nearest
    from benchbench.cuda_ops.point_to_mesh import point_to_mesh
    from benchbench.cuda_ops.rasterize import rasterize_maps, rasterize_silhouettes
    from benchbench.cuda_ops.sample_surface import sample_surface
    from benchbench.cuda_ops.voxel_iou import voxel_iou
    from benchbench.cuda_ops.voxelize import voxelize


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    import importlib

    # The functions share their files' names, so the attribute is set explicitly: importing a
    # submodule would otherwise leave the module object under the function's name.
    for public, home in _EXPORTS.items():
        if home == _EXPORTS[name]:
            module = importlib.import_module(f"{__name__}.{home}")
            globals()[public] = getattr(module, public)
    return globals()[name]
