"""`bench train`: make a checkpoint of a baseline by its published recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchbench.cli.options import (
    Common,
    answer_json,
    common_options,
    complete,
    setting,
    settings_with_source,
)
from benchbench.core.errors import UsageError

_EPILOG = """
\b
Examples:
  bench train --baseline kato --dataset shapes13 --preset shapes13
  bench train --baseline kato --dataset shapes13 --set steps=2000 --set batch=16
  bench list kato                    its presets; --dry-run shows what one comes to
  torchrun --nproc-per-node 4 -m benchbench train --baseline kato --dataset shapes13
  bench train ...                    interrupted or killed? the same line goes on
"""


def complete_presets(context: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    """Shell completion with the presets of the baseline that was typed before."""
    from benchbench.baselines import list_baselines

    typed = context.params.get("baseline")
    found = [name for spec in list_baselines() if spec.id == typed for name in spec.presets]
    return [name for name in found if name.startswith(begun)]


@click.command(epilog=_EPILOG)
@click.option(
    "--baseline",
    shell_complete=complete("baseline"),
    required=True,
    help="Method to train; see bench list --kind baseline.",
)
@click.option(
    "--dataset",
    shell_complete=complete("dataset"),
    required=True,
    help="Prepared data set; its test split is never read.",
)
@click.option(
    "--preset",
    shell_complete=complete_presets,
    help="Named recipe of the method, see bench list METHOD; --set changes it.  "
    "[default: the paper's]",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the checkpoints.  [default: ./checkpoints/<baseline>-<dataset>-<hash>]",
)
@click.option(
    "--seed",
    type=int,
    help="Short for --set seed=N.",
)
@click.option(
    "--device",
    default="cpu",
    help="cpu or cuda.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the recipe; stronger than the preset.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="Only the first N training objects.",
)
@click.option(
    "--mixed-precision/--no-mixed-precision",
    default=False,
    help="Networks compute in 16 bits; another run than without.",
)
@click.option(
    "--tensorboard/--no-tensorboard",
    default=False,
    help="Write numbers and pictures for TensorBoard, an optional extra.",
)
@click.option(
    "--dry-run/--no-dry-run",
    default=False,
    help="Show the settings, do nothing.",
)
@common_options
def train(
    common: Common,
    baseline: str,
    dataset: str,
    preset: str | None,
    out: Path | None,
    seed: int | None,
    device: str,
    settings: tuple[str, ...],
    limit: int | None,
    mixed_precision: bool,
    tensorboard: bool,
    dry_run: bool,
) -> None:
    """Train a baseline; resumable, and the test split is never touched."""
    import dataclasses
    import importlib

    from benchbench.baselines import get_spec
    from benchbench.baselines.spec import apply_settings
    from benchbench.baselines.tensorboard import check_tensorboard
    from benchbench.core.files import sha256_text
    from benchbench.core.names import require
    from benchbench.core.ranks import Rank
    from benchbench.datasets.registry import require_dataset
    from benchbench.datasets.store import open_dataset

    first = Rank.from_environment().index == 0  # which speaks for all
    common = common if first else dataclasses.replace(common, quiet=True)
    spec = get_spec(baseline)
    require_dataset(dataset, common.root)
    if spec.trainer is None or spec.options is None:
        raise UsageError(
            f"baseline '{baseline}' has nothing to train", hint="bench list --kind baseline"
        )
    options_class = _imported(importlib, spec.options)
    words = [*settings, *([f"seed={seed}"] if seed is not None else [])]
    if preset is not None:
        require(preset, spec.presets, f"preset of '{baseline}'")
    named = apply_settings(options_class(), spec.presets[preset] if preset else {})
    options: Any = apply_settings(named, words)
    store = open_dataset(dataset, common.root)
    recipe = dataclasses.asdict(options)
    content = f"{store.identity} {store.split_name} {sorted(recipe.items())} {limit}"
    digest = sha256_text(content + (" mixed precision" if mixed_precision else ""))[:8]
    folder = out or Path("checkpoints") / f"{baseline}-{store.id}-{digest}"
    plan = {
        "baseline": baseline,
        "dataset": store.id,
        "identity": store.identity,
        "split": store.split_name,
        "preset": preset,
        "out": str(folder),
        "settings": recipe,
        "limit": limit,
        "mixed_precision": mixed_precision,
        "arguments": settings_with_source(),
    }
    if dry_run:
        if first:
            _answer(common, plan, _lines(plan))
        return
    if tensorboard:
        check_tensorboard()
    common.say(f"training {baseline} on {store.id} (train split only) into {folder}")
    path = _imported(importlib, spec.trainer)(
        store, folder, options, device=device, limit=limit, quiet=common.quiet,
        mixed_precision=mixed_precision, tensorboard=tensorboard,
    )  # fmt: skip
    if first:
        _answer(common, {**plan, "checkpoint": str(path)}, str(path))
    common.say(
        f"next: bench run --baseline {baseline} --dataset {store.id} --split test "
        f"--checkpoint {path}"
    )


def _imported(importlib: Any, reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def _answer(common: Common, content: dict[str, Any], text: str) -> None:
    answer_json(content) if common.json else click.echo(text)


def _lines(plan: dict[str, Any]) -> str:
    lines = [
        f"{key}: {plan[key] or 'none'}" for key in ("baseline", "dataset", "split", "preset", "out")
    ]
    return "\n".join(
        [*lines, *(f"  {key} = {setting(value)}" for key, value in plan["settings"].items())]
    )
