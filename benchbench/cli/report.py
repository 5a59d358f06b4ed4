"""`bench report`: tables from result files; without --noise it reads no data and scores nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchbench.cli.options import Common, common_options, complete
from benchbench.cli.plotting import answer_plot, plot_options

if TYPE_CHECKING:
    from benchbench.report.objects import ObjectFiles
    from benchbench.report.sheets import Sheet

_EPILOG = """
\b
Examples:
  bench report --metric iou
  bench report --metric chamfer --dataset shapes13
  bench report --metric kato-iou-v1 --metric r2n2-iou-v1:ap
  bench report runs/shapes13-test/kato-1a2b3c4d --metric fscore --format md
  bench report --metric iou --intervals
  bench report --metric iou --against runs/shapes13-test/mean-1a2b3c4d
  bench report --across runs/shapes13-test/kato-1a2b3c4d
  bench report --ranks
  bench report runs/shapes13-test/kato-* --metric iou --seeds
  bench report --metric kato-iou-v1 --dataset shapenet-kato --published
  bench report --metric iou --about
  bench report --metric chamfer --noise 5
  bench report --metric iou --format latex -o table.tex
  bench report --intervals --format html -o tables.html
  bench report runs/shapes13-test/kato-1a2b3c4d --plot bars --metric iou -o bars.pdf
  bench report --plot scatter -o iou-against-chamfer.png
  bench report runs/shapes13-test/kato-1a2b3c4d --plot gallery --count 3 -o gallery.png
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
    type=click.Choice(("table", "md", "latex", "csv", "json", "html")),
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
    "--against",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Compare with this run, object by object.",
)
@click.option(
    "--across",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="This run under all protocols, and why they differ.",
)
@click.option(
    "--ranks/--no-ranks",
    default=False,
    help="Do the methods keep their order from protocol to protocol?",
)
@click.option(
    "--seeds/--no-seeds",
    default=False,
    help="Runs that differ in their weights alone are trainings of one method: a row, with what "
    "other seeds and other objects would change.",
)
@click.option(
    "--published/--no-published",
    default=False,
    help="Published numbers of the same data set, split and protocol below the rows, marked as not "
    "computed here; where there are none, why.",
)
@click.option(
    "--about/--no-about",
    default=False,
    help="Supervision, training list, networks, parameters and training time beside the means, "
    "in place of the classes.",
)
@click.option(
    "--noise",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Floor, ceiling and spread over seeds, computed on N objects of each class (5, say); "
    "needs the data set.",
)
@plot_options
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
    against: Path | None,
    across: Path | None,
    ranks: bool,
    seeds: bool,
    published: bool,
    about: bool,
    noise: int | None,
    plot: str | None,
    count: int | None,
    output: Path | None,
) -> None:
    """Print tables: a row per run, a column per class, the two means, and what they mean.

    A star marks every method that cannot be told from the best (on a terminal in bold).
    """
    from benchbench.core.files import write_text
    from benchbench.core.names import require
    from benchbench.protocols.registry import resolve_metric
    from benchbench.report.formats import render
    from benchbench.report.objects import ObjectFiles
    from benchbench.report.request import (
        against_sheets,
        one_result,
        primary_metrics,
        refuse_together,
        require_dataset,
        tables_of,
        with_reference,
    )
    from benchbench.report.results import find_results
    from benchbench.report.sheets import table_sheets
    from benchbench.report.uncertainty import add_uncertainty

    for metric in metrics:  # unknown names are told before files are read
        resolve_metric(metric)
    if split is not None:
        require(split, ("train", "val", "test", "all"), "split")
    kinds = {
        "--against": against,
        "--across": across,
        "--ranks": ranks,
        "--seeds": seeds,
        "--plot": plot,
    }
    named = {"RUN...": runs, "--metric": metrics, "--dataset": dataset, "--split": split}
    for addition in ({"--published": published}, {"--about": about}):
        refuse_together({**kinds, **addition}, named)
    refuse_together({**kinds, "--across": None, "--noise": noise}, {})
    if plot is not None:
        from benchbench.report.plots.command import check_request

        request = check_request(plot, output, form, metrics, common.root, count)
        metrics = request.metrics
    files = ObjectFiles()
    remarks: list[str] = []
    if across is not None:
        sheets = _across(across, files, noise, common)
    else:
        results = find_results(runs)
        if against is not None:
            reference = one_result(against)
            results = with_reference(results, reference)
        if dataset is not None:
            require_dataset(dataset, {str(r.content["dataset"]["id"]) for r in results})
        if ranks and not metrics:
            metrics = primary_metrics(results)
            tables, _ = tables_of(results, metrics, dataset, split, partial, needed=False)
        else:
            wanted = metrics or ("iou", "chamfer")
            tables, remarks = tables_of(
                results, wanted, dataset, split, partial, needed=bool(metrics)
            )
        if plot is not None:
            answer_plot(common, request, tables, files, results, remarks)
            return
        if ranks:
            from benchbench.report.order import order_sheets

            sheets = order_sheets(tables, files)
        elif seeds:
            from benchbench.report.training_seeds import seeds_sheets

            sheets = seeds_sheets(tables, files)
        elif against is not None:
            sheets = against_sheets(tables, reference, files)
        else:
            for table in tables:
                add_uncertainty(table, files, intervals)
            sheets = table_sheets(tables)
            if published:
                from benchbench.leaderboards.beside import add_published
                from benchbench.leaderboards.published import read_published

                reasons = add_published(tables, sheets, read_published())
                remarks += reasons if form == "csv" and not common.json else []  # has no notes
            if noise is not None:
                from benchbench.report.noise import NoiseSource, add_noise

                add_noise(tables, sheets, NoiseSource(noise, common.root, common.quiet))
            if about:
                from benchbench.report.columns import add_about

                add_about(tables, sheets)
    colour = output is None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    text = render(sheets, "json" if common.json else form, colour)
    if output is None:
        click.echo(text)
    else:
        write_text(output, text + "\n")
        common.say(f"written: {output}")
    for remark in dict.fromkeys([*remarks, *files.remarks()]):
        common.say(remark)


def _across(place: Path, files: ObjectFiles, noise: int | None, common: Common) -> list[Sheet]:
    from benchbench.report.across import across_sheet
    from benchbench.report.request import one_result

    result = one_result(place)
    sheet = across_sheet(result, files)
    if noise is not None:
        from benchbench.report.noise import NoiseSource
        from benchbench.report.noise_across import add_noise_across

        add_noise_across(result, sheet, NoiseSource(noise, common.root, common.quiet))
    return [sheet]
