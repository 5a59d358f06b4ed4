"""The weights that come with the package: small, explained, and better than knowing the class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines import load_baseline
from benchbench.baselines.checkpoints import shipped_checkpoint, shipped_record
from benchbench.baselines.kato.weights import read_checkpoint
from benchbench.core.classes import SYNSETS
from benchbench.core.files import sha256_file


@pytest.fixture(scope="module")
def path() -> Path:
    return shipped_checkpoint("kato")


@pytest.fixture(scope="module")
def record(path: Path) -> dict[str, Any]:
    return shipped_record("kato")


def test_folder_is_at_most_four_megabytes(path: Path) -> None:
    assert sum(file.stat().st_size for file in path.parent.iterdir()) <= 4_000_000


def test_record_belongs_to_the_file_and_tells_how_it_was_made(
    path: Path, record: dict[str, Any]
) -> None:
    assert record["sha256"] == sha256_file(path)
    widths, _ = read_checkpoint(path)
    assert record["architecture"] == str(widths) and record["parameters"] == widths.parameters
    assert record["command"].startswith("bench train --baseline kato --dataset shapes13")
    for name in ("steps", "seed", "batch", "learning_rate", "data", "dataset"):
        assert name in record["settings"]
    # The command and the settings tell the same story.
    for word in record["command"].split(" --set ")[1:]:
        name, _, text = word.partition("=")
        value = record["settings"][name]
        said = ",".join(map(str, value)) if isinstance(value, list) else str(value).lower()
        assert said == text or float(said) == float(text)
    assert record["history"][-1]["step"] == record["settings"]["steps"]


def test_scores_are_there_and_beat_the_class_mean(record: dict[str, Any]) -> None:
    better = {"bench-iou-v1:iou": 1, "bench-surface-v1:chamfer": -1}
    for metric, direction in better.items():
        kato, mean = record["scores"][metric]["kato"], record["scores"][metric]["mean"]
        assert set(SYNSETS.values()) < set(kato) and set(kato) == set(mean)
        average = "mean over classes"
        assert np.mean([kato[c] for c in SYNSETS.values()]) == pytest.approx(
            kato[average], abs=1e-4
        )
        assert direction * kato[average] > direction * mean[average] * (1 + 0.1 * direction)


def test_weights_depend_on_the_picture() -> None:
    kato = load_baseline("kato")
    wide, tall = torch.zeros(2, 1, 4, 64, 64)
    wide[:, :, 28:36, 8:56] = 0.5
    tall[:, :, 8:56, 28:36] = 0.5
    wide[:, 3] = (wide[:, 3] > 0).float()
    tall[:, 3] = (tall[:, 3] > 0).float()
    a = kato.predict(wide).vertices[0]
    b = kato.predict(tall).vertices[0]
    assert np.ptp(b[:, 1].numpy()) > 1.3 * np.ptp(a[:, 1].numpy())
