"""Bootstrap resamples of a sample: units are drawn anew within each class, with replacement.

All methods, and all differences of methods, see the same resamples: what they share cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchbench.core.keyed import keyed_rng
from benchbench.statistics.sample import Array, Sample, Stratum

Counts = npt.NDArray[np.int32]
DRAWS = 1999  # odd, so that 2.5 % of 2,000 is an order statistic


@dataclass(frozen=True)
class Resamples:
    """Moments of B resamples of K methods in C classes.

    Attributes:
        means: (C, B, K) class means.
        variances: (C, B, K) variances of the class means, as `Stratum.variances`; NaN with one
            unit.
    """

    means: Array
    variances: Array

    def mean(self, weights: Array) -> Array:
        """(B, K) weighted mean over classes."""
        return np.asarray(np.tensordot(weights, self.means, 1))

    def error(self, weights: Array) -> Array:
        """(B, K) its standard error; NaN if a class that counts has one unit."""
        used = weights > 0
        return np.asarray(np.sqrt(np.tensordot(weights[used] ** 2, self.variances[used], 1)))


def draw(stratum: Stratum, draws: int, seed: int = 0) -> Counts:
    """(B, U) how often each unit is drawn in each resample.

    Args:
        stratum: A class; only its name and its number of units matter.
        draws: B.
        seed: Of the keyed generator.
    """
    units = stratum.units
    rng = keyed_rng("bootstrap", seed, stratum.name, units)
    places = rng.integers(0, units, (draws, units))
    places += np.arange(draws)[:, None] * units
    found = np.bincount(places.ravel(), minlength=draws * units)
    return found.reshape(draws, units).astype(np.int32)


def draw_all(sample: Sample, draws: int = DRAWS, seed: int = 0) -> list[Counts]:
    """`draw` of every class, for several questions to the same resamples."""
    return [draw(stratum, draws, seed) for stratum in sample.strata]


def resample(
    sample: Sample, draws: int = DRAWS, seed: int = 0, drawn: Sequence[Counts] | None = None
) -> Resamples:
    """Draws the units of every class anew.

    Args:
        sample: Of K methods.
        draws: B.
        seed: Of the keyed generator.
        drawn: From `draw_all`, in place of `draws` and `seed`.
    """
    drawn = drawn if drawn is not None else draw_all(sample, draws, seed)
    found = [
        _moments(stratum, times.astype(np.float64))
        for stratum, times in zip(sample.strata, drawn, strict=True)
    ]
    return Resamples(np.array([m for m, _ in found]), np.array([v for _, v in found]))


def _moments(stratum: Stratum, times: Array) -> tuple[Array, Array]:
    """(B, K) means and their variances."""
    centre = stratum.means()
    # Sums of squares cancel less around the mean.
    sums, counts = stratum.sums - centre[:, None] * stratum.counts, stratum.counts
    objects = (times @ counts)[:, None]
    means = times @ sums.T / objects
    if stratum.units < 2:
        return means + centre, np.full_like(means, np.nan)
    squares = times @ (sums**2).T
    crossed = times @ (sums * counts).T
    rest = squares - 2 * means * crossed + means**2 * (times @ counts**2)[:, None]
    rest = np.maximum(rest, 0.0)
    return means + centre, rest * (stratum.units / (stratum.units - 1.0)) / objects**2
