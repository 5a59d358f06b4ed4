"""The weights that come with the package: their threshold and grid, and that they look."""

from __future__ import annotations

import numpy as np
import torch

from benchbench.baselines import load_baseline
from benchbench.baselines.checkpoints import shipped_checkpoint, shipped_record
from benchbench.baselines.r2n2.weights import read_checkpoint
from benchbench.cuda_ops.house_voxels import unit_cube_grid


def test_the_threshold_is_the_best_on_val() -> None:
    found, record = read_checkpoint(shipped_checkpoint("r2n2")), shipped_record("r2n2")
    by_threshold = record["val_iou_by_threshold"]
    assert found.threshold == record["threshold"] == float(max(by_threshold, key=by_threshold.get))
    best = record["seeds"]["runs"][record["settings"]["seed"]]["val"]["val_iou"]
    assert best == round(max(by_threshold.values()), 5)
    assert (found.grid_to_object == unit_cube_grid()).all()


def test_weights_depend_on_the_picture() -> None:
    """A wide and a tall dark body on the grey ground."""
    r2n2 = load_baseline("r2n2")
    wide, tall = torch.full((2, 1, 1, 3, 127, 127), 240 / 255)
    wide[..., 52:76, 14:113] = 0.3
    tall[..., 14:113, 52:76] = 0.3
    grids = [r2n2.predict(images).occupancy[0].numpy() >= r2n2.threshold for images in (wide, tall)]
    heights = [np.ptp(np.nonzero(grid.any((0, 2)))[0]) for grid in grids]
    assert heights[1] > 1.2 * heights[0]
