"""`bench report --plot`: its options, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from benchbench.cli.options import Common, answer_json

if TYPE_CHECKING:
    from benchbench.report.objects import ObjectFiles
    from benchbench.report.plots.command import Request
    from benchbench.report.results import Result
    from benchbench.report.tables import Table

Command = TypeVar("Command", bound=Callable[..., Any])


def plot_options(command: Command) -> Command:
    """Adds --plot and --count."""
    kind = click.option(
        "--plot",
        type=click.Choice(("bars", "distribution", "scatter", "gallery")),
        help="A picture instead of tables, for -o FILE.png, .pdf or .svg: class means with "
        "intervals, all objects, one metric against another (need matplotlib); worst, median and "
        "best objects of each class as the first run has them (needs the data set).",
    )
    count = click.option(
        "--count",
        type=click.IntRange(min=1),
        help="--plot gallery: so many worst, median and best objects of all classes.",
    )
    return kind(count(command))


def answer_plot(
    common: Common,
    request: Request,
    tables: Sequence[Table],
    files: ObjectFiles,
    results: Sequence[Result],
    remarks: Sequence[str],
) -> None:
    """Writes the picture; its numbers are the answer in JSON."""
    from benchbench.report.plots.command import draw_plot

    drawn = draw_plot(request, tables, files, results)
    if common.json:
        answer_json(drawn)
    for text in dict.fromkeys([f"written: {request.output}", *remarks, *files.remarks()]):
        common.say(text)
