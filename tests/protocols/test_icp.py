"""3D-LMNet's fit: known turns are found, its own inverse is kept, mirrors are not taken."""

from __future__ import annotations

import numpy as np
import pytest

from benchbench.core.types import Points
from benchbench.evaluation.selftest_case import box
from benchbench.protocols import icp as module
from benchbench.protocols.icp import best_fit, icp, score_lmnet
from benchbench.protocols.point_sets import score_pix3d
from benchbench.protocols.truth import Truth, Unscorable

KEY = ("03001627/a", 0)
SETTINGS = {"threshold": 0.5, "grid": None, "seed": 0}


def about_z(degrees: float) -> np.ndarray:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def test_best_fit_finds_turn_and_shift_but_no_mirror() -> None:
    points = np.random.default_rng(1).normal(size=(20, 3))
    turn, shift = best_fit(points, points @ about_z(70).T + [1, 2, 3])
    assert np.allclose(turn, about_z(70)) and np.allclose(shift, [1, 2, 3])
    turn, _ = best_fit(points, points * [-1, 1, 1])
    assert np.linalg.det(turn) == pytest.approx(1)


def test_icp_finds_a_small_turn() -> None:
    """A lattice of step 0.25 turned by 3 degrees: no point moves by half a step, so each one's
    nearest is its own image and one round is exact."""
    steps = np.linspace(-0.5, 0.5, 5)
    lattice = np.stack(np.meshgrid(steps, steps, [0.0, 0.3], indexing="ij"), -1).reshape(-1, 3)
    turn, shift = icp(lattice, lattice @ about_z(3).T + [0.01, 0, 0])
    assert np.allclose(turn, about_z(3), atol=1e-6)
    assert np.allclose(shift, [0.01, 0, 0], atol=1e-6)
    assert module.ITERATIONS == 1000 and module.TOLERANCE == 1e-10 and module.POINTS == 1024


def test_a_turned_prediction_is_turned_back() -> None:
    """A plus sign in a box whose sides its four ends fix: turned by 2 degrees and fitted to its box
    the ICP turns it back, so that what is left is the box's scale, 1 / cos 2 degrees = 1.0006."""
    ends = np.array(
        [[0.5, 0, 0], [-0.5, 0, 0], [0, 0.4, 0], [0, -0.4, 0], [0, 0, 0.2], [0, 0, -0.2]]
    )
    truth = Truth(None, {}, KEY[0], points=ends.astype(np.float32))
    turned = Points((ends @ about_z(2).T).astype(np.float32))
    before = score_pix3d(turned, truth, KEY, SETTINGS)["chamfer"]
    after = score_lmnet(turned, truth, KEY, SETTINGS)["chamfer"]
    assert before > 0.02 and after == pytest.approx(2 * 0.0006 * (1.0 + 0.8 + 0.4) / 6, abs=2e-4)


def test_the_originals_inverse_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """With R a quarter turn and t = (0.1, 0, 0) the right inverse of y is R^T (y - t); the
    original's R^T y - t is off by R^T t - t, of length 0.1 sqrt 2, for every point."""
    points = np.array([[0.5, 0, 0], [-0.5, 0, 0], [0, 0.2, 0], [0, -0.2, 0]])
    turn, shift = about_z(90), np.array([0.1, 0, 0])
    monkeypatch.setattr(module, "icp", lambda source, target: (turn, shift))
    back = points @ turn - shift
    truth = Truth(None, {}, KEY[0], points=points.astype(np.float32))
    d = np.linalg.norm(back[:, None] - points[None], axis=2)
    expected = d.min(0).mean() + d.min(1).mean()
    found = score_lmnet(Points(points.astype(np.float32)), truth, KEY, SETTINGS)["chamfer"]
    assert found == pytest.approx(expected, rel=1e-5)
    assert np.allclose(back - (points - shift) @ turn, [-0.1, -0.1, 0])


def test_sampled_shapes_and_broken_things() -> None:
    brick = box((-0.5, -0.3, -0.15), (0.5, 0.3, 0.15))
    truth = Truth(brick, {}, KEY[0])
    large = box((1, 1, 1), (6, 4, 2.5))
    # Two draws of 1,024 on area 2.16: sqrt(A / n) / 2 each way.
    found = score_lmnet(large, truth, KEY, SETTINGS)["chamfer"]
    assert found == pytest.approx(np.sqrt(2.16 / 1024), rel=0.08)
    with pytest.raises(Unscorable, match="all points are one"):
        score_lmnet(Points(np.ones((5, 3), np.float32)), truth, KEY, SETTINGS)
