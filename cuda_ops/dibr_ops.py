"""DIB-R's two differentiable operations as registered ops; `dibr.py` is their public face."""

import ctypes
from typing import Any

import torch
from torch import Tensor

from benchbench.cuda_ops import library

_P, _I, _D = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


@torch.library.custom_op("benchbench::dibr_rasterize", mutates_args=())
def rasterize_maps(
    z: Tensor, xy: Tensor, features: Tensor, valid: Tensor,
    height: int, width: int, multiplier: float, eps: float, old: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Draws faces: features (B, H, W, D), face index (B, H, W) int32, weights (B, H, W, 3).

    `old` is version 0.9.0; `valid` (B, F) bool says which faces are drawn. Gradients flow from
    the drawn features to `xy` and `features`.
    """
    if not library.available(z.device):
        from benchbench.cuda_ops.reference import dibr as twin

        return twin.rasterize(z, xy, features, valid, height, width, multiplier, eps, old)
    out, index, weights = _empty_maps(features, height, width)
    batch, faces, _, dims = features.shape
    types = [_P, _P, _P, _P, _I, _I, _I, _I, _I, _D, _D, _I, _P, _P, _P]
    arguments = [
        library.pointer(z), library.pointer(xy), library.pointer(features), library.pointer(valid),
        batch, faces, dims, height, width, multiplier, eps, int(old),
        library.pointer(index), library.pointer(weights), library.pointer(out),
    ]  # fmt: skip
    _call("bench_dibr_rasterize", z, types, arguments, _boxes(z))
    return out, index, weights


@rasterize_maps.register_fake
def _(
    z: Tensor, xy: Tensor, features: Tensor, valid: Tensor,
    height: int, width: int, multiplier: float, eps: float, old: bool,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    return _empty_maps(features, height, width)


@torch.library.custom_op("benchbench::dibr_rasterize_backward", mutates_args=())
def _rasterize_backward(
    gradient: Tensor, index: Tensor, weights: Tensor, xy: Tensor, features: Tensor,
    multiplier: float, eps: float, old: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    if not library.available(xy.device):
        from benchbench.cuda_ops.reference import dibr as twin

        return twin.rasterize_backward(gradient, index, weights, xy, features, multiplier, eps, old)
    grad_xy, grad_features = torch.empty_like(xy), torch.empty_like(features)
    batch, faces, _, dims = features.shape
    types = [_P, _P, _P, _P, _P, _I, _I, _I, _I, _I, _D, _D, _I, _P, _P]
    arguments = [
        library.pointer(gradient), library.pointer(index), library.pointer(weights),
        library.pointer(xy), library.pointer(features), batch, faces, dims,
        *index.shape[1:], multiplier, eps, int(old),
        library.pointer(grad_xy), library.pointer(grad_features),
    ]  # fmt: skip
    _call("bench_dibr_rasterize_backward", xy, types, arguments)
    return grad_xy, grad_features


@_rasterize_backward.register_fake
def _(
    gradient: Tensor, index: Tensor, weights: Tensor, xy: Tensor, features: Tensor,
    multiplier: float, eps: float, old: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    return torch.empty_like(xy), torch.empty_like(features)


def _setup_rasterize(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    _, xy, features, _, _, _, multiplier, eps, old = inputs
    _, index, weights = output
    ctx.mark_non_differentiable(index, weights)
    ctx.save_for_backward(index, weights, xy, features)
    ctx.options = multiplier, eps, old


def _differentiate_rasterize(ctx, gradient: Tensor, *_: Any):  # type: ignore[no-untyped-def]
    index, weights, xy, features = ctx.saved_tensors
    found = _rasterize_backward(gradient.contiguous(), index, weights, xy, features, *ctx.options)
    return None, *found, None, None, None, None, None, None


rasterize_maps.register_autograd(_differentiate_rasterize, setup_context=_setup_rasterize)


@torch.library.custom_op("benchbench::dibr_soft_mask", mutates_args=())
def miss_map(
    xy: Tensor, index: Tensor, sigmainv: float, boxlen: float, knum: int,
    multiplier: float, old: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """1 - soft mask (B, H, W), and (B, H, W) int32: the last face that counts at each pixel.

    Gradients flow to `xy`. `index` (B, H, W) int32 is negative where no face is drawn.
    """
    if not library.available(xy.device):
        from benchbench.cuda_ops.reference import dibr as twin

        return twin.soft_mask(xy, index, sigmainv, boxlen, knum, multiplier, old)
    miss, stop = _empty_miss(xy, index)
    types = [_P, _P, _I, _I, _I, _I, _D, _D, _I, _D, _I, _P, _P]
    arguments = [
        library.pointer(xy), library.pointer(index), *xy.shape[:2], *index.shape[1:],
        sigmainv, boxlen, knum, multiplier, int(old),
        library.pointer(miss), library.pointer(stop),
    ]  # fmt: skip
    _call("bench_dibr_soft_mask", xy, types, arguments, _boxes(xy))
    return miss, stop


@miss_map.register_fake
def _(
    xy: Tensor, index: Tensor, sigmainv: float, boxlen: float, knum: int,
    multiplier: float, old: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    return _empty_miss(xy, index)


@torch.library.custom_op("benchbench::dibr_soft_mask_backward", mutates_args=())
def _soft_mask_backward(
    gradient: Tensor, miss: Tensor, stop: Tensor, xy: Tensor, index: Tensor,
    sigmainv: float, boxlen: float, knum: int, multiplier: float, old: bool,
) -> Tensor:  # fmt: skip
    if not library.available(xy.device):
        from benchbench.cuda_ops.reference import dibr as twin

        return twin.soft_mask_backward(
            gradient, miss, stop, xy, index, sigmainv, boxlen, multiplier, old
        )
    result = torch.empty_like(xy)
    types = [_P, _P, _P, _P, _P, _I, _I, _I, _I, _D, _D, _I, _D, _I, _P]
    arguments = [
        library.pointer(gradient), library.pointer(miss), library.pointer(stop),
        library.pointer(xy), library.pointer(index), *xy.shape[:2], *index.shape[1:],
        sigmainv, boxlen, knum, multiplier, int(old), library.pointer(result),
    ]  # fmt: skip
    _call("bench_dibr_soft_mask_backward", xy, types, arguments)
    return result


@_soft_mask_backward.register_fake
def _(
    gradient: Tensor, miss: Tensor, stop: Tensor, xy: Tensor, index: Tensor,
    sigmainv: float, boxlen: float, knum: int, multiplier: float, old: bool,
) -> Tensor:  # fmt: skip
    return torch.empty_like(xy)


def _setup_soft_mask(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    xy, index, *options = inputs
    miss, stop = output
    ctx.mark_non_differentiable(stop)
    ctx.save_for_backward(miss, stop, xy, index)
    ctx.options = options


def _differentiate_soft_mask(ctx, gradient: Tensor, _: Any):  # type: ignore[no-untyped-def]
    found = _soft_mask_backward(gradient.contiguous(), *ctx.saved_tensors, *ctx.options)
    return found, None, None, None, None, None, None


miss_map.register_autograd(_differentiate_soft_mask, setup_context=_setup_soft_mask)


def _call(
    name: str, like: Tensor, types: list[Any], arguments: list[Any], scratch: Tensor | None = None
) -> None:
    """Calls the kernel for `like`'s type; `scratch` is the last argument of some on CUDA."""
    if scratch is not None:
        types, arguments = [*types, _P], [*arguments, library.pointer(scratch)]
    suffix = "f32" if like.dtype == torch.float32 else "f64"
    library.call(f"{name}_{suffix}", like.device, types, *arguments)


def _boxes(like: Tensor) -> Tensor | None:
    """On CUDA every face's range of pixels is worked out first, into this."""
    if like.device.type != "cuda":
        return None
    return like.new_empty((*like.shape[:2], 4), dtype=torch.int32)


def _empty_maps(features: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    shape = (features.shape[0], height, width)
    return (
        features.new_empty((*shape, features.shape[3])),
        features.new_empty(shape, dtype=torch.int32),
        features.new_empty((*shape, 3)),
    )


def _empty_miss(xy: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    return xy.new_empty(index.shape), torch.empty_like(index)
