"""The weights that come with the package: small, explained, and better than knowing the class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines import get_spec, load_baseline
from benchbench.baselines.checkpoints import read_training, shipped_checkpoint, shipped_record
from benchbench.baselines.dibr.weights import read_checkpoint
from benchbench.core.classes import SYNSETS
from benchbench.core.files import sha256_file

AVERAGE = "mean over classes"


@pytest.fixture(scope="module")
def path() -> Path:
    return shipped_checkpoint("dibr")


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return shipped_record("dibr")


def test_folder_is_at_most_four_megabytes(path: Path) -> None:
    assert sum(file.stat().st_size for file in path.parent.iterdir()) <= 4_000_000


def test_record_belongs_to_the_file_and_tells_how_it_was_made(
    path: Path, record: dict[str, Any]
) -> None:
    assert record["sha256"] == sha256_file(path)
    widths, size, _ = read_checkpoint(path)
    assert record["architecture"] == str(widths) and record["parameters"] == widths.parameters
    assert size == record["settings"]["image_size"] == 64
    # The presets of today are the recipe of then, in two parts.
    parts = {"shapes13": record["first_part"], "shapes13-second": record}
    for preset, part in parts.items():
        for name, value in get_spec("dibr").presets[preset].items():
            stored = part["settings"][name]
            if name != "seed":
                assert stored == (list(value) if isinstance(value, tuple) else value), name
    seed = record["settings"]["seed"]
    assert record["settings"]["start"] == record["first_part"]["sha256"]
    assert record["first_part"]["settings"]["seed"] == seed
    for preset in parts:
        assert (
            f"bench train --baseline dibr --dataset shapes13 --preset {preset} --seed {seed}"
            in (record["command"])
        )
    assert record["history"][-1]["step"] == record["settings"]["steps"]
    training = read_training(path)
    assert training is not None and len(training.digests) == 1300


def test_the_shipped_seed_is_the_best_on_val(record: dict[str, Any]) -> None:
    runs = record["seeds"]["runs"]
    assert sorted(run["seed"] for run in runs) == [0, 1]
    best = max(runs, key=lambda run: run["val"]["val_iou"])
    assert best["seed"] == record["settings"]["seed"] and best["sha256"] == record["sha256"]
    assert best["val"]["val_iou"] == pytest.approx(record["history"][-1]["val_iou"], abs=1e-5)


def test_every_seed_beats_the_class_mean(record: dict[str, Any]) -> None:
    better = {"bench-iou-v1:iou": 1, "bench-surface-v1:chamfer": -1}
    for name, direction in better.items():
        mean = record["scores"][name]["mean"][AVERAGE]
        assert direction * record["scores"][name]["dibr"][AVERAGE] > direction * mean
        for run in record["seeds"]["runs"]:
            assert direction * run["scores"][name] > direction * mean


def test_scores_are_complete(record: dict[str, Any]) -> None:
    for rows in record["scores"].values():
        for row in rows.values():
            assert set(SYNSETS.values()) < set(row)
            classes = [row[name] for name in SYNSETS.values()]
            assert np.mean(classes) == pytest.approx(row[AVERAGE], abs=1e-4)


def test_weights_depend_on_the_picture() -> None:
    dibr = load_baseline("dibr")
    pictures = torch.ones(2, 3, 64, 64)
    pictures[0, :, 28:36, 8:56] = 0.5
    pictures[1, :, 8:56, 28:36] = 0.5
    wide, tall = dibr.predict(pictures).vertices
    assert np.ptp(tall[:, 1].numpy()) > 1.3 * np.ptp(wide[:, 1].numpy())
