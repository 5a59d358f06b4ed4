"""95 % intervals for means over objects, classes, or classes of objects.

The studentised bootstrap, stratified by class: within each class the units are drawn anew, and
the quantiles of (resampled mean - mean) / (its standard error) take the place of Student's.
Source: Davison and Hinkley, Bootstrap Methods and their Application, 1997, sections 2.4 and 3.2.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from benchbench.statistics.resampling import Resamples
from benchbench.statistics.sample import Array, Sample

LEVEL = 0.95
SMALL = 40  # a class with fewer units: its own interval is shown, but not leant on
_FEW = 10  # degrees of freedom below which too few resamples differ: Student's t instead
_EQUAL = 1e-12  # standard errors below this share of the values are rounding
_DIGITS = 10  # significant digits that do not depend on how a matrix product is summed

Interval = tuple[float, float]


def estimates(sample: Sample, weights: Array) -> tuple[Array, Array, Array]:
    """Weighted mean, its standard error and degrees of freedom, (K,) each.

    The degrees of freedom are Satterthwaite's; error and freedom are NaN if a class that counts
    has one unit.
    """
    used = weights > 0
    parts = weights[used, None] ** 2 * sample.variances()[used]
    freedom = np.array([s.units - 1.0 for s, use in zip(sample.strata, used, strict=True) if use])
    total = parts.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        degrees = total**2 / (parts**2 / freedom[:, None]).sum(0)
    return weights @ sample.means(), np.sqrt(total), degrees


def negligible(sample: Sample) -> Array:
    """(K,) standard errors up to here are rounding."""
    largest = [np.abs(s.sums / s.counts).max(1) for s in sample.strata]
    return _EQUAL * np.max(largest, axis=0)


def studentised(
    sample: Sample, resamples: Resamples, weights: Array, level: float = LEVEL
) -> tuple[Array, Array]:
    """(K,) lower and upper ends; NaN where there is none because a class has one unit.

    With fewer than 10 degrees of freedom, or where half of the resamples hold equal values only,
    Student's interval stands instead; where all values are equal both ends are that value.

    Args:
        sample: Of K methods.
        resamples: Of this sample.
        weights: (C,) of the classes.
        level: Share of samples whose interval holds the true mean.
    """
    mean, error, degrees = estimates(sample, weights)
    tiny = negligible(sample)
    spread = resamples.error(weights)
    shift = resamples.mean(weights) - mean
    tail = (1 - level) / 2
    low, high = np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    for k in range(sample.methods):
        if np.isnan(error[k]):
            continue
        if error[k] <= tiny[k]:
            low[k] = high[k] = mean[k]
            continue
        good = spread[:, k] > tiny[k]
        if degrees[k] < _FEW or good.mean() < 0.5:
            reach = stats.t.ppf(1 - tail, degrees[k])
            low[k], high[k] = mean[k] - reach * error[k], mean[k] + reach * error[k]
            continue
        ratios = shift[good, k] / spread[good, k]
        below, above = np.quantile(ratios, [tail, 1 - tail], method="weibull")
        low[k], high[k] = mean[k] - above * error[k], mean[k] - below * error[k]
    return low, high


def as_intervals(low: Array, high: Array) -> list[Interval | None]:
    """Plain numbers for tables; None where there is no interval.

    Example:
        >>> as_intervals(np.array([0.25, np.nan]), np.array([0.5, np.nan]))
        [(0.25, 0.5), None]
    """
    return [
        None if np.isnan(a) else (settled(a), settled(b)) for a, b in zip(low, high, strict=True)
    ]


def settled(value: float) -> float:
    """Rounded to 10 significant digits: the last ones depend on the machine's matrix product.

    Example:
        >>> settled(0.1 + 0.2)
        0.3
    """
    return float(f"{value:.{_DIGITS}g}")
