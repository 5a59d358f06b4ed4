"""The order of methods: how sure it is, and whether two protocols agree on it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchbench.statistics.intervals import LEVEL, Interval, settled
from benchbench.statistics.sample import Array


def ranks(means: Array, higher_is_better: bool) -> npt.NDArray[np.int64]:
    """(..., K) rank 1 for the best; equal means share the better rank.

    Example:
        >>> ranks(np.array([0.5, 0.75, 0.5]), True).tolist()
        [2, 1, 2]
    """
    worse = means[..., :, None] < means[..., None, :]
    if not higher_is_better:
        worse = means[..., :, None] > means[..., None, :]
    return np.asarray(1 + worse.sum(-1))


def rank_frequencies(means: Array, higher_is_better: bool) -> Array:
    """(K, K) share of resamples in which a method (row) has a rank (column, from 1).

    Args:
        means: (B, K) of the resamples.
        higher_is_better: Direction.
    """
    found = ranks(means, higher_is_better)
    return np.stack([(found == rank + 1).mean(0) for rank in range(means.shape[1])], 1)


def kendall_tau(first: Array, second: Array) -> Array:
    """(...) Kendall's tau-b of two orders of K methods: 1 the same, -1 the reverse.

    0 where all methods are equal in one of them, because there is no order to agree with.

    Args:
        first, second: (..., K); higher is better in both, or lower is in both.

    Example:
        >>> float(kendall_tau(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])))
        0.3333333333333333
    """
    one = np.sign(first[..., :, None] - first[..., None, :])
    two = np.sign(second[..., :, None] - second[..., None, :])
    agree = (one * two).sum((-1, -2))
    size = np.sqrt((one**2).sum((-1, -2)) * (two**2).sum((-1, -2)))
    return np.asarray(np.divide(agree, size, out=np.zeros_like(size), where=size > 0))


def tau_interval(first: Array, second: Array, level: float = LEVEL) -> Interval:
    """What 95 % of the resamples give for tau.

    Tau of a few methods takes a few values, so this is a range of those. Resampling blurs both
    orders, so that it lies rather too low than too high.

    Args:
        first, second: (B, K) means of the same resamples under two protocols, turned so that the
            same direction is better.
        level: Share of the resamples.
    """
    tail = (1 - level) / 2
    low, high = np.quantile(kendall_tau(first, second), [tail, 1 - tail], method="weibull")
    return settled(low), settled(high)
