"""Cameras of Neural 3D Mesh Renderer: where the eye is, and from vertices to the screen.

The camera frame is left-handed: x right, y up, z forward; `viewing_angle` is HALF the field of
view. Everything is plain differentiable torch and works for every batch size (the original's
cross products pick the wrong axis at batch 3).

The two published versions differ in the last digits, and `variant` chooses:

========== ========================= =======
variant    unit vector               pi
========== ========================= =======
"pytorch"  u / max(|u|, 1e-5)        math.pi
"chainer"  u / (|u| + 1e-5)          3.1416
========== ========================= =======

Source: Kato, Ushiku, Harada, "Neural 3D Mesh Renderer", CVPR 2018; PyTorch port 1.1.3 and the
Chainer original 1.1.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from benchbench.core.errors import ShapeError, UsageError
from benchbench.cuda_ops.vertices_to_faces import vertices_to_faces

__all__ = [
    "get_points_from_angles",
    "look",
    "look_at",
    "orthographic",
    "perspective",
    "projection",
    "vertices_to_faces",
]

Variant = Literal["pytorch", "chainer"]
Vector = Tensor | Sequence[float]
Array = Tensor | np.ndarray
_SHORTEST = 1e-5
_UP = (0.0, 1.0, 0.0)


def get_points_from_angles(
    distance: Tensor | float,
    elevation: Tensor | float,
    azimuth: Tensor | float,
    degrees: bool = True,
) -> tuple[float, float, float] | Tensor:
    """The eye at a distance, elevation and azimuth; azimuth 0 lies on -z, elevation up is +y.

    Args:
        distance: Of the origin. A number gives a tuple; a tensor (B,) gives (B, 3), and then
            elevation and azimuth must be tensors too.
        elevation: Degrees, or radians if `degrees` is False.
        azimuth: As elevation.
        degrees: Unit of the angles.

    Returns:
        (x, y, z), a tuple of floats or a tensor (B, 3).

    Example:
        >>> get_points_from_angles(2.0, 0.0, 0.0)
        (0.0, 0.0, -2.0)
    """
    if isinstance(distance, Tensor):
        return _points(distance, elevation, azimuth, degrees)
    scale = math.pi / 180 if degrees else 1.0
    e, a = scale * float(elevation), scale * float(azimuth)
    ring = distance * math.cos(e)
    return (ring * math.sin(a), distance * math.sin(e), -ring * math.cos(a))


def _points(
    distance: Tensor, elevation: Tensor | float, azimuth: Tensor | float, degrees: bool
) -> Tensor:
    if not isinstance(elevation, Tensor) or not isinstance(azimuth, Tensor):
        got = f"{type(elevation).__name__} and {type(azimuth).__name__}"
        expected = "tensors where distance is one"
        raise ShapeError("get_points_from_angles", "elevation and azimuth", expected, got)
    if degrees:
        elevation, azimuth = torch.deg2rad(elevation), torch.deg2rad(azimuth)
    ring = distance * torch.cos(elevation)
    return torch.stack(
        (
            ring * torch.sin(azimuth),
            distance * torch.sin(elevation),
            -ring * torch.cos(azimuth),
        ),
        dim=-1,
    )


def look_at(
    vertices: Tensor,
    eye: Vector,
    at: Vector = (0.0, 0.0, 0.0),
    up: Vector = _UP,
    variant: Variant = "pytorch",
) -> Tensor:
    """Moves vertices into the frame of a camera at `eye` that looks at `at`.

    Args:
        vertices: (B, V, 3).
        eye: (3,) or (B, 3).
        at: (3,) or (B, 3).
        up: (3,) or (B, 3). Parallel to the line of sight it gives x = y = 0.
        variant: "pytorch" or "chainer" (see above).

    Returns:
        (B, V, 3): x right, y up, z forward.

    Example:
        >>> look_at(torch.tensor([[[0.5, 0.25, 0.0]]]), (0.0, 0.0, -2.0))
        tensor([[[0.5000, 0.2500, 2.0000]]])
    """
    _check_vertices("look_at", vertices)
    eye = _vector("look_at", "eye", eye, vertices)
    at = _vector("look_at", "at", at, vertices)
    return _rotate(vertices, eye, at - eye, _vector("look_at", "up", up, vertices), variant)


def look(
    vertices: Tensor,
    eye: Vector,
    direction: Vector = (0.0, 0.0, 1.0),
    up: Vector | None = None,
    variant: Variant = "pytorch",
) -> Tensor:
    """Moves vertices into the frame of a camera at `eye` that looks along `direction`.

    Args:
        vertices: (B, V, 3).
        eye: (3,) or (B, 3).
        direction: (3,) or (B, 3). The default is Chainer's; that of the PyTorch port, (0, 1, 0),
            is parallel to its default `up` and shows nothing.
        up: (3,) or (B, 3); None is (0, 1, 0).
        variant: "pytorch" or "chainer" (see above).

    Returns:
        (B, V, 3): x right, y up, z forward.
    """
    _check_vertices("look", vertices)
    eye = _vector("look", "eye", eye, vertices)
    direction = _vector("look", "direction", direction, vertices)
    up = _vector("look", "up", _UP if up is None else up, vertices)
    return _rotate(vertices, eye, direction, up, variant)


def perspective(vertices: Tensor, angle: float = 30.0, variant: Variant = "pytorch") -> Tensor:
    """Divides x and y by depth, so that half the field of view, `angle`, ends at 1.

    Args:
        vertices: (B, V, 3) in the camera frame. Depths of 0 or less are not treated specially.
        angle: Half the field of view in degrees.
        variant: "pytorch" or "chainer" (see above).

    Returns:
        (B, V, 3): x and y in normalised device coordinates, z unchanged.

    Example:
        >>> perspective(torch.tensor([[[1.0, 0.5, 2.0]]]), 45.0)
        tensor([[[0.5000, 0.2500, 2.0000]]])
    """
    _check_vertices("perspective", vertices)
    _check_variant(variant)
    width = math.tan(angle / 180 * (3.1416 if variant == "chainer" else math.pi))
    depth = vertices[..., 2:]
    return torch.cat((vertices[..., :2] / (depth * width), depth), dim=-1)


def orthographic(vertices: Tensor, size: float = 1.0) -> Tensor:
    """Parallel projection: x and y keep their scale whatever the depth.

    Args:
        vertices: (B, V, 3) in the camera frame.
        size: Half the height of what is seen, in units of the scene.

    Returns:
        (B, V, 3): x and y in normalised device coordinates, z unchanged.

    Example:
        >>> orthographic(torch.tensor([[[1.0, 0.5, 7.0]]]), 2.0)
        tensor([[[0.5000, 0.2500, 7.0000]]])
    """
    _check_vertices("orthographic", vertices)
    return torch.cat((vertices[..., :2] / size, vertices[..., 2:]), dim=-1)


def projection(
    vertices: Tensor,
    K: Array,
    R: Array,
    t: Array,
    dist_coeffs: Array,
    orig_size: float | tuple[float, float],
    eps: float = 1e-9,
) -> Tensor:
    """Projects by a calibrated camera with lens distortion (OpenCV's model).

    The camera is given as tensors or arrays of any type, on any device.

    Args:
        vertices: (B, V, 3) in the world.
        K: (B, 3, 3) or (1, 3, 3) intrinsics in pixels; an image corner is 0, v runs down.
        R: (B, 3, 3) or (1, 3, 3) world to camera.
        t: (B, 1, 3) or (1, 1, 3); the 1 in the middle may be left out.
        dist_coeffs: (B, 5) or (1, 5): k1, k2, p1, p2, k3.
        orig_size: Side in pixels of the image `K` refers to, or (height, width).
        eps: Added to the depth before dividing.

    Returns:
        (B, V, 3): x and y in normalised device coordinates (y up), z the camera depth. The
        gradient is finite on the optical axis, where the original's is NaN.

    Raises:
        ShapeError: A part of the camera has another shape.

    Example:
        >>> eye, still, straight = torch.eye(3)[None], torch.zeros(1, 1, 3), torch.zeros(1, 5)
        >>> K = torch.tensor([[[100.0, 0, 50], [0, 100, 50], [0, 0, 1]]])
        >>> projection(torch.tensor([[[0.5, 1.0, 4.0]]]), K, eye, still, straight, 100)
        tensor([[[ 0.2500, -0.5000,  4.0000]]])
    """
    _check_vertices("projection", vertices)
    K = _part("K", K, (3, 3), vertices)
    R = _part("R", R, (3, 3), vertices)
    t = _part("t", t, (1, 3), vertices)
    dist_coeffs = _part("dist_coeffs", dist_coeffs, (5,), vertices)
    camera = torch.matmul(vertices, R.transpose(1, 2)) + t
    return _through_lens(camera, K, dist_coeffs, orig_size, eps)


def projection_ahead(
    vertices: Tensor,
    K: Array,
    R: Array,
    t: Array,
    dist_coeffs: Array,
    orig_size: float | tuple[float, float],
) -> tuple[Tensor, Tensor]:
    """`projection` of the vertices in front of the camera; the others get no gradient.

    A depth of 0 makes the gradient of a lens NaN, even where nothing of it is used.

    Returns:
        (B, V, 3) as from `projection`, and (B, V) bool, which vertices are not in front; they are
        put on the optical axis.
    """
    _check_vertices("projection", vertices)
    K = _part("K", K, (3, 3), vertices)
    R = _part("R", R, (3, 3), vertices)
    t = _part("t", t, (1, 3), vertices)
    dist_coeffs = _part("dist_coeffs", dist_coeffs, (5,), vertices)
    camera = torch.matmul(vertices, R.transpose(1, 2)) + t
    behind = camera[..., 2] <= 0
    axis = camera.new_tensor([0.0, 0.0, 1.0])
    camera = torch.where(behind[..., None], axis, camera)
    return _through_lens(camera, K, dist_coeffs, orig_size, 1e-9), behind


def _through_lens(
    camera: Tensor, K: Tensor, dist_coeffs: Tensor, orig_size: float | tuple[float, float],
    eps: float,
) -> Tensor:  # fmt: skip
    x, y, depth = camera.unbind(-1)
    x, y = x / (depth + eps), y / (depth + eps)
    k1, k2, p1, p2, k3 = (k[:, None] for k in dist_coeffs.unbind(-1))
    r2 = x * x + y * y  # not through its root, whose gradient at 0 is NaN
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    bent_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    pixels = torch.stack((bent_x, bent_y, torch.ones_like(depth)), dim=-1)
    u, v, _ = torch.matmul(pixels, K.transpose(1, 2)).unbind(-1)
    height, width = orig_size if isinstance(orig_size, (tuple, list)) else (orig_size, orig_size)
    v = height - v
    return torch.stack((2 * (u - width / 2) / width, 2 * (v - height / 2) / height, depth), dim=-1)


def _rotate(vertices: Tensor, eye: Tensor, forward: Tensor, up: Tensor, variant: str) -> Tensor:
    _check_variant(variant)
    z = _unit(forward, variant)
    x = _unit(torch.linalg.cross(up.expand_as(z), z, dim=-1), variant)
    y = _unit(torch.linalg.cross(z, x, dim=-1), variant)
    rotation = torch.stack((x, y, z), dim=-2)
    return torch.matmul(vertices - eye[:, None], rotation.transpose(1, 2))


def _unit(vector: Tensor, variant: str) -> Tensor:
    length = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    if variant == "chainer":
        return vector / (length + _SHORTEST)
    return vector / length.clamp_min(_SHORTEST)


def _vector(function: str, name: str, value: Vector, vertices: Tensor) -> Tensor:
    """`value` as a (1, 3) or (B, 3) tensor like `vertices`."""
    tensor = torch.as_tensor(value, dtype=vertices.dtype, device=vertices.device)
    if tensor.ndim == 1:
        tensor = tensor[None]
    if tensor.shape not in ((1, 3), (vertices.shape[0], 3)):
        expected = f"(3,) or ({vertices.shape[0]}, 3)"
        raise ShapeError(function, name, expected, tuple(tensor.shape))
    return tensor


def _part(name: str, value: Array, shape: tuple[int, ...], vertices: Tensor) -> Tensor:
    """One part of a calibrated camera as a (1, *shape) or (B, *shape) tensor like `vertices`."""
    tensor = torch.as_tensor(value, dtype=vertices.dtype, device=vertices.device)
    if shape[0] == 1 and tensor.ndim == 2:
        tensor = tensor[:, None]
    if tensor.shape not in ((1, *shape), (vertices.shape[0], *shape)):
        sizes = ", ".join(str(side) for side in shape)
        expected = f"({vertices.shape[0]}, {sizes}) or (1, {sizes})"
        raise ShapeError("projection", name, expected, tuple(tensor.shape))
    return tensor


def _check_vertices(function: str, vertices: Tensor) -> None:
    if vertices.ndim != 3 or vertices.shape[-1] != 3 or not vertices.is_floating_point():
        got = f"{tuple(vertices.shape)} {str(vertices.dtype).removeprefix('torch.')}"
        raise ShapeError(function, "vertices", "(B, V, 3) floating point", got)


def _check_variant(variant: str) -> None:
    if variant not in ("pytorch", "chainer"):
        raise UsageError(f"unknown camera variant '{variant}'", hint="use 'pytorch' or 'chainer'")
