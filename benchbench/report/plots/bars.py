"""Bars: the class means of one metric with their 95 % intervals, and the mean over classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchbench.report.plots.figure import (
    COLOURS,
    FAINT,
    INK,
    add_note,
    axis_title,
    check_methods,
    method_title,
    new_figure,
    short,
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
    drawn: list[dict[str, Any]] = []
    for n, row in enumerate(table.rows):
        mine: list[dict[str, Any]] = [
            {"method": row.label, "column": column, "value": value,
             "interval": row.bounds.get(column), "rough": column in table.rough}
            for column in columns
            if (value := cell(row, column)) is not None
        ]  # fmt: skip
        at = [
            places[columns.index(bar["column"])] + (n - (len(table.rows) - 1) / 2) * width
            for bar in mine
        ]
        _bars(axes, at, width, mine, COLOURS[n])
        if len(table.rows) <= _PRINTED and mine[-1]["column"] == OVER_CLASSES:
            top = max([mine[-1]["value"], *(mine[-1]["interval"] or ())])
            _print_above(axes, at[-1], top, number(mine[-1]["value"], table.metric.decimals))
        drawn += mine
    names = [*(short(name) for _, name in table.classes), "mean over\nclasses"]
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


def _bars(
    axes: Axes, at: list[float], width: float, mine: list[dict[str, Any]], colour: str
) -> None:
    """Those of a method. A class of few objects is pale and hatched, its interval grey."""
    heights = [bar["value"] for bar in mine]
    patches = axes.bar(at, heights, width, color=colour, edgecolor="white", linewidth=0.3)
    for patch, bar in zip(patches, mine, strict=True):
        if bar["rough"]:
            patch.set(alpha=0.45, hatch=_ROUGH)
    # A white rim keeps the lines visible on dark bars.
    for kinds, line, thick in (
        ((True, False), "white", 1.8),
        ((False,), INK, 0.8),
        ((True,), FAINT, 0.8),
    ):
        some = [
            (x, *bar["interval"])
            for x, bar in zip(at, mine, strict=True)
            if bar["interval"] is not None and bar["rough"] in kinds
        ]
        if some:
            x, low, high = np.array(some).T
            axes.errorbar(
                x, (low + high) / 2, yerr=(high - low) / 2, fmt="none", ecolor=line,
                elinewidth=thick, capsize=min(2.0, 12 * width), capthick=thick,
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
