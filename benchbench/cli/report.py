"""`bench report`: tables from result files; reads no data and computes nothing anew."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from benchbench.cli.options import Common, common_options, complete

_EPILOG = """
\b
Examples:
  bench report --metric iou
  bench report --metric chamfer --dataset shapes13
  bench report --metric kato-iou-v1 --metric r2n2-iou-v1:ap
  bench report runs/shapes13-test/kato-1a2b3c4d --metric fscore --format md
  bench report --metric iou --intervals
  bench report --metric iou --format latex -o table.tex
"""


@click.command(epilog=_EPILOG)
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path), metavar="[RUN]...")
@click.option(
    "--metric",
    "metrics",
    shell_complete=complete("metric"),
    multiple=True,
    help="iou, chamfer, fscore, normals, a protocol, or PROTOCOL:METRIC. Repeat for more tables.  "
    "[default: iou and chamfer, where there are results]",
)
@click.option(
    "--dataset",
    shell_complete=complete("dataset"),
    help="Only results on this data set.",
)
@click.option(
    "--split",
    shell_complete=complete("split"),
    help="Only results on this split.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "md", "latex", "csv", "json")),
    default="table",
    help="Form of the tables.",
)
@click.option(
    "--partial/--no-partial", default=False, help="Show runs on a part of a split too, marked."
)
@click.option(
    "--intervals/--no-intervals",
    default=False,
    help="Show 95 % intervals, and the median over objects.",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file."
)
@common_options
def report(
    common: Common,
    runs: tuple[Path, ...],
    metrics: tuple[str, ...],
    dataset: str | None,
    split: str | None,
    form: str,
    partial: bool,
    intervals: bool,
    output: Path | None,
) -> None:
    """Print tables: a row per run, a column per class, the two means, and what they mean.

    A star marks every method that cannot be told from the best (on a terminal in bold).
    """
    from benchbench.core.errors import MissingError
    from benchbench.core.files import write_text
    from benchbench.core.names import require
    from benchbench.protocols.registry import resolve_metric
    from benchbench.report.formats import render
    from benchbench.report.objects import ObjectFiles
    from benchbench.report.results import find_results
    from benchbench.report.sheets import table_sheets
    from benchbench.report.tables import build_tables
    from benchbench.report.uncertainty import add_uncertainty

    for metric in metrics:  # unknown names are told before files are read
        resolve_metric(metric)
    if split is not None:
        require(split, ("train", "val", "test", "all"), "split")
    results = find_results(runs)
    if dataset is not None:
        _require_dataset(dataset, {str(r.content["dataset"]["id"]) for r in results})
    tables, remarks = [], []
    missing: MissingError | None = None
    for metric in dict.fromkeys(metrics or ("iou", "chamfer")):
        try:
            found, left = build_tables(
                results, metric, dataset=dataset, split=split, partial=partial
            )
        except MissingError as error:
            if metrics:
                raise
            missing = error
            continue
        tables += found
        remarks += left
    if missing is not None and not tables:
        raise missing
    files = ObjectFiles()
    for table in tables:
        add_uncertainty(table, files, intervals)
    remarks += files.remarks()
    colour = output is None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    text = render(table_sheets(tables), "json" if common.json else form, colour)
    if output is None:
        click.echo(text)
    else:
        write_text(output, text + "\n")
        common.say(f"written: {output}")
    for remark in dict.fromkeys(remarks):
        common.say(remark)


def _require_dataset(name: str, found: set[str]) -> None:
    """Results may come from a set that is not prepared here, or that this version does not know."""
    from benchbench.core.names import require
    from benchbench.datasets.registry import dataset_names, dataset_spec

    stores = {store for known in dataset_names() for store in dataset_spec(known).stores}
    require(name, {*found, *dataset_names(), *stores}, "data set")
