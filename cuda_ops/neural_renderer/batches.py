"""Meshes of different size in one batch, and colours of vertices as textures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError


def pad_meshes(
    vertices: Sequence[Tensor],
    faces: Sequence[Tensor],
    textures: Sequence[Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Fills meshes of different size up to one batch.

    The faces that are added have all corners in one vertex: they have no area, so they are never
    drawn and get no gradient.

    Args:
        vertices: B tensors (V_b, 3).
        faces: B tensors (F_b, 3).
        textures: B tensors (F_b, T, T, T, 3), the same T; or colours of vertices (V_b, 3).

    Returns:
        vertices (B, V, 3), faces (B, F, 3), textures (B, F, T, T, T, 3) or (B, V, 3) or None.

    Raises:
        ShapeError: The lists do not fit each other, or a mesh is empty.

    Example:
        >>> small, large = torch.zeros(3, 3), torch.zeros(4, 3)
        >>> one, two = torch.tensor([[0, 1, 2]]), torch.tensor([[0, 1, 2], [1, 2, 3]])
        >>> pad_meshes([small, large], [one, two])[1].tolist()
        [[[0, 1, 2], [0, 0, 0]], [[0, 1, 2], [1, 2, 3]]]
    """
    lists = {"vertices": vertices, "faces": faces}
    if textures is not None:
        lists["textures"] = textures
    for name, tensors in lists.items():
        if len(tensors) != len(vertices) or any(len(one) == 0 for one in tensors):
            got = f"shapes {[tuple(one.shape) for one in tensors]}"
            raise ShapeError("pad_meshes", name, f"{len(vertices)} tensors, none empty", got)
    pads = [_stack(tensors) for tensors in lists.values()]
    return pads[0], pads[1], pads[2] if textures is not None else None


def textures_from_vertex_colors(colors: Tensor, faces: Tensor) -> Tensor:
    """Textures that show colours of vertices, interpolated over each face.

    The colour of texel (i, j, k) is i, j and k times the colours of the corners, a linear function,
    which the trilinear look-up reproduces exactly (but for the rasteriser's `eps` at the corners).
    The gradient reaches the colours.

    Args:
        colors: (B, V, 3).
        faces: (B, F, 3) or (F, 3).

    Returns:
        (B, F, 2, 2, 2, 3).

    Example:
        >>> colors = torch.tensor([[[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]])
        >>> textures_from_vertex_colors(colors, torch.tensor([[0, 1, 2]]))[0, 0, 0, 1, 0]
        tensor([0., 1., 0.])
    """
    from benchbench.cuda_ops.vertices_to_faces import vertices_to_faces

    if colors.ndim != 3 or colors.shape[2] != 3:
        got = tuple(colors.shape)
        raise ShapeError("textures_from_vertex_colors", "colors", "(B, V, 3)", got)
    first, second, third = vertices_to_faces(colors, faces).unbind(2)
    on = torch.arange(2, dtype=colors.dtype, device=colors.device)
    return (
        on[:, None, None, None] * first[:, :, None, None, None]
        + on[:, None, None] * second[:, :, None, None, None]
        + on[:, None] * third[:, :, None, None, None]
    )


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors of different length as one batch, filled up with zeros."""
    longest = max(len(one) for one in tensors)
    filled = [
        torch.cat((one, one.new_zeros((longest - len(one), *one.shape[1:])))) for one in tensors
    ]
    return torch.stack(filled)
