"""How sure the numbers of a result are: intervals of the means, of the median, of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchbench.evaluation.objects import ObjectScores
from benchbench.statistics.intervals import SMALL, as_intervals, settled, studentised
from benchbench.statistics.medians import median, median_interval
from benchbench.statistics.resampling import Resamples, resample
from benchbench.statistics.sample import Array, Sample


def all_intervals(
    found: Mapping[str, ObjectScores], classes: Sequence[str]
) -> dict[str, dict[str, dict[str, Any]]]:
    """95 % intervals of every number of a result, before the reporting factor.

    Args:
        found: Scores of objects by protocol.
        classes: Synsets in data-set order.

    Returns:
        {protocol: {metric: {"mean_over_classes", "mean_over_objects": [low, high] or None,
        "median", "median_interval", "per_class": {synset: [low, high] or None}, "small": synsets
        with fewer than 40 units, whose intervals are not leant on}}}.
    """
    return {
        protocol: {
            metric: _of_metric(values, one.units, classes) for metric, values in one.values.items()
        }
        for protocol, one in found.items()
    }


def _of_metric(
    values: Mapping[str, float], units: Mapping[str, str], classes: Sequence[str]
) -> dict[str, Any]:
    sample = Sample.of([values], units, classes)
    resamples = resample(sample)
    return {
        "mean_over_classes": _interval(sample, resamples, sample.per_class_weights()),
        "mean_over_objects": _interval(sample, resamples, sample.per_object_weights()),
        "median": settled(median(values)),
        "median_interval": list(median_interval(values, units)),
        "per_class": {
            stratum.name: _interval(sample, resamples, sample.only(n))
            for n, stratum in enumerate(sample.strata)
        },
        "small": [stratum.name for stratum in sample.strata if stratum.units < SMALL],
    }


def _interval(sample: Sample, resamples: Resamples, weights: Array) -> list[float] | None:
    (found,) = as_intervals(*map(np.asarray, studentised(sample, resamples, weights)))
    return None if found is None else list(found)
