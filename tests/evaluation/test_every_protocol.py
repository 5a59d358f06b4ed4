"""Every protocol scores a run end to end: predictions of each kind that it takes, and none."""

from __future__ import annotations

import functools
from pathlib import Path
from types import ModuleType

import pytest

from benchbench.evaluation.folder import RunFolder
from benchbench.evaluation.predictions import Shard
from benchbench.evaluation.run import run
from benchbench.evaluation.scores import read_scores
from benchbench.evaluation.scoring import ScoringJob, score_item
from benchbench.evaluation.truth import TruthSource
from benchbench.protocols.registry import load_scorer, protocols

KINDS = ("mesh", "voxels", "points")


@functools.cache
def takers(kind: str) -> tuple[str, ...]:
    """Protocols that take such predictions; kato-iou-v1 takes no grid but its own."""
    names = (name for name, spec in protocols().items() if kind in spec.accepts)
    return tuple(name for name in names if (name, kind) != ("kato-iou-v1", "voxels"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_scored_under_every_protocol(
    stubs: ModuleType,
    tiny_root: Path,
    tmp_path: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One object of three views. Scores are finite, within their bounds, and failures penalised.

    What protocols share about an item changes nothing: each alone gives the same bits.
    """
    monkeypatch.setattr("benchbench.protocols.zeroshape.STEPS", (4, 4, 2))  # the search takes long
    stub = stubs.Stub(scale=0.9, voxels=kind == "voxels", points=kind == "points")
    stubs.STUBS["stub"] = stub
    stub.wrong[int(stubs.tiny_store(tiny_root).indices("test")[0]), 2] = None
    request = stubs.request(tiny_root, tmp_path, protocols=takers(kind), limit=1)
    result = run(request, quiet=True)
    assert result is not None and list(result["protocols"]) == list(takers(kind))
    for name, summary in result["protocols"].items():
        spec = protocols()[name]
        first = spec.views == "first"
        assert summary["items"] == (1 if first else 3) * summary["objects"], name
        assert sum(summary["failed"].values()) == (0 if first else 1), name
        for metric in spec.metrics:
            value = summary["mean_over_classes"][metric.name]
            if metric.higher_is_better:
                assert min(0.0, metric.penalty) <= value <= 1.0, (name, metric.name)
            else:
                assert 0.0 < value <= metric.penalty, (name, metric.name)
    store = stubs.tiny_store(tiny_root)
    folder = RunFolder(next(tmp_path.glob("*/stub-*")))
    with Shard(folder.prediction_shard(0)) as shard:
        item, threshold = shard.item(0), shard.threshold
    for name in takers(kind):
        job, truth = ScoringJob.on(protocols()[name], store), TruthSource(store)
        alone = score_item(
            job.spec,
            load_scorer(job.spec),
            item,
            truth[store.index_of(item.object_id)],
            job.settings(threshold),
        )
        assert list(read_scores(folder.score_shard(name, 0)))[: len(alone)] == alone, name
