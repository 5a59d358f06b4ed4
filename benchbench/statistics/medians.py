"""The median over all objects, with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchbench.statistics.intervals import LEVEL, Interval, settled
from benchbench.statistics.resampling import DRAWS, Counts, draw_all
from benchbench.statistics.sample import Sample

_AT_ONCE = 1 << 22  # numbers in memory


def median(scores: Mapping[str, float]) -> float:
    """Median over objects: the middle value, or the mean of the middle two.

    Example:
        >>> median({"1/a": 0.1, "1/b": 0.9, "2/c": 0.2, "2/d": 0.4})
        0.30000000000000004
    """
    return float(np.median(list(scores.values())))


def median_interval(
    scores: Mapping[str, float],
    units: Mapping[str, str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
    drawn: Sequence[Counts] | None = None,
) -> Interval:
    """Percentile bootstrap interval of the median: units are drawn anew within each class.

    Args:
        scores: {object id: score} of one method.
        units: As in `Sample.of`.
        draws: Number of resamples.
        seed: Of the keyed generator.
        level: Share of samples whose interval holds the true median.
        drawn: From `draw_all` of the same objects with classes sorted, in place of both.
    """
    ids = sorted(scores)
    sample = Sample.of([scores], units)
    names: dict[str, dict[str, None]] = {}
    for i in ids:
        names.setdefault(i.partition("/")[0], {})[(units or {}).get(i, i)] = None
    # Column of each object's unit among the units of all classes, as `Sample.of` arranges them.
    columns: dict[tuple[str, str], int] = {}
    for stratum in sample.strata:
        for unit in sorted(names[stratum.name]):
            columns[stratum.name, unit] = len(columns)
    place = np.array([columns[i.partition("/")[0], (units or {}).get(i, i)] for i in ids])
    values = np.array([scores[i] for i in ids])
    order = np.argsort(values, kind="stable")
    values, place = values[order], place[order]
    times = np.concatenate(drawn if drawn is not None else draw_all(sample, draws, seed), 1)
    found = []
    step = max(1, _AT_ONCE // len(ids))
    for first in range(0, len(times), step):
        reached = np.cumsum(times[first : first + step, place], axis=1)
        count = reached[:, -1:]
        lower = (reached < (count + 1) // 2).sum(1)
        upper = (reached < count // 2 + 1).sum(1)
        found.append((values[lower] + values[upper]) / 2)
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(found), [tail, 1 - tail], method="weibull")
    return settled(low), settled(high)
