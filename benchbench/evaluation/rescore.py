"""`bench score`: other people's predictions, a stored run again, and the check of a result file."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchbench.core.errors import CheckError, InputError, UsageError
from benchbench.core.files import read_json
from benchbench.core.progress import Progress
from benchbench.datasets.clouds import has_points
from benchbench.datasets.store import Store, open_dataset
from benchbench.evaluation.folder import RUNS, Rank, RunFolder
from benchbench.evaluation.outside import Outside, open_outside, read_item, select
from benchbench.evaluation.plan import cut_shards, run_config
from benchbench.evaluation.predictions import Item, Shard, write_shard
from benchbench.evaluation.result import KIND, finish
from benchbench.evaluation.run import DEFAULT_THRESHOLD, score, wait_for_scores
from benchbench.evaluation.seen import refuse_seen
from benchbench.evaluation.truth import has_mesh
from benchbench.protocols.registry import default_protocols, get_protocol, in_order, unmet

LOG = logging.getLogger("benchbench.run")
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9
_IDENTITY = {"dataset": ("identity", "split_hash"), "selection": ("items",)}  # of a result


def choose_protocols(store: Store, named: Sequence[str], also: Sequence[str] = ()) -> list[str]:
    """The named protocols, or the default ones; each must fit the data set."""
    names = list(dict.fromkeys(named)) or default_protocols(
        has_mesh(store), store.voxel_kinds, also, has_points(store)
    )
    for name in names:
        if lack := unmet(get_protocol(name), has_mesh(store), store.voxel_kinds, has_points(store)):
            raise UsageError(
                f"{name} needs {lack}, which data set '{store.id}' does not hold",
                hint="leave --protocol out for those that fit",
            )
    return names


def score_run(
    folder: RunFolder,
    root: Path,
    protocols: Sequence[str] = (),
    *,
    rank: Rank | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    allow_seen: bool = False,
) -> dict[str, Any] | None:
    """Scores the stored predictions of a run folder; numbers of other protocols stay.

    Args:
        folder: The run.
        root: Folder of prepared data sets.
        protocols: Ids; none means those it was scored under, or the default ones.
        rank: This process among several.
        overwrite: Score again what is there.
        quiet: No progress on stderr.
        allow_seen: Score objects that made the weights.

    Returns:
        What result.json then holds; None in a process that is not rank 0.

    Raises:
        CheckError: The prepared data set is not the one that the predictions were made on, or
            objects that made the weights were not asked for.
    """
    rank = rank or Rank()
    folder.refuse_shared_overwrite(rank, overwrite)
    with folder.locked(rank), folder.logged(rank):
        config = folder.read_config()
        refuse_seen(config, allow_seen)
        store = open_for(config, root)
        before = folder.scored()
        names = choose_protocols(store, protocols, ()) if protocols or not before else before
        _check_views(config, names)
        shards = count_shards(folder, config)
        if overwrite:
            for name in names:
                for k in range(shards):
                    folder.score_shard(name, k).unlink(missing_ok=True)
        everything = in_order([*before, *names])
        grids = score(folder, store, everything, shards, rank, quiet)
        if rank.index != 0:
            return None
        wait_for_scores(folder, store, everything, [k for k in range(shards) if not rank.takes(k)])
        weights = config["baseline"]["checkpoint"]
        return finish(folder, config, everything, shards, weights, grids, store)


def open_for(config: dict[str, Any], root: Path) -> Store:
    """The data set of a run, which must be the very same content."""
    wanted = config["dataset"]
    store = open_dataset(wanted["id"], root, wanted["split_name"])
    if store.identity != wanted["identity"]:
        raise CheckError(
            f"the predictions were made on '{wanted['id']}' {wanted['identity'][:12]}, "
            f"the prepared one is {store.identity[:12]}",
            hint="name the folder of the right one with --root DIR",
        )
    if store.split_hash(wanted["split"]) != wanted["split_hash"]:
        raise CheckError(f"split '{wanted['split']}' is not the one of the run")
    return store


def count_shards(folder: RunFolder, config: dict[str, Any]) -> int:
    """Number of shards, all of which must be there."""
    shards, items = 0, 0
    while folder.prediction_shard(shards).is_file():
        with Shard(folder.prediction_shard(shards)) as shard:
            items += len(shard)
        shards += 1
    if items != config["selection"]["items"]:
        raise CheckError(
            f"'{folder.path}' holds {items} of {config['selection']['items']} predictions",
            hint="type the 'bench run' again that made it; it goes on where it stopped",
        )
    return shards


def _check_views(config: dict[str, Any], names: Sequence[str]) -> None:
    views = config["selection"]["views"]
    if views in ("all", "none"):
        return
    for name in names:
        rule = get_protocol(name).views
        if rule == "all":
            raise UsageError(
                f"{name} is the mean over all views; these predictions are of view {views}"
            )
        if rule == "first" and views.split(",")[0].split("-")[0] != "0":
            raise UsageError(f"{name} looks at view 0; these predictions are of view {views}")


def plan_outside(
    predictions: Path,
    store: Store,
    split: str,
    *,
    out: Path | None = None,
    name: str | None = None,
    threshold: float | None = None,
    views: str = "found",
) -> tuple[Outside, RunFolder, dict[str, Any], list[tuple[int, int]]]:
    """Finds somebody else's predictions and the run folder they go to.

    Args:
        predictions: Folder or file, see `open_outside`.
        store: The data set.
        split: "train", "val", "test" or "all".
        out: Folder that holds runs; None is `./runs`.
        name: For the table; None takes the folder's name.
        threshold: Of voxel predictions; None takes the file's own, else 0.5.
        views: "found", "all" or a number as text.
    """
    found = open_outside(predictions, store)
    level = threshold if threshold is not None else found.threshold
    level = DEFAULT_THRESHOLD if level is None else level
    if not 0.0 < level < 1.0:
        raise UsageError(f"a threshold of {level} is not between 0 and 1")
    rows = [int(row) for row in store.indices(split)]
    rendering = store.default_rendering if store.renderings else None
    of_set = max((store.view_count(row, rendering) for row in rows), default=0) if rendering else 0
    wanted: list[int] | None = None
    if views == "all":
        wanted = list(range(of_set))
    elif views != "found":
        if not views.isdigit() or int(views) < 1:
            raise UsageError(f"'{views}' is no number of views", hint="--views all, or --views 1")
        wanted = list(range(int(views)))
    items, aside = select(found, store, rows, wanted)
    if not items:
        raise UsageError(f"split '{split}' of '{store.id}' is empty")
    title = name or found.name
    config = run_config(
        store=store,
        split=split,
        baseline={
            "id": title,
            "title": title,
            "caption": f"{title}: predictions handed in",
            "takes": "unknown",
            "checkpoint": None,
            "settings": {"predictions": found.content, "threshold": level},
        },
        rendering=rendering if any(view >= 0 for _, view in items) else None,
        items=items,
        classes=None,
        limit=None,
        seed=0,
        block=1,
    )
    config["settings"] = {
        "predictions": {"value": predictions.name, "source": "commandline"},
        "dataset": {"value": store.id, "source": "commandline"},
        "split": {"value": split, "source": "commandline"},
        "threshold": {
            "value": level,
            "source": "commandline" if threshold is not None else "file or default",
        },
        "views": {"value": views, "source": "commandline" if views != "found" else "default"},
    }
    config["left_aside"] = aside
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in title)[:60] or "predictions"
    path = (out or Path(RUNS)) / f"{store.id}-{split}" / f"{safe}-{config['hash'][:8]}"
    return found, RunFolder(path), config, items


def score_outside(
    found: Outside,
    folder: RunFolder,
    config: dict[str, Any],
    items: list[tuple[int, int]],
    store: Store,
    protocols: Sequence[str],
    *,
    rank: Rank | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> dict[str, Any] | None:
    """Stores somebody else's predictions as a run and scores them.

    Args:
        found, folder, config, items: From `plan_outside`.
        store: The data set.
        protocols: Ids; none means the default ones.
        rank: This process among several; each reads and scores its own shards.
        overwrite: Removes what is there first.
        quiet: No progress on stderr.

    Returns:
        What result.json then holds; None in a process that is not rank 0.
    """
    rank = rank or Rank()
    folder.refuse_shared_overwrite(rank, overwrite)
    names = choose_protocols(store, protocols)
    _check_views(config, names)
    cuts = cut_shards(len(items), len({row for row, _ in items}), 1)
    level = float(config["baseline"]["settings"]["threshold"])
    with folder.locked(rank), folder.logged(rank):
        if overwrite:
            folder.clear()
        folder.begin(config)
        with Progress("read predictions", len(items), "items", quiet) as progress:
            for k, (first, after) in enumerate(cuts):
                if rank.takes(k) and not folder.prediction_shard(k).is_file():
                    read: list[Item] = []
                    for row, view in items[first:after]:
                        read.append(read_item(found, store.object_ids[row], view))
                    notes = {"baseline": config["baseline"]["id"], "run": config["hash"]}
                    write_shard(folder.prediction_shard(k), read, level, notes)
                progress.update(after - first)
        names = in_order([*folder.scored(), *names])
        grids = score(folder, store, names, len(cuts), rank, quiet)
        if rank.index != 0:
            return None
        others = [k for k in range(len(cuts)) if not rank.takes(k)]
        folder.wait_for([folder.prediction_shard(k) for k in others], "shards")
        wait_for_scores(folder, store, names, others)
        return finish(folder, config, names, len(cuts), None, grids, store)


def read_result(path: Path) -> dict[str, Any]:
    """Reads a result file (or the one in a run folder).

    Raises:
        InputError: It is none.
    """
    file = path / "result.json" if path.is_dir() else path
    hint = "name the result.json of a run: bench score RUN --expect RESULT"
    try:
        content = read_json(file)
    except InputError as error:
        raise InputError(str(error), hint) from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise InputError(f"'{file}' is no result file", hint)
    try:
        for place, keys in _IDENTITY.items():
            for key in keys:
                _ = content[place][key]
        for summary in content["protocols"].values():
            _numbers(summary)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"'{file}' lacks what a result holds ({error!r})", hint) from error
    return content


def check_expected(
    folder: RunFolder,
    expected: dict[str, Any],
    root: Path,
    quiet: bool = False,
    protocols: Sequence[str] = (),
) -> dict[str, Any]:
    """Scores stored predictions from scratch and compares with a result file.

    Nothing in the run folder is changed.

    Args:
        folder: Holds the predictions.
        expected: A result.
        root: Folder of prepared data sets.
        quiet: No progress on stderr.
        protocols: Compare under these only; none means all that the result names.

    Returns:
        {"compared": number of values, "largest_difference": relative, "differences": [...],
        "not_compared": protocols of the run that the result does not name}.

    Raises:
        CheckError: The result names no protocol, so that nothing would be compared.
        UsageError: It names a protocol that this version does not know.
    """
    config = folder.read_config()
    names = [n for n in expected["protocols"] if not protocols or n in protocols]
    if not names:
        raise CheckError(
            "the result names no protocol, so nothing can be compared",
            hint="name the result of a run that was scored",
        )
    for name in names:
        get_protocol(name)
    store = open_for(config, root)
    differences = [
        f"{what}: {theirs} expected, {ours} found"
        for what, theirs, ours in (
            ("data set", expected["dataset"]["identity"], config["dataset"]["identity"]),
            ("split", expected["dataset"]["split_hash"], config["dataset"]["split_hash"]),
            ("items", expected["selection"]["items"], config["selection"]["items"]),
        )
        if theirs != ours
    ]
    shards = count_shards(folder, config)
    with tempfile.TemporaryDirectory() as temporary:
        fresh = RunFolder(temporary, folder.predictions)
        grids = score(fresh, store, names, shards, Rank(), quiet)
        ours = finish(fresh, config, names, shards, config["baseline"]["checkpoint"], grids)
    compared, largest = 0, 0.0
    for name in names:
        for place, theirs in _numbers(expected["protocols"][name]).items():
            value = _numbers(ours["protocols"][name]).get(place)
            compared += 1
            if value is None:
                differences.append(f"{name} {place}: {theirs} expected, nothing found")
                continue
            gap = abs(value - theirs)
            largest = max(largest, gap / max(abs(theirs), _ABSOLUTE))
            if not math.isclose(value, theirs, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE):
                differences.append(f"{name} {place}: {theirs!r} expected, {value!r} found")
    return {
        "compared": compared,
        "largest_difference": largest,
        "differences": differences,
        "not_compared": [name for name in folder.scored() if name not in names],
    }


def _numbers(summary: dict[str, Any]) -> dict[str, float]:
    numbers = {"items": float(summary["items"]), "objects": float(summary["objects"])}
    for where in ("mean_over_classes", "mean_over_objects"):
        for metric, value in summary[where].items():
            numbers[f"{where} {metric}"] = float(value)
    for synset, row in summary["per_class"].items():
        numbers[f"{synset} objects"] = float(row["objects"])
        for metric, value in row["metrics"].items():
            numbers[f"{synset} {metric}"] = float(value)
    return numbers
