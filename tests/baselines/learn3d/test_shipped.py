"""The weights that come with the package: small, explained, the codes of poses less entangled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines import get_spec, load_baseline
from benchbench.baselines.checkpoints import read_training, shipped_checkpoint, shipped_record
from benchbench.baselines.learn3d.model import SHIPPED
from benchbench.baselines.learn3d.weights import read_checkpoint
from benchbench.core.classes import SYNSETS
from benchbench.core.files import sha256_file

AVERAGE = "mean over classes"


@pytest.fixture(params=SHIPPED)
def stem(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def path(stem: str) -> Path:
    return shipped_checkpoint("learn3d", stem)


@pytest.fixture
def record(stem: str) -> dict[str, Any]:
    return shipped_record("learn3d", stem)


def test_folder_is_at_most_four_megabytes(path: Path) -> None:
    assert sum(file.stat().st_size for file in path.parent.iterdir()) <= 4_000_000


def test_record_belongs_to_the_file_and_tells_how_it_was_made(
    path: Path, record: dict[str, Any], stem: str
) -> None:
    assert record["sha256"] == sha256_file(path)
    widths, _, form = read_checkpoint(path)
    assert record["architecture"] == str(widths) and record["parameters"] == widths.parameters
    assert form == record["settings"]["form"] == "kato"
    # The preset of today is the recipe of then.
    for name, value in get_spec("learn3d").presets[stem].items():
        stored = record["settings"][name]
        assert stored == (list(value) if isinstance(value, tuple) else value), name
    seed = record["settings"]["seed"]
    assert record["command"].endswith(f"--preset {stem} --seed {seed}")
    assert record["history"][-1]["step"] == record["settings"]["steps"]
    training = read_training(path)
    assert training is not None and len(training.digests) == 1300


def test_the_shipped_seed_is_the_best_on_val(record: dict[str, Any]) -> None:
    runs = record["seeds"]["runs"]
    best = max(runs, key=lambda run: run["val"]["val_iou"])
    assert best["seed"] == record["settings"]["seed"] and best["sha256"] == record["sha256"]
    assert best["val"]["val_iou"] == pytest.approx(record["history"][-1]["val_iou"], abs=1e-5)


def test_confusion_lessens_the_pose_in_the_codes() -> None:
    """Means over the seeds that were trained; single seeds may lie the other way."""
    proposed, plain = (
        [run["val"]["pose_entanglement"] for run in shipped_record("learn3d", s)["seeds"]["runs"]]
        for s in SHIPPED
    )
    assert len(proposed) == 3 and plain
    assert np.mean(proposed) < np.mean(plain)


def test_scores_are_complete() -> None:
    for rows in shipped_record("learn3d")["scores"].values():
        assert set(rows) == {"learn3d", "mean"}
        for row in rows.values():
            assert set(SYNSETS.values()) < set(row)
            classes = [row[name] for name in SYNSETS.values()]
            assert np.mean(classes) == pytest.approx(row[AVERAGE], abs=1e-4)


def test_weights_depend_on_the_picture(stem: str) -> None:
    learn3d = load_baseline("learn3d", weights=stem)
    wide, tall = torch.zeros(2, 1, 4, 64, 64)
    wide[:, :, 28:36, 8:56] = 0.5
    tall[:, :, 8:56, 28:36] = 0.5
    wide[:, 3] = (wide[:, 3] > 0).float()
    tall[:, 3] = (tall[:, 3] > 0).float()
    a = learn3d.predict(wide).vertices[0]
    b = learn3d.predict(tall).vertices[0]
    assert np.ptp(b[:, 1].numpy()) > 1.3 * np.ptp(a[:, 1].numpy())
