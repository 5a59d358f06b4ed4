"""The best one-to-one matching of two clouds, exact, by scipy's solver with a head start."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[Any]

_WORTH_A_START = 128  # rows; fewer are solved before prices are found


def matching_mean(costs: Array) -> float:
    """Mean cost of the cheapest one-to-one matching.

    `scipy.optimize.linear_sum_assignment` finds it. A price taken from every row and from every
    column changes the cost of all matchings alike, so the cheapest stays the cheapest; with prices
    near the dual solution the solver has little left to do.

    Args:
        costs: (N, N) float64, finite and not negative.

    Example:
        >>> matching_mean(np.array([[1.0, 2.0], [2.0, 9.0]]))
        2.0
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(_reduced(costs))
    return float(costs[rows, columns].mean())


def _reduced(costs: Array) -> Array:
    """The costs less the prices of rows and columns, where that is worth its time."""
    from benchbench.cuda_ops import library
    from benchbench.cuda_ops.matching_prices import matching_prices

    unit = costs.max() if len(costs) >= _WORTH_A_START else 0.0
    if unit == 0.0 or not library.available("cpu"):
        return costs
    shares = np.divide(costs, unit, out=np.empty(costs.shape, np.float32), casting="same_kind")
    left = costs - matching_prices(torch.from_numpy(shares)).numpy() * unit
    left -= left.min(1)[:, None]
    left -= left.min(0)  # each row and column has an exact zero again, which float32 has blurred
    return left
