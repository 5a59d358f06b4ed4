"""`bench report --about`: what the methods are, beside the means of their scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchbench.report.about import TITLES, UNKNOWN, about
from benchbench.report.sheets import Cell, Heading, Sheet
from benchbench.report.tables import Table

LEGEND = (
    "learned from, trained on (hash of the list of objects), one network for all classes or one "
    "a class, number of parameters, machine and time of the training: as the result says, which "
    "nobody checked; what it does not say is unknown"
)


def add_about(tables: Sequence[Table], sheets: Sequence[Sheet]) -> None:
    """Puts what the methods are in the place of the columns of classes.

    CSV and JSON keep these columns and have the words anyway.

    Args:
        tables: Of methods.
        sheets: Made of them, in the same order, perhaps with published rows below and, below
            these, rows that are no methods; changed in place.
    """
    for table, sheet in zip(tables, sheets, strict=True):
        classes = len(table.classes)
        there = [about(row) for row in table.rows]
        there += [_published(record) for record in sheet.record.get("published", ())]
        sheet.headings[:classes] = []
        sheet.headings += [Heading(title, words=key != "parameters") for key, title in _shown()]
        for n, (_, cells) in enumerate(sheet.rows):
            facts = there[n] if n < len(there) else None
            cells[:classes] = []
            cells += [Cell("-" if facts is None else _text(facts[key])) for key, _ in _shown()]
        sheet.legend.append(LEGEND)


def _shown() -> list[tuple[str, str]]:
    return list(TITLES.items())


def _text(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _published(record: dict[str, Any]) -> dict[str, Any]:
    """A published row says what it was learned from, and no more."""
    return {**dict.fromkeys(TITLES, UNKNOWN), "supervision": record["supervision"]}
