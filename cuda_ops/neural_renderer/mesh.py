"""A mesh with textures, as the PyTorch port keeps it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops.neural_renderer.load_obj import load_obj

_SPREAD = 0.05


class Mesh:
    """Vertices, faces and textures.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        textures: (F, T, T, T, 3); without them a learnable start of 0.05 times normal noise.
        texture_size: Side T of the textures that are made.
        generator: Draws the noise; None takes torch's own, as the original does.

    Attributes:
        vertices: As given.
        faces: As given.
        textures: As given, or an `nn.Parameter` on the device of the vertices.
        texture_size: Side T of the textures.
        num_vertices: V.
        num_faces: F.
    """

    def __init__(
        self,
        vertices: Tensor,
        faces: Tensor,
        textures: Tensor | None = None,
        texture_size: int = 4,
        generator: torch.Generator | None = None,
    ) -> None:
        self.vertices = vertices
        self.faces = faces
        self.num_vertices = vertices.shape[0]
        self.num_faces = faces.shape[0]
        if textures is None:
            shape = (self.num_faces, texture_size, texture_size, texture_size, 3)
            noise = torch.randn(shape, generator=generator) * _SPREAD
            self.textures: Tensor = nn.Parameter(noise.to(vertices.device))
            self.texture_size = texture_size
            return
        side = textures.shape[1] if textures.ndim == 5 else 0
        if tuple(textures.shape) != (self.num_faces, side, side, side, 3):
            expected = f"({self.num_faces}, T, T, T, 3)"
            raise ShapeError("Mesh", "textures", expected, tuple(textures.shape))
        self.textures = textures
        self.texture_size = side

    @classmethod
    def fromobj(
        cls,
        filename_obj: str | Path,
        normalization: bool = True,
        load_texture: bool = False,
        texture_size: int = 4,
    ) -> Mesh:
        """Loads an OBJ file; arguments as in `load_obj`."""
        loaded = load_obj(filename_obj, normalization, texture_size, load_texture)
        textures = loaded[2] if len(loaded) == 3 else None
        return cls(loaded[0], loaded[1], textures, texture_size)
