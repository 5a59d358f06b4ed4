"""Ctrl-C, SIGTERM and kill -9 of real processes at random moments, then the same command again.

Nothing that was finished is lost or made twice, the final files are byte for byte those of a
command that nobody disturbed, no half-written file stays and no child lives on.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from benchbench.datasets.exporting import export, layouts, snug_solid

FEW, OFTEN = 2, pytest.param(20, marks=pytest.mark.slow)
KILL, TERM, INT = range(3)  # which signal comes first
SETTINGS = (
    "channels=4,4,4", "encoder_hidden=8,8", "feature=8", "decoder_hidden=8,16", "batch=2",
    "steps=24", "save_every=2", "validate_every=0",
)  # fmt: skip


def shards(place: Path) -> int:
    """Shards of a preparation; the finished file counts for all."""
    if any(place.glob("home/*.h5")):
        return 1000
    return len(list(place.glob("home/.partial/*/shard-*.h5")))


def step(place: Path) -> int:
    """Step of the last checkpoint."""
    file = place / "out" / "checkpoint.json"
    return int(json.loads(file.read_text())["step"]) if file.is_file() else 0


def predicted(place: Path) -> int:
    """Shards of predictions and of scores, and the result."""
    return len([*place.rglob("shard-*.*"), *place.rglob("result.json")])


@pytest.mark.parametrize("count", [5, OFTEN])
def test_prepare_shapenet(processes: Any, source: Path, tmp_path: Path, count: int) -> None:
    words = ("prepare", "shapenet", "--from", source, "--root", "home")
    story = processes.Story(words, "home", ".partial/shapenet/shard-*.h5", shards)
    story.check(tmp_path, count)


@pytest.mark.parametrize("count", [1, OFTEN])
@pytest.mark.parametrize("name", [name for name in layouts() if name != "shapenet"])
def test_prepare_every_other_set(processes: Any, tmp_path: Path, name: str, count: int) -> None:
    solids = [snug_solid(f"03001627/{n}", "train" if n % 2 else "test", n) for n in range(6)]
    raw = export(name, solids, tmp_path / "raw")
    words = ("prepare", name, "--from", raw, "--root", "home")
    story = processes.Story(words, "home", f".partial/{name}/shard-*.h5", shards)
    story.check(tmp_path, count, first=zlib.crc32(name.encode()) % 3)


@pytest.mark.parametrize("count", [1, OFTEN])
def test_prepare_shapes13(processes: Any, tmp_path: Path, count: int) -> None:
    words = ("prepare", "shapes13", "--size", "demo", "--root", "home")
    story = processes.Story(words, "home", ".partial/shapes13-demo/shard-*.h5", shards)
    story.check(tmp_path, count, first=INT)


@pytest.mark.parametrize("count", [FEW, OFTEN])
def test_train(processes: Any, demo_home: Path, tmp_path: Path, count: int) -> None:
    words = ["train", "--baseline", "kato", "--dataset", "shapes13", "--out", "out",
             "--root", demo_home]  # fmt: skip
    for setting in SETTINGS:
        words += ["--set", setting]
    processes.Story(words, "out", "nothing", step).check(tmp_path, count, first=TERM)


@pytest.mark.parametrize("count", [FEW, OFTEN])
def test_run(processes: Any, demo_home: Path, weights: Path, tmp_path: Path, count: int) -> None:
    words = ("run", "--baseline", "kato", "--checkpoint", weights, "--split", "test", "--views",
             "2", "--set", "block_size=4", "--protocol", "bench-iou-v1", "--protocol",
             "bench-surface-v1", "--device", "cpu", "--root", demo_home)  # fmt: skip
    story = processes.Story(words, "runs", "*/*/predictions/shard-*.h5", predicted)
    story.check(tmp_path, count)
