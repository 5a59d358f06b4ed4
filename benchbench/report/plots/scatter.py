"""One metric against another, object by object: do they say the same?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbench.core.errors import CheckError, MissingError
from benchbench.report.objects import ObjectFiles
from benchbench.report.plots.distribution import plain_ticks
from benchbench.report.plots.figure import (
    COLOURS,
    INK,
    add_note,
    axis_title,
    check_methods,
    new_figure,
    short,
)
from benchbench.report.plots.scores import Scored, scored_objects
from benchbench.report.tables import Table
from benchbench.statistics.sample import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_COLUMNS = 4
_NOTE = (
    "dot: an object, mean over its views; Spearman's rho and Kendall's tau-b of the dots, {} where "
    "both metrics order them alike; failed objects have no dot and are counted"
)


def scatter(
    upright: Table, across: Table, files: ObjectFiles
) -> tuple[Figure, list[dict[str, Any]]]:
    """A panel for each method that both tables hold; a distance stands on a logarithmic axis.

    Args:
        upright: Its metric goes upward.
        across: Its metric goes to the right.
        files: Reads the scores of objects.

    Returns:
        The figure, made within `style`; and its numbers.

    Raises:
        MissingError: No method has the scores of its objects under both.
        CheckError: A method's objects are not the same under both.
        UsageError: More methods than colours.
    """
    pairs = _pairs(upright, across, files)
    check_methods(len(upright.rows))
    wide = min(len(pairs), _MOST_COLUMNS)
    high = math.ceil(len(pairs) / wide)
    figure = new_figure(max(3.6, 0.9 + 1.9 * wide), 1.15 + 2.0 * high)
    panels = figure.subplots(high, wide, sharex=True, sharey=True, squeeze=False).ravel()
    drawn = []
    for axes, (one, other) in zip(panels, pairs, strict=False):
        row = upright.rows[one.row]
        lost = one.lost | other.lost
        shown = [i for i in one.values if i not in lost]
        x, y = (np.array([s.values[i] for i in shown]) for s in (other, one))
        axes.scatter(x, y, s=5, color=COLOURS[one.row], edgecolors=INK, linewidths=0.2, alpha=0.8)
        rho, tau = correlations(x, y)
        words = f"rho {_printed(rho)}, tau {_printed(tau)}, n = {len(shown):,}"
        failed = f", {len(lost):,} failed" if lost else ""
        axes.set_title(f"{short(row.label)}\n", fontsize=8)
        axes.text(
            0.5, 1.02, words + failed, transform=axes.transAxes, ha="center", va="bottom",
            fontsize=6,
        )  # fmt: skip
        axes.grid()
        drawn.append(
            {"method": row.label, "objects": len(shown), "lost": len(lost), "spearman": rho,
             "kendall": tau}
        )  # fmt: skip
    for axes in panels[len(pairs) :]:
        axes.set_visible(False)
    _scales(panels[0], upright, across, pairs)
    for axes in panels[::wide]:
        axes.set_ylabel(axis_title(upright.metric, lines=True))
    for axes in panels[max(0, len(pairs) - wide) : len(pairs)]:
        axes.set_xlabel(axis_title(across.metric, lines=True))
        axes.tick_params(axis="x", labelbottom=True)
    alike = upright.metric.higher_is_better == across.metric.higher_is_better
    add_note(
        figure, [upright.caption()[0], *across.caption(), _NOTE.format("1" if alike else "-1")]
    )
    return figure, drawn


def correlations(x: Array, y: Array) -> tuple[float | None, float | None]:
    """Spearman's rho and Kendall's tau-b; None where there is no order to compare.

    Args:
        x, y: (N,).

    Example:
        >>> correlations(np.array([1.0, 2.0, 3.0]), np.array([0.9, 0.5, 0.4]))
        (-1.0, -1.0)
        >>> correlations(np.array([1.0, 2.0]), np.array([1.0, 1.0]))
        (None, None)
    """
    from scipy import stats

    if len(x) < 2 or (x == x[0]).all() or (y == y[0]).all():
        return None, None
    rho, tau = stats.spearmanr(x, y).statistic, stats.kendalltau(x, y).statistic
    return float(f"{rho:.10g}"), float(f"{tau:.10g}")


def _printed(value: float | None) -> str:
    return "none (all equal)" if value is None else f"{value:.2f}".replace("-", "−")


def _pairs(upright: Table, across: Table, files: ObjectFiles) -> list[tuple[Scored, Scored]]:
    def by_run(table: Table) -> dict[str, Scored]:
        return {table.rows[s.row].run: s for s in scored_objects(table, files)}

    ones, others = by_run(upright), by_run(across)
    pairs = [(one, others[run]) for run, one in ones.items() if run in others]
    if not pairs:
        raise MissingError(
            f"no run was scored under both {upright.protocol.id} and {across.protocol.id}",
            hint=f"bench score {next(iter(ones))} --protocol {across.protocol.id}",
        )
    for one, other in pairs:
        if one.values.keys() != other.values.keys():
            raise CheckError(
                f"{upright.protocol.id} and {across.protocol.id} have not scored the same objects "
                f"of '{upright.rows[one.row].run}'"
            )
    return pairs


def _scales(axes: Any, upright: Table, across: Table, pairs: list[tuple[Scored, Scored]]) -> None:
    """Logarithmic for distances, unless one of them is 0, as the truth's own are."""
    for table, side, place in ((across, axes.xaxis, 1), (upright, axes.yaxis, 0)):
        if table.metric.higher_is_better:
            continue
        if all(v > 0 for pair in pairs for v in pair[place].values.values()):
            getattr(axes, f"set_{side.axis_name}scale")("log")
            plain_ticks(side)
