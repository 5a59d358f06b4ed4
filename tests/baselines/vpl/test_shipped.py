"""The weights that come with the package: small and explained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchbench.baselines import get_spec, load_baseline
from benchbench.baselines.checkpoints import read_training, shipped_checkpoint, shipped_record
from benchbench.baselines.learn3d.weights import read_checkpoint
from benchbench.core.classes import SYNSETS
from benchbench.core.files import sha256_file


def test_folder_is_at_most_four_megabytes() -> None:
    folder = shipped_checkpoint("vpl").parent
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 4_000_000


def test_record_belongs_to_the_file_and_tells_how_it_was_made() -> None:
    path, record = shipped_checkpoint("vpl"), shipped_record("vpl")
    assert record["sha256"] == sha256_file(path)
    widths, _, form = read_checkpoint(path, "vpl")
    assert record["architecture"] == str(widths) and record["parameters"] == widths.parameters
    assert form == "kato"
    for name, value in get_spec("vpl").presets["shapes13"].items():
        stored = record["settings"][name]
        assert stored == (list(value) if isinstance(value, tuple) else value), name
    seed = record["settings"]["seed"]
    assert record["command"].endswith(f"--preset shapes13 --seed {seed}")
    assert record["history"][-1]["step"] == record["settings"]["steps"]
    training = read_training(path)
    assert training is not None and len(training.digests) == 1300


def test_the_shipped_seed_is_the_best_on_val() -> None:
    record = shipped_record("vpl")
    best = max(record["seeds"]["runs"], key=lambda run: run["val"]["val_iou"])
    assert best["seed"] == record["settings"]["seed"] and best["sha256"] == record["sha256"]


def test_scores_are_complete() -> None:
    for rows in shipped_record("vpl")["scores"].values():
        assert set(rows) == {"vpl", "mean"}
        for row in rows.values():
            assert set(SYNSETS.values()) < set(row)
            classes = [row[name] for name in SYNSETS.values()]
            assert np.mean(classes) == pytest.approx(row["mean over classes"], abs=1e-4)


def test_weights_depend_on_the_picture() -> None:
    vpl = load_baseline("vpl")
    wide, tall = torch.zeros(2, 1, 4, 64, 64)
    wide[:, :, 28:36, 8:56] = 0.5
    tall[:, :, 8:56, 28:36] = 0.5
    wide[:, 3] = (wide[:, 3] > 0).float()
    tall[:, 3] = (tall[:, 3] > 0).float()
    a = vpl.predict(wide).vertices[0]
    b = vpl.predict(tall).vertices[0]
    assert np.ptp(b[:, 1].numpy()) > 1.3 * np.ptp(a[:, 1].numpy())
