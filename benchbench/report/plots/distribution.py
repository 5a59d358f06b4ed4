"""Distribution of one metric over the objects of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbench.report.objects import ObjectFiles
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
from benchbench.report.plots.scores import Scored, scored_objects
from benchbench.report.tables import OVER_OBJECTS, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW, _GAP = 0.16, 0.12  # inches of a row, and between classes
_NOTE = (
    "box: quartiles of the objects, with the middle line their median; whiskers: least and "
    "greatest; diamond: mean; dot: an object, mean over its views. Failed objects got the "
    "penalty, which box and mean hold; they are counted at the right and have no dot"
)


def distribution(table: Table, files: ObjectFiles) -> tuple[Figure, list[dict[str, Any]]]:
    """Boxes that lie, a row for each class and method, with every object as a dot.

    Args:
        table: Which methods and classes.
        files: Reads the scores of objects.

    Returns:
        The figure, made within `style`; and its numbers.

    Raises:
        MissingError: No row came with the scores of its objects.
        UsageError: More methods than colours.
    """
    found = scored_objects(table, files)
    check_methods(len(table.rows))
    groups = [*table.classes, (OVER_OBJECTS, "all objects")]
    block = len(found) * _ROW + _GAP
    figure = new_figure(7.0, 1.3 + block * len(groups))
    axes = figure.add_subplot()
    axes.use_sticky_edges = False  # a box that begins at 0 leaves room for what stands there
    drawn, middles = [], []
    for g, (synset, _) in enumerate(groups):
        top = g * block + _GAP / 2
        middles.append(top + len(found) * _ROW / 2)
        for k, one in enumerate(found):
            values = one.values if synset == OVER_OBJECTS else one.of_class(synset)
            if values:
                place = top + (k + 0.5) * _ROW
                drawn.append(_row(axes, place, one, values, table.rows[one.row].label, synset))
    edge = (len(groups) - 1) * block
    axes.axhline(edge, color=FAINT, linewidth=0.6, linestyle=":")
    axes.set_ylim(len(groups) * block, 0)
    axes.set_yticks(middles, [short(name) for _, name in groups])
    axes.tick_params(axis="y", length=0)
    if not table.metric.higher_is_better and all(d["least"] > 0 for d in drawn):
        axes.set_xscale("log")
        plain_ticks(axes.xaxis)
    axes.grid(axis="x")
    axes.set_xlabel(axis_title(table.metric))
    _legend(figure, table, found)
    add_note(figure, [*table.caption(), _NOTE])
    return figure, drawn


def plain_ticks(axis: Any) -> None:
    """Numbers of a logarithmic axis as people write them, a few between the powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def spread(count: int) -> np.ndarray:
    """(count,) evenly scattered numbers in [-0.5, 0.5), the same each time: van der Corput's.

    Example:
        >>> spread(4).tolist()
        [0.0, -0.25, 0.25, -0.375]
    """
    found = np.zeros(count)
    for n in range(count):
        rest, weight = n + 1, 0.5
        while rest:
            found[n] += weight * (rest & 1)
            rest, weight = rest >> 1, weight / 2
    return found - 0.5


def _row(
    axes: Axes, y: float, one: Scored, values: dict[str, float], label: str, synset: str
) -> dict[str, Any]:
    colour = COLOURS[one.row]
    every = np.array(list(values.values()))
    least, lower, middle, upper, greatest = np.quantile(every, [0, 0.25, 0.5, 0.75, 1])
    dots = [v for i, v in values.items() if i not in one.lost]
    lost = len(values) - len(dots)
    half = 0.36 * _ROW
    axes.hlines(y, least, greatest, color=FAINT, linewidth=0.5)
    axes.barh(
        y, upper - lower, 2 * half, lower, color=colour, alpha=0.45, edgecolor=INK, linewidth=0.5
    )
    axes.scatter(
        dots, y + 1.4 * half * spread(len(dots)), s=2.2, color=colour, edgecolors=INK,
        linewidths=0.15, zorder=3,
    )  # fmt: skip
    axes.vlines(middle, y - half, y + half, color=INK, linewidth=1.2, zorder=4)
    mean = float(every.mean())
    axes.scatter(
        [mean], [y], s=11, marker="D", color="white", edgecolors=INK, linewidths=0.7, zorder=5
    )
    if lost:
        axes.annotate(
            f"{lost} failed", (1.0, y), xycoords=axes.get_yaxis_transform(), xytext=(2, 0),
            textcoords="offset points", va="center", fontsize=5.5, color=INK,
        )  # fmt: skip
    return {
        "method": label, "column": synset, "objects": len(values), "lost": lost, "mean": mean,
        "least": float(least), "lower": float(lower), "median": float(middle),
        "upper": float(upper), "greatest": float(greatest),
    }  # fmt: skip


def _legend(figure: Figure, table: Table, found: Sequence[Scored]) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=COLOURS[one.row], label=method_title(table.rows[one.row])) for one in found
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=min(3, len(handles)))
