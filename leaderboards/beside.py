"""Published numbers beside measured rows: only where all agrees, and never silently none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchbench.leaderboards.published import MEANS, PublishedRow, comparable
from benchbench.protocols.registry import protocols
from benchbench.report.sheets import PUBLISHED, Cell, Sheet, number
from benchbench.report.tables import OVER_CLASSES, OVER_OBJECTS, Table

NOT_OURS = "published, not computed here"
_COLUMNS = {"mean": OVER_CLASSES, "mean_per_instance": OVER_OBJECTS}
_MARK = "[published]"


@dataclass
class Beside:
    """What one published method has in a table.

    Attributes:
        method: As printed where it was published.
        year: Of the method.
        supervision: What it learned from.
        cells: By column of the table, a synset or the name of a mean; as the table shows numbers.
        notes: Source, remarks, and numbers that the table has no column for; each once.
    """

    method: str
    year: int
    supervision: str
    cells: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """For a row that must be told from measured ones."""
        return f"{_MARK} {self.method}, {self.year}"

    @property
    def note(self) -> str:
        """The line under the table."""
        words = [NOT_OURS, *self.notes, f"learned from {self.supervision}"]
        return f"{self.method}, {self.year}: {'; '.join(words)}"


def find_beside(table: Table, published: Sequence[PublishedRow]) -> tuple[list[Beside], str]:
    """The published methods that may stand in a table, and why there are none.

    Args:
        table: Of measured rows.
        published: From `read_published`.

    Returns:
        Methods in the order of their file, and "" or the reason that there are none: a sentence
        which names the field that differs.
    """
    d = table.dataset
    rule = f"{d['split_name']}:{d['split']}"
    if any(not row.complete for row in table.rows) or d.get("part_of"):
        part = "data set" if d.get("part_of") else "split"
        return [], f"the {part} differs: only a part of it was scored here"
    found: dict[tuple[str, str, str], Beside] = {}
    names = {name: synset for synset, name in table.classes} | {s: s for s, _ in table.classes}
    for row, value in comparable(published, table.protocol, table.metric, d["id"], rule):
        key = (row.dataset, row.split, row.method)
        one = found.setdefault(key, Beside(row.method, row.year, row.supervision))
        column = _COLUMNS.get(row.cls) or names.get(row.cls)
        extra = [row.source, row.note]
        if column is None:
            extra.append(f"{MEANS.get(row.cls, row.cls)} {row.text} ({row.unit})")
        else:
            one.cells[column] = value
        one.notes += [note for note in extra if note and note not in one.notes]
    return list(found.values()), "" if found else _why_none(table, published, rule)


def _why_none(table: Table, published: Iterable[PublishedRow], rule: str) -> str:
    spec, metric, d = table.protocol, table.metric, table.dataset
    rows = list(published)
    here = f"these rows are of {d['id']} {rule}"
    same = [row for row in rows if row.protocol in spec.slugs]
    if not same:
        others = {row.protocol for row in rows if (row.our_set, row.our_split) == (d["id"], rule)}
        also = [p.id for p in protocols().values() if others & set(p.slugs)]
        there = f"; on {d['id']} {rule} there are numbers under {', '.join(also)}" if also else ""
        return f"the protocol differs: no published number is of {spec.id}{there}"
    same = [row for row in same if row.metric == metric.name]
    if not same:
        return f"the metric differs: no published number of {spec.id} is its {metric.name}"
    if all(row.our_set != d["id"] for row in same):
        return f"the data set differs: {spec.id} was published on {_places(same)}; {here}"
    same = [row for row in same if row.our_set == d["id"]]
    if all(row.our_split != rule for row in same):
        return f"the split differs: {spec.id} was published on {_places(same)}; {here}"
    return f"the unit differs: {', '.join(sorted({row.unit for row in same}))} there"


def _places(rows: Iterable[PublishedRow]) -> str:
    """Data sets and splits in this project's words, in the source's where it has none."""
    there = (
        f"{row.our_set} {row.our_split}" if row.our_set else f"{row.dataset} / {row.split}"
        for row in rows
    )
    return " and ".join(dict.fromkeys(there))


def add_published(
    tables: Sequence[Table], sheets: Sequence[Sheet], published: Sequence[PublishedRow]
) -> list[str]:
    """Adds published rows below the measured ones, or the reason that there are none.

    Args:
        tables: Of measured rows.
        sheets: Made of them, in the same order; changed in place.
        published: From `read_published`.

    Returns:
        The reasons, for forms without notes.
    """
    reasons = []
    for table, sheet in zip(tables, sheets, strict=True):
        found, why = find_beside(table, published)
        sheet.record["published"] = [_record(table, one) for one in found]
        for line in sheet.lines:
            line["computed_here"] = True
        if why:
            why = f"no published number stands beside these rows ({table.protocol.id}): {why}"
            sheet.notes.append(why)
            sheet.record["published_none_because"] = why
            reasons.append(why)
            continue
        sheet.parts[len(sheet.rows)] = NOT_OURS
        for one in found:
            sheet.rows.append((one.label, _cells(table, sheet, one)))
            sheet.notes.append(f"{_MARK} {one.note}")
            sheet.lines.append(_line(table, one))
    return reasons


def _cells(table: Table, sheet: Sheet, one: Beside) -> list[Cell]:
    """A cell for every heading; those that only runs have stay empty."""
    cells = []
    for column in table.columns:
        value = one.cells.get(column)
        text = number(value, table.metric.decimals)
        cells.append(Cell(text, "" if value is None else PUBLISHED))
    return [*cells, *(Cell("-") for _ in sheet.headings[len(cells) :])]


def _record(table: Table, one: Beside) -> dict[str, Any]:
    return {
        "method": one.method,
        "year": one.year,
        "computed_here": False,
        "what": NOT_OURS,
        "supervision": one.supervision,
        "per_class": {s: one.cells.get(s) for s, _ in table.classes},
        "mean_over_classes": one.cells.get(OVER_CLASSES),
        "mean_over_objects": one.cells.get(OVER_OBJECTS),
        "notes": one.notes,
    }


def _line(table: Table, one: Beside) -> dict[str, Any]:
    d = table.dataset
    names = {s: f"{s} {n}" for s, n in table.classes}
    names |= {c: c.replace(" ", "_") for c in (OVER_CLASSES, OVER_OBJECTS)}
    return {
        "method": one.label,
        "dataset": d["id"],
        "split": d["split"],
        "split_name": d["split_name"],
        "protocol": table.protocol.id,
        "metric": table.metric.name,
        "unit": table.metric.unit,
        "higher_is_better": table.metric.higher_is_better,
        "caption": one.note,
        **{names[c]: one.cells.get(c) for c in names},
        "computed_here": False,
    }
