"""How far numbers move without any progress: the truth as an answer, and other draws of samples.

Scorers key every draw by the object's name. So another name is another seed of the samplers, for
both sides and for all protocols alike; seed 0 is the name itself, what every table shows.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from benchbench.baselines.truth import true_shape
from benchbench.core.errors import CheckError, MissingError
from benchbench.core.types import Points
from benchbench.datasets.clouds import has_points, surface_points
from benchbench.datasets.store import Store
from benchbench.evaluation.folder import RunFolder
from benchbench.evaluation.predictions import OK, Item, Shard, make_item
from benchbench.evaluation.scoring import ScoringJob, score_item
from benchbench.evaluation.stored import prediction_places
from benchbench.evaluation.truth import TruthSource, has_mesh, truth_grid
from benchbench.protocols.registry import load_scorer
from benchbench.protocols.truth import Memory, NotAccepted

SEEDS = 5
THRESHOLD = 0.5  # of the baseline `gt`, between the truth's 0 and 1
FLOOR, CEILING = "floor", "ceiling"

Values = dict[str, dict[str, float]]  # {metric: {object id: value}}


@dataclass(frozen=True)
class Form:
    """A form in which the truth can be handed in.

    Attributes:
        kind: "mesh", "points", or "voxels:" and the kind of grid.
        role: "floor" where it is the form that the protocol compares, else "ceiling".
    """

    kind: str
    role: str


@dataclass(frozen=True)
class Draws:
    """Scores of the same answers under one protocol.

    Attributes:
        values: By seed.
        failed: Answers that could not be scored, and have the penalty.
    """

    values: list[Values]
    failed: int


def forms(job: ScoringJob, store: Store) -> list[Form]:
    """The forms of the truth that a protocol takes: the one that it compares first.

    A protocol that compares meshes and takes points only has no floor: sampling the truth would
    be a conversion that it does not name.

    Args:
        job: Protocol and data set.
        store: The data set.
    """
    accepts, grid = job.spec.accepts, job.grid or truth_grid(store)
    there = {
        "mesh": has_mesh(store),
        "points": has_points(store),
        f"voxels:{grid}": grid is not None,
    }
    kinds = [kind for kind, is_there in there.items() if is_there and _word(kind) in accepts]
    if job.grid is not None:
        own = f"voxels:{job.grid}"
    else:
        own = "mesh" if has_mesh(store) else "points"
    found = [Form(own, FLOOR)] if own in kinds else []
    return [*found, *(Form(kind, CEILING) for kind in kinds if kind != own)]


def _word(kind: str) -> str:
    return kind.partition(":")[0]


def some_objects(
    store: Store, split: str, classes: Sequence[str] | None, limit: int | None, most: int
) -> list[int]:
    """Rows of at most `most` objects of each class, in data-set order.

    Which ones follows from the hashes of their names alone: for any method, and for every set
    that holds them.

    Args:
        store: The data set.
        split: Part of its split.
        classes, limit: What the runs were limited to.
        most: Objects of a class.
    """
    by_class: dict[str, list[int]] = {}
    for row in map(int, store.indices(split, list(classes) if classes else None, limit)):
        by_class.setdefault(store.class_of(row), []).append(row)
    chosen: list[int] = []
    for rows in by_class.values():
        chosen += sorted(rows, key=lambda row: _order(store.object_ids[row]))[:most]
    return sorted(chosen)


def _order(object_id: str) -> str:
    return hashlib.sha256(object_id.encode()).hexdigest()


def truth_item(store: Store, row: int, kind: str) -> Item:
    """The truth as the answer of a method that looks at no picture, as `gt` gives it."""
    object_id = store.object_ids[row]
    if kind == "points":
        cloud = surface_points(store, row)
        return make_item(object_id, -1, None if cloud is None else Points(cloud))
    grid = kind.partition(":")[2] or None
    return make_item(object_id, -1, true_shape(store, row, grid))


def redrawn(
    job: ScoringJob,
    store: Store,
    items: Iterable[Item],
    seeds: Sequence[int],
    threshold: float = THRESHOLD,
    tick: Callable[[int], None] = lambda count: None,
) -> Draws:
    """Scores answers under several seeds of the samplers.

    Args:
        job: Protocol and data set.
        store: The data set.
        items: The answers.
        seeds: 0 is the protocol's own, any other number other draws of both sides.
        threshold: Of voxels.
        tick: Called with 1 after each score.

    Raises:
        NotAccepted: The protocol does not take an answer.
    """
    scorer, settings = load_scorer(job.spec), job.settings(threshold)
    truths = TruthSource(store)
    values: list[Values] = [{m.name: {} for m in job.spec.metrics} for _ in seeds]
    failed = 0
    for item in items:
        truth = truths[store.index_of(item.object_id)]
        for place, seed in enumerate(seeds):
            if seed:
                name = f"{item.object_id} seed {seed}"
                one, other = (
                    replace(item, object_id=name),
                    replace(truth, object_id=name, _memory=Memory()),
                )
            else:
                one, other = item, truth
            scores = score_item(job.spec, scorer, one, other, settings, _refuse)
            failed += scores[0].status != OK
            for score in scores:
                values[place][score.metric][item.object_id] = score.value
            tick(1)
    return Draws(values, failed)


def _refuse() -> None:
    """Called where a refusal is handled: it is the answer."""
    error = sys.exc_info()[1]
    assert isinstance(error, NotAccepted)
    raise error


def stored_items(
    folder: RunFolder, wanted: str, job: ScoringJob, objects: Sequence[str]
) -> tuple[list[Item], float] | None:
    """The first stored answer for each object, and the threshold of voxels.

    Args:
        folder: Of a run.
        wanted: The hash of its predictions, from its result.
        job: Says which views count.
        objects: Their ids.

    Returns:
        None where the predictions are not at hand, or are others.
    """
    try:
        places = prediction_places(folder, wanted)
    except (MissingError, CheckError):
        return None
    first: dict[str, tuple[str, int]] = {}
    for object_id, view in sorted(places, key=lambda key: key[1]):
        if job.spec.looks_at(view):
            first.setdefault(object_id, (object_id, view))
    if not set(objects) <= set(first):
        return None
    items, threshold = [], THRESHOLD
    for object_id in objects:
        path, n = places[first[object_id]]
        with Shard(path) as shard:
            items.append(shard.item(n))
            threshold = shard.threshold
    return items, threshold
