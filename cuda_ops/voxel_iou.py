"""Intersection over union of occupancy grids."""

import ctypes

import torch
from torch import Tensor

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.reference.voxel_iou import voxel_iou as _twin

_NAME = "voxel_iou"
_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_int64


def voxel_iou(preds: Tensor, target: Tensor) -> Tensor:
    """Intersection over union of boolean grids, one value a pair; higher is better.

    IoU = |P and T| / |P or T|. Cells are counted in whole numbers, so the value is the exact
    quotient rounded once and the same on every device. Two empty grids give 1, one empty grid 0.

    Args:
        preds: (B, R, R, R) bool; threshold occupancies first.
        target: Same shape, bool.

    Returns:
        (B,) float64 in [0, 1].

    Raises:
        ShapeError: Not boolean, not four axes, no cells, or different shapes or devices.

    Example:
        Two cells each, one of them shared: 1 / 3.

        >>> import torch
        >>> from benchbench.cuda_ops import voxel_iou
        >>> preds, target = torch.zeros(2, 1, 2, 2, 2, dtype=torch.bool)
        >>> preds[0, 0, 0] = True
        >>> target[0, :, 0, 0] = True
        >>> voxel_iou(preds, target)
        tensor([0.3333], dtype=torch.float64)
    """
    for name, grid in (("preds", preds), ("target", target)):
        if grid.ndim != 4 or grid.dtype != torch.bool or grid.numel() == 0:
            got = f"{tuple(grid.shape)} {str(grid.dtype).removeprefix('torch.')}"
            raise ShapeError(_NAME, name, "(B, R, R, R) bool, not empty", got)
    if preds.shape != target.shape:
        raise ShapeError(_NAME, "target", f"{tuple(preds.shape)} like preds", tuple(target.shape))
    if preds.device != target.device:
        raise ShapeError(_NAME, "target", f"on {preds.device}", f"on {target.device}")
    if preds.device.type not in ("cpu", "cuda"):
        raise ShapeError(_NAME, "preds", "on 'cpu' or 'cuda'", f"on '{preds.device}'")
    result: Tensor = _voxel_iou(preds.contiguous(), target.contiguous())
    return result


@torch.library.custom_op("benchbench::voxel_iou", mutates_args=())
def _voxel_iou(preds: Tensor, target: Tensor) -> Tensor:
    if not library.available(preds.device):
        return _twin(preds, target)
    batch = preds.shape[0]
    result = torch.empty(batch, dtype=torch.float64, device=preds.device)
    library.call(
        "bench_voxel_iou", preds.device, [_POINTER, _POINTER, _SIZE, _SIZE, _POINTER],
        preds.data_ptr(), target.data_ptr(), batch, preds.numel() // batch, result.data_ptr(),
    )  # fmt: skip
    return result


@_voxel_iou.register_fake
def _(preds: Tensor, target: Tensor) -> Tensor:
    return preds.new_empty((preds.shape[0],), dtype=torch.float64)
