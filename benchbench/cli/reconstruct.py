"""`bench reconstruct`: shapes of any pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchbench.cli.options import Common, answer_json, common_options, complete, typed_settings
from benchbench.core.errors import EXIT_PARTIAL, BenchError, UsageError

_EPILOG = """
\b
Examples:
  bench reconstruct chair.png --baseline kato -o chair.obj
  bench reconstruct chair.jpg --baseline kato -o chair.glb --render chair-strip.png
  bench reconstruct *.png --baseline dibr -o 'shapes/{name}.ply'
  bench reconstruct a.png b.png c.png --baseline r2n2 -o chair.binvox
                                            several views of one object
"""
NAME = "{name}"


@click.command(epilog=_EPILOG)
@click.argument(
    "images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE..."
)
@click.option(
    "--baseline",
    required=True,
    shell_complete=complete("baseline"),
    help="Method to use; see bench list --kind baseline.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="File to write: .obj, .ply, .glb, .npy or .binvox. With {name} in it every picture gives "
    "a shape of its own, named after it; else they are views of one object.",
)
@click.option(
    "--render",
    type=click.Path(path_type=Path),
    help="Also draw the shape from 16 sides into this PNG file.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="File of weights.  [default: the shipped ones]",
)
@click.option(
    "--colours",
    type=click.Choice(("straight", "inverted")),
    default="straight",
    help="inverted: the pictures are as in Kato's archive already.",
)
@click.option(
    "--device", type=click.Choice(("auto", "cpu", "cuda")), default="auto", help="Where to predict."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A parameter of the baseline."
)
@common_options
@click.pass_context
def reconstruct(
    ctx: click.Context,
    common: Common,
    images: tuple[Path, ...],
    baseline: str,
    output: Path,
    render: Path | None,
    checkpoint: Path | None,
    colours: Any,
    device: str,
    overrides: tuple[str, ...],
) -> None:
    """Reconstruct shapes from pictures, with or without alpha, in the object frame."""
    from benchbench.baselines import get_spec

    get_spec(baseline)  # unknown names are told before torch is imported
    each = NAME in str(output)
    groups = [(path,) for path in images] if each else [images]
    targets = _targets(groups, output, render, each)

    from benchbench.core.ranks import Rank
    from benchbench.evaluation.plan import choose_device
    from benchbench.reconstruction.run import MASKS, Reconstructor
    from benchbench.reconstruction.shapes import check_ending

    for target, _ in targets:
        check_ending(target)
    together = 1 if each else len(images)
    run = Reconstructor(
        baseline,
        checkpoint,
        choose_device(device, Rank()),
        typed_settings(overrides),
        together,
        colours,
    )
    common.say(run.baseline.caption)
    done: list[dict[str, Any]] = []
    failed: list[tuple[str, str]] = []
    for paths, (target, picture) in zip(groups, targets, strict=True):
        try:
            found = run(paths)
            found.write(target)
            if picture is not None:
                _draw(found, picture)
        except BenchError as error:
            if not each:
                raise
            failed.append((str(paths[0]), str(error)))
            common.say(f"failed: {paths[0]}: {error}")
            continue
        for path, mask in zip(found.pictures, found.masks, strict=True):
            if mask != "alpha":
                common.say(f"{path}: {MASKS[mask]}")
        done.append(
            {
                "pictures": [str(path) for path in paths],
                "masks": list(found.masks),
                "shape": str(target),
                "render": None if picture is None else str(picture),
            }
        )
    if common.json:
        answer_json(
            {"baseline": baseline, "caption": run.baseline.caption, "reconstructed": done,
             "failed": [{"picture": name, "reason": reason} for name, reason in failed]}
        )  # fmt: skip
    else:
        for entry in done:
            click.echo(entry["shape"])
            if entry["render"]:
                click.echo(entry["render"])
    if failed:
        common.say(f"{len(failed)} of {len(groups)} pictures failed")
        ctx.exit(EXIT_PARTIAL)


def _targets(
    groups: list[Any], output: Path, render: Path | None, each: bool
) -> list[tuple[Path, Path | None]]:
    """Where each shape and each strip goes; two never share a file."""
    if render is not None and render.suffix.lower() != ".png":
        raise UsageError(f"'{render}' is no PNG file", hint="--render strip.png")
    if render is not None and each and NAME not in str(render) and len(groups) > 1:
        raise UsageError(
            f"{len(groups)} pictures would be drawn into one '{render}'",
            hint="--render 'strips/{name}.png'",
        )
    targets = []
    for paths in groups:
        stem = Path(paths[0]).stem
        drawn = None if render is None else Path(str(render).replace(NAME, stem))
        targets.append((Path(str(output).replace(NAME, stem)), drawn))
    names = [target for target, _ in targets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"two pictures would give '{twice}'", hint="rename one of the pictures, or do one first"
        )
    return targets


def _draw(found: Any, picture: Path) -> None:
    from benchbench.core.files import atomic_path
    from benchbench.datasets.pictures import encode_png
    from benchbench.reconstruction.strip import strip_of_object

    picture.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(picture) as temporary:
        temporary.write_bytes(encode_png(strip_of_object(found.surface())))
