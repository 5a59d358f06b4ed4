"""Colours, silhouette and depth of textured faces in one call, with Neural 3D Mesh Renderer's
gradients.

Faces and pictures are as in `benchbench.cuda_ops.rasterize`. A texture is a cube of T x T x T
colours for each face: texel (i, j, k) belongs to the barycentric weights (i, j, k) / (T - 1) of
the face's corners, and the colour between texels is trilinear.

Gradients: textures and depths get true ones (that of depth reaches corners and corner depths; the
outline does not move for it). Colours and silhouette reach the corners by Kato's approximation,
jointly: a pixel pulls at an edge if all its layers together would gain by the colour and the cover
on the other side. Colours give no gradient to corner depths.

float64 runs on the plain twin: slow, for gradient checks.

Source: Kato, Ushiku, Harada, "Neural 3D Mesh Renderer", CVPR 2018; kernels of the PyTorch port.
"""

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError, UsageError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.rasterize import (
    _check_range,
    _check_side,
    _maps,
    _silhouettes_backward,
)

_P, _I, _F = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
_SMALLEST_TEXTURE = 2


class Layers(NamedTuple):
    """What every pixel shows; the top row comes first.

    Attributes:
        rgb: (B, 3, H, W), or None without textures. Differentiable.
        alpha: (B, H, W), 1 where a face is, else 0. Differentiable.
        depth: (B, H, W), `far` where no face is. Differentiable.
        face_index: (B, H, W) int32, -1 where no face is.
        weights: (B, H, W, 3) screen-space barycentric weights, 0 where no face is.
    """

    rgb: Tensor | None
    alpha: Tensor
    depth: Tensor
    face_index: Tensor
    weights: Tensor


def rasterize_layers(
    faces: Tensor,
    textures: Tensor | None,
    height: int,
    width: int,
    near: float = 0.1,
    far: float = 100.0,
    eps: float = 1e-3,
    background: Tensor | Sequence[float] = (0.0, 0.0, 0.0),
    linear: bool = False,
) -> Layers:
    """Draws textured faces.

    Args:
        faces: (B, F, 3, 3) float32 (or float64) corners in normalised device coordinates and
            depth.
        textures: (B, F, T, T, T, 3) of the same type, T at least 2; None draws no colours.
        height: Rows of the picture.
        width: Columns of the picture.
        near: Depths at or below are not drawn.
        far: Depths at or above are not drawn; also the depth of pixels without a face.
        eps: Greater than 0. Added to the distances of the approximate gradient, in device units,
            and subtracted from the largest position in a texture.
        background: (3,) or (B, 3) colour of pixels without a face; gets no gradient.
        linear: Depth and position in the texture are linear on the screen, as in a parallel
            projection, instead of through a lens. Depths are then within 1e-6 of `far`.

    Returns:
        The layers of the picture.

    Raises:
        ShapeError: An argument has the wrong shape or type, or is empty.

    Example:
        >>> triangle = torch.tensor([[[[-1.0, -1, 2], [1, -1, 2], [-1, 1, 2]]]])
        >>> layers = rasterize_layers(triangle, torch.full((1, 1, 2, 2, 2, 3), 0.5), 2, 2)
        >>> layers.rgb[0, 0].tolist(), layers.alpha[0].tolist()
        ([[0.5, 0.0], [0.5, 0.5]], [[1.0, 0.0], [1.0, 1.0]])
    """
    name = "rasterize_layers"
    _check_faces(name, faces)
    _check_side(name, "height", height)
    _check_side(name, "width", width)
    _check_range(name, near, far)
    if not eps > 0:
        raise UsageError(f"{name}: eps must be greater than 0, got {eps}")
    colours = _check_background(name, background, faces)
    if textures is None:
        cubes = faces.new_empty(0)
    else:
        _check_textures(name, textures, faces)
        cubes = textures.contiguous()
    if linear:
        faces, bounds = bend_depth(faces, near, far)
    else:
        bounds = near, far
    rgb, alpha, depth, index, weights = _layers(
        faces.contiguous(), cubes, colours, height, width, *bounds, eps, linear
    )
    if linear:
        depth = straighten_depth(depth, index, near, far)
    return Layers(None if textures is None else rgb, alpha, depth, index, weights)


@torch.library.custom_op("benchbench::rasterize_layers", mutates_args=())
def _layers(
    faces: Tensor, textures: Tensor, background: Tensor, height: int, width: int, near: float,
    far: float, eps: float, linear: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    from benchbench.cuda_ops.reference import rasterize as slow_maps
    from benchbench.cuda_ops.reference import rasterize_layers as slow

    compiled = _compiled(faces)
    draw = _maps if compiled else slow_maps.rasterize_maps
    index, weights, depth = draw(faces, height, width, near, far)
    alpha = (index >= 0).to(faces.dtype)
    if textures.numel() == 0:
        return faces.new_empty(0), alpha, depth, index, weights
    if linear:
        faces, shown = _at_depth_1(faces), torch.ones_like(depth)
    else:
        shown = depth
    if not compiled:
        rgb = slow.shade(faces, textures, background, index, weights, shown, eps)
        return rgb, alpha, depth, index, weights
    rgb = faces.new_empty((faces.shape[0], 3, height, width))
    library.call(
        "bench_shade", faces.device, [*[_P] * 6, *[_I] * 5, _F, _P],
        *(library.pointer(t) for t in (faces, textures, background, index, weights, shown)),
        faces.shape[0], faces.shape[1], textures.shape[2], height, width, eps,
        library.pointer(rgb),
    )  # fmt: skip
    return rgb, alpha, depth, index, weights


@_layers.register_fake
def _(
    faces: Tensor, textures: Tensor, background: Tensor, height: int, width: int, near: float,
    far: float, eps: float, linear: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    shape = (faces.shape[0], height, width)
    return (
        faces.new_empty((shape[0], 3, height, width) if textures.numel() else (0,)),
        faces.new_empty(shape),
        faces.new_empty(shape),
        faces.new_empty(shape, dtype=torch.int32),
        faces.new_empty((*shape, 3)),
    )


@torch.library.custom_op("benchbench::rasterize_layers_faces", mutates_args=())
def _faces_backward(
    rgb_gradient: Tensor, alpha_gradient: Tensor, depth_gradient: Tensor, faces: Tensor,
    rgb: Tensor, depth: Tensor, index: Tensor, weights: Tensor, eps: float,
) -> Tensor:  # fmt: skip
    """Gradient of the corners; layers whose gradient is empty were not used."""
    from benchbench.cuda_ops.reference import rasterize_layers as slow

    if not _compiled(faces):
        return slow.faces_backward(
            rgb_gradient, alpha_gradient, depth_gradient, faces, rgb, depth, index, weights, eps
        )
    batch, height, width = index.shape
    sizes = (batch, faces.shape[1], height, width)
    if rgb_gradient.numel():
        result = torch.empty_like(faces)
        seen = (rgb, rgb_gradient, alpha_gradient if alpha_gradient.numel() else None)
        _call(
            "bench_scan_colours", faces, [*[_P] * 5, *[_I] * 4, _F, _P],
            *(library.pointer(t) for t in (*seen, faces, index)), *sizes, eps,
            library.pointer(result),
        )  # fmt: skip
    elif alpha_gradient.numel():
        result = _silhouettes_backward(alpha_gradient, faces, index, 1, eps)
    else:
        result = torch.zeros_like(faces)
    if depth_gradient.numel():
        _call(
            "bench_depth_backward", faces, [*[_P] * 5, *[_I] * 4, _P],
            *(library.pointer(t) for t in (depth_gradient, faces, index, weights, depth)),
            *sizes, library.pointer(result),
        )  # fmt: skip
    return result


@_faces_backward.register_fake
def _(
    rgb_gradient: Tensor, alpha_gradient: Tensor, depth_gradient: Tensor, faces: Tensor,
    rgb: Tensor, depth: Tensor, index: Tensor, weights: Tensor, eps: float,
) -> Tensor:  # fmt: skip
    return torch.empty_like(faces)


@torch.library.custom_op("benchbench::rasterize_layers_textures", mutates_args=())
def _textures_backward(
    rgb_gradient: Tensor, faces: Tensor, depth: Tensor, index: Tensor, weights: Tensor,
    side: int, eps: float,
) -> Tensor:  # fmt: skip
    from benchbench.cuda_ops.reference import rasterize_layers as slow

    if not _compiled(faces):
        return slow.textures_backward(rgb_gradient, faces, depth, index, weights, side, eps)
    result = faces.new_empty((*faces.shape[:2], side, side, side, 3))
    batch, height, width = index.shape
    _call(
        "bench_shade_backward", faces, [*[_P] * 5, *[_I] * 5, _F, _P],
        *(library.pointer(t) for t in (rgb_gradient, faces, index, weights, depth)),
        batch, faces.shape[1], side, height, width, eps, library.pointer(result),
    )  # fmt: skip
    return result


@_textures_backward.register_fake
def _(
    rgb_gradient: Tensor, faces: Tensor, depth: Tensor, index: Tensor, weights: Tensor,
    side: int, eps: float,
) -> Tensor:  # fmt: skip
    return faces.new_empty((*faces.shape[:2], side, side, side, 3))


def _setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    faces, textures, *_, eps, linear = inputs
    rgb, _, depth, index, weights = output
    ctx.mark_non_differentiable(index, weights)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(faces, rgb, depth, index, weights)
    ctx.side, ctx.eps = (textures.shape[2] if textures.numel() else 0), eps
    ctx.linear = linear


def _backward(ctx, rgb_slope, alpha_slope, depth_slope, *_):  # type: ignore[no-untyped-def]
    faces, rgb, depth, index, weights = ctx.saved_tensors
    none = faces.new_empty(0)
    given = [none if slope is None else slope.contiguous() for slope in
             (rgb_slope if ctx.side else None, alpha_slope, depth_slope)]  # fmt: skip
    to_faces = to_textures = None
    if ctx.needs_input_grad[0]:
        to_faces = _faces_backward(*given, faces, rgb, depth, index, weights, ctx.eps)
    if ctx.needs_input_grad[1] and ctx.side and rgb_slope is not None:
        if ctx.linear:
            faces, depth = _at_depth_1(faces), torch.ones_like(depth)
        to_textures = _textures_backward(given[0], faces, depth, index, weights, ctx.side, ctx.eps)
    return to_faces, to_textures, None, None, None, None, None, None, None


_layers.register_autograd(_backward, setup_context=_setup_context)


def bend_depth(faces: Tensor, near: float, far: float) -> tuple[Tensor, tuple[float, float]]:
    """Depths that are linear on the screen after what a lens does to them.

    The kernels interpolate the reciprocal of the depth, so they are given 1 / (end - depth), which
    keeps the order of what lies before `end`, somewhat behind `far`.

    Returns:
        Faces (B, F, 3, 3) and (near, far) in bent depth.
    """
    end = _bent_end(near, far)
    bent = torch.cat((faces[..., :2], 1 / (end - faces[..., 2:])), dim=-1)
    return bent, (1 / (end - near), 1 / (end - far))


def straighten_depth(depth: Tensor, index: Tensor, near: float, far: float) -> Tensor:
    """Undoes `bend_depth` on a map of depths."""
    return torch.where(index >= 0, _bent_end(near, far) - 1 / depth, far)


def _bent_end(near: float, far: float) -> float:
    return far + 0.37 * (far - near)  # no round number: a corner there would have no reciprocal


def _at_depth_1(faces: Tensor) -> Tensor:
    """Faces (B, F, 3, 3) on which a lens changes nothing."""
    return torch.cat((faces[..., :2], torch.ones_like(faces[..., 2:])), dim=-1)


def _compiled(faces: Tensor) -> bool:
    return faces.dtype == torch.float32 and library.available(faces.device)


def _call(name: str, faces: Tensor, types: Sequence[Any], *arguments: Any) -> None:
    """A backward kernel; those of CUDA mark first which faces own pixels."""
    if faces.device.type == "cuda":
        owns = faces.new_empty(faces.shape[:2], dtype=torch.uint8)
        types, arguments = [*types, _P], (*arguments, library.pointer(owns))
    library.call(name, faces.device, types, *arguments)


def _check_faces(function: str, faces: Tensor) -> None:
    expected = "(B, F, 3, 3) float32 or float64 with B and F at least 1"
    if not isinstance(faces, Tensor):
        raise ShapeError(function, "faces", expected, type(faces).__name__)
    whole = faces.ndim == 4 and faces.shape[2:] == (3, 3) and faces.numel() > 0
    if not whole or faces.dtype not in (torch.float32, torch.float64):
        raise ShapeError(function, "faces", expected, _told(faces))
    if faces.device.type not in ("cpu", "cuda"):
        raise ShapeError(function, "faces", "on a CPU or CUDA device", faces.device)


def _check_textures(function: str, textures: Tensor, faces: Tensor) -> None:
    batch, count = faces.shape[:2]
    dtype = str(faces.dtype).removeprefix("torch.")
    expected = f"({batch}, {count}, T, T, T, 3) {dtype} with T at least 2"
    if not isinstance(textures, Tensor):
        raise ShapeError(function, "textures", expected, type(textures).__name__)
    side = textures.shape[2] if textures.ndim == 6 else 0
    fits = tuple(textures.shape) == (batch, count, side, side, side, 3)
    if not fits or side < _SMALLEST_TEXTURE or textures.dtype != faces.dtype:
        raise ShapeError(function, "textures", expected, _told(textures))
    if textures.device != faces.device:
        raise ShapeError(function, "textures", f"on {faces.device}", textures.device)


def _check_background(function: str, background: Tensor | Sequence[float], faces: Tensor) -> Tensor:
    colours = torch.as_tensor(background, dtype=faces.dtype, device=faces.device).detach()
    if colours.ndim == 1:
        colours = colours[None]
    if colours.ndim != 2 or colours.shape[1] != 3 or colours.shape[0] not in (1, len(faces)):
        expected = f"(3,) or ({len(faces)}, 3)"
        raise ShapeError(function, "background", expected, tuple(colours.shape))
    return colours.expand(len(faces), 3).contiguous()


def _told(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
