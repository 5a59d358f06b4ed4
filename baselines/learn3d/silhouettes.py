"""The three cameras of learn3D's training and the silhouettes that they see.

| data | camera |
|---|---|
| Kato's | perspective, half the field of view 15 degrees, 24 eyes around the object |
| LSM's | perspective, half the field of view atan(16 / 60), eyes from view.txt |
| PASCAL3D+ | orthographic, one rotation a picture |

All are drawn twice as large and averaged, both sides of every face, with the gradient of Neural 3D
Mesh Renderer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops.camera import look_at, perspective
from benchbench.cuda_ops.rasterize import rasterize_silhouettes
from benchbench.cuda_ops.vertices_to_faces import vertices_to_faces

SIZE = 64
NEAR, FAR, EPS = 0.1, 100.0, 1e-4
_AHEAD = 1 + 1e-5  # how far an orthographic object is moved before the camera


def on_screen(vertices: Tensor, cameras: Tensor, half_field: float | None) -> Tensor:
    """Vertices in normalised device coordinates and depth.

    Args:
        vertices: (B, V, 3) in the method's frame.
        cameras: (B, 3) eyes which look at the origin; or (B, 3, 3) rotations of PASCAL3D+.
        half_field: Half the field of view in degrees; None with rotations.

    Returns:
        (B, V, 3).

    Raises:
        ShapeError: The cameras are not of that kind.

    Example:
        >>> on_screen(torch.tensor([[[0.5, 0.0, 0.0]]]), torch.tensor([[0.0, 0.0, -2.0]]), 45.0)
        tensor([[[0.2500, 0.0000, 2.0000]]])
    """
    wanted = (len(vertices), 3) if half_field is not None else (len(vertices), 3, 3)
    if tuple(cameras.shape) != wanted:
        raise ShapeError("on_screen", "cameras", str(wanted), tuple(cameras.shape))
    if half_field is not None:
        return perspective(look_at(vertices, cameras), half_field)
    mirrored = cameras * cameras.new_tensor([-1.0, 1.0, 1.0])[:, None]
    turned = torch.matmul(vertices, mirrored.transpose(1, 2))
    return turned + turned.new_tensor([0.0, 0.0, _AHEAD])


def silhouettes(
    vertices: Tensor,
    faces: Tensor,
    cameras: Tensor,
    half_field: float | None,
    size: int = SIZE,
    anti_aliasing: bool = True,
) -> Tensor:
    """Silhouettes with gradient.

    Args:
        vertices: (B, V, 3) in the method's frame.
        faces: (F, 3), shared by the batch.
        cameras: As in `on_screen`.
        half_field: As in `on_screen`.
        size: Side S of the picture in pixels.
        anti_aliasing: Draw twice as large and average, as the original does.

    Returns:
        (B, S, S) float32 in [0, 1], top row first.
    """
    seen = on_screen(vertices, cameras, half_field)
    corners = vertices_to_faces(seen, torch.cat((faces, faces.flip(1))))
    return rasterize_silhouettes(corners, size, anti_aliasing, NEAR, FAR, EPS)
