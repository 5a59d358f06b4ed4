"""`bench check`: what a method must pass before its numbers are looked at."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
from tabulate import tabulate

from benchbench.cli.options import Common, answer_json, common_options, complete, typed_settings
from benchbench.core.errors import CheckError

_EPILOG = """
\b
Examples:
  bench check kato
  bench check mine --checkpoint mine.safetensors --dataset shapes13-demo
"""


@click.command(epilog=_EPILOG)
@click.argument("baseline", shell_complete=complete("baseline"))
@click.option(
    "--dataset",
    shell_complete=complete("dataset"),
    default="shapes13-demo",
    help="Prepared data set with meshes or voxels.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="File of weights.  [default: the shipped ones]",
)
@click.option("--objects", type=click.IntRange(min=1), default=52, help="Test objects to look at.")
@click.option(
    "--device", type=click.Choice(("auto", "cpu", "cuda")), default="auto", help="Where to predict."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A parameter of the baseline."
)
@common_options
def check(
    common: Common,
    baseline: str,
    dataset: str,
    checkpoint: Path | None,
    objects: int,
    device: str,
    overrides: tuple[str, ...],
) -> None:
    """Check a method: shapes, the same twice, the same alone as in a block, and its frame."""
    from benchbench.baselines import get_spec, load_baseline

    get_spec(baseline)
    from benchbench.core.ranks import Rank
    from benchbench.datasets.store import open_dataset
    from benchbench.evaluation.contract import check_baseline
    from benchbench.evaluation.plan import choose_device

    store = open_dataset(dataset, common.root)
    method = load_baseline(
        baseline, checkpoint, choose_device(device, Rank()), **typed_settings(overrides)
    )
    common.say(method.caption)
    checks = check_baseline(method, store, objects)
    if common.json:
        answer_json(
            {"baseline": baseline, "caption": method.caption, "dataset": store.id,
             "passed": all(one.passed for one in checks),
             "checks": [dataclasses.asdict(one) for one in checks]}
        )  # fmt: skip
    else:
        rows = [[one.name, "yes" if one.passed else "no", one.found] for one in checks]
        click.echo(
            tabulate(rows, headers=["check", "passed", "found"], tablefmt="plain",
                     disable_numparse=True)
        )  # fmt: skip
    failed = [one.name for one in checks if not one.passed]
    if failed:
        raise CheckError(
            f"'{baseline}' does not pass: {', '.join(failed)}",
            hint="docs/plugins.md says what a method must keep",
        )
