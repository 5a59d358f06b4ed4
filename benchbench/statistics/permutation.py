"""Sign-flip test: could the difference of two methods be chance?

If neither is better, a unit's difference could as well have the other sign. The share of all ways
to give signs that lead at least as far from 0 is the p-value.
"""

from __future__ import annotations

import numpy as np

from benchbench.core.keyed import keyed_rng
from benchbench.statistics.sample import Array, Sample

EXACT = 16  # up to so many units that differ, all 2^16 ways are gone through
DRAWS = 9999  # ways drawn otherwise; the smallest p-value is then 1 / 10,000
_ROUNDING = 1e-12  # sums that differ by less than this share of their terms are equal
_AT_ONCE = 1 << 22


def sign_flip(
    sample: Sample, weights: Array, method: int = 0, draws: int = DRAWS, seed: int = 0
) -> float:
    """Two-sided p-value of the weighted mean of differences.

    Args:
        sample: Of differences.
        weights: (C,) of the classes.
        method: Which row of the sample.
        draws: Ways drawn where there are too many to go through all; the way that was observed
            is counted with them, so that the p-value is never 0.
        seed: Of the keyed generator.

    Example:
        >>> sample = Sample.of([{"1/a": 1.0, "1/b": 2.0, "1/c": 3.0}])
        >>> sign_flip(sample, sample.per_class_weights())  # 2 of 8: all plus, all minus
        0.25
    """
    parts = [
        w * s.sums[method] / s.counts.sum()
        for w, s in zip(weights, sample.strata, strict=True)
        if w > 0
    ]
    terms = np.concatenate(parts)
    terms = terms[terms != 0]
    far = abs(terms.sum()) - _ROUNDING * np.abs(terms).sum()
    if len(terms) <= EXACT:
        return float((np.abs(_all_signs(len(terms)) @ terms) >= far).mean())
    rng = keyed_rng("sign-flip", seed, len(terms))
    step = max(4, _AT_ONCE // len(terms) // 4 * 4)  # fours: bits are drawn 32 at a time
    reached = 1
    for first in range(0, draws, step):
        count = min(step, draws - first)
        flips = rng.integers(0, 2, (count, len(terms)), dtype=np.int8) * 2 - 1
        reached += int((np.abs(flips @ terms) >= far).sum())
    return reached / (draws + 1)


def _all_signs(units: int) -> Array:
    """(2^U, U) of +1 and -1."""
    numbers = np.arange(1 << units)[:, None]
    return np.asarray((numbers >> np.arange(units)) % 2 * 2.0 - 1.0)
