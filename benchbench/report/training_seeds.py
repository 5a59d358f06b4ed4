"""Training seeds of a method as one row: what other seeds and other objects would change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from benchbench.core.errors import CheckError, MissingError
from benchbench.report.objects import ObjectFiles
from benchbench.report.results import Result
from benchbench.report.sheets import LEGEND, Cell, Heading, Sheet, bounded, number
from benchbench.report.tables import OVER_CLASSES, OVER_OBJECTS, Row, Table
from benchbench.report.uncertainty import arranged, scaled
from benchbench.statistics.seeds import Crossed, crossed

_NAMES = {OVER_CLASSES: "mean_over_classes", OVER_OBJECTS: "mean_over_objects"}


def seeds_sheets(tables: Sequence[Table], files: ObjectFiles) -> list[Sheet]:
    """A sheet per table, a row per method that stands in it with at least two trainings.

    Args:
        tables: Of methods.
        files: Reads the scores of objects.

    Raises:
        MissingError: There is no such method.
        CheckError: Two of the trainings are the same weights, or lack the scores of objects.
    """
    sheets = [sheet for table in tables if (sheet := _sheet(table, files)).rows]
    if not sheets:
        raise MissingError(
            "no method stands here with two trainings: one seed says something about a checkpoint, "
            "nothing about a method",
            hint="bench train --baseline kato --dataset shapes13 --seed 1, then bench run with "
            "--checkpoint",
        )
    return sheets


def _sheet(table: Table, files: ObjectFiles) -> Sheet:
    rows: list[tuple[str, list[Cell]]] = []
    records: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for label, members in _methods(table).items():
        if len(members) < 2:
            continue
        found = _crossed(table, label, members, files)
        failed = sum(row.failed for row in members)
        rows.append((label, _cells(table, found, failed)))
        record = {
            "method": label,
            "runs": [row.run for row in members],
            "failed": failed,
            **{_NAMES[column]: _record(one, table) for column, one in found.items()},
        }
        records.append(record)
        lines.append(_line(table, record))
    headings = [Heading("seeds")]
    for mean in ("classes", "objects"):
        headings += [Heading(mean, "mean over"), Heading("objects", "other")]
        headings += [Heading("seeds", "other"), Heading("spread", "one seed's")]
    caption = [f"several training seeds: {table.caption()[0]}", *table.caption()[1:]]
    return Sheet(
        "seeds", caption, table.metric.title, "up" if table.metric.higher_is_better else "down",
        [*headings, Heading("failed")], rows,
        [
            LEGEND,
            "from, to: 95 % for the method, with other objects and other seeds (Student's, with "
            "Satterthwaite's degrees of freedom)",
            "other objects, other seeds: standard deviation of the mean by its two sources; one "
            "seed's spread: that of a single seed's mean",
        ],
        [f"{record['method']}: {', '.join(record['runs'])}" for record in records],
        {"caption": caption, "rows": records}, lines,
    )  # fmt: skip


def _methods(table: Table) -> dict[str, list[Row]]:
    """Rows that differ in nothing but their weights, by the method's name."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in table.rows:
        if row.result is not None and row.trained:
            found.setdefault(_recipe(row.result), []).append(row)
    names = [name for name, _ in found]
    counted: dict[str, int] = {}
    methods = {}
    for (name, _), members in found.items():
        counted[name] = counted.get(name, 0) + 1
        methods[name if names.count(name) == 1 else f"{name} ({counted[name]})"] = members
    return methods


def _recipe(result: Result) -> tuple[str, str]:
    """Method, settings and training list: what trainings of one method have in common."""
    baseline = result.content["baseline"]
    training = result.content.get("training")
    trained_on = training.get("trained_on") if isinstance(training, dict) else None
    settings = baseline.get("settings")
    return result.baseline, json.dumps([settings, trained_on], sort_keys=True)


def _crossed(
    table: Table, label: str, members: Sequence[Row], files: ObjectFiles
) -> dict[str, Crossed]:
    results = [row.result for row in members if row.result is not None]
    weights = [str(result.content.get("hashes", {}).get("weights")) for result in results]
    if len(set(weights)) < len(weights):
        twice = next(n for n, w in enumerate(weights) if w in weights[:n])
        raise CheckError(
            f"'{members[twice].run}' and another run of '{label}' have the same weights: they are "
            "one training, not two",
            hint="name the runs that are wanted: bench report RUN RUN --seeds",
        )
    scores = [files.of(result, table.protocol.id) for result in results]
    known = [one for one in scores if one is not None]
    if len(known) < len(scores):
        place, command = next(iter(files.absent.items()))
        raise CheckError(f"'{place}' has no scores of objects", hint=command)
    sample = arranged(table, known)
    return {
        OVER_CLASSES: crossed(sample, sample.per_class_weights()),
        OVER_OBJECTS: crossed(sample, sample.per_object_weights()),
    }


def _cells(table: Table, found: dict[str, Crossed], failed: int) -> list[Cell]:
    factor, decimals = table.metric.factor, table.metric.decimals
    cells = [Cell(str(next(iter(found.values())).seeds))]
    for one in found.values():
        cells.append(bounded(one.mean * factor, scaled(one.interval, factor), decimals))
        parts: list[float | None] = [None, None]  # a class with one unit hides both
        if one.interval is not None:
            parts = [one.objects_variance**0.5 * factor, one.seeds_variance**0.5 * factor]
        parts.append(one.seed_spread * factor)
        cells += [Cell(number(part, decimals + 1)) for part in parts]
    return [*cells, Cell(str(failed))]


def _record(one: Crossed, table: Table) -> dict[str, Any]:
    factor = table.metric.factor
    unknown = one.interval is None  # a class with one unit
    return {
        "mean": one.mean * factor,
        "seeds": one.seeds,
        "interval": scaled(one.interval, factor),
        "objects_variance": None if unknown else one.objects_variance * factor**2,
        "seeds_variance": None if unknown else one.seeds_variance * factor**2,
        "seed_spread": one.seed_spread * factor,
    }


def _line(table: Table, record: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {
        "method": record["method"], "protocol": table.protocol.id, "metric": table.metric.name,
        "failed": record["failed"],
    }  # fmt: skip
    for name in _NAMES.values():
        one = dict(record[name])
        low, high = one.pop("interval") or (None, None)
        line["seeds"] = one.pop("seeds")
        line |= {f"{name} {key}": value for key, value in one.items()}
        line |= {f"{name} low": low, f"{name} high": high}
    return line
