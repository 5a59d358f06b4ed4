"""The perspective cameras of kaolin's DIB-R examples, under kaolin's names.

The camera looks along -z with x right and y up, so what it sees has negative depth and a larger
depth is nearer. Everything is plain differentiable torch. Source: Chen et al., "Learning to
Predict 3D Objects with an Interpolation-based Differentiable Renderer", NeurIPS 2019, and the
documentation of kaolin 0.9 to 0.18 (there `kaolin.render.camera`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError

__all__ = [
    "generate_perspective_projection",
    "generate_rotate_translate_matrices",
    "generate_transformation_matrix",
    "perspective_camera",
    "rotate_translate_points",
]

_TINY = 1e-10


def generate_perspective_projection(
    fovyangle: float, ratio: float = 1.0, dtype: torch.dtype = torch.float
) -> Tensor:
    """The three factors by which `perspective_camera` multiplies a point.

    Args:
        fovyangle: Field of view in y, radians.
        ratio: Width over height.
        dtype: Of the result.

    Returns:
        (3, 1): 1 / (ratio tan(fovyangle / 2)), 1 / tan(fovyangle / 2), -1.

    Example:
        >>> generate_perspective_projection(math.pi / 2).ravel().tolist()
        [1.0, 1.0, -1.0]
    """
    width = math.tan(fovyangle / 2)
    return torch.tensor([[1 / (ratio * width)], [1 / width], [-1.0]], dtype=dtype)


def perspective_camera(points: Tensor, camera_proj: Tensor) -> Tensor:
    """Projects points of the camera frame onto the image plane.

    Args:
        points: (B, V, 3). A depth of 0 gives infinity, which the renderer does not draw.
        camera_proj: (3, 1), from `generate_perspective_projection`, or (B, 3, 1).

    Returns:
        (B, V, 2): x right and y up, -1..1 inside the picture.

    Example:
        >>> projection = generate_perspective_projection(math.pi / 2)
        >>> perspective_camera(torch.tensor([[[0.5, 1.0, -2.0]]]), projection)
        tensor([[[0.2500, 0.5000]]])
    """
    _check("perspective_camera", "points", points, 3)
    scaled = points * camera_proj.reshape(-1, 1, 3)
    return scaled[..., :2] / scaled[..., 2:]


def rotate_translate_points(points: Tensor, camera_rot: Tensor, camera_trans: Tensor) -> Tensor:
    """Moves points of the world into the camera frame: rotation times (point - camera centre).

    Args:
        points: (B, V, 3).
        camera_rot: (B, 3, 3); its rows are the camera's x, y and backward z.
        camera_trans: (B, 3) or (B, 3, 1), the centre of the camera.

    Returns:
        (B, V, 3).
    """
    _check("rotate_translate_points", "points", points, 3)
    return torch.matmul(points - camera_trans.reshape(-1, 1, 3), camera_rot.transpose(1, 2))


def generate_rotate_translate_matrices(
    camera_position: Tensor, look_at: Tensor, camera_up_direction: Tensor
) -> tuple[Tensor, Tensor]:
    """Rotation and centre of cameras at `camera_position` that look at `look_at`.

    Args:
        camera_position: (B, 3) or (1, 3).
        look_at: (B, 3) or (1, 3).
        camera_up_direction: (B, 3) or (1, 3); parallel to the line of sight it gives x = y = 0.

    Returns:
        (B, 3, 3) rotations and (B, 3) centres, for `rotate_translate_points`.

    Example:
        >>> one = torch.tensor([[0.0, 0.0, 2.0]])
        >>> rotation, centre = generate_rotate_translate_matrices(
        ...     one, torch.zeros(1, 3), torch.tensor([[0.0, 1.0, 0.0]]))
        >>> rotate_translate_points(torch.zeros(1, 1, 3), rotation, centre)
        tensor([[[ 0.,  0., -2.]]])
    """
    name = "generate_rotate_translate_matrices"
    _check(name, "camera_position", camera_position, 2)
    _check(name, "look_at", look_at, 2)
    _check(name, "camera_up_direction", camera_up_direction, 2)
    forward = _unit(look_at - camera_position)
    forward, up = torch.broadcast_tensors(forward, camera_up_direction)
    right = _unit(torch.linalg.cross(forward, up))
    upward = _unit(torch.linalg.cross(right, forward))
    return torch.stack((right, upward, -forward), 1), camera_position


def generate_transformation_matrix(
    camera_position: Tensor, look_at: Tensor, camera_up_direction: Tensor
) -> Tensor:
    """The same camera as one matrix: (point, 1) @ matrix is the point in the camera frame.

    Args:
        camera_position: (B, 3) or (1, 3).
        look_at: (B, 3) or (1, 3).
        camera_up_direction: (B, 3) or (1, 3), not parallel to the line of sight.

    Returns:
        (B, 4, 3).
    """
    rotation, centre = generate_rotate_translate_matrices(
        camera_position, look_at, camera_up_direction
    )
    turned = rotation.transpose(1, 2)
    shift = -torch.matmul(centre[:, None].expand(turned.shape[0], 1, 3), turned)
    return torch.cat((turned, shift), 1)


def _unit(vector: Tensor) -> Tensor:
    return vector / (torch.linalg.vector_norm(vector, dim=1, keepdim=True) + _TINY)


def _check(function: str, name: str, value: Tensor, dims: int) -> None:
    if value.ndim != dims or value.shape[-1] != 3 or not value.is_floating_point():
        expected = f"{'(B, V, 3)' if dims == 3 else '(B, 3)'} floating point"
        got = f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
        raise ShapeError(function, name, expected, got)
