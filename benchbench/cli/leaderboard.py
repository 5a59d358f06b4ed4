"""`bench leaderboard`: check a submission, take in a run, build the static site."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from benchbench.cli.options import Common, answer_json, common_options

_EPILOG = """
\b
Examples:
  bench leaderboard check runs/shapes13-test/kato-1a2b3c4d
  bench leaderboard add runs/shapes13-test/kato-1a2b3c4d
  bench leaderboard add runs/shapes13-test/* --measured results
"""
_measured = click.option(
    "--measured",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of measured results.  [default: the one of this package]",
)


@click.group(epilog=_EPILOG)
def leaderboard() -> None:
    """Submissions, measured results beside published numbers, and the site that shows them."""


@leaderboard.command(
    epilog="\b\nExample:\n  bench leaderboard check runs/shapes13-test/kato-1a2b3c4d"
)
@click.argument("folder", type=click.Path(path_type=Path))
@common_options
def check(common: Common, folder: Path) -> None:
    """Say whether FOLDER (result.json, scores.csv, objects.csv) is accepted, or all that is wrong.

    Nothing in it is executed or unpickled; every number is computed again from the scores.
    """
    from benchbench.core.errors import CheckError, printable
    from benchbench.leaderboards.submission import check_submission

    checked = check_submission(folder, common.root)
    result = checked.result
    if common.json:
        answer_json(
            {
                "folder": str(folder),
                "accepted": not checked.problems,
                "problems": checked.problems,
                "remarks": checked.remarks,
            }
        )
    elif checked.problems:
        for problem in checked.problems:
            click.echo(f"- {printable(problem)}")
    elif result is not None:
        click.echo(
            f"accepted: {result['baseline']['id']} on {result['dataset']['id']} "
            f"{result['dataset']['split']}, {result['selection']['objects']} objects, "
            f"{', '.join(result['protocols'])}"
        )
    if checked.problems:
        count = len(checked.problems)
        raise CheckError(
            f"'{folder}' is refused: {count} problem" + ("" if count == 1 else "s"),
            hint="mend what is listed; a run is made whole by the 'bench run' that made it",
        )
    for remark in checked.remarks:
        common.say(printable(remark))


@leaderboard.command(
    epilog="\b\nExample:\n  bench leaderboard add runs/shapes13-test/kato-1a2b3c4d"
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@_measured
@common_options
def add(common: Common, runs: tuple[Path, ...], measured: Path | None) -> None:
    """Take finished runs into the measured results, with their command and scores of objects.

    All are checked first, as `bench leaderboard check` does; if one is refused, none is taken.
    """
    from benchbench.core.errors import printable
    from benchbench.leaderboards.measured import FOLDER, add_measured, refuse
    from benchbench.leaderboards.submission import check_submission

    found = [check_submission(run, common.root) for run in runs]
    for checked in found:
        refuse(checked)
        for remark in checked.remarks:
            common.say(printable(f"{checked.folder}: {remark}"))
    written = [add_measured(checked, measured or FOLDER) for checked in found]
    if common.json:
        answer_json({"measured": [str(path) for path in written]})
    else:
        for path in written:
            click.echo(path)
    place = f" --measured {shlex.quote(str(measured))}" if measured else ""
    common.say(f"next: bench leaderboard build -o site{place}")


@leaderboard.command(epilog="\b\nExample:\n  bench leaderboard build -o site --runs runs")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder of the site.",
)
@_measured
@click.option(
    "--runs",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of run folders, whose predictions are drawn; repeat for more.  [default: ./runs]",
)
@click.option(
    "--objects",
    type=click.IntRange(0, 10),
    default=3,
    help="Best, median and worst objects of a class to draw.",
)
@common_options
def build(
    common: Common, output: Path, measured: Path | None, runs: tuple[Path, ...], objects: int
) -> None:
    """Write a static site: measured and published tables, a page a method. Needs no server."""
    from benchbench.leaderboards.measured import FOLDER, read_measured
    from benchbench.leaderboards.published import read_published
    from benchbench.leaderboards.site.build import build_site

    results = read_measured(measured or FOLDER)
    files = build_site(
        output,
        results,
        read_published(),
        runs=runs or (Path("runs"),),
        root=common.root,
        objects=objects,
        say=common.say,
    )
    page = output / "index.html"
    if common.json:
        answer_json({"site": str(page), "results": len(results), "files": len(files)})
    else:
        click.echo(page)
    common.say(f"{len(files)} files, {len(results)} measured results; open {page}")
