"""Measured tables: a page per data set, split, views and protocol, a table per metric."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchbench.leaderboards.beside import NOT_OURS, Beside, find_beside
from benchbench.leaderboards.measured import Measured
from benchbench.leaderboards.published import MEANS, PublishedRow
from benchbench.leaderboards.site.markup import Markup, Piece, lines, page, tag
from benchbench.leaderboards.site.tables import (
    Cell,
    Column,
    Grid,
    Line,
    badge,
    facts,
    listing,
    number_cell,
    render,
)  # fmt: skip
from benchbench.protocols.registry import in_order, protocols
from benchbench.protocols.specs import ProtocolSpec
from benchbench.report.about import TITLES, about
from benchbench.report.objects import ObjectFiles
from benchbench.report.results import Result
from benchbench.report.tables import Row, Table, build_tables, cell
from benchbench.report.uncertainty import add_uncertainty

_TAKES = {"truth": "the truth", "image": "a picture", "class": "the class", "nothing": "nothing"}


def slug(*parts: str) -> str:
    """A file's name of letters, digits, dots and hyphens.

    Example:
        >>> slug("shapes13", "0-2 together", "../x")
        'shapes13-0-2-together-x'
    """
    return "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-.") for part in parts)


def method_file(one: Measured) -> str:
    """Name of the page of a run."""
    return f"method-{slug(one.method, one.short_hash)}.html"


@dataclass
class Board:
    """A page of measured tables.

    Attributes:
        file: Its name.
        spec: The protocol.
        tables: One a metric, rows that compare.
    """

    file: str
    spec: ProtocolSpec
    tables: list[Table] = field(default_factory=list)

    @property
    def dataset(self) -> dict[str, Any]:
        """The `dataset` part of its results."""
        return self.tables[0].dataset

    @property
    def place(self) -> str:
        """Data set, split and views in words."""
        d = self.dataset
        return f"{d['id']}, {d['split']} of {d['split_name']}, {self.tables[0].views}"

    @property
    def title(self) -> str:
        """Of the page."""
        return f"{self.spec.id} on {self.place}"


def find_boards(measured: Sequence[Measured]) -> list[Board]:
    """All measured tables, with intervals where the scores of objects are at hand."""
    results = [Result(one.path, one.content) for one in measured]
    files = ObjectFiles()
    found: dict[tuple[Any, ...], Board] = {}
    for name in in_order(name for one in measured for name in one.content["protocols"]):
        spec = protocols()[name]
        for metric in spec.metrics:
            for table in build_tables(results, f"{name}:{metric.name}")[0]:
                add_uncertainty(table, files, True)
                d = table.dataset
                key = (d["id"], d["identity"], d["split_name"], d["split_hash"], table.views, name)
                file = slug(d["id"], d["split"], table.views, d["identity"][:6], name)
                board = found.setdefault(key, Board(f"board-{file}.html", spec))
                board.tables.append(table)
    return list(found.values())


def board_page(board: Board, pages: Mapping[str, str], published: Sequence[PublishedRow]) -> str:
    """The page.

    Args:
        board: What it shows.
        pages: Name of the page of each run's file.
        published: All published numbers; those that agree stand beside the measured ones.
    """
    d = board.dataset
    return page(
        board.title,
        tag("h1", board.spec.title),
        tag("p", f"{d['title']}: {board.place}."),
        [_section(board, table, pages, published) for table in board.tables],
        tag("h2", "What this protocol is"),
        protocol_facts(board.spec),
    )


def protocol_facts(spec: ProtocolSpec) -> Markup:
    """What fixes its numbers."""
    return facts(
        [
            ("id", spec.id), ("paper", spec.paper), ("reference", spec.reference),
            ("data", spec.data), ("views", spec.views_rule), ("frame", spec.frame),
            ("alignment", spec.alignment), ("compared", spec.compared),
            ("sampling", spec.sampling), ("distance", spec.distance),
            ("combination", spec.combination), ("thresholds", spec.thresholds),
            ("reporting", spec.reporting), ("averaging", spec.averaging),
            ("failures", spec.failures), ("edge cases", listing(spec.edge_cases)),
            ("known faults of the original", listing(spec.faults)),
            ("not confirmed", listing(spec.unconfirmed)),
        ]
    )  # fmt: skip


def _section(
    board: Board, table: Table, pages: Mapping[str, str], published: Sequence[PublishedRow]
) -> Piece:
    beside, _ = find_beside(table, published)
    grid = measured_grid(table, pages)
    grid.lines += _published_lines(table, beside)
    notes: list[Piece] = [_note(row) for row in table.rows]
    notes += [one.note for one in beside]
    marks = [f"Green and bold: {table.judged}."] if table.best else []
    if table.intervals:
        marks.append("Small numbers: 95 % intervals; in grey italics those of fewer than 40 units.")
    return [
        tag("h2", table.metric.title),
        tag("p", lines(*table.caption())),
        render(grid),
        [tag("p", mark, class_="quiet") for mark in marks],
        listing(notes),
    ]


def measured_grid(table: Table, pages: Mapping[str, str]) -> Grid:
    """The rows of a table, with links to the pages of their runs."""
    up, names = table.metric.higher_is_better, dict(table.classes)
    grid = Grid(f"{table.metric.title}, {table.direction}", "method")
    columns = _columns(table)
    grid.columns = [
        Column(names.get(column, column), up, column if column in names else "")
        for column in columns
    ]
    grid.columns += [Column("failed"), Column("is given"), *(Column(t) for t in TITLES.values())]
    for n, row in enumerate(table.rows):
        assert row.result is not None
        cells = [
            number_cell(
                cell(row, column),
                table.metric.decimals,
                best=(n, column) in table.best,
                bounds=row.bounds.get(column),
                rough=column in table.rough,
            )
            for column in columns
        ]
        takes = str(row.result.content["baseline"].get("takes", ""))
        head: Piece = row.label
        if (file := pages.get(str(row.result.path))) is not None:
            head = tag("a", row.label, href=file)
        grid.lines.append(
            Line(
                [head, badge("upper bound: is given the truth") if row.ceiling else None,
                 badge("was trained on objects scored") if row.seen else None],
                [*cells, Cell(str(row.failed), row.failed),
                 Cell(_TAKES.get(takes, takes), is_text=True), *map(_told, about(row).values())],
            )
        )  # fmt: skip
    return grid


def _columns(table: Table) -> list[str]:
    """Means before classes: of thirteen the last ones stand off the screen."""
    classes = [synset for synset, _ in table.classes]
    return [*(c for c in table.columns if c not in classes), *classes]


def _told(value: Any) -> Cell:
    if isinstance(value, int):
        return Cell(f"{value:,}", value)
    return Cell(str(value), is_text=True)


def _published_lines(table: Table, beside: Sequence[Beside]) -> list[Line]:
    return [
        Line(
            [f"{one.method}, {one.year}", badge(NOT_OURS)],
            [
                *(
                    number_cell(one.cells.get(column), table.metric.decimals)
                    for column in _columns(table)
                ),
                Cell("-", None),
                Cell(one.supervision, is_text=True),
                *(Cell("-", None) for _ in TITLES),
            ],
            published=True,
        )
        for one in beside
    ]


def _note(row: Row) -> str:
    words = row.caption or "no caption"
    line = words if words.startswith(row.label) else f"{row.label}: {words}"
    if row.failed:
        line += f"; {row.failed} of {row.items} items failed and got the penalty"
    return line


def published_page(name: str, rows: Sequence[PublishedRow], spec: ProtocolSpec | None) -> str:
    """The published numbers of a protocol: a table per data set, split, metric and unit."""
    groups: dict[tuple[str, ...], list[PublishedRow]] = {}
    for row in rows:
        groups.setdefault((row.dataset, row.split, row.metric, row.unit), []).append(row)
    parts: list[Piece] = []
    place: tuple[str, ...] = ()
    for (dataset, split, metric, unit), members in groups.items():
        if place != (dataset, split):
            place = (dataset, split)
            parts.append(tag("h2", f"{dataset}, {split}"))
        direction = "higher is better" if members[0].higher_is_better else "lower is better"
        parts += [
            tag("h3", f"{metric}, {direction}"),
            tag("p", f"Unit: {unit}."),
            render(_published_grid(f"{metric} on {dataset}, {split}", members)),
            listing(list(dict.fromkeys(
                f"{row.method}: {row.source}" + (f"; {row.note}" if row.note else "")
                for row in members
            ))),
        ]  # fmt: skip
    return page(
        f"{name}, published",
        tag("h1", f"{name}: published numbers"),
        tag("p", "None of these numbers was computed here; each names where it stands."),
        tag("p", "This project computes the protocol as ", tag("code", spec.id), ": ", spec.title,
            ".") if spec is not None and not spec.refused else None,
        tag("p", "Nobody can compute this protocol again: ", spec.refused, ".")
        if spec is not None and spec.refused else None,
        parts,
    )  # fmt: skip


def _published_grid(label: str, rows: Sequence[PublishedRow]) -> Grid:
    from benchbench.core.classes import SYNSETS

    values: dict[str, dict[str, PublishedRow]] = {}
    for row in rows:
        values.setdefault(row.method, {})[row.cls] = row
    there = {row.cls for row in rows}
    classes = [s for s in SYNSETS if s in there]
    classes += sorted(there - set(SYNSETS) - set(MEANS))
    columns = [*classes, *(m for m in MEANS if m in there)]
    up = rows[0].higher_is_better
    grid = Grid(label, "method")
    grid.columns = [
        Column(SYNSETS.get(c, MEANS.get(c, c)), up, c if c in SYNSETS else "") for c in columns
    ]
    grid.columns += [Column("year"), Column("learned from")]
    for method, cells in values.items():
        one = next(iter(cells.values()))
        grid.lines.append(
            Line(
                [method, badge(NOT_OURS)],
                [
                    *(Cell(cells[c].text, cells[c].value) if c in cells else Cell("-", None)
                      for c in columns),
                    Cell(str(one.year), one.year),
                    Cell(one.supervision, is_text=True),
                ],
                published=True,
            )
        )  # fmt: skip
    return grid
