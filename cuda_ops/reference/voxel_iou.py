"""Plain twin of `voxel_iou`."""

from __future__ import annotations

import torch
from torch import Tensor


def voxel_iou(preds: Tensor, target: Tensor) -> Tensor:
    """Intersection over union of boolean grids, one value a pair.

    Args:
        preds: (B, R, R, R) bool.
        target: The same shape, bool.

    Returns:
        (B,) float64; 1 where both grids are empty.
    """
    intersection = (preds & target).flatten(1).sum(dim=1)
    union = (preds | target).flatten(1).sum(dim=1)
    ratio = intersection.to(torch.float64) / union.clamp(min=1).to(torch.float64)
    return torch.where(union == 0, torch.ones_like(ratio), ratio)
