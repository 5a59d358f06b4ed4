"""`bench run`: predict and score into one run folder; the same command goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchbench.cli.options import (
    Common,
    answer_json,
    common_options,
    complete,
    settings_with_source,
    typed_settings,
)
from benchbench.core.errors import EXIT_PARTIAL, UsageError

_EPILOG = """
\b
Examples:
  bench run --baseline kato --split test
  bench run --baseline kato --dataset shapenet --split all
  bench run --baseline mean --split test --protocol r2n2-iou-v1
  bench run --baseline r2n2 --split test --views 3
  bench run --baseline kato --split val --limit 10 --dry-run
  torchrun --nproc-per-node 4 -m benchbench run --baseline kato --split test
"""


@click.command(epilog=_EPILOG)
@click.option(
    "--baseline",
    shell_complete=complete("baseline"),
    required=True,
    help="Method to run; see bench list --kind baseline.",
)
@click.option(
    "--split",
    shell_complete=complete("split"),
    required=True,
    help="train, val, test or all; RULE:test for another rule.",
)
@click.option(
    "--dataset",
    shell_complete=complete("dataset"),
    help="Prepared data set.  [default: the first prepared one the baseline prefers]",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="File of weights.  [default: the shipped ones]",
)
@click.option(
    "--protocol",
    "protocols",
    shell_complete=complete("protocol"),
    multiple=True,
    help="Score under this protocol; repeat for more.  [default: the house's and the baseline's]",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that holds the run folders.  [default: ./runs]",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    help="Key of the baseline's own random draws.",
)
@click.option(
    "--classes",
    help="Only these classes, names or synsets with commas between.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Only the first N objects.",
)
@click.option(
    "--views",
    default="all",
    help="All views of an object, each for itself, or the first N: together for methods that take "
    "several (r2n2), else each for itself.",
)
@click.option(
    "--device", type=click.Choice(("auto", "cpu", "cuda")), default="auto", help="Where to predict."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A parameter of the baseline."
)
@click.option(
    "--score/--no-score",
    "with_scores",
    default=True,
    help="Score what was predicted.",
)
@click.option(
    "--allow-seen/--no-allow-seen",
    default=False,
    help="Score objects that the weights were trained on; the result and its tables say so.",
)
@click.option(
    "--overwrite/--no-overwrite",
    default=False,
    help="Start anew.",
)
@click.option(
    "--dry-run/--no-dry-run",
    default=False,
    help="Show what would be done, do nothing.",
)
@common_options
@click.pass_context
def run(
    ctx: click.Context,
    common: Common,
    baseline: str,
    split: str,
    dataset: str | None,
    checkpoint: Path | None,
    protocols: tuple[str, ...],
    out: Path | None,
    seed: int,
    classes: str | None,
    limit: int | None,
    views: str,
    device: str,
    overrides: tuple[str, ...],
    with_scores: bool,
    allow_seen: bool,
    overwrite: bool,
    dry_run: bool,
) -> None:
    """Predict and score; resumes by itself, a failing object never ends the run."""
    from benchbench.baselines import get_spec
    from benchbench.core.names import require
    from benchbench.datasets.registry import require_dataset
    from benchbench.protocols.registry import get_protocol

    # Unknown names are told before torch is imported.
    get_spec(baseline)
    require(split.rpartition(":")[2], ("train", "val", "test", "all"), "split")
    for name in protocols:
        get_protocol(name)
    if dataset is not None:
        require_dataset(dataset, common.root)
    if views != "all" and not (views.isdigit() and int(views) > 0):
        raise UsageError(f"'{views}' is no number of views", hint="--views all, or --views 1")
    chosen = tuple(c.strip() for c in (classes or "").split(",") if c.strip())
    if classes is not None and not chosen:
        raise UsageError(f"--classes '{classes}' names no class", hint="--classes chair,table")

    from benchbench.evaluation.folder import Rank
    from benchbench.evaluation.plan import Request, plan_run
    from benchbench.evaluation.result import failures
    from benchbench.evaluation.run import execute
    from benchbench.evaluation.seen import refuse_seen

    rank = Rank.from_environment()
    quiet = common.quiet or rank.index > 0
    sources = {name: entry["source"] for name, entry in settings_with_source().items()}
    request = Request(
        baseline=baseline,
        split=split,
        root=common.root,
        dataset=dataset,
        checkpoint=checkpoint,
        out=out,
        seed=seed,
        classes=chosen or None,
        limit=limit,
        views=views,
        device=device,
        overrides=typed_settings(overrides),
        protocols=protocols or None,
        sources=sources,
        quiet=quiet,
        may_prepare=not dry_run,
        allow_seen=allow_seen,
    )
    plan = plan_run(request, rank)
    if with_scores:
        refuse_seen(plan.config, allow_seen)  # before anything is shown
    if dry_run:
        _show_plan(common, plan, with_scores)
        return
    if not quiet:
        for name, entry in plan.config["settings"].items():
            if entry["source"] != "default" or common.verbose:
                common.say(f"{name}: {_short(entry['value'])} ({entry['source']})")
        chosen = plan.config["dataset"]
        common.say(
            f"{len(plan.items)} predictions of {plan.config['selection']['objects']} objects, "
            f"split {chosen['split']} of {chosen['split_name']}@{chosen['split_hash'][:8]}, "
            f"into {plan.folder.path}"
        )
    result = execute(plan, rank=rank, with_scores=with_scores, overwrite=overwrite, quiet=quiet)
    if result is None:
        return
    failed = failures(result)
    answer(common, plan.folder.path, result, failed)
    if failed:
        ctx.exit(EXIT_PARTIAL)


def _short(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _show_plan(common: Common, plan: Any, with_scores: bool) -> None:
    selection = plan.config["selection"]
    content = {
        "run": str(plan.folder.path),
        "hash": plan.config["hash"],
        "settings": plan.config["settings"],
        "objects": selection["objects"],
        "predictions": selection["items"],
        "shards": len(plan.shards),
        "shards_there": sum(
            plan.folder.prediction_shard(k).is_file() for k in range(len(plan.shards))
        ),
        "scored": with_scores,
        "complete": not plan.config["incomplete_because"],
        "dry_run": True,
    }
    if common.json:
        answer_json(content)
        return
    for name, entry in plan.config["settings"].items():
        click.echo(f"{name}: {_short(entry['value'])} ({entry['source']})")
    click.echo(f"weights: {plan.config['baseline']['caption']}")
    click.echo(
        f"{content['predictions']} predictions of {content['objects']} objects in "
        f"{content['shards']} shards, {content['shards_there']} of them there"
    )
    click.echo(f"into: {content['run']}")


def answer(common: Common, path: Path, result: dict[str, Any], failed: int) -> None:
    """The means of every protocol on stdout; where the files are, and what next, on stderr.

    Args:
        common: Common options.
        path: The run folder.
        result: What result.json holds.
        failed: Number of items that failed.
    """
    from benchbench.protocols.registry import get_protocol

    if common.json:
        answer_json({"run": str(path), "failed": failed, "result": result})
    else:
        for name, summary in result["protocols"].items():
            for metric in get_protocol(name).metrics:
                classes = summary["mean_over_classes"][metric.name] * metric.factor
                objects = summary["mean_over_objects"][metric.name] * metric.factor
                click.echo(
                    f"{name}:{metric.name}  mean over classes {classes:.{metric.decimals}f}  "
                    f"mean over objects {objects:.{metric.decimals}f}  "
                    f"({summary['objects']} objects, {metric.unit})"
                )
    if failed:
        by = dict(result["predictions"]["failed"])
        for summary in result["protocols"].values():
            for status, count in summary["failed"].items():
                by[status] = max(by.get(status, 0), count)
        words = ", ".join(f"{count} {status}" for status, count in sorted(by.items()))
        common.say(f"{failed} items failed and got the penalty ({words}); {path / 'run.log'}")
        named = [
            (entry["object"], entry["view"], entry["message"])
            for entry in result["predictions"]["failed_items"]
        ]
        known = {(object_id, view) for object_id, view, _ in named}
        for name, summary in result["protocols"].items():
            named += [
                (entry["object"], entry["view"], f"{entry['status']} under {name}")
                for entry in summary["failed_items"]
                if (entry["object"], entry["view"]) not in known
            ]
        for object_id, view, message in named[:5]:
            common.say(f"  {object_id} view {view}: {message}")
        if len(named) > 5:
            common.say(f"  ... all {len(named)} are named in result.json")
    if not result["complete"]:
        common.say(f"not complete: {'; '.join(result['incomplete_because'])}")
    scored = list(result["protocols"])
    shown = "iou" if not scored or "bench-iou-v1" in scored else scored[0]
    extra = "" if result["complete"] else " --partial"
    common.say(f"result: {path / 'result.json'}; next: bench report --metric {shown}{extra}")
