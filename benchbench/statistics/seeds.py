"""Several training seeds of one method: objects crossed with seeds.

A mean over objects varies because other objects could have been drawn, and because training could
have gone otherwise. One seed shows only the first: it supports a claim about a checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchbench.core.errors import CheckError
from benchbench.statistics.intervals import LEVEL, Interval, settled
from benchbench.statistics.sample import Array, Sample


@dataclass(frozen=True)
class Crossed:
    """A method's mean over several seeds.

    Attributes:
        mean: Over seeds and objects.
        seeds: Their number.
        objects_variance: Of `mean`, because of which objects were drawn.
        seeds_variance: Of `mean`, because of which seeds were drawn.
        seed_spread: Standard deviation of one seed's mean around the method's, objects fixed.
        interval: For the method: other objects and other seeds; None if a class has one unit.
    """

    mean: float
    seeds: int
    objects_variance: float
    seeds_variance: float
    seed_spread: float
    interval: Interval | None


def crossed(sample: Sample, weights: Array, level: float = LEVEL) -> Crossed:
    """Splits the variance of a mean by its two sources.

    Score = method + seed + object + rest. The spread of the seeds' means holds the seeds' own
    variance and the rest's share, which the spread of the objects holds too; it is taken off once.

    Args:
        sample: A row per seed.
        weights: (C,) of the classes.
        level: Of the interval, Student's with Satterthwaite's degrees of freedom.

    Raises:
        CheckError: There are fewer than two seeds.
    """
    seeds = sample.methods
    if seeds < 2:
        raise CheckError("one training seed says nothing about other seeds")
    by_seed = weights @ sample.means()
    spread = float(by_seed.var(ddof=1))
    together = sample.combined(np.full((1, seeds), 1.0 / seeds))
    used = weights > 0
    parts = weights[used] ** 2 * together.variances()[used, 0]
    rest = float(
        sum(
            w**2 * _rest(s.sums, s.counts)
            for w, s in zip(weights, sample.strata, strict=True)
            if w > 0
        )
    )
    objects = float(parts.sum())
    of_seeds = max(spread - rest, 0.0) / seeds
    mean = float(by_seed.mean())
    interval: Interval | None = None
    if not np.isnan(objects):
        total = objects + of_seeds
        freedom = np.array([s.units - 1.0 for s, u in zip(sample.strata, used, strict=True) if u])
        below = (parts**2 / freedom).sum() + of_seeds**2 / (seeds - 1)
        reach = 0.0
        if below > 0:
            reach = stats.t.ppf((1 + level) / 2, total**2 / below) * total**0.5
        interval = settled(mean - reach), settled(mean + reach)
    return Crossed(mean, seeds, objects, of_seeds, float(np.sqrt(spread)), interval)


def _rest(sums: Array, counts: Array) -> float:
    """Variance of a seed's class mean that is neither the seed's nor the objects'."""
    seeds, units = sums.shape
    if units < 2:
        return float("nan")
    means = sums.sum(1) / counts.sum()
    around = (sums - means[:, None] * counts) * units / counts.sum()
    left = around - around.mean(0)
    return float((left**2).sum() / ((seeds - 1) * (units - 1)) / units)
