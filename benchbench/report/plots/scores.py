"""The scores of objects that a picture shows, as reported."""

from __future__ import annotations

from dataclasses import dataclass

from benchbench.core.errors import MissingError
from benchbench.report.objects import ObjectFiles
from benchbench.report.tables import Table


@dataclass(frozen=True)
class Scored:
    """The objects of one row of a table.

    Attributes:
        row: Its place in the table.
        values: {object id: mean over its views, after the reporting factor}, penalties included.
        lost: Objects that failed in every view: their value is the penalty and nothing else.
    """

    row: int
    values: dict[str, float]
    lost: frozenset[str]

    def of_class(self, synset: str) -> dict[str, float]:
        """Those of one class."""
        return {i: v for i, v in self.values.items() if i.partition("/")[0] == synset}


def scored_objects(table: Table, files: ObjectFiles) -> list[Scored]:
    """Of all rows that came with the scores of their objects; `files` keeps the names of others.

    Raises:
        MissingError: None did.
    """
    found = []
    for n, row in enumerate(table.rows):
        scores = files.of(row.result, table.protocol.id) if row.result is not None else None
        if scores is None:
            continue
        factor = table.metric.factor
        values = {i: v * factor for i, v in scores.values[table.metric.name].items()}
        lost = frozenset(i for i, count in scores.failed.items() if count >= scores.views[i])
        found.append(Scored(n, values, lost))
    if not found:
        place, command = next(iter(files.absent.items()), ("", "bench score RUN"))
        raise MissingError(f"there are no scores of objects to draw in '{place}'", hint=command)
    return found
