"""Merging: scores.csv, objects.csv and result.json from the shards of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from benchbench.core.environment import git_commit, versions
from benchbench.core.errors import CheckError
from benchbench.core.files import sha256_file, sha256_text, write_json
from benchbench.datasets.store import Store
from benchbench.evaluation.aggregate import object_means, summarize
from benchbench.evaluation.folder import RunFolder
from benchbench.evaluation.objects import ObjectScores, shared_units, write_objects
from benchbench.evaluation.predictions import OK, Shard
from benchbench.evaluation.scores import Score, read_scores, write_scores
from benchbench.protocols.registry import get_protocol

SCHEMA = 1
KIND = "benchbench result"
_AGAIN = "type the 'bench run' or 'bench score' again that made it; it makes what is absent"


def predictions_summary(folder: RunFolder, shards: int) -> dict[str, Any]:
    """Hash, counts and failures of the stored predictions."""
    contents, statuses, failed, devices = [], Counter[str](), [], set()
    thresholds: set[float] = set()
    items = 0
    for k in range(shards):
        with Shard(folder.prediction_shard(k)) as shard:
            contents.append(shard.content)
            items += len(shard)
            statuses.update(shard.statuses)
            devices.add(shard.notes.get("device", ""))
            thresholds.add(shard.threshold)
            for (object_id, view), status, message in zip(
                shard.keys, shard.statuses, shard.messages, strict=True
            ):
                if status != OK:
                    failed.append(
                        {"object": object_id, "view": view, "status": status, "message": message}
                    )
    return {
        "sha256": sha256_text("\n".join(contents)),
        "shards": shards,
        "items": items,
        "ok": statuses.pop(OK, 0),
        "failed": dict(statuses),
        "failed_items": failed,
        "devices": sorted(devices),
        "thresholds": sorted(thresholds),
    }


def _all_scores(folder: RunFolder, protocols: list[str], shards: int) -> Iterator[Score]:
    for protocol in protocols:
        for k in range(shards):
            yield from read_scores(folder.score_shard(protocol, k))


def prediction_keys(folder: RunFolder, shards: int, items: int) -> list[tuple[str, int]]:
    """(object id, view) of every stored prediction.

    Raises:
        CheckError: They are not `items` different ones: a mean over them would be of another
            selection than the result says.
    """
    keys: list[tuple[str, int]] = []
    for k in range(shards):
        with Shard(folder.prediction_shard(k)) as shard:
            keys += shard.keys
    if len(keys) != items or len(set(keys)) != items:
        raise CheckError(
            f"'{folder.predictions}' holds {len(set(keys))} of {items} predictions", hint=_AGAIN
        )
    return keys


def protocol_summary(
    folder: RunFolder,
    protocol: str,
    shards: int,
    classes: list[list[str]],
    keys: list[tuple[str, int]],
    units: Mapping[str, str],
) -> tuple[dict[str, Any], ObjectScores]:
    """The numbers of one protocol, with counts of what failed, and those of each object.

    Args:
        folder: The run.
        protocol: Id.
        shards: Their number.
        classes: [synset, name] of the data set.
        keys: Of all predictions; those that the protocol looks at must all have every score.
        units: Of the objects that are not a unit of their own.

    Raises:
        CheckError: Scores are absent or too many: nothing is averaged over a part.
    """
    spec = get_protocol(protocol)
    values: dict[str, list[tuple[str, float]]] = {m.name: [] for m in spec.metrics}
    statuses: dict[tuple[str, int], str] = {}
    lines = Counter[tuple[str, int, str]]()
    for score in _all_scores(folder, [protocol], shards):
        lines[score.object_id, score.view, score.metric] += 1
        values.setdefault(score.metric, []).append((score.object_id, score.value))
        statuses[(score.object_id, score.view)] = score.status
    wanted = Counter((*key, m.name) for key in keys if spec.looks_at(key[1]) for m in spec.metrics)
    if lines != wanted:
        object_id, view, metric = next(iter((wanted - lines) or (lines - wanted)))
        raise CheckError(
            f"the scores of {protocol} in '{folder.path}' are not those of its predictions "
            f"({lines.total()} instead of {wanted.total()}; '{object_id}' view {view} {metric})",
            hint=_AGAIN,
        )
    counts = Counter(statuses.values())
    means = {name: object_means(pairs) for name, pairs in values.items()}
    summary = summarize(means, [(synset, name) for synset, name in classes])
    objects = ObjectScores(
        means,
        dict(Counter(object_id for object_id, _ in statuses)),
        dict(Counter(key[0] for key, status in statuses.items() if status != OK)),
        dict(units),
    )
    found = {
        **summary,
        "items": len(statuses),
        "ok": counts.pop(OK, 0),
        "failed": dict(counts),
        "failed_items": [
            {"object": object_id, "view": view, "status": status}
            for (object_id, view), status in statuses.items()
            if status != OK
        ],
        "record": spec.record(),
    }
    return found, objects


def finish(
    folder: RunFolder,
    config: dict[str, Any],
    protocols: list[str],
    shards: int,
    weights: str | None,
    grids: dict[str, str | None],
    store: Store | None = None,
) -> dict[str, Any]:
    """Writes scores.csv, objects.csv and result.json, and returns what the latter holds.

    The same run gives the same bytes, resumed or not: no dates, no durations, no folders.

    Args:
        folder: The run.
        config: What config.json holds.
        protocols: Ids that have been scored.
        shards: Their number.
        weights: Hash of the checkpoint, or None.
        grids: Kind of voxel grid that stood for the truth, by protocol.
        store: The data set, to find objects that are the same thing; None takes all for different.

    Raises:
        CheckError: Predictions or scores of the selection are absent.
    """
    classes = config["dataset"]["classes"]
    keys = prediction_keys(folder, shards, config["selection"]["items"])
    scored = list(dict.fromkeys(object_id for object_id, _ in keys))
    units = shared_units(store, scored) if store is not None and protocols else {}
    both = {p: protocol_summary(folder, p, shards, classes, keys, units) for p in protocols}
    found = {p: summary for p, (summary, _) in both.items()}
    for name, summary in found.items():
        summary["truth_grid"] = grids.get(name)
    if protocols:
        write_scores(folder.scores, _all_scores(folder, protocols, shards))
        write_objects(folder.objects, {p: objects for p, (_, objects) in both.items()})
    predictions = predictions_summary(folder, shards)
    result = {
        "schema": SCHEMA,
        "kind": KIND,
        "hash": config["hash"],
        "baseline": config["baseline"],
        "dataset": config["dataset"],
        "selection": config["selection"],
        "training": config.get("training"),
        "about": config.get("about"),
        "settings": config["settings"],
        "seeds": {
            "baseline": config["hashed"]["seed"],
            "protocols": {p: get_protocol(p).seed for p in protocols},
        },
        "device": predictions["devices"],
        "versions": versions(),
        "git_commit": git_commit(),
        "hashes": {
            "data": config["dataset"]["identity"],
            "weights": weights,
            "predictions": predictions["sha256"],
            "scores": sha256_file(folder.scores) if protocols else None,
            "objects": sha256_file(folder.objects) if protocols else None,
        },
        "predictions": predictions,
        "protocols": found,
        "complete": not config["incomplete_because"] and bool(protocols),
        "incomplete_because": config["incomplete_because"]
        + ([] if protocols else ["nothing was scored"]),
    }
    write_json(folder.result, result)
    return result


def failures(result: dict[str, Any]) -> int:
    """Number of items that failed, in prediction or under any protocol."""
    keys = {(f["object"], f["view"]) for f in result["predictions"]["failed_items"]}
    for summary in result["protocols"].values():
        keys |= {(f["object"], f["view"]) for f in summary["failed_items"]}
    return len(keys)
