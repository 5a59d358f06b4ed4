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
    orthographic,
    perspective,
    projection,
)
from benchbench.cuda_ops.neural_renderer.batches import (
    pad_meshes,
    textures_from_vertex_colors,
)
from benchbench.cuda_ops.neural_renderer.lighting import lighting
from benchbench.cuda_ops.neural_renderer.load_obj import load_obj
from benchbench.cuda_ops.neural_renderer.mesh import Mesh
from benchbench.cuda_ops.neural_renderer.rasterization import (
    Rasterize,
    rasterize,
    rasterize_depth,
    rasterize_rgbad,
    rasterize_silhouettes,
)
from benchbench.cuda_ops.neural_renderer.renderer import FaceMaps, Renderer
from benchbench.cuda_ops.neural_renderer.save_obj import save_obj
from benchbench.cuda_ops.vertices_to_faces import vertices_to_faces

name = "neural_renderer_pytorch"
__version__ = "1.1.3"
"""The version of the PyTorch port whose behaviour this is."""

__all__ = [
    "FaceMaps",
    "Mesh",
    "Rasterize",
    "Renderer",
    "get_points_from_angles",
    "lighting",
    "load_obj",
    "look",
    "look_at",
    "orthographic",
    "pad_meshes",
    "perspective",
    "projection",
    "rasterize",
    "rasterize_depth",
    "rasterize_rgbad",
    "rasterize_silhouettes",
    "save_obj",
    "textures_from_vertex_colors",
    "vertices_to_faces",
]
