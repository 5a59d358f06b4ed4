"""Exact nearest neighbours of small integer features, the same on every machine."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchbench.core.errors import ShapeError

LEVELS = 64
_CHUNK = 16_384  # rows compared at once: 64 MB as floats for 1,024 numbers a row


def quantise(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures as features: every byte's upper six bits.

    Args:
        pictures: (B, C, S, S) uint8.

    Returns:
        (B, C S S) uint8 below 64.

    Example:
        >>> quantise(np.array([[[[0, 3], [4, 255]]]], np.uint8)).tolist()
        [[0, 0, 1, 63]]
    """
    upper = np.right_shift(pictures, np.uint8(2))
    return upper.reshape(len(pictures), math.prod(pictures.shape[1:]))


def nearest_rows(queries: Tensor, features: Tensor) -> Tensor:
    """The row with the smallest Euclidean distance; of several the first.

    The squared distance of two rows of D numbers below 64 is an integer of at most 3969 D, so
    for D up to 2,000 or so single precision computes it exactly, whatever the order of
    summation, the number of threads or the device.

    Args:
        queries: (Q, D) uint8 below 64.
        features: (N, D) uint8 below 64, N >= 1, on the same device.

    Returns:
        (Q,) int64 rows of `features`.

    Raises:
        ShapeError: Other shapes, or so many numbers a row that sums could be rounded.

    Example:
        >>> features = torch.tensor([[9, 9], [1, 1], [1, 1]], dtype=torch.uint8)
        >>> nearest_rows(torch.tensor([[2, 1], [60, 0]], dtype=torch.uint8), features).tolist()
        [1, 0]
    """
    if features.ndim != 2 or not len(features) or features.dtype != torch.uint8:
        raise ShapeError("nearest_rows", "features", "(N, D) uint8, N >= 1", tuple(features.shape))
    width = features.shape[1]
    if queries.ndim != 2 or queries.shape[1] != width or queries.dtype != torch.uint8:
        raise ShapeError("nearest_rows", "queries", f"(Q, {width}) uint8", tuple(queries.shape))
    if 2 * width * (LEVELS - 1) ** 2 >= 1 << 24:
        raise ShapeError("nearest_rows", "features", "rows of at most 2,113 numbers", width)
    asked = queries.float()
    best = torch.full((len(queries),), torch.iinfo(torch.int64).max, device=queries.device)
    for start in range(0, len(features), _CHUNK):
        part = features[start : start + _CHUNK].float()
        # |a - b|^2 without |a|^2, which is the same for all rows.
        distances = (part * part).sum(1)[None] - 2 * (asked @ part.T)
        # Distance first, then row: the smallest of these numbers is the first of the nearest.
        rows = torch.arange(start, start + len(part), device=queries.device)
        ranks = distances.to(torch.int64) * len(features) + rows
        best = torch.minimum(best, ranks.min(1).values)
    return best % len(features)
