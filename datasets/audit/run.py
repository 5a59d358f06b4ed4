"""The audit of a store: all cores, memory bounded by the small facts of the objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchbench.core.progress import Progress
from benchbench.datasets.audit.duplicates import find_sharing, find_twins
from benchbench.datasets.audit.findings import disagrees, find_faults, usual_views
from benchbench.datasets.audit.objects import ObjectFacts, examine_block
from benchbench.datasets.audit.report import Agreement, StoreReport
from benchbench.datasets.store import Store
from benchbench.datasets.store_format import SPLITS, split_hash
from benchbench.datasets.workers import spread, usable_cores

_BLOCK = 64  # objects a piece of work: a worker opens the file for each, which costs milliseconds


def audit_store(path: Path, workers: int | None = None, quiet: bool = True) -> StoreReport:
    """Read all of a prepared data set and look for what is wrong with it.

    About one KB is kept of an object; pictures and grids are let go one by one.

    Args:
        path: The HDF5 file.
        workers: Processes; None for one per usable core.
        quiet: No progress on stderr.

    Raises:
        MissingError: There is no such file.
        InputError: The file is no store, or its tables are damaged.
    """
    store = Store(path)
    store.close()
    count = len(store)
    share = -(-count // (4 * (workers or usable_cores()))) if count else 1
    step = max(1, min(_BLOCK, share))
    blocks = [range(start, min(start + step, count)) for start in range(0, count, step)]
    facts: list[ObjectFacts] = []
    with Progress(f"audit {store.id}", count, "objects", quiet) as progress:
        for found in spread(partial(examine_block, store), blocks, workers):
            facts += found
            progress.update(len(found))
    return conclude(store, facts)


def conclude(store: Store, facts: Sequence[ObjectFacts]) -> StoreReport:
    """The report of a store from the facts of all its objects, in data-set order."""
    twins = find_twins(facts)
    splits, sharing = {}, []
    for name in store.split_names:
        one = Store(store.path, name)
        rows = {part: one.indices(part).tolist() for part in SPLITS}
        one.close()
        splits[name] = _parts(store, rows)
        sharing += find_sharing(name, rows, twins)
    return StoreReport(
        dataset=store.id,
        identity=store.identity,
        ids=tuple(store.object_ids),
        excluded=len(store.excluded),
        failed=len(store.failed),
        classes=store.classes,
        per_class=_per_class(store, range(len(store))),
        splits=splits,
        views={name: usual_views(facts, name) for name in store.renderings},
        agreements=tuple(
            found
            for rendering in store.renderings
            for kind in store.voxel_kinds
            if (found := _agreement(facts, rendering, kind)) is not None
        ),
        findings=tuple(find_faults(store, facts)),
        twins=tuple(twins),
        sharing=tuple(sharing),
    )


def _per_class(store: Store, rows: Sequence[int]) -> dict[str, int]:
    counts = Counter(store.class_of(row) for row in rows)
    return {synset: counts[synset] for synset, _ in store.classes}


def _parts(store: Store, rows: dict[str, list[int]]) -> dict[str, dict[str, Any]]:
    used = {row for part in rows.values() for row in part}
    left = [row for row in range(len(store)) if row not in used]
    parts: dict[str, dict[str, Any]] = {}
    for part, members in rows.items():
        parts[part] = {
            "objects": len(members),
            "sha256": split_hash(store.object_ids[row] for row in members),
            "per_class": _per_class(store, members),
        }
    if left:
        parts["none"] = {"objects": len(left), "per_class": _per_class(store, left)}
    return parts


def _agreement(facts: Sequence[ObjectFacts], rendering: str, kind: str) -> Agreement | None:
    asked = [one for one in facts if (rendering, kind) in one.shares]
    if not asked:
        return None
    found = [one.shares[rendering, kind] for one in asked]

    def pair(name: str) -> tuple[float, float]:
        values = [getattr(share, name) for share in found]
        return float(np.mean(values)), float(min(values))

    return Agreement(
        rendering,
        kind,
        len(asked),
        sum(one.sampled[rendering] for one in asked),
        pair("inside"),
        pair("near"),
        pair("covered"),
        sum(disagrees(one, rendering, kind) for one in asked),
    )
