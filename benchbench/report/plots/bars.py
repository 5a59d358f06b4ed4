"""Bars: the class means of one metric with their 95 % intervals, and the mean over classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchbench.report.plots.figure import (
    COLOURS,
    FAINT,
    INK,
    add_note,
    axis_title,
    check_methods,
    method_title,
    new_figure,
)
from benchbench.report.sheets import INTERVALS, number
from benchbench.report.tables import OVER_CLASSES, Table, cell
from benchbench.statistics.intervals import SMALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FILLED = 0.8  # of the room of a class
_APART = 0.6  # between the last class and the mean
_WIDEST = 9.0  # inches
_PRINTED = 5  # the means of so many methods are printed above their bars; of more they overlap
_ROUGH = "////"


def bars(table: Table) -> tuple[Figure, list[dict[str, Any]]]:
    """A bar for each method and class; nothing where a method has no object of a class.

    Args:
        table: With its intervals, where there are scores of objects (`add_uncertainty`).

    Returns:
        The figure, made within `style`; and its numbers.

    Raises:
        UsageError: More methods than colours.
    """
    check_methods(len(table.rows))
    columns = [*(s for s, _ in table.classes), OVER_CLASSES]
    places = [*map(float, range(len(columns) - 1)), len(columns) - 1 + _APART]
    width = _FILLED / len(table.rows)
    room = max(0.45, 0.065 * len(table.rows))  # inches of a class
    figure = new_figure(min(_WIDEST, max(4.0, 1.0 + room * (places[-1] + 1))), 3.2)
    axes = figure.add_subplot()
    drawn = []
    for n, row in enumerate(table.rows):
        for column, place in zip(columns, places, strict=True):
            value = cell(row, column)
            if value is None:
                continue
            x = place + (n - (len(table.rows) - 1) / 2) * width
            rough = column in table.rough
            ends = row.bounds.get(column)
            _bar(axes, x, width, value, ends, COLOURS[n], rough)
            if column == OVER_CLASSES and len(table.rows) <= _PRINTED:
                text = number(value, table.metric.decimals)
                _print_above(axes, x, max([value, *(ends or ())]), text)
            drawn.append(
                {"method": row.label, "column": column, "value": value, "interval": ends,
                 "rough": rough}
            )  # fmt: skip
    names = [*(name for _, name in table.classes), "mean over\nclasses"]
    turned = len(names) > 7
    axes.set_xticks(
        places, names, rotation=35 if turned else 0, ha="right" if turned else "center",
        rotation_mode="anchor" if turned else "default",
    )  # fmt: skip
    axes.tick_params(axis="x", length=0)
    axes.axvline(places[-1] - (1 + _APART) / 2, color=FAINT, linewidth=0.6, linestyle=":")
    axes.axhline(0, color=INK, linewidth=0.6)
    axes.set_xlim(-0.6, places[-1] + 0.6)
    axes.margins(y=0.08)
    axes.grid(axis="y")
    axes.set_ylabel(axis_title(table.metric, lines=True))
    _legend(figure, table)
    add_note(figure, [*table.caption(), INTERVALS if table.intervals else "no intervals"])
    return figure, drawn


def _bar(
    axes: Axes,
    x: float,
    width: float,
    value: float,
    ends: tuple[float, float] | None,
    colour: str,
    rough: bool,
) -> None:
    """A class of few objects is pale and hatched, and so is its interval grey."""
    axes.bar(
        x, value, width, color=colour, alpha=0.45 if rough else 1.0, edgecolor="white",
        linewidth=0.3, hatch=_ROUGH if rough else None,
    )  # fmt: skip
    if ends is None:
        return
    low, high = ends
    # A white rim keeps the line visible on dark bars.
    for line, thick in (("white", 1.8), (FAINT if rough else INK, 0.8)):
        axes.errorbar(
            x, (low + high) / 2, yerr=(high - low) / 2, fmt="none", ecolor=line, elinewidth=thick,
            capsize=min(2.0, 12 * width), capthick=thick,
        )  # fmt: skip


def _print_above(axes: Axes, x: float, top: float, text: str) -> None:
    axes.annotate(
        text, (x, top), xytext=(0, 3), textcoords="offset points", rotation=90, ha="center",
        va="bottom", fontsize=5.5,
    )  # fmt: skip


def _legend(figure: Figure, table: Table) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=COLOURS[n], label=method_title(row)) for n, row in enumerate(table.rows)
    ]
    if table.rough:
        handles.append(
            Patch(
                facecolor="#cccccc",
                edgecolor="white",
                hatch=_ROUGH,
                label=f"fewer than {SMALL} different objects: not to lean on",
            )
        )
    columns = max(1, int(figure.get_figwidth() / 2.3))
    figure.legend(handles=handles, loc="outside upper left", ncols=min(columns, len(handles)))
