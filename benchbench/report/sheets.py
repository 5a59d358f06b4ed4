"""What every format prints: captions, headings, rows of marked cells, notes.

A table of methods, a paired comparison, a prediction under all protocols and an order of methods
are each made into sheets, and each format prints sheets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchbench.core.errors import CheckError
from benchbench.report.about import about
from benchbench.report.tables import MEDIAN, OVER_CLASSES, OVER_OBJECTS, Row, Table, cell
from benchbench.statistics.intervals import SMALL

BEST, SECOND = "best", "second"
PUBLISHED = "published"  # a number that was not computed here
LEGEND = "mean over classes: every class weighs the same; mean over objects: every object does"
CHECKPOINTS = (
    "a row with weights is one training: it speaks for a checkpoint, several seeds for a method "
    "(--seeds)"
)
INTERVALS = (
    "95 % intervals: studentised bootstrap of the objects of each class (equal objects and those "
    "of one CAD model are drawn together)"
)
_NONE = "-"
_GIVEN = {"image": "a picture", "class": "the true class", "truth": "the truth"}


@dataclass(frozen=True)
class Cell:
    """One number or word.

    Attributes:
        text: As printed.
        mark: "best", "second", "published" or "".
        low, high: Ends of its interval as printed, "" where there is none.
        faint: The interval is of too few objects to be leant on.
    """

    text: str
    mark: str = ""
    low: str = ""
    high: str = ""
    faint: bool = False


@dataclass(frozen=True)
class Heading:
    """Of a column.

    Attributes:
        text: Its own.
        group: Above it and its neighbours of the same group, "" for none.
        words: The column holds words, which stand left.
    """

    text: str
    group: str = ""
    words: bool = False

    @property
    def whole(self) -> str:
        """On one line."""
        return f"{self.group} {self.text}".strip()


@dataclass
class Sheet:
    """One table, ready to be printed.

    Attributes:
        kind: Key of its kind in JSON: "tables", "against", "across", "ranks".
        caption: Lines above.
        title: Of the numbers, short.
        arrow: "up" or "down" where that way is better, "" where it differs by row.
        headings: Of the columns.
        rows: (label, cells), as many cells as headings.
        legend: What marks and headings mean.
        notes: About single rows.
        record: Plain data for JSON.
        lines: Plain data for CSV, one dict per line.
        parts: By the number of a row: words above it, which set it and those below it apart.
    """

    kind: str
    caption: list[str]
    title: str
    arrow: str
    headings: list[Heading]
    rows: list[tuple[str, list[Cell]]]
    legend: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    parts: dict[int, str] = field(default_factory=dict)

    @property
    def intervals(self) -> bool:
        """Any cell has one."""
        return any(c.low for _, cells in self.rows for c in cells)


def number(value: float | None, decimals: int, sign: bool = False) -> str:
    """As printed.

    Raises:
        CheckError: It is none.

    Example:
        >>> number(0.25, 3), number(None, 3), number(0.25, 2, sign=True)
        ('0.250', '-', '+0.25')
    """
    if value is None:
        return _NONE
    if not math.isfinite(value):
        raise CheckError(f"a result holds the number {value}")
    return f"{value:{'+' if sign else ''}.{decimals}f}"


def bounded(
    value: float | None,
    bounds: tuple[float, float] | None,
    decimals: int,
    mark: str = "",
    faint: bool = False,
    sign: bool = False,
) -> Cell:
    """A number with the ends of its interval."""
    low, high = (number(b, decimals, sign) for b in bounds) if bounds else ("", "")
    return Cell(number(value, decimals, sign), mark, low, high, faint)


def table_sheet(table: Table) -> Sheet:
    """A table of methods."""
    headings = [*(Heading(name) for _, name in table.classes)]
    headings += [Heading("classes", "mean over"), Heading("objects", "mean over")]
    if table.intervals:
        headings.append(Heading("objects", "median over"))
    headings.append(Heading("failed"))
    rows = []
    for n, row in enumerate(table.rows):
        cells = [
            bounded(
                cell(row, column),
                row.bounds.get(column),
                table.metric.decimals,
                _mark(table, n, column),
                column in table.rough,
            )
            for column in table.columns
        ]
        rows.append((row.label, [*cells, Cell(str(row.failed))]))
    legend = [f"* {table.judged}"] if table.best else []
    legend.append(LEGEND)
    if any(row.trained for row in table.rows):
        legend.append(CHECKPOINTS)
    if table.intervals:
        legend.append(INTERVALS)
        if table.rough:
            legend.append(rough_words(len(table.rough), len(table.classes)))
    return Sheet(
        "tables",
        table.caption(),
        table.metric.title,
        "up" if table.metric.higher_is_better else "down",
        headings,
        rows,
        legend,
        [_note(row) for row in table.rows],
        _record(table),
        [_line(table, row) for row in table.rows],
    )


def rough_words(rough: int, classes: int) -> str:
    """About intervals of small classes.

    Example:
        >>> rough_words(13, 13)
        'grey: a class of fewer than 40 different objects (13 of 13), too few to lean on'
    """
    return (
        f"grey: a class of fewer than {SMALL} different objects ({rough} of {classes}), too few to "
        "lean on"
    )


def _mark(table: Table, n: int, column: str) -> str:
    if (n, column) in table.best:
        return BEST
    return SECOND if (n, column) in table.second else ""


def _note(row: Row) -> str:
    """Weights, what was given, what it was trained on, what failed."""
    words = row.caption or "no caption"
    # Captions usually begin with the method's name.
    line = words if words.startswith(row.label) else f"{row.label}: {words}"
    origin = row.origin()
    if origin["given"] in _GIVEN:
        line += f"; given {_GIVEN[origin['given']]}"
    if origin["training_list"]:
        line += (
            f"; trained on {origin['training_objects']:,} objects of {origin['training_set']} "
            f"(list {origin['training_list'][:8]})"
        )
    if row.failed:
        line += f"; {row.failed} of {row.items} items failed and got the penalty"
    if row.seen:
        line += f"; (seen): its weights were trained on {row.seen} of the objects scored"
    return line


def facts(table: Table, row: Row) -> dict[str, Any]:
    """What a number is of."""
    d = table.dataset
    return {
        "method": row.label,
        "dataset": d["id"],
        "dataset_identity": d["identity"],
        "split": d["split"],
        "split_name": d["split_name"],
        "split_hash": d["split_hash"],
        "objects": table.objects,
        "views": table.views,
        "protocol": table.protocol.id,
        "metric": table.metric.name,
        "unit": table.metric.unit,
        "higher_is_better": table.metric.higher_is_better,
        "complete": row.complete,
        "failed": row.failed,
        "items": row.items,
        "seen": row.seen,
        "run": row.run,
        "caption": row.caption,
        **row.origin(),
        **about(row),
    }


def _line(table: Table, row: Row) -> dict[str, Any]:
    names = {s: f"{s} {n}" for s, n in table.classes}
    names |= {c: c.replace(" ", "_") for c in (OVER_CLASSES, OVER_OBJECTS, MEDIAN)}
    means = [c for c in table.columns if c not in row.cells]
    ordered = [*means, *(s for s, _ in table.classes)]
    origin = {key: "unknown" if value is None else value for key, value in row.origin().items()}
    line = {**facts(table, row), **origin, **{names[c]: cell(row, c) for c in ordered}}
    for column in ordered if table.intervals else ():
        low, high = row.bounds.get(column) or (None, None)
        line |= {f"{names[column]} low": low, f"{names[column]} high": high}
    return line


def _record(table: Table) -> dict[str, Any]:
    return {
        "caption": table.caption(),
        "protocol": table.protocol.id,
        "metric": table.metric.name,
        "unit": table.metric.unit,
        "higher_is_better": table.metric.higher_is_better,
        "decimals": table.metric.decimals,
        "dataset": table.dataset["id"],
        "classes": [{"synset": s, "name": n} for s, n in table.classes],
        "objects": table.objects,
        "best_are": table.judged,
        "rows": [
            {
                **facts(table, row),
                "ceiling": row.ceiling,
                "per_class": {s: row.cells.get(s) for s, _ in table.classes},
                "mean_over_classes": row.mean_over_classes,
                "mean_over_objects": row.mean_over_objects,
                "median_over_objects": row.median,
                "intervals": {c: row.bounds.get(c) for c in table.columns}
                if table.intervals
                else None,
                "best": [c for c in table.columns if (n, c) in table.best],
            }
            for n, row in enumerate(table.rows)
        ],
    }


def table_sheets(tables: Sequence[Table]) -> list[Sheet]:
    """Tables of methods; the metric of the first is the primary one, which the others say."""
    names = [f"{table.protocol.id}:{table.metric.name}" for table in tables]
    sheets = [table_sheet(table) for table in tables]
    for name, sheet in zip(names, sheets, strict=True):
        if name != names[0]:
            sheet.legend.append(f"secondary: the primary metric, named first, is {names[0]}")
    return sheets
