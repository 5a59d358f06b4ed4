"""From what was typed to what will be done: data set, baseline, items, blocks, folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbench.core.errors import MissingError, UsageError
from benchbench.core.files import sha256_text
from benchbench.datasets.clouds import has_points
from benchbench.datasets.registry import objects_published
from benchbench.datasets.store import Store, open_dataset
from benchbench.evaluation.about import method_facts
from benchbench.evaluation.folder import RUNS, Rank, RunFolder
from benchbench.evaluation.seen import tell_unknown, training_record
from benchbench.evaluation.truth import has_mesh
from benchbench.protocols.registry import default_protocols, get_protocol, unmet

SCHEMA = 1
SHARD_OBJECTS = 48
DEMO = "shapes13"
_ALL = "all"


@dataclass(frozen=True)
class Request:
    """What the user wants; None means "choose".

    Attributes:
        baseline: Id.
        split: "train", "val", "test" or "all", perhaps with the name of a split rule before it
            ("r2n2-70-10-20:val").
        root: Folder of prepared data sets.
        dataset: Id, or None for the first prepared one in the baseline's order.
        checkpoint: File of weights, or None for the shipped ones.
        out: Folder that holds runs; None is `./runs`.
        seed: Of the baseline's own random draws, if it has any.
        classes: Synsets or names, or None for all.
        limit: The first so many objects, or None.
        views: "all": every view of an object for itself; or a number as text: its first so many
            views, each for itself, or together where the method takes several.
        device: "auto", "cpu" or "cuda".
        overrides: The baseline's parameters, text by name.
        protocols: Ids, or None for the default ones.
        sources: Where the value of an option came from ("commandline", "environment", ...).
        quiet: No talk on stderr.
        may_prepare: With nothing prepared, make the demo set; otherwise that is an error.
        allow_seen: Score objects that made the weights; the result says so.
    """

    baseline: str
    split: str
    root: Path
    dataset: str | None = None
    checkpoint: Path | None = None
    out: Path | None = None
    seed: int = 0
    classes: tuple[str, ...] | None = None
    limit: int | None = None
    views: str = _ALL
    device: str = "auto"
    overrides: dict[str, str] = field(default_factory=dict)
    protocols: tuple[str, ...] | None = None
    sources: dict[str, str] = field(default_factory=dict)
    quiet: bool = False
    may_prepare: bool = True
    allow_seen: bool = False


@dataclass(frozen=True)
class Plan:
    """What will be done.

    Attributes:
        store: The data set.
        baseline: The loaded method, or None where predictions come from outside.
        items: (object row, view) in data-set order; view -1 where the method takes no picture, or
            the object's first views together.
        block: Items in one call of the method; blocks never straddle shards.
        shards: First and last-plus-one item of each shard.
        protocols: Ids.
        config: What config.json holds.
        folder: Where it goes.
        device: "cpu" or "cuda:0".
        allow_seen: Objects that made the weights may be scored.
    """

    store: Store
    baseline: Any
    items: list[tuple[int, int]]
    block: int
    shards: list[tuple[int, int]]
    protocols: list[str]
    config: dict[str, Any]
    folder: RunFolder
    device: str
    allow_seen: bool = False


def choose_device(device: str, rank: Rank) -> str:
    """Resolves "auto" and gives each rank of a machine its own GPU.

    Raises:
        MissingError: "cuda" was asked for and there is none.
    """
    import torch

    if device == "cpu":
        return "cpu"
    if not torch.cuda.is_available():
        if device == "auto":
            return "cpu"
        raise MissingError("no CUDA device can be used here", hint="bench doctor, or --device cpu")
    return f"cuda:{rank.local % torch.cuda.device_count()}"


def choose_dataset(request: Request, preference: tuple[str, ...]) -> tuple[Store, str]:
    """Opens the data set that was named, or the first prepared one; makes the demo if none is.

    Returns:
        The store, and how it was chosen.
    """
    split_name = request.split.rpartition(":")[0] or None
    if request.dataset is not None:
        source = request.sources.get("dataset", "commandline")
        store = open_dataset(request.dataset, request.root, split_name)
        return store, source if store.id == request.dataset else f"for '{request.dataset}'"
    for name in preference:
        try:
            store = open_dataset(name, request.root, split_name)
        except MissingError:
            continue
        return store, f"first prepared of {', '.join(preference)}"
    if not request.may_prepare:
        raise MissingError(
            f"none of {', '.join(preference)} is prepared in '{request.root}'; "
            "the run would make a small one on the spot",
            hint=f"bench prepare {DEMO} --size demo",
        )
    from benchbench.datasets.registry import prepare

    prepare(DEMO, request.root, size="demo", quiet=request.quiet)
    return open_dataset(DEMO, request.root, split_name), "nothing was prepared: made on the spot"


def list_items(
    store: Store, rows: list[int], rendering: str | None, most: int | None, together: bool = False
) -> list[tuple[int, int]]:
    """(object row, view) in data-set order.

    Args:
        store: The data set.
        rows: Objects, in data-set order.
        rendering: Whose views; None gives one item an object, view -1.
        most: The first so many views of each object; None for all.
        together: One item for these views, view -1.
    """
    if rendering is None:
        return [(row, -1) for row in rows]
    if together:
        return [(row, -1) for row in rows if store.view_count(row, rendering) > 0]
    items = []
    for row in rows:
        count = store.view_count(row, rendering)
        items += [(row, view) for view in range(count if most is None else min(most, count))]
    return items


def how_many_views(views: str) -> int | None:
    """The number that was asked for; None for all.

    Raises:
        UsageError: It is neither "all" nor a number.

    Example:
        >>> how_many_views("all"), how_many_views("3")
        (None, 3)
    """
    if views == _ALL:
        return None
    if not views.isdigit() or int(views) < 1:
        raise UsageError(f"'{views}' is no number of views", hint="--views all, or --views 1")
    return int(views)


def view_words(views: list[int], of_set: int) -> str:
    """Which views, as stored in a result: "all", "none", or numbers.

    Example:
        >>> view_words([0, 1, 2], 3), view_words([], 3), view_words([0, 1, 2, 7], 24)
        ('all', 'none', '0-2,7')
    """
    if not views:
        return "none"
    if views == list(range(of_set)):
        return _ALL
    words: list[str] = []
    start = views[0]
    for here, after in zip(views, [*views[1:], -9], strict=True):
        if after != here + 1:
            words.append(str(here) if here == start else f"{start}-{here}")
            start = after
    return ",".join(words)


def cut_shards(count: int, objects: int, block: int) -> list[tuple[int, int]]:
    """Cuts items into shards of about `SHARD_OBJECTS` objects, whole blocks each.

    Example:
        >>> cut_shards(100, 100, 64)
        [(0, 64), (64, 100)]
    """
    per_object = max(1.0, count / max(objects, 1))
    size = block * max(1, round(SHARD_OBJECTS * per_object / block))
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def plan_run(request: Request, rank: Rank | None = None) -> Plan:
    """Resolves everything that can be resolved before the first prediction.

    Raises:
        UsageError: Unknown names, an empty selection, a protocol that does not fit.
        MissingError: The data set or the weights must be prepared first.
    """
    from benchbench.baselines import get_spec, load_baseline

    rank = rank or Rank()
    spec = get_spec(request.baseline)
    for name in request.protocols or ():
        get_protocol(name)
    store, dataset_source = choose_dataset(request, tuple(spec.datasets))
    device = choose_device(request.device, rank)
    overrides: dict[str, Any] = dict(request.overrides)
    most = how_many_views(request.views)
    together = 0
    if getattr(spec, "several_views", False):
        if "views" in overrides:
            raise UsageError(
                "how many views are seen together is not a setting",
                hint=f"--views {overrides['views']}",
            )
        if most is not None and most > 1:
            together = overrides["views"] = most
    if "seed" in getattr(spec.parameters, "__dataclass_fields__", {}):
        overrides.setdefault("seed", request.seed)
    baseline = load_baseline(request.baseline, request.checkpoint, device, **overrides)
    if hasattr(baseline, "fit"):
        baseline.fit(store)  # sees train and val only; its caption then says what was chosen
    rendering = str(baseline.rendering(store)) if baseline.uses_views else None
    part = request.split.rpartition(":")[2]
    classes = list(request.classes) if request.classes else None
    rows = [int(row) for row in store.indices(part, classes, request.limit)]
    items = list_items(store, rows, rendering, most, together > 0)
    if not items:
        raise UsageError(
            f"split '{part}' ({store.split_name}) of '{store.id}' has no object to run on",
            hint="its objects: "
            + ", ".join(f"{part} {count}" for part, count in store.split_counts().items())
            + f"; other splits: bench list {store.id}",
        )
    protocols = _choose_protocols(request, spec, store, baseline.uses_views)
    block = int(baseline.block_size)
    shards = cut_shards(len(items), len(rows), block)
    config = run_config(
        store=store,
        split=part,
        baseline={
            "id": spec.id,
            "title": spec.title,
            "caption": baseline.caption + _averaged(baseline, store, part),
            "takes": spec.takes,
            "checkpoint": baseline.checkpoint_hash,
            "settings": dict(baseline.settings),
        },
        rendering=rendering,
        items=items,
        classes=classes,
        limit=request.limit,
        seed=request.seed,
        block=block,
        together=together,
    )
    config["training"] = training_record(baseline, store, rows)
    config["about"] = method_facts(spec, baseline, request.checkpoint, store)
    if rank.index == 0 and not request.quiet:
        tell_unknown(config["training"])
    config["settings"] = _settings(request, store, dataset_source, rendering, device, protocols)
    out = request.out or Path(RUNS)
    folder = out / f"{store.id}-{part}" / f"{spec.id}-{config['hash'][:8]}"
    return Plan(
        store, baseline, items, block, shards, protocols, config, RunFolder(folder), device,
        request.allow_seen,
    )  # fmt: skip


def run_config(
    *,
    store: Store,
    split: str,
    baseline: dict[str, Any],
    rendering: str | None,
    items: list[tuple[int, int]],
    classes: list[str] | None,
    limit: int | None,
    seed: int,
    block: int,
    together: int = 0,
) -> dict[str, Any]:
    """What is stored in config.json. Its hash covers what can change a prediction, no more.

    `together` is the number of an object's first views that one item looks at; 0 where every item
    is a view for itself. The baseline's settings hold it too.

    Not in the hash: the device, folders, verbosity, and the protocols (they are scored side by
    side from the same predictions, each with its own settings).
    """
    keys = "".join(f"{store.object_ids[row]} {view}\n" for row, view in items)
    hashed = {
        "schema": SCHEMA,
        "baseline": {k: baseline[k] for k in ("id", "checkpoint", "settings")},
        "dataset": {"id": store.id, "identity": store.identity},
        "rendering": rendering,
        "split": {"name": store.split_name, "part": split, "hash": store.split_hash(split)},
        "items": sha256_text(keys),
        "seed": seed,
        "block": block,
    }
    of_set = (
        max(store.view_count(row, rendering) for row in {r for r, _ in items}) if rendering else 0
    )
    seen = sorted({view for _, view in items if view >= 0})
    words = view_words(seen, of_set)
    if together:
        words = view_words(list(range(min(together, of_set))), of_set + 1) + " together"
    reasons = []
    if limit is not None:
        reasons.append(f"--limit {limit}")
    if classes is not None:
        reasons.append(f"--classes {','.join(classes)}")
    return {
        "schema": SCHEMA,
        "hash": sha256_text(json.dumps(hashed, sort_keys=True, allow_nan=False)),
        "hashed": hashed,
        "baseline": baseline,
        "dataset": {
            "id": store.id,
            "identity": store.identity,
            "title": str(store.info.get("title", store.id)),
            "licence": store.info.get("licence"),
            "citation": store.info.get("citation"),
            "split": split,
            "split_name": store.split_name,
            "split_hash": store.split_hash(split),
            "split_objects": len(store.indices(split)),
            "part_of": _part_of(store),
            "excluded": len(store.excluded),
            "classes": [list(pair) for pair in store.classes],
        },
        "selection": {
            "objects": len({row for row, _ in items}),
            "items": len(items),
            "rendering": rendering,
            "views": words,
            "together": together,
            "views_of_set": of_set,
            "classes": classes,
            "limit": limit,
        },
        "incomplete_because": reasons,
    }


def _averaged(baseline: Any, store: Store, part: str) -> str:
    """Words for the caption where a method without weights was fitted to what is scored."""
    trained_on = getattr(baseline, "trained_on", None)
    if trained_on and store.id.startswith(trained_on) and part in ("train", "all"):
        return f"; trained on objects of this split ({part})"
    return ""


def _part_of(store: Store) -> int | None:
    """How many objects the whole set has, where clearly fewer were prepared; else None."""
    whole = objects_published(store.id)
    return whole if whole is not None and len(store) < 0.95 * whole else None


def _choose_protocols(request: Request, spec: Any, store: Store, uses_views: bool) -> list[str]:
    meshes, kinds, points = has_mesh(store), store.voxel_kinds, has_points(store)
    if request.protocols is None:
        names = default_protocols(meshes, kinds, getattr(spec, "protocols", ()), points)
        return [n for n in names if request.views == _ALL or get_protocol(n).views != "all"]
    for name in request.protocols:
        protocol = get_protocol(name)
        if lack := unmet(protocol, meshes, kinds, points):
            raise UsageError(
                f"{name} needs {lack}, which data set '{store.id}' does not hold",
                hint="leave --protocol out for those that fit",
            )
        if uses_views and protocol.views == "all" and request.views != _ALL:
            raise UsageError(
                f"{name} is the mean over all views, not over the first {request.views}",
                hint=f"--views all, or without --protocol {name}",
            )
        if not any(kind in protocol.accepts for kind in spec.output.split(" or ")):
            raise UsageError(
                f"{name} takes {' and '.join(protocol.accepts)}, '{spec.id}' makes {spec.output}",
                hint="leave --protocol out for those that fit",
            )
    return list(dict.fromkeys(request.protocols))


def _settings(
    request: Request,
    store: Store,
    dataset_source: str,
    rendering: str | None,
    device: str,
    protocols: list[str],
) -> dict[str, dict[str, Any]]:
    source = request.sources.get
    settings: dict[str, dict[str, Any]] = {
        "baseline": {"value": request.baseline, "source": source("baseline", "default")},
        "dataset": {"value": store.id, "source": dataset_source},
        "split": {"value": request.split, "source": source("split", "default")},
        "split_name": {
            "value": store.split_name,
            "source": source("split", "default") if ":" in request.split else "data set's default",
        },
        "checkpoint": {
            "value": None if request.checkpoint is None else request.checkpoint.name,
            "source": source("checkpoint", "default"),
        },
        "rendering": {
            "value": rendering,
            "source": source("overrides", "commandline")
            if request.overrides.get("rendering")
            else "the baseline's order"
            if rendering
            else "default",
        },
        "views": {"value": request.views, "source": source("views", "default")},
        "seed": {"value": request.seed, "source": source("seed", "default")},
        "device": {"value": device, "source": source("device", "default")},
        "allow_seen": {"value": request.allow_seen, "source": source("allow_seen", "default")},
        "classes": {
            "value": list(request.classes) if request.classes else None,
            "source": source("classes", "default"),
        },
        "limit": {"value": request.limit, "source": source("limit", "default")},
        "protocols": {
            "value": protocols,
            "source": source("protocol", "default") if request.protocols else "default",
        },
    }
    for name, value in sorted(request.overrides.items()):
        settings[f"set.{name}"] = {"value": value, "source": source("overrides", "commandline")}
    return settings
