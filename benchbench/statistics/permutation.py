"""Sign-flip test: could the difference of two methods be chance?

If neither is better, a unit's difference could as well have the other sign. The share of all ways
to give signs that lead at least as far from 0 is the p-value.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchbench.core.keyed import keyed_rng
from benchbench.statistics.sample import Array, Sample

EXACT = 16  # up to so many units that differ, all 2^16 ways are gone through
DRAWS = 9999  # ways drawn otherwise; the smallest p-value is then 1 / 10,000
_ROUNDING = 1e-12  # sums that differ by less than this share of their terms are equal
_AT_ONCE = 1 << 22


def sign_flips(
    sample: Sample, columns: Sequence[Array], draws: int = DRAWS, seed: int = 0
) -> Array:
    """Two-sided p-values of weighted means of differences.

    All means and all rows see the same ways to give signs.

    Args:
        sample: Of differences, K rows.
        columns: (C,) weights of the classes, of each of M means.
        draws: Ways drawn where there are too many to go through all; the way that was observed
            is counted with them, so that no p-value is 0.
        seed: Of the keyed generator.

    Returns:
        (M, K).

    Example:
        >>> sample = Sample.of([{"1/a": 1.0, "1/b": 2.0, "1/c": 3.0}])
        >>> sign_flips(sample, [sample.per_class_weights()])  # 2 of 8: all plus, all minus
        array([[0.25]])
    """
    parts = [s.sums / s.counts.sum() for s in sample.strata]  # (K, U) each; a mean is their sum
    found = np.zeros((len(columns), sample.methods))
    drawn: Array | None = None
    for m, weights in enumerate(columns):
        for k in range(sample.methods):
            terms = np.concatenate([w * p[k] for w, p in zip(weights, parts, strict=True)])
            terms = terms[terms != 0]
            far = abs(terms.sum()) - _ROUNDING * np.abs(terms).sum()
            if len(terms) <= EXACT:
                found[m, k] = (np.abs(_all_signs(len(terms)) @ terms) >= far).mean()
                continue
            if drawn is None:
                drawn = _drawn(sample, parts, draws, seed)
            reached = np.abs(weights @ drawn[:, :, k]) >= far
            found[m, k] = (1 + reached.sum()) / (draws + 1)
    return found


def _drawn(sample: Sample, parts: Sequence[Array], draws: int, seed: int) -> Array:
    """(C, B, K) mean of each class with drawn signs."""
    found = np.empty((len(parts), draws, sample.methods))
    for c, (stratum, part) in enumerate(zip(sample.strata, parts, strict=True)):
        rng = keyed_rng("sign-flip", seed, stratum.name, stratum.units)
        # In fours, because bits are drawn 32 at a time.
        step = max(4, _AT_ONCE // stratum.units // 4 * 4)
        for first in range(0, draws, step):
            count = min(step, draws - first)
            plus = rng.integers(0, 2, (count, stratum.units), dtype=np.int8)
            found[c, first : first + count] = 2 * (plus.astype(np.float64) @ part.T) - part.sum(1)
    return found


def _all_signs(units: int) -> Array:
    """(2^U, U) of +1 and -1."""
    numbers = np.arange(1 << units)[:, None]
    return np.asarray((numbers >> np.arange(units)) % 2 * 2.0 - 1.0)
