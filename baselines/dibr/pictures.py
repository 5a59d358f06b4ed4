"""How DIB-R's pictures change their size: as the authors' chain of OpenCV calls does it."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchbench.baselines.resizing import area_weights

_MOST = 2.0  # larger factors are taken in steps of two


def network_input(pictures: Tensor, size: int) -> Tensor:
    """Pictures in bytes to what the network and the losses take, on the tensor's device.

    Args:
        pictures: (B, C, S, S) uint8.
        size: Side of the result in pixels.

    Returns:
        (B, C, size, size) float32 in [0, 1]; the mask's edges become soft where the size changes.
    """
    values = pictures.float() / 255
    if values.shape[2] == size:
        return values
    matrix = torch.tensor(resize_matrix(values.shape[2], size), device=values.device)
    return matrix @ values @ matrix.T


@functools.lru_cache(maxsize=8)
def resize_matrix(source: int, size: int) -> NDArray[np.float32]:
    """How the authors' chain of OpenCV calls (INTER_AREA) mixes the pixels of one axis.

    While the factor is more than 2 the picture is doubled or halved; then one last step. Enlarging
    with INTER_AREA is OpenCV's own rule: linear, with a weight from the areas' overlap.

    Args:
        source: Pixels before.
        size: Pixels after.

    Returns:
        (size, source) float32, rows that sum to 1.

    Example:
        >>> resize_matrix(2, 3).tolist()
        [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    matrix = np.eye(source)
    side = source
    while side / size > _MOST or size / side > _MOST:
        after = side // 2 if side > size else side * 2
        matrix = _step(side, after) @ matrix
        side = after
    result = (_step(side, size) @ matrix).astype(np.float32)
    result.setflags(write=False)
    return result


def _step(before: int, after: int) -> NDArray[np.float64]:
    """One call of OpenCV: (after, before)."""
    if after <= before:  # averages over areas
        return area_weights(before, after) / before
    matrix = np.zeros((after, before))
    for row in range(after):
        left = row * before // after
        share = (row + 1) - (left + 1) * (after / before)
        share = 0.0 if share <= 0 else share - np.floor(share)
        matrix[row, left] += 1 - share
        matrix[row, min(left + 1, before - 1)] += share
    return matrix
