"""The weights that come with the package look at the picture."""

from __future__ import annotations

import numpy as np
import torch

from benchbench.baselines import load_baseline
from benchbench.baselines.checkpoints import shipped_checkpoint
from benchbench.baselines.dibr.weights import read_checkpoint


def test_pictures_are_of_64_pixels() -> None:
    assert read_checkpoint(shipped_checkpoint("dibr"))[1] == 64


def test_weights_depend_on_the_picture() -> None:
    dibr = load_baseline("dibr")
    pictures = torch.ones(2, 3, 64, 64)
    pictures[0, :, 28:36, 8:56] = 0.5
    pictures[1, :, 8:56, 28:36] = 0.5
    wide, tall = dibr.predict(pictures).vertices
    assert np.ptp(tall[:, 1].numpy()) > 1.3 * np.ptp(wide[:, 1].numpy())
