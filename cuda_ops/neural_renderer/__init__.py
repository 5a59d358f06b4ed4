"""Neural 3D Mesh Renderer: a drop-in for the PyTorch port, on CPU and CUDA.

`import benchbench.cuda_ops.neural_renderer as nr` is the one line to change. Pictures may be
rectangular, tensors may live on any device, and what was wrong is mended; docs/neural_renderer.md
lists it all.
"""

from __future__ import annotations

from benchbench.cuda_ops.camera import (
    get_points_from_angles,
    look,
    look_at,
    perspective,
    projection,
)
from benchbench.cuda_ops.neural_renderer.rasterize import (
    Rasterize,
    rasterize,
    rasterize_depth,
    rasterize_rgbad,
    rasterize_silhouettes,
)
from benchbench.cuda_ops.vertices_to_faces import vertices_to_faces

__all__ = [
    "Rasterize",
    "get_points_from_angles",
    "look",
    "look_at",
    "perspective",
    "projection",
    "rasterize",
    "rasterize_depth",
    "rasterize_rgbad",
    "rasterize_silhouettes",
    "vertices_to_faces",
]
