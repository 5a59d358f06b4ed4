"""Many comparisons at once: max-T over all pairs of methods, Holm over classes.

Source: Westfall and Young, Resampling-based Multiple Testing, 1993 (single-step max-T, with the
studentised bootstrap); Holm, A simple sequentially rejective multiple test procedure, 1979.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchbench.statistics.intervals import estimates, negligible
from benchbench.statistics.resampling import Resamples
from benchbench.statistics.sample import Array, Sample

LEVEL = 0.05
_SURE, _OFTEN = 4, 1e-3  # errors of so small a part in so many resamples: few objects differ


@dataclass(frozen=True)
class Pairs:
    """All pairs of K methods under one mean, P = K (K - 1) / 2.

    Attributes:
        p: (P,) adjusted for the number of pairs: the chance that, if no methods differed, any
            pair would be as far apart as this one.
        reach: (P,) half of the simultaneous interval: all P true differences lie within it at
            once in 95 % of samples; infinite where a class has one unit.
        estimate: (P,) differences, first minus second.
    """

    p: Array
    reach: Array
    estimate: Array


def max_t(differences: Sample, resamples: Resamples, weights: Array, level: float = LEVEL) -> Pairs:
    """Adjusts for the number of pairs by the distribution of the largest studentised difference.

    Pairs that differ in a few objects only are a family apart; two families share the level.

    Args:
        differences: Of the P pairs, from `Sample.combined(pair_matrix(K))`.
        resamples: Of these differences.
        weights: (C,) of the classes.
        level: Chance of any error among all pairs.
    """
    mean, error, _ = estimates(differences, weights)
    tiny = negligible(differences)
    if np.isnan(error).any():  # a class with one unit: nothing can be told apart
        unknown = np.full(len(mean), np.inf)
        return Pairs(np.where(mean == 0, 1.0, np.ones(len(mean))), unknown, mean)
    spread = resamples.error(weights)
    shift = np.abs(resamples.mean(weights) - mean)
    # A resample of equal differences says that the mean is sure: far off if it has moved.
    ratio = np.where(shift <= tiny, 0.0, np.inf)
    np.divide(shift, spread, out=ratio, where=spread > tiny)
    observed = np.where(np.abs(mean) <= tiny, 0.0, np.inf)
    np.divide(np.abs(mean), error, out=observed, where=error > tiny)
    p, reach = np.ones(len(mean)), np.zeros(len(mean))
    # Resamples that miss the few objects in which two near copies differ are sure of a wrong mean,
    # and would decide for all pairs: such pairs are a family of their own. Each family has its
    # share of the level (Bonferroni), by its number of pairs.
    few = (spread < error / _SURE).mean(0) > _OFTEN
    for family in (few, ~few):
        if not family.any():
            continue
        share = family.mean()
        largest = ratio[:, family].max(1)
        beyond = (1 + (largest[:, None] >= observed[family]).sum(0)) / (len(largest) + 1)
        p[family] = np.minimum(beyond / share, 1.0)
        limit = np.quantile(largest, 1 - level * share, method="higher")
        np.multiply(limit, error, out=reach, where=family & (error > tiny))
    return Pairs(p, reach, mean)


def holm(p: Sequence[float]) -> list[float]:
    """Adjusts p-values for their number, step by step from the smallest.

    Example:
        >>> [round(q, 3) for q in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda n: p[n])):
        largest = max(largest, min(1.0, p[place] * (len(p) - rank)))
        adjusted[place] = largest
    return adjusted


def holm_families(families: Sequence[Array]) -> list[Array]:
    """Adjusts families of p-values (the pairs of each class) for the number of families.

    Each family's p-values are already adjusted within it; families are taken in the order of
    their smallest p-value.

    Args:
        families: (P,) each.

    Example:
        >>> [f.tolist() for f in holm_families([np.array([0.25, 0.5]), np.array([0.125, 1.0])])]
        [[0.25, 0.5], [0.25, 1.0]]
    """
    least = [float(f.min()) if len(f) else 1.0 for f in families]
    floor = holm(least)
    order = sorted(range(len(families)), key=lambda n: least[n])
    times = {place: len(families) - rank for rank, place in enumerate(order)}
    return [np.minimum(1.0, np.maximum(floor[n], f * times[n])) for n, f in enumerate(families)]


def best_group(
    means: Array, p: Array, rivals: Sequence[tuple[int, int]], higher_is_better: bool
) -> set[int]:
    """The best method and every one that cannot be told from it.

    Args:
        means: (K,).
        p: (P,) adjusted, of `rivals`.
        rivals: The pairs.
        higher_is_better: Direction.
    """
    best = int(np.argmax(means) if higher_is_better else np.argmin(means))
    group = {n for n in range(len(means)) if means[n] == means[best]}
    for (i, j), value in zip(rivals, p, strict=True):
        if best in (i, j) and value > LEVEL:
            group |= {i, j}
    return group
