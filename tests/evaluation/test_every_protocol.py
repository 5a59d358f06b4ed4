"""Every protocol scores a run end to end: predictions of each kind that it takes, and none."""

from __future__ import annotations

import functools
from pathlib import Path
from types import ModuleType

import pytest

from benchbench.evaluation.run import run
from benchbench.protocols.registry import protocols

KINDS = {"mesh": False, "voxels": True}


@functools.cache
def takers(kind: str) -> tuple[str, ...]:
    """Protocols that take such predictions; kato-iou-v1 takes no grid but its own."""
    names = (name for name, spec in protocols().items() if kind in spec.accepts)
    return tuple(name for name in names if (name, kind) != ("kato-iou-v1", "voxels"))


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_run_is_scored_under_every_protocol(
    stubs: ModuleType,
    tiny_root: Path,
    tmp_path: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One object of three views. Scores are finite, within their bounds, and failures penalised."""
    monkeypatch.setattr("benchbench.protocols.zeroshape.STEPS", (4, 4, 2))  # the search takes long
    stub = stubs.STUBS["stub"] = stubs.Stub(voxels=KINDS[kind])
    stub.wrong[stubs.tiny_store(tiny_root).indices("test")[0], 0] = None
    request = stubs.request(tiny_root, tmp_path, protocols=takers(kind), limit=1)
    result = run(request, quiet=True)
    assert result is not None and list(result["protocols"]) == list(takers(kind))
    for name, summary in result["protocols"].items():
        spec = protocols()[name]
        looked_at = 1 if spec.views == "first" else 3
        assert summary["items"] == looked_at * summary["objects"], name
        assert sum(summary["failed"].values()) == 1, name
        for metric in spec.metrics:
            value = summary["mean_over_classes"][metric.name]
            if metric.higher_is_better:
                assert min(0.0, metric.penalty) <= value <= 1.0, (name, metric.name)
            else:
                assert 0.0 < value <= metric.penalty, (name, metric.name)
