"""The best one-to-one matching of two clouds, exact, by scipy's solver with a head start."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_COARSE = 256  # points of the problem whose prices start the whole one


def matching_mean(costs: Array) -> float:
    """Mean cost of the cheapest one-to-one matching.

    `scipy.optimize.linear_sum_assignment` finds it. A price taken from every row and from every
    column changes the cost of all matchings alike, so the cheapest stays the cheapest; with prices
    near the dual solution the solver has little left to do, and takes about a third of the time.

    Args:
        costs: (N, N) float64, finite.

    Example:
        >>> matching_mean(np.array([[1.0, 2.0], [2.0, 9.0]]))
        2.0
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(_reduced(costs) if len(costs) > 2 * _COARSE else costs)
    return float(costs[rows, columns].mean())


def _reduced(costs: Array) -> Array:
    """The costs less prices that come from the first rows and columns alone."""
    from scipy.optimize import linear_sum_assignment

    part = costs[:_COARSE, :_COARSE]
    _, columns = linear_sum_assignment(part)
    rows = (costs[:, :_COARSE] - _column_prices(part, columns)).min(1)
    prices = (costs - rows[:, None]).min(0)
    rows = (costs - prices).min(1)
    return costs - rows[:, None] - (costs - rows[:, None]).min(0)


def _column_prices(costs: Array, columns: Array) -> Array:
    """Dual solution of an optimal matching: shortest ways through exchanges of partners."""
    own = costs[np.arange(len(costs)), columns]
    exchange = costs[:, columns] - own[:, None]  # of row i taking the partner of row k
    prices = np.zeros(len(costs))
    for _ in range(len(costs)):
        shorter = np.minimum(prices, (exchange + prices[:, None]).min(0))
        if np.array_equal(shorter, prices):
            break
        prices = shorter
    found = np.empty(len(costs))
    found[columns] = prices
    return found
