"""The weights that come with the package look at the picture."""

from __future__ import annotations

import numpy as np
import torch

from benchbench.baselines import load_baseline


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
