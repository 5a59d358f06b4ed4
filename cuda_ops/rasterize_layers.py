"""Colours, silhouette and depth of textured faces in one call, with Neural 3D Mesh Renderer's
gradients.

Faces and pictures are as in `benchbench.cuda_ops.rasterize`. A texture is a cube of T x T x T
colours for each face: texel (i, j, k) belongs to the barycentric weights (i, j, k) / (T - 1) of
the face's corners, and the colour between texels is trilinear, times the light of the face.

Gradients: textures, lights and depths get true ones (that of depth reaches corners and corner
depths; the outline does not move for it). Colours and silhouette reach the corners by Kato's
approximation, jointly: a pixel pulls at an edge if all its layers together would gain by the colour
and the cover on the other side. Colours give no gradient to corner depths.

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
    _LARGEST_SIDE,
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
        alpha: (B, H, W), how much of the pixel shows a face, or None. Differentiable.
        depth: (B, H, W), `far` where no face is, or None. Differentiable.
        face_index: (B, H pool, W pool) int32, -1 where no face is.
    """

    rgb: Tensor | None
    alpha: Tensor | None
    depth: Tensor | None
    face_index: Tensor


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
    light: Tensor | None = None,
    fill_back: bool = False,
    pool: int = 1,
    with_alpha: bool = True,
    with_depth: bool = True,
) -> Layers:
    """Draws textured faces.

    Args:
        faces: (B, F, 3, 3) float32 (or float64) corners in normalised device coordinates and
            depth.
        textures: (B, F, T, T, T, 3) of the same type, T at least 2; None draws no colours. One
            that is expanded over the batch is not copied.
        height: Rows of the picture.
        width: Columns of the picture.
        near: Depths at or below are not drawn.
        far: Depths at or above are not drawn; also the depth of pixels without a face.
        eps: Greater than 0. Added to the distances of the approximate gradient, in device units,
            and subtracted from the largest position in a texture.
        background: (3,) or (B, 3) colour of pixels without a face; gets no gradient.
        linear: Depth and position in the texture are linear on the screen, as in a parallel
            projection, instead of through a lens. Depths are then within 1e-6 of `far`.
        light: (B, F, 3) factors of each face's colours; None is 1.
        fill_back: The second half of the faces are the backs of the first: face F / 2 + i is face
            i with its corners in reverse order. `textures` are then (B, F / 2, T, T, T, 3), those
            of the first half, and both sides show them.
        pool: 2 draws twice as large and takes the mean of 2 x 2 pixels in every layer; 1 does not.
        with_alpha: Whether the silhouette is asked for.
        with_depth: Whether the depth is asked for.

    Returns:
        The layers of the picture.

    Raises:
        ShapeError: An argument has the wrong shape or type, or is empty.
        UsageError: `eps` is not greater than 0, `pool` neither 1 nor 2, or near not below far.

    Example:
        >>> triangle = torch.tensor([[[[-1.0, -1, 2], [1, -1, 2], [-1, 1, 2]]]])
        >>> layers = rasterize_layers(triangle, torch.full((1, 1, 2, 2, 2, 3), 0.5), 2, 2)
        >>> layers.rgb[0, 0].tolist(), layers.alpha[0].tolist()
        ([[0.5, 0.0], [0.5, 0.5]], [[1.0, 0.0], [1.0, 1.0]])
    """
    name = "rasterize_layers"
    _check_faces(name, faces)
    if pool not in (1, 2):
        raise UsageError(f"{name}: pool must be 1 or 2, got {pool}")
    _check_side(name, "height", height, _LARGEST_SIDE // pool)
    _check_side(name, "width", width, _LARGEST_SIDE // pool)
    _check_range(name, near, far)
    if not eps > 0:
        raise UsageError(f"{name}: eps must be greater than 0, got {eps}")
    colours = _check_background(name, background, faces)
    cubes, lights = faces.new_empty(0), faces.new_empty(0)
    if textures is not None:
        _check_textures(name, textures, faces, fill_back)
        cubes = textures if _is_shared(textures) else textures.contiguous()
        if light is not None:
            _check_light(name, light, faces)
            lights = light.contiguous()
    shrink = 1
    if linear:
        faces, bounds = bend_depth(faces, near, far)
        if pool > 1 and with_depth:  # a mean of depths is not one of bent depths
            height, width, pool, shrink = height * pool, width * pool, 1, pool
    else:
        bounds = near, far
    rgb, alpha, depth, index = _layers(
        faces.contiguous(), cubes, lights, colours, height, width, pool, *bounds, eps, linear,
        fill_back, with_alpha, with_depth,
    )  # fmt: skip
    if linear and with_depth:
        depth = straighten_depth(depth, index, near, far)
    return Layers(
        None if textures is None else _shrink(rgb, shrink),
        _shrink(alpha, shrink) if with_alpha else None,
        _shrink(depth, shrink) if with_depth else None,
        index,
    )


@torch.library.custom_op("benchbench::rasterize_layers", mutates_args=())
def _layers(
    faces: Tensor, textures: Tensor, light: Tensor, background: Tensor, height: int, width: int,
    pool: int, near: float, far: float, eps: float, linear: bool, fill_back: bool,
    with_alpha: bool, with_depth: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """rgb, alpha, depth and face index; layers that are not asked for are empty."""
    rgb, alpha, depth, index = _empty_layers(
        faces, textures, height, width, pool, with_alpha, with_depth
    )
    if not _compiled(faces):
        from benchbench.cuda_ops.reference import rasterize as slow_maps
        from benchbench.cuda_ops.reference import rasterize_layers as slow

        maps = slow_maps.rasterize_maps(faces, height * pool, width * pool, near, far)
        if textures.numel():
            rgb = slow.pool(slow.shade(faces, textures, light, background, *maps, eps, linear,
                                       fill_back), pool)  # fmt: skip
        if with_alpha:
            alpha = slow.pool((maps[0] >= 0).to(faces.dtype), pool)
        return rgb, alpha, slow.pool(maps[2], pool) if with_depth else depth, maps[0]
    given = [_or_none(one) for one in (textures, light, background)]
    shape = _shape(faces, textures, height, width, pool, fill_back)
    results = [_or_none(one) for one in (rgb, alpha, depth)]
    if faces.device.type == "cuda":
        index, _, deep = _maps(faces, height * pool, width * pool, near, far)
        library.call(
            "bench_paint", faces.device, [*[_P] * 6, *[_I] * 8, _F, _I, *[_P] * 3],
            *(library.pointer(one) for one in (faces, *given, index, deep)), *shape, eps, linear,
            *(library.pointer(one) for one in results),
        )  # fmt: skip
    else:
        library.call(
            "bench_paint", faces.device, [*[_P] * 4, *[_I] * 8, *[_F] * 3, _I, *[_P] * 4],
            *(library.pointer(one) for one in (faces, *given)), *shape, near, far, eps, linear,
            *(library.pointer(one) for one in (index, *results)),
        )  # fmt: skip
    return rgb, alpha, depth, index


@_layers.register_fake
def _(
    faces: Tensor, textures: Tensor, light: Tensor, background: Tensor, height: int, width: int,
    pool: int, near: float, far: float, eps: float, linear: bool, fill_back: bool,
    with_alpha: bool, with_depth: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    return _empty_layers(faces, textures, height, width, pool, with_alpha, with_depth)


@torch.library.custom_op("benchbench::rasterize_layers_backward", mutates_args=())
def _layers_backward(
    rgb_gradient: Tensor, alpha_gradient: Tensor, depth_gradient: Tensor, faces: Tensor,
    textures: Tensor, light: Tensor, background: Tensor, index: Tensor, pool: int, eps: float,
    linear: bool, fill_back: bool, to_faces: bool, to_textures: bool, to_light: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Gradients of corners, textures and light; empty where they are not asked for.

    Layers whose gradient is empty were not used.
    """
    if not _compiled(faces):
        from benchbench.cuda_ops.reference import rasterize_layers as slow

        return slow.layers_backward(
            rgb_gradient, alpha_gradient, depth_gradient, faces, textures, light, background,
            index, pool, eps, linear, fill_back, to_faces, to_textures, to_light,
        )  # fmt: skip
    results = _empty_gradients(faces, textures, light, to_faces, to_textures, to_light)
    height, width = index.shape[1] // pool, index.shape[2] // pool
    if rgb_gradient.numel():
        given = (rgb_gradient, alpha_gradient, faces, textures, light, background, index)
        arguments = [library.pointer(_or_none(one)) for one in (*given, *results)]
        scratch = []
        if faces.device.type == "cuda":
            scratch = [faces.new_empty((len(faces), 3, *index.shape[1:]))]
        _call(
            "bench_paint_backward", faces, [*[_P] * 7, *[_I] * 8, _F, _I, *[_P] * 3],
            *arguments[:7], *_shape(faces, textures, height, width, pool, fill_back), eps, linear,
            *arguments[7:], scratch=scratch,
        )  # fmt: skip
    elif alpha_gradient.numel() and to_faces:
        spread = _silhouettes_backward(alpha_gradient, faces, index, pool, eps)
        results = (spread, *results[1:])
    elif to_faces:
        results[0].zero_()
    if depth_gradient.numel() and to_faces:
        _call(
            "bench_depth_backward", faces, [*[_P] * 3, *[_I] * 5, _P],
            *(library.pointer(one) for one in (depth_gradient, faces, index)), *faces.shape[:2],
            height, width, pool, library.pointer(results[0]),
        )  # fmt: skip
    return results


@_layers_backward.register_fake
def _(
    rgb_gradient: Tensor, alpha_gradient: Tensor, depth_gradient: Tensor, faces: Tensor,
    textures: Tensor, light: Tensor, background: Tensor, index: Tensor, pool: int, eps: float,
    linear: bool, fill_back: bool, to_faces: bool, to_textures: bool, to_light: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    return _empty_gradients(faces, textures, light, to_faces, to_textures, to_light)


def _setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    faces, textures, light, background, _, _, ctx.pool, _, _, ctx.eps, *_ = inputs
    ctx.linear, ctx.fill_back = inputs[10:12]
    index = output[3]
    ctx.mark_non_differentiable(index)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(faces, textures, light, background, index)


def _backward(ctx, *slopes):  # type: ignore[no-untyped-def]
    faces, textures, light, background, index = ctx.saved_tensors
    none = faces.new_empty(0)
    asked = [True, textures.numel() > 0, True]  # an empty layer is no layer
    given = [none if slope is None or not used else slope.contiguous()
             for slope, used in zip(slopes[:3], asked, strict=True)]  # fmt: skip
    colours = given[0].numel() > 0
    needs = ctx.needs_input_grad
    wanted = needs[0], needs[1] and colours, needs[2] and colours and light.numel() > 0
    found = _layers_backward(
        *given, faces, textures, light, background, index, ctx.pool, ctx.eps, ctx.linear,
        ctx.fill_back, *wanted,
    )  # fmt: skip
    results = (one if want else None for one, want in zip(found, wanted, strict=True))
    return *results, *[None] * 11


_layers.register_autograd(_backward, setup_context=_setup_context)


def _empty_layers(
    faces: Tensor, textures: Tensor, height: int, width: int, pool: int, with_alpha: bool,
    with_depth: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    batch = faces.shape[0]
    return (
        faces.new_empty((batch, 3, height, width) if textures.numel() else (0,)),
        faces.new_empty((batch, height, width) if with_alpha else (0,)),
        faces.new_empty((batch, height, width) if with_depth else (0,)),
        faces.new_empty((batch, height * pool, width * pool), dtype=torch.int32),
    )


def _empty_gradients(
    faces: Tensor, textures: Tensor, light: Tensor, to_faces: bool, to_textures: bool,
    to_light: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    asked = (faces, to_faces), (textures, to_textures), (light, to_light)
    found = (faces.new_empty(one.shape if wanted else (0,)) for one, wanted in asked)
    to_faces_, to_textures_, to_light_ = found
    return to_faces_, to_textures_, to_light_


def _shape(
    faces: Tensor, textures: Tensor, height: int, width: int, pool: int, fill_back: bool
) -> tuple[int, ...]:
    """Batch, faces, fronts, floats between the textures of two pictures, T, H, W, pool."""
    batch, count = faces.shape[:2]
    fronts = count // 2 if fill_back else count
    side, step = 0, 0
    if textures.numel():
        side = textures.shape[2]
        step = textures.stride(0) if batch > 1 else 0
    return batch, count, fronts, step, side, height, width, pool


def _is_shared(textures: Tensor) -> bool:
    """Whether every picture of the batch has the same, contiguous textures in memory."""
    return textures.stride(0) == 0 and textures[0].is_contiguous()


def _or_none(tensor: Tensor) -> Tensor | None:
    return tensor if tensor.numel() else None


def _shrink(pictures: Tensor, pool: int) -> Tensor:
    if pool == 1:
        return pictures
    rows = pictures.unflatten(-1, (-1, pool)).mean(-1)
    return rows.unflatten(-2, (-1, pool)).mean(-2)


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


def _compiled(faces: Tensor) -> bool:
    return faces.dtype == torch.float32 and library.available(faces.device)


def _call(
    name: str, faces: Tensor, types: Sequence[Any], *arguments: Any, scratch: Sequence[Tensor] = ()
) -> None:
    """A backward kernel; those of CUDA mark first which faces own pixels."""
    if faces.device.type == "cuda":
        scratch = [*scratch, faces.new_empty(faces.shape[:2], dtype=torch.uint8)]
        types = [*types, *[_P] * len(scratch)]
        arguments = (*arguments, *(library.pointer(one) for one in scratch))
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


def _check_textures(function: str, textures: Tensor, faces: Tensor, fill_back: bool) -> None:
    batch, count = faces.shape[:2]
    if fill_back and count % 2:
        raise ShapeError(function, "faces", "an even number with fill_back", count)
    count = count // 2 if fill_back else count
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


def _check_light(function: str, light: Tensor, faces: Tensor) -> None:
    dtype = str(faces.dtype).removeprefix("torch.")
    expected = f"{(*faces.shape[:2], 3)} {dtype}"
    if not isinstance(light, Tensor):
        raise ShapeError(function, "light", expected, type(light).__name__)
    if tuple(light.shape) != (*faces.shape[:2], 3) or light.dtype != faces.dtype:
        raise ShapeError(function, "light", expected, _told(light))
    if light.device != faces.device:
        raise ShapeError(function, "light", f"on {faces.device}", light.device)


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
