"""Exact nearest neighbours between point clouds, in one or both directions, with gradients."""

import ctypes

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.mesh_arguments import describe
from benchbench.cuda_ops.reference import nearest as twin

LARGEST_COUNT = 2**31 - 2
METHODS = ("auto", "brute", "tree")

_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_FORWARD = (_POINTER,) * 4 + (_SIZE,) * 3 + (_POINTER,) * 4 + (_INT,)
_BACKWARD_CPU = (_POINTER,) * 6 + (_SIZE,) * 3 + (_POINTER,) * 2
_BACKWARD_CUDA = (_POINTER,) * 10 + (_SIZE,) * 3 + (_POINTER,) * 2


def nearest(
    source: Tensor,
    target: Tensor,
    source_lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    *,
    method: str = "auto",
) -> tuple[Tensor, Tensor]:
    """Finds the nearest target point of every source point.

    Exact: the squared distance is the float32 value `dx*dx + dy*dy + dz*dz`, every operation
    rounded, in this order, and of equal distances the lowest index wins. The result has the same
    bits for every method, batch, number of threads, instruction set and device.

    Differentiable in both clouds through the distance: d/d source = 2 (source - target) and the
    opposite for the target, added up in order of index (the same bits in every run). The choice
    of the neighbour is taken as constant. Not differentiable twice.

    A point with NaN is nobody's nearest and gets distance NaN and index -1; so does a point for
    which every distance is NaN, and every point whose target has length 0: where nothing is near,
    a mean must not look like a number. No gradient flows from them. Infinite distances (float32
    overflows above 1.8e19) are compared like any other.

    Args:
        source: (B, N, 3) float32.
        target: (B, M, 3) float32, in the same unit.
        source_lengths: (B,) integers in [0, N]: how many points of each cloud count. The padding
            gets distance 0, index -1 and gradient 0. Default: all.
        target_lengths: (B,) integers in [0, M]. Lengths outside are refused on the CPU; on CUDA
            they are clamped instead, as looking would wait for the device.
        method: "auto", "brute" (all pairs) or "tree". On CUDA all pairs are always compared.

    Returns:
        squared_distance: (B, N) float32, in the unit squared.
        index: (B, N) int64 into the target's points.

    Raises:
        ShapeError: Wrong shape, type or device, or an empty cloud.

    Example:
        >>> import torch
        >>> from benchbench.cuda_ops import nearest
        >>> source = torch.tensor([[[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]]])
        >>> target = torch.tensor([[[0.0, 0.0, 1.0], [2.0, 0.5, 0.0], [2.0, -0.5, 0.0]]])
        >>> nearest(source, target)
        (tensor([[1.0000, 0.2500]]), tensor([[0, 1]]))
    """
    lengths = _check("nearest", "source", source, target, source_lengths, target_lengths, method)
    distance, index, _, _ = _nearest(
        source, target, *lengths, two_ways=False, method=METHODS.index(method)
    )
    return distance, index


def chamfer_nearest(
    preds: Tensor,
    target: Tensor,
    preds_lengths: Tensor | None = None,
    target_lengths: Tensor | None = None,
    *,
    method: str = "auto",
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Finds nearest neighbours in both directions at once; see `nearest` for what is exact.

    A Chamfer distance is what a protocol makes of the two arrays (mean or sum, squared or not).

    Args:
        preds: (B, N, 3) float32.
        target: (B, M, 3) float32, in the same unit.
        preds_lengths: (B,) integers in [0, N]. Default: all.
        target_lengths: (B,) integers in [0, M]. Default: all.
        method: "auto", "brute" or "tree".

    Returns:
        preds_distance: (B, N) float32, squared distance of every prediction to the target.
        preds_index: (B, N) int64 into the target's points.
        target_distance: (B, M) float32, squared distance of every target point to the prediction.
        target_index: (B, M) int64 into the prediction's points.

    Raises:
        ShapeError: Wrong shape, type or device, or an empty cloud.

    Example:
        The squared Chamfer distance with means, and its gradient:

        >>> import torch
        >>> from benchbench.cuda_ops import chamfer_nearest
        >>> preds = torch.zeros(1, 1, 3, requires_grad=True)
        >>> target = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
        >>> there, _, back, _ = chamfer_nearest(preds, target)
        >>> chamfer = there.mean() + back.mean()
        >>> chamfer.backward()
        >>> chamfer.item(), preds.grad
        (3.5, tensor([[[-3., -2.,  0.]]]))
    """
    lengths = _check(
        "chamfer_nearest", "preds", preds, target, preds_lengths, target_lengths, method
    )
    result: tuple[Tensor, Tensor, Tensor, Tensor] = _nearest(
        preds, target, *lengths, two_ways=True, method=METHODS.index(method)
    )
    return result


@torch.library.custom_op("benchbench::nearest", mutates_args=())
def _nearest(
    source: Tensor,
    target: Tensor,
    source_lengths: Tensor | None,
    target_lengths: Tensor | None,
    two_ways: bool,
    method: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    batch, n, _ = source.shape
    m = target.shape[1]
    if not library.available(source.device):
        return twin.both_ways(source, target, source_lengths, target_lengths, two_ways)
    source, target = source.contiguous(), target.contiguous()
    outputs = _empty(source, target, two_ways)
    library.call(
        "bench_nearest", source.device, _FORWARD,
        source.data_ptr(), target.data_ptr(),
        library.pointer(source_lengths), library.pointer(target_lengths), batch, n, m,
        outputs[0].data_ptr(), outputs[1].data_ptr(),
        outputs[2].data_ptr() if two_ways else None, outputs[3].data_ptr() if two_ways else None,
        method,
    )  # fmt: skip
    return outputs


@_nearest.register_fake
def _(
    source: Tensor,
    target: Tensor,
    source_lengths: Tensor | None,
    target_lengths: Tensor | None,
    two_ways: bool,
    method: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return _empty(source, target, two_ways)


def _empty(source: Tensor, target: Tensor, two_ways: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    there = source.shape[:2]
    back = target.shape[:2] if two_ways else (0,)
    return (
        source.new_empty(there),
        source.new_empty(there, dtype=torch.int64),
        source.new_empty(back),
        source.new_empty(back, dtype=torch.int64),
    )


@torch.library.custom_op("benchbench::nearest_backward", mutates_args=())
def _backward(
    source: Tensor,
    target: Tensor,
    source_index: Tensor,
    target_index: Tensor,
    source_grad: Tensor | None,
    target_grad: Tensor | None,
) -> tuple[Tensor, Tensor]:
    if not library.available(source.device):
        return twin.gradients(source, target, source_index, target_index, source_grad, target_grad)
    batch, n, _ = source.shape
    m = target.shape[1]
    source, target = source.contiguous(), target.contiguous()
    source_grad = None if source_grad is None else source_grad.contiguous()
    target_grad = None if target_grad is None else target_grad.contiguous()
    results = torch.empty_like(source), torch.empty_like(target)
    pointers = [
        source.data_ptr(), target.data_ptr(),
        None if source_grad is None else source_index.data_ptr(),
        None if target_grad is None else target_index.data_ptr(),
        library.pointer(source_grad), library.pointer(target_grad),
    ]  # fmt: skip
    types: tuple[type, ...] = _BACKWARD_CPU
    kept: list[Tensor] = []
    if source.is_cuda:
        # Sorted by neighbour, each point's pulls lie side by side in order of index.
        types = _BACKWARD_CUDA
        for index, grad in ((source_index, source_grad), (target_index, target_grad)):
            if grad is not None:
                kept += torch.sort(index, dim=1, stable=True)
            pointers += [t.data_ptr() for t in kept[-2:]] if grad is not None else [None, None]
    library.call(
        "bench_nearest_backward", source.device, types, *pointers, batch, n, m,
        results[0].data_ptr(), results[1].data_ptr(),
    )  # fmt: skip
    return results


@_backward.register_fake
def _(
    source: Tensor,
    target: Tensor,
    source_index: Tensor,
    target_index: Tensor,
    source_grad: Tensor | None,
    target_grad: Tensor | None,
) -> tuple[Tensor, Tensor]:
    return source.new_empty(source.shape), target.new_empty(target.shape)


def _save(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    source, target, _, _, ctx.two_ways, _ = inputs
    ctx.save_for_backward(source, target, output[1], output[3])
    ctx.set_materialize_grads(False)


def _differentiate(ctx, source_grad, _index, target_grad, _target_index):  # type: ignore[no-untyped-def]
    source, target, source_index, target_index = ctx.saved_tensors
    if not ctx.two_ways:
        target_grad = None
    if source_grad is None and target_grad is None:
        return (None,) * 6
    grads = _backward(source, target, source_index, target_index, source_grad, target_grad)
    return (*grads, None, None, None, None)


_nearest.register_autograd(_differentiate, setup_context=_save)


def _check(
    function: str,
    first: str,
    source: Tensor,
    target: Tensor,
    source_lengths: Tensor | None,
    target_lengths: Tensor | None,
    method: str,
) -> tuple[Tensor | None, Tensor | None]:
    """Refuses what the kernel cannot take; returns the lengths as it wants them."""
    for name, cloud in ((first, source), ("target", target)):
        if not isinstance(cloud, Tensor):
            raise ShapeError(function, name, "(B, N, 3) float32", type(cloud).__name__)
        if cloud.ndim != 3 or cloud.shape[2] != 3 or cloud.dtype != torch.float32:
            raise ShapeError(function, name, "(B, N, 3) float32", describe(cloud))
        if cloud.shape[0] == 0 or cloud.shape[1] == 0:
            raise ShapeError(
                function, name, "at least one cloud of at least one point", describe(cloud)
            )
        if cloud.shape[1] > LARGEST_COUNT:
            raise ShapeError(function, name, f"at most {LARGEST_COUNT} points", cloud.shape[1])
        if cloud.device.type not in ("cpu", "cuda"):
            raise ShapeError(function, name, "on 'cpu' or 'cuda'", f"on '{cloud.device}'")
    if source.shape[0] != target.shape[0]:
        raise ShapeError(
            function, "target", f"a batch of {source.shape[0]} as {first}", describe(target)
        )
    if source.device != target.device:
        raise ShapeError(function, "target", f"on {source.device}", f"on {target.device}")
    if method not in METHODS:
        raise ShapeError(function, "method", f"one of {', '.join(METHODS)}", repr(method))
    return (
        _lengths(function, f"{first}_lengths", source_lengths, source),
        _lengths(function, "target_lengths", target_lengths, target),
    )


def _lengths(function: str, name: str, lengths: Tensor | None, cloud: Tensor) -> Tensor | None:
    if lengths is None:
        return None
    batch, points, _ = cloud.shape
    if not isinstance(lengths, Tensor):
        got = type(lengths).__name__
        raise ShapeError(function, name, f"a tensor ({batch},) int32 or int64", got)
    if lengths.shape != (batch,) or lengths.dtype not in (torch.int32, torch.int64):
        raise ShapeError(function, name, f"({batch},) int32 or int64", describe(lengths))
    if not lengths.is_cuda:
        low, high = (int(length) for length in torch.aminmax(lengths))
        if low < 0 or high > points:
            raise ShapeError(function, name, f"in [0, {points}]", low if low < 0 else high)
    return lengths.to(device=cloud.device, dtype=torch.int64).contiguous()
