"""The silhouettes that Kato's reconstruction network is trained with.

They differ from the renderer's own: every coordinate is stretched by 127/126, `eps` is 1e-3, and
the picture is shrunk from 128 to 64 by bilinear sampling with aligned corners instead of a mean
of four pixels. Source: Kato, Ushiku, Harada, "Neural 3D Mesh Renderer", CVPR 2018, the training
code of the single-image reconstruction.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops.camera import look_at, perspective
from benchbench.cuda_ops.rasterize import rasterize_silhouettes
from benchbench.cuda_ops.vertices_to_faces import vertices_to_faces

VIEWING_ANGLE = 15.0
"""Half the field of view in degrees."""
NEAR, FAR, EPS = 0.1, 100.0, 1e-3


def kato_silhouettes(
    vertices: Tensor, faces: Tensor, eyes: Tensor | Sequence[float], image_size: int = 64
) -> Tensor:
    """Silhouettes of meshes seen from `eyes` looking at the origin, with gradient.

    Both sides of every face are drawn.

    Args:
        vertices: (B, V, 3) float32 in Kato's mesh frame.
        faces: (F, 3) vertex indices, shared by the batch.
        eyes: (B, 3), or (3,) for all. Kato's views: `get_points_from_angles(2.732, 30, -15 k)`.
        image_size: Side S of the picture; drawn at 2 S.

    Returns:
        (B, S, S) float32 in [0, 1], top row first.

    Raises:
        ShapeError: An argument has the wrong shape or type, or is empty.

    Example:
        >>> corners = torch.tensor([[[-0.5, -0.5, 0.0], [0.5, -0.5, 0.0], [0.0, 0.5, 0.0]]])
        >>> seen = kato_silhouettes(corners, torch.tensor([[0, 1, 2]]), (0.0, 0.0, -2.732), 4)
        >>> (3 * seen[0]).round().int().tolist()
        [[0, 0, 0, 0], [0, 1, 1, 0], [0, 3, 3, 0], [0, 0, 0, 0]]
    """
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ShapeError("kato_silhouettes", "faces", "(F, 3)", tuple(faces.shape))
    if not isinstance(image_size, int) or image_size < 2:
        raise ShapeError("kato_silhouettes", "image_size", "an integer of at least 2", image_size)
    seen = look_at(vertices, eyes, variant="chainer")
    seen = perspective(seen, VIEWING_ANGLE, variant="chainer")
    raster = 2 * image_size
    seen = seen * ((raster - 1) / (raster - 2))
    corners = vertices_to_faces(seen, torch.cat((faces, faces.flip(1))))
    alpha = rasterize_silhouettes(corners, raster, False, NEAR, FAR, EPS)
    return shrink_aligned(alpha)


def shrink_aligned(pictures: Tensor) -> Tensor:
    """Halves pictures by bilinear sampling with aligned corners.

    The sample (r, c) of a picture of side S lies at (2 S - 1) / (S - 1) * (r, c), which is between
    rows 2r and 2r + 1 with weight r / (S - 1) on the second. Written that way, its gradient needs
    no scattered additions and is deterministic on every device.

    Args:
        pictures: (B, 2 S, 2 S) floating point, S at least 2.

    Returns:
        (B, S, S).

    Example:
        >>> shrink_aligned(torch.arange(16.0).reshape(1, 4, 4))[0].tolist()
        [[0.0, 3.0], [12.0, 15.0]]
    """
    size = pictures.shape[-1] // 2
    second = torch.arange(size, dtype=pictures.dtype, device=pictures.device) / (size - 1)
    first = 1 - second
    rows = pictures[:, 0::2] * first[:, None] + pictures[:, 1::2] * second[:, None]
    return rows[..., 0::2] * first + rows[..., 1::2] * second
