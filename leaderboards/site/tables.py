"""One table of a page: cells with numbers, intervals and marks, which stand without JavaScript."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchbench.core.errors import CheckError
from benchbench.leaderboards.site.markup import Markup, Piece, escape, tag


@dataclass(frozen=True)
class Cell:
    """A cell below a column's head.

    Attributes:
        text: As shown; "" stands for no value.
        value: What it is sorted by; None for no value, or for text.
        best: Marked as best, or as not separable from it.
        interval: Ends as shown, or "".
        rough: The interval is of too few units to be leant on.
        is_text: It is no number.
    """

    text: str
    value: float | None = None
    best: bool = False
    interval: str = ""
    rough: bool = False
    is_text: bool = False


@dataclass(frozen=True)
class Line:
    """A row.

    Attributes:
        head: What the row is.
        cells: One a column.
        published: Not computed here.
    """

    head: Piece
    cells: Sequence[Cell]
    published: bool = False


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: Its head.
        downward: Sorted first from the largest.
        code: A class's synset, shown when asked.
    """

    name: str
    downward: bool = False
    code: str = ""


@dataclass
class Grid:
    """A table.

    Attributes:
        label: What it is, for those who do not see it.
        first: Head of the rows' heads.
        columns: The others.
        lines: The rows.
    """

    label: str
    first: str
    columns: list[Column] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def number_cell(
    value: float | None,
    decimals: int,
    *,
    best: bool = False,
    bounds: tuple[float, float] | None = None,
    rough: bool = False,
) -> Cell:
    """A number with so many decimals; no value is a dash.

    Raises:
        CheckError: It is NaN or infinite.

    Example:
        >>> number_cell(0.12345, 3, bounds=(0.1, 0.15)).interval
        '0.100 to 0.150'
    """
    if value is None:
        return Cell("-", None)
    for one in (value, *(bounds or ())):
        if not math.isfinite(one):
            raise CheckError(f"a result holds the number {one}")
    interval = f"{bounds[0]:.{decimals}f} to {bounds[1]:.{decimals}f}" if bounds else ""
    return Cell(f"{value:.{decimals}f}", value, best, interval, rough)


def render(grid: Grid) -> Markup:
    """The table within a box that scrolls sideways and can be reached by keyboard."""
    heads = [
        tag("th", grid.first, scope="col"),
        *(
            tag(
                "th",
                column.name,
                scope="col",
                title=column.code or None,
                data_first="descending" if column.downward else None,
            )
            for column in grid.columns
        ),
    ]
    rows = [
        tag(
            "tr",
            tag("th", line.head, scope="row"),
            [_cell(cell) for cell in line.cells],
            class_="published" if line.published else None,
        )
        for line in grid.lines
    ]
    table = tag(
        "table", tag("thead", tag("tr", heads)), "\n", tag("tbody", [[row, "\n"] for row in rows]),
        class_="board",
    )  # fmt: skip
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=grid.label)


def _cell(cell: Cell) -> Markup:
    if cell.is_text:
        return tag("td", cell.text, class_="text")
    return tag(
        "td",
        cell.text,
        tag("span", " best", class_="hidden-text") if cell.best else None,
        tag("span", cell.interval, class_="interval rough" if cell.rough else "interval")
        if cell.interval
        else None,
        class_="best" if cell.best else None,
        data_value="" if cell.value is None else repr(float(cell.value)),
    )


def badge(text: str) -> Markup:
    """A small line below a row's head."""
    return tag("span", text, class_="badge")


def listing(items: Sequence[Piece]) -> Markup:
    """A list, nothing for no items."""
    return tag("ul", [[tag("li", item), "\n"] for item in items]) if items else escape(None)


def facts(pairs: Sequence[tuple[str, Piece]]) -> Markup:
    """Names and what they are; empty ones are left out."""
    return tag(
        "dl", [[tag("dt", name), tag("dd", what), "\n"] for name, what in pairs if escape(what)]
    )
