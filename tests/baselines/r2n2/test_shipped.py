"""The weights that come with the package: small, explained, and better than knowing the class."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchbench.baselines import load_baseline
from benchbench.baselines.checkpoints import shipped_checkpoint, shipped_record
from benchbench.baselines.r2n2.spec import PRESETS, R2N2Options
from benchbench.baselines.r2n2.weights import read_checkpoint
from benchbench.baselines.spec import apply_settings
from benchbench.core.classes import SYNSETS
from benchbench.core.files import sha256_file
from benchbench.cuda_ops.house_voxels import unit_cube_grid


@pytest.fixture(scope="module")
def path() -> Path:
    return shipped_checkpoint("r2n2")


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    return shipped_record("r2n2")


def test_folder_is_at_most_four_megabytes(path: Path) -> None:
    assert sum(file.stat().st_size for file in path.parent.iterdir()) <= 4_000_000


def test_record_belongs_to_the_file_and_tells_how_it_was_made(
    path: Path, record: dict[str, Any]
) -> None:
    assert record["sha256"] == sha256_file(path)
    found = read_checkpoint(path)
    assert record["architecture"] == str(found.architecture)
    assert record["parameters"] == found.architecture.parameters
    assert record["threshold"] == found.threshold
    assert (found.grid_to_object == unit_cube_grid()).all()
    assert record["history"][-1]["step"] == record["settings"]["steps"]
    assert record["seeds"][str(record["settings"]["seed"])]["command"] == record["command"]


def test_command_and_settings_tell_the_same_story(record: dict[str, Any]) -> None:
    settings, words = record["settings"], record["command"].split(" --set ")
    start, _, seed = record["command"].rpartition(" --seed ")
    head = "bench train --baseline r2n2 --dataset shapes13 --preset shapes13 --mixed-precision"
    assert words[0].removesuffix(f" --seed {seed}") == head and settings["mixed_precision"] is True
    typed = [*start.split(" --set ")[1:], f"seed={seed}"]
    recipe = apply_settings(apply_settings(R2N2Options(), dict(PRESETS["shapes13"])), typed)
    for name, value in asdict(recipe).items():
        assert settings[name] == (list(value) if isinstance(value, tuple) else value), name


def test_the_shipped_seed_is_the_best_on_val(record: dict[str, Any]) -> None:
    seeds = record["seeds"]
    best = max(seeds, key=lambda seed: float(seeds[seed]["val_iou"]))
    assert best == str(record["settings"]["seed"])
    assert seeds[best]["sha256"] == record["sha256"]
    assert seeds[best]["val_iou"] == max(record["val_iou_by_threshold"].values())
    assert len({one["sha256"] for one in seeds.values()}) == len(seeds)


@pytest.mark.parametrize(
    ("metric", "direction"), [("bench-iou-v1:iou", 1), ("bench-surface-v1:chamfer", -1)]
)
def test_the_record_says_which_seeds_beat_the_class_mean(
    record: dict[str, Any], metric: str, direction: int
) -> None:
    average, mean = "mean over classes", record["mean"][metric]
    for one in record["seeds"].values():
        scores = one["scores"]["0"][metric]  # of the first view of every object
        assert set(SYNSETS.values()) < set(scores) and set(scores) == set(mean)
        assert np.mean([scores[c] for c in SYNSETS.values()]) == pytest.approx(
            scores[average], abs=1e-4
        )
        better = direction * scores[average] > direction * mean[average]
        assert one["beats_mean"][metric] is better


def test_weights_depend_on_the_picture() -> None:
    """A wide and a tall dark body on the grey ground."""
    r2n2 = load_baseline("r2n2")
    wide, tall = torch.full((2, 1, 1, 3, 127, 127), 240 / 255)
    wide[..., 52:76, 14:113] = 0.3
    tall[..., 14:113, 52:76] = 0.3
    grids = [r2n2.predict(images).occupancy[0].numpy() >= r2n2.threshold for images in (wide, tall)]
    heights = [np.ptp(np.nonzero(grid.any((0, 2)))[0]) for grid in grids]
    assert heights[1] > 1.2 * heights[0]
