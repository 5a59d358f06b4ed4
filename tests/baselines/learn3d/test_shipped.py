"""The weights that come with the package: made for Kato's pictures, codes less entangled."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchbench.baselines import load_baseline
from benchbench.baselines.checkpoints import shipped_checkpoint, shipped_record
from benchbench.baselines.learn3d.model import SHIPPED
from benchbench.baselines.learn3d.weights import read_checkpoint


@pytest.fixture(params=SHIPPED)
def stem(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_form(stem: str) -> None:
    form = read_checkpoint(shipped_checkpoint("learn3d", stem))[2]
    assert form == shipped_record("learn3d", stem)["settings"]["form"] == "kato"


def test_confusion_lessens_the_pose_in_the_codes() -> None:
    """Means over the seeds that were trained; single seeds may lie the other way."""
    proposed, plain = (
        [run["val"]["pose_entanglement"] for run in shipped_record("learn3d", s)["seeds"]["runs"]]
        for s in SHIPPED
    )
    assert len(proposed) == 3 and len(plain) >= 2
    assert np.mean(proposed) < np.mean(plain)


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
