"""`bench analyze`: what the codes of a method say about shape, and what about pose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from tabulate import tabulate

from benchbench.cli.options import Common, answer_json, common_options, complete, typed_settings
from benchbench.core.errors import UsageError

_EPILOG = """
\b
Examples:
  bench analyze entanglement --baseline learn3d --dataset shapes13
  bench analyze mmd --baseline learn3d --dataset shapes13 --split test
  bench analyze tsne --baseline learn3d --dataset shapes13 -o tsne
  bench analyze interpolate a.png b.png --baseline learn3d -o between
"""
_WHAT = ("entanglement", "mmd", "tsne", "interpolate")
_MMD_OBJECTS = 512  # as many as the original takes


@click.command(epilog=_EPILOG)
@click.argument("what", type=click.Choice(_WHAT))
@click.argument("images", nargs=-1, type=click.Path(path_type=Path), metavar="[IMAGE IMAGE]")
@click.option("--baseline", required=True, shell_complete=complete("baseline"), help="Method.")
@click.option("--dataset", shell_complete=complete("dataset"), help="Prepared data set.")
@click.option("--split", default="test", help="train, val, test or all.")
@click.option("--classes", help="Only these classes, names or synsets with commas between.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help=f"Only the first N objects.  [default: {_MMD_OBJECTS} for mmd, else all]",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="File of weights.  [default: the shipped ones]",
)
@click.option("--steps", type=click.IntRange(min=1), default=5, help="interpolate: steps.")
@click.option("--seed", type=int, default=0, help="tsne: seed.")
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for pictures and tables.  [default: ./analysis/WHAT-BASELINE]",
)
@click.option(
    "--device", type=click.Choice(("auto", "cpu", "cuda")), default="auto", help="Where to encode."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A parameter of the baseline."
)
@common_options
def analyze(
    common: Common,
    what: str,
    images: tuple[Path, ...],
    baseline: str,
    dataset: str | None,
    split: str,
    classes: str | None,
    limit: int | None,
    checkpoint: Path | None,
    steps: int,
    seed: int,
    out: Path | None,
    device: str,
    overrides: tuple[str, ...],
) -> None:
    """Look into a method's shape codes: what they say about shape, and what about pose."""
    from benchbench.baselines import get_spec

    spec = get_spec(baseline)
    pictures = what == "interpolate"
    if pictures != (len(images) == 2) or (pictures and dataset is not None):
        raise UsageError(
            "interpolate takes two pictures and no data set, the others a data set and no picture",
            hint=f"bench analyze {what} "
            + ("a.png b.png --baseline learn3d" if pictures else "--baseline learn3d"),
        )

    from benchbench.analysis.tsne import check_installed
    from benchbench.baselines import load_baseline
    from benchbench.core.ranks import Rank
    from benchbench.evaluation.plan import choose_device

    if what == "tsne":
        check_installed()
    folder = out or Path("analysis") / f"{what}-{baseline}"
    method = load_baseline(
        baseline, checkpoint, choose_device(device, Rank()), **typed_settings(overrides)
    )
    common.say(method.caption)
    if pictures:
        found = _interpolate(method, images, steps, folder)
    else:
        chosen = [c.strip() for c in (classes or "").split(",") if c.strip()] or None
        most = limit or (_MMD_OBJECTS if what == "mmd" else None)
        found = _of_split(common, what, method, spec, dataset, split, chosen, most, folder, seed)
    if common.json:
        answer_json({"analysis": what, "baseline": baseline, "caption": method.caption, **found})
        return
    numbers = {key: value for key, value in found.items() if key != "files"}
    click.echo(tabulate(list(numbers.items()), tablefmt="plain", disable_numparse=True))
    for path in found.get("files", []):
        click.echo(path)


def _of_split(
    common: Common,
    what: str,
    method: Any,
    spec: Any,
    dataset: str | None,
    split: str,
    classes: list[str] | None,
    limit: int | None,
    folder: Path,
    seed: int,
) -> dict[str, Any]:
    from benchbench.analysis.codes import shape_codes
    from benchbench.datasets.store import open_dataset

    store = open_dataset(dataset or spec.datasets[-1], common.root)
    found = shape_codes(method, store, split, classes, limit, common.quiet)
    facts: dict[str, Any] = {
        "dataset": f"{store.id}@{store.identity[:8]}",
        "split": split,
        "objects": len(found.object_ids),
        "views": found.views,
    }
    if what == "entanglement":
        from benchbench.baselines.learn3d.entanglement import pose_entanglement

        return {**facts, "pose_entanglement": round(pose_entanglement(found.codes), 6)}
    if what == "mmd":
        from benchbench.baselines.learn3d.mmd import mean_mmd, pairwise_mmd

        pairs = pairwise_mmd(found.codes)
        path = _write_csv(
            folder / "mmd.csv",
            [["view", *range(found.views)]]
            + [
                [row, *(f"{value:.9g}" for value in values)]
                for row, values in enumerate(pairs.tolist())
            ],
        )
        return {**facts, "mean_mmd": round(mean_mmd(pairs), 6), "files": [str(path)]}
    return {**facts, "files": _tsne(found, folder, seed, method.caption)}


def _tsne(found: Any, folder: Path, seed: int, title: str) -> list[str]:
    import itertools

    from benchbench.analysis.tsne import embed, scatter

    places = embed(found.codes.flatten(0, 1).numpy(), seed)
    items = list(itertools.product(range(len(found.object_ids)), range(found.views)))
    kinds = [found.classes[row] for row, _ in items]
    poses = [f"view {view}" for _, view in items]
    by_class, by_pose = folder / "tsne-class.png", folder / "tsne-pose.png"
    scatter(by_class, places, kinds, f"{title}: shape codes by class", ordered=False)
    order = sorted(range(len(items)), key=lambda n: items[n][1])
    scatter(
        by_pose, places[order], [poses[n] for n in order], f"{title}: shape codes by view",
        ordered=True,
    )  # fmt: skip
    rows = [["object", "view", "class", "x", "y"]] + [
        [found.object_ids[row], view, kind, f"{x:.9g}", f"{y:.9g}"]
        for (row, view), kind, (x, y) in zip(items, kinds, places.tolist(), strict=True)
    ]
    return [str(by_class), str(by_pose), str(_write_csv(folder / "tsne.csv", rows))]


def _interpolate(method: Any, images: tuple[Path, ...], steps: int, folder: Path) -> dict[str, Any]:
    from benchbench.analysis.interpolation import interpolate, interpolation_strip
    from benchbench.core.files import atomic_path
    from benchbench.datasets.pictures import encode_png
    from benchbench.reconstruction.pictures import read_picture
    from benchbench.reconstruction.shapes import write_shape

    first, second = (read_picture(path)[0] for path in images)
    meshes = interpolate(method, first, second, steps)
    files = []
    for number, mesh in enumerate(meshes):
        files.append(folder / f"step-{number}.obj")
        write_shape(mesh, files[-1])
    files.append(folder / "strip.png")
    with atomic_path(files[-1]) as temporary:
        temporary.write_bytes(encode_png(interpolation_strip(meshes)))
    return {"shapes": len(meshes), "files": [str(path) for path in files]}


def _write_csv(path: Path, rows: list[list[Any]]) -> Path:
    from benchbench.core.files import write_text

    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(",".join(map(str, row)) + "\n" for row in rows))
    return path
