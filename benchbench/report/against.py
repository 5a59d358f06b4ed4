"""Methods against one of them, object by object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchbench.core.errors import CheckError, MissingError
from benchbench.evaluation.objects import ObjectScores
from benchbench.report.objects import ObjectFiles
from benchbench.report.results import Result
from benchbench.report.sheets import (
    BEST,
    INTERVALS,
    LEGEND,
    Cell,
    Heading,
    Sheet,
    bounded,
    facts,
    number,
    rough_words,
)
from benchbench.report.tables import OVER_CLASSES, OVER_OBJECTS, Row, Table
from benchbench.report.uncertainty import arranged, column_weights, scaled
from benchbench.statistics.intervals import SMALL, Interval, as_intervals, settled, studentised
from benchbench.statistics.multiple import LEVEL, holm
from benchbench.statistics.paired import Shares, shares
from benchbench.statistics.permutation import DRAWS, EXACT, sign_flips
from benchbench.statistics.resampling import resample


@dataclass
class Comparison:
    """One method against the reference.

    Attributes:
        row: The method's.
        difference: By column, method minus reference, as reported.
        bounds: 95 % intervals of these.
        p: Sign-flip p-values; those of classes adjusted for the number of classes.
        shares: Objects on which it is better, as good, worse.
    """

    row: Row
    difference: dict[str, float]
    bounds: dict[str, Interval | None]
    p: dict[str, float]
    shares: Shares


def against_sheet(table: Table, reference: Result, files: ObjectFiles) -> Sheet:
    """The paired table of all rows that come with scores of objects.

    Args:
        table: Holds the reference and those that compare with it.
        reference: One of its results.
        files: Reads the scores of objects.

    Raises:
        CheckError: The reference has no scores of objects.
        MissingError: Nothing is left to compare.
    """
    path = reference.path.resolve()
    base = next(r for r in table.rows if r.result and r.result.path.resolve() == path)
    theirs = files.of(reference, table.protocol.id)
    if theirs is None:
        place, command = next(iter(files.absent.items()))
        raise CheckError(f"'{place}' has no scores of objects to compare with", hint=command)
    rivals = {
        n: ours
        for n, row in enumerate(table.rows)
        if row is not base
        and row.result is not None
        and (ours := files.of(row.result, table.protocol.id)) is not None
    }
    if not rivals:
        raise MissingError(
            f"no other result compares with '{base.run}'",
            hint=f"bench run --baseline mean --dataset {table.dataset['id']} "
            f"--split {table.dataset['split']}",
        )
    found = _compare(table, rivals, theirs)
    rough = {s.name for s in arranged(table, [theirs]).strata if s.units < SMALL}
    return _sheet(table, base, found, rough)


def _compare(
    table: Table, rivals: Mapping[int, ObjectScores], theirs: ObjectScores
) -> list[Comparison]:
    factor, name = table.metric.factor, table.metric.name
    minus = np.hstack([np.eye(len(rivals)), -np.ones((len(rivals), 1))])
    gaps = arranged(table, [*rivals.values(), theirs]).combined(minus)
    resamples = resample(gaps)
    columns = column_weights(table, gaps)
    p = dict(zip(columns, sign_flips(gaps, list(columns.values())), strict=True))
    ends = {c: as_intervals(*studentised(gaps, resamples, w)) for c, w in columns.items()}
    means = gaps.means()
    classes = [stratum.name for stratum in gaps.strata]
    found = []
    for k, (n, ours) in enumerate(rivals.items()):
        own = {column: float(values[k]) for column, values in p.items()}
        own |= dict(zip(classes, holm([own[c] for c in classes]), strict=True))
        found.append(
            Comparison(
                table.rows[n],
                {c: settled(float((w @ means)[k]) * factor) for c, w in columns.items()},
                {c: scaled(ends[c][k], factor) for c in columns},
                own,
                shares(ours.values[name], theirs.values[name], table.metric.higher_is_better),
            )
        )
    return found


def _sheet(table: Table, base: Row, found: list[Comparison], rough: set[str]) -> Sheet:
    means = (OVER_CLASSES, OVER_OBJECTS)
    adjusted = {c: holm([one.p[c] for one in found]) for c in means}
    columns = [*(s for s, _ in table.classes), OVER_CLASSES, OVER_OBJECTS]
    headings = [*(Heading(name) for _, name in table.classes)]
    headings += [Heading("classes", "mean over"), Heading("objects", "mean over")]
    headings += [Heading("better", "% objects"), Heading("equal", "% objects"), Heading("p"),
                 Heading("failed")]  # fmt: skip
    rows, records, lines = [], [], []
    for n, one in enumerate(found):
        held = {**one.p, **{c: float(adjusted[c][n]) for c in means}}
        p = held[OVER_CLASSES]
        cells = [
            bounded(
                one.difference[c], one.bounds[c], table.metric.decimals,
                BEST if held[c] <= LEVEL else "", c in rough, sign=True,
            )
            for c in columns
        ]  # fmt: skip
        total = one.shares.better + one.shares.equal + one.shares.worse
        cells += [Cell(number(100 * n / total, 1)) for n in (one.shares.better, one.shares.equal)]
        cells += [Cell(p_words(p)), Cell(f"{one.row.failed}/{base.failed}")]
        rows.append((f"{one.row.label} - {base.label}", cells))
        record = _record(table, base, one, p)
        records.append(record)
        lines.append(_line(table, record))
    caption = table.caption()
    caption[0] = f"difference to {base.label}: {caption[0]}"
    return Sheet(
        "against", caption, f"{table.metric.title}, difference",
        "up" if table.metric.higher_is_better else "down", headings, rows,
        _legend(table, rough, len(found)), [f"compared with {base.caption or base.label}"],
        {"caption": caption, "reference": facts(table, base), "rows": records}, lines,
    )  # fmt: skip


def _legend(table: Table, rough: set[str], methods: int) -> list[str]:
    better = "above" if table.metric.higher_is_better else "below"
    several = f"; a mean, of {methods} methods at once" if methods > 1 else ""
    legend = [
        f"* differs from 0 at 5 % (sign flips of objects; by Holm: a method's classes all at once"
        f"{several}); {better} 0 is better",
        f"p: of the mean over classes, held to that; all ways to give signs up to {EXACT} objects "
        f"that differ, else {DRAWS:,} keyed draws",
        LEGEND,
        INTERVALS,
        "failed: items of either that got the penalty",
    ]
    if rough:
        legend.append(rough_words(len(rough), len(table.classes)))
    return legend


def p_words(p: float) -> str:
    """A p-value as printed.

    Example:
        >>> p_words(0.0321), p_words(0.0001), p_words(1.0)
        ('0.032', '<0.001', '1.000')
    """
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _record(table: Table, base: Row, one: Comparison, p: float) -> dict[str, Any]:
    return {
        **facts(table, one.row),
        "reference": base.run,
        "reference_failed": base.failed,
        "difference": one.difference,
        "intervals": one.bounds,
        "p": one.p,
        "p_over_methods": p,
        "better": one.shares.better,
        "equal": one.shares.equal,
        "worse": one.shares.worse,
    }


def _line(table: Table, record: dict[str, Any]) -> dict[str, Any]:
    names = {s: f"{s} {n}" for s, n in table.classes}
    line = {k: v for k, v in record.items() if not isinstance(v, dict)}
    for column in record["difference"]:
        name = names.get(column, column.replace(" ", "_"))
        low, high = record["intervals"][column] or (None, None)
        line[f"{name} difference"] = record["difference"][column]
        line |= {f"{name} low": low, f"{name} high": high, f"{name} p": record["p"][column]}
    return line
