"""MMD against the original's numbers, pose entanglement against sums by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchbench.baselines.learn3d.entanglement import pose_entanglement
from benchbench.baselines.learn3d.mmd import mean_mmd, mmd, pairwise_mmd
from benchbench.core.errors import ShapeError


def test_mmd_of_the_original(arrays, values) -> None:
    d = arrays("mmd")
    found = pairwise_mmd(d["features_object_major"].reshape(10, 24, 16))
    np.testing.assert_allclose(found.triu(), d["pairwise"].triu(), atol=1e-6)
    assert mean_mmd(found) == pytest.approx(values["mmd"]["mean"], rel=1e-6)
    assert float(found[0, 1]) == pytest.approx(values["mmd"]["pair_0_1"], rel=1e-6)
    assert float(found[23, 0]) == pytest.approx(values["mmd"]["pair_0_23"], rel=1e-6)


def test_mmd_by_hand() -> None:
    # Two samples of one point each at distance 1: n = 2, d = 2 / 2 = 1.
    wanted = 2 * sum(1 - math.exp(-(2.0**-k)) for k in range(-2, 3))
    assert mmd(torch.tensor([[0.0]]), torch.tensor([[1.0]])) == pytest.approx(wanted)
    same = torch.ones(3, 2)
    assert mmd(same, same) == 0.0
    far = mmd(torch.zeros(2, 1), torch.tensor([[1e8], [1e8 + 1]]))
    assert math.isfinite(far) and far > 1


def test_entanglement_by_hand() -> None:
    # Objects at (0, 0) and (0, 10); views move the first by 3 along x, the second by 1 along y.
    codes = torch.tensor([[[-3.0, 0], [3, 0]], [[0, 9.0], [0, 11]]])
    assert pose_entanglement(codes) == pytest.approx(math.sqrt((9 + 1) / 2 / 25))
    moved = codes * 7 - 2
    assert pose_entanglement(moved) == pytest.approx(pose_entanglement(codes))


def test_entanglement_at_the_ends() -> None:
    rng = torch.Generator().manual_seed(0)
    objects = torch.randn(5, 1, 3, generator=rng)
    assert pose_entanglement(objects.expand(5, 4, 3)) == pytest.approx(0, abs=1e-12)
    only_pose = torch.randn(1, 4, 3, generator=rng).expand(5, 4, 3)
    assert pose_entanglement(only_pose) > 1e6


@pytest.mark.parametrize("shape", [(4, 3), (1, 24, 8), (3, 0, 8)])
def test_codes_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        pose_entanglement(torch.zeros(shape))


def test_samples_of_another_shape_are_refused() -> None:
    with pytest.raises(ShapeError):
        mmd(torch.zeros(2, 3), torch.zeros(3, 3))
    with pytest.raises(ShapeError):
        pairwise_mmd(torch.zeros(2, 3))
