"""Which methods cannot be told from the best, and how sure each number of a table is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchbench.evaluation.objects import ObjectScores
from benchbench.report.objects import ObjectFiles
from benchbench.report.tables import (
    MEDIAN,
    OVER_CLASSES,
    OVER_OBJECTS,
    Table,
    cell,
    second_cells,
)
from benchbench.statistics.intervals import SMALL, Interval, as_intervals, settled, studentised
from benchbench.statistics.medians import median, median_interval
from benchbench.statistics.multiple import best_group, holm_families, max_t
from benchbench.statistics.resampling import draw_all, resample
from benchbench.statistics.sample import Array, Sample, pair_matrix, pairs

_JUDGED = (
    "not separable from the best of the methods that are not given the truth: 5 % for all pairs "
    "of methods at once (max-T), for classes all classes too (Holm), for one metric"
)


def add_uncertainty(table: Table, files: ObjectFiles, intervals: bool) -> None:
    """Marks what cannot be told from the best, and adds intervals where they are wanted.

    Tables whose rows came without the scores of objects stay as they are.

    Args:
        table: Changed in place.
        files: Reads the scores.
        intervals: Wanted.
    """
    found = {
        n: scores
        for n, row in enumerate(table.rows)
        if row.result is not None
        and (scores := files.of(row.result, table.protocol.id)) is not None
    }
    if intervals and found:
        table.intervals = True
        _add_bounds(table, found)
    rivals = table.rivals
    if len(rivals) > 1 and all(n in found for n in rivals):
        table.best = _not_separable(table, rivals, [found[n] for n in rivals])
        table.judged = _JUDGED
    table.second = second_cells(table)


def arranged(table: Table, scores: Sequence[ObjectScores]) -> Sample:
    """The sample of some rows of a table."""
    values = [one.values[table.metric.name] for one in scores]
    return Sample.of(values, scores[0].units, [s for s, _ in table.classes])


def column_weights(table: Table, sample: Sample) -> dict[str, Array]:
    """Weights of the classes by column; the median is no weighted mean."""
    weights = {stratum.name: sample.only(c) for c, stratum in enumerate(sample.strata)}
    weights[OVER_CLASSES] = sample.per_class_weights()
    weights[OVER_OBJECTS] = sample.per_object_weights()
    return weights


def scaled(bounds: Interval | None, factor: float) -> Interval | None:
    """An interval as reported.

    Example:
        >>> scaled((0.07, 0.14), 100.0)
        (7.0, 14.0)
    """
    return None if bounds is None else (settled(bounds[0] * factor), settled(bounds[1] * factor))


def _add_bounds(table: Table, found: Mapping[int, ObjectScores]) -> None:
    factor, name = table.metric.factor, table.metric.name
    sample = arranged(table, list(found.values()))
    drawn = draw_all(sample)
    resamples = resample(sample, drawn=drawn)
    for column, weights in column_weights(table, sample).items():
        ends = as_intervals(*studentised(sample, resamples, weights))
        for n, bounds in zip(found, ends, strict=True):
            table.rows[n].bounds[column] = scaled(bounds, factor)
    # The median takes the classes in the order of their names.
    order = sorted(range(len(drawn)), key=lambda c: sample.strata[c].name)
    for n, scores in found.items():
        row, values = table.rows[n], scores.values[name]
        ends_of_median = median_interval(values, scores.units, drawn=[drawn[c] for c in order])
        row.median, row.bounds[MEDIAN] = median(values) * factor, scaled(ends_of_median, factor)
    table.rough |= {stratum.name for stratum in sample.strata if stratum.units < SMALL}


def _not_separable(
    table: Table, rows: Sequence[int], scores: Sequence[ObjectScores]
) -> set[tuple[int, str]]:
    sample = arranged(table, scores)
    rivals = pairs(len(rows))
    gaps = sample.combined(pair_matrix(len(rows)))
    resamples = resample(gaps)
    weights = column_weights(table, sample)
    p = {column: max_t(gaps, resamples, some).p for column, some in weights.items()}
    classes = [stratum.name for stratum in sample.strata]
    p |= dict(zip(classes, holm_families([p[c] for c in classes]), strict=True))
    best: set[tuple[int, str]] = set()
    for column in weights:
        means = np.array([cell(table.rows[n], column) for n in rows], np.float64)
        group = best_group(means, p[column], rivals, table.metric.higher_is_better)
        best |= {(rows[k], column) for k in group}
    return best
