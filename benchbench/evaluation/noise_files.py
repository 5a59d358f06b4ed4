"""Scores under several seeds, kept below the data sets: computed once for a set and a protocol."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbench import __version__
from benchbench.core.errors import InputError
from benchbench.core.files import read_json, sha256_text, write_json
from benchbench.datasets.store import Store
from benchbench.evaluation.noise import Draws
from benchbench.evaluation.scoring import ScoringJob

FOLDER = "noise"
_SCHEMA = 1
_MOST = 64 << 20  # bytes


def kept(
    root: Path,
    job: ScoringJob,
    store: Store,
    objects: Sequence[str],
    seeds: Sequence[int],
    what: Mapping[str, Any],
    make: Callable[[], Draws],
) -> Draws:
    """What `make` returns, from a file where it was made before.

    The file is written whole or not at all, and taken only if it says that it is of the same set,
    split, protocol, version, objects, seeds and answers, and holds what it should. Where it cannot
    be written, nothing is kept.

    Args:
        root: Folder of prepared data sets; the files lie in `noise/` there.
        job: Protocol and data set.
        store: The data set.
        objects: Ids of those that are scored.
        seeds: Of the samplers.
        what: Says what was handed in: plain data.
        make: Computes.
    """
    key = json.dumps(
        {
            "version": __version__, "protocol": job.spec.id, "job": job.fingerprint,
            "data": store.identity, "objects": sha256_text("\n".join(objects)),
            "seeds": list(seeds), **what,
        },
        sort_keys=True,
    )  # fmt: skip
    path = root / FOLDER / f"{job.spec.id}-{sha256_text(key)[:24]}.json"
    found = _read(path, key, job, objects, len(seeds))
    if found is not None:
        return found
    made = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"schema": _SCHEMA, "key": key, "values": made.values, "failed": made.failed}
        write_json(path, content)
    except OSError:
        pass  # a root that belongs to others; the numbers are there
    return made


def _read(
    path: Path, key: str, job: ScoringJob, objects: Sequence[str], seeds: int
) -> Draws | None:
    """None where there is no such file, or it holds anything else than wanted."""
    try:
        if path.stat().st_size > _MOST:
            return None
        content = read_json(path)
    except (InputError, OSError):
        return None
    if not isinstance(content, dict) or (content.get("schema"), content.get("key")) != (
        _SCHEMA, key
    ):  # fmt: skip
        return None
    values, failed = content.get("values"), content.get("failed")
    metrics, ids = {m.name for m in job.spec.metrics}, set(objects)
    fine = (
        isinstance(values, list)
        and len(values) == seeds
        and type(failed) is int
        and all(isinstance(one, dict) and set(one) == metrics for one in values)
        and all(_are_scores(scores, ids) for one in values for scores in one.values())
    )
    return Draws(values, failed) if fine and failed is not None and values is not None else None


def _are_scores(scores: Any, ids: set[str]) -> bool:
    return (
        isinstance(scores, dict)
        and set(scores) == ids
        and all(isinstance(v, float) and math.isfinite(v) for v in scores.values())
    )
