"""ZeroShape: the search against a slow twin, frames by hand, the reference clouds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchbench.core.types import Points
from benchbench.evaluation.selftest_case import box
from benchbench.protocols import zeroshape
from benchbench.protocols.clouds import Cloud
from benchbench.protocols.truth import Truth, Unscorable
from benchbench.protocols.zeroshape import (
    closest_cloud,
    normalised,
    rotations,
    score_zeroshape,
    turned,
)

KEY = ("03001627/a", 0)
SETTINGS = {"threshold": 0.5, "grid": None, "seed": 0}


def test_reference_clouds_without_a_search(
    expected: dict[str, Any], preds: Cloud, target: Cloud
) -> None:
    clouds = turned(preds.points.astype(np.float64), np.eye(3)[None])
    _, a, b = closest_cloud(clouds, normalised(target.points.astype(np.float64)))
    value = expected["chamfer"]["zeroshape normalisation, no rotation search: mean"]
    assert (a.mean() + b.mean()) / 2 == pytest.approx(value, rel=2e-6)


def test_rotations_are_rotations_and_cover_the_circle() -> None:
    turns = rotations()
    assert turns.shape == (24 * 24 * 12, 3, 3) and zeroshape.SAMPLES == 10_000
    assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3), atol=1e-12)
    assert np.allclose(np.linalg.det(turns), 1)
    # The first is the exchange of axes alone; the second adds a roll of 30 degrees.
    assert turns[0].tolist() == [[-1, 0, 0], [0, 0, -1], [0, -1, 0]]
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    assert np.allclose(turns[1], np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) @ turns[0])


def test_the_search_equals_a_slow_twin() -> None:
    rng = np.random.default_rng(6)
    preds, target = rng.normal(size=(40, 3)), normalised(rng.normal(size=(50, 3)))
    turns = rotations((3, 3, 2))
    found = []
    for turn in turns:
        d = np.linalg.norm(normalised(preds @ turn.T)[:, None] - target[None], axis=2)
        found.append((d.min(1).mean() + d.min(0).mean()) / 2)
    n, a, b = closest_cloud(turned(preds, turns), target)
    assert n == np.argmin(found)
    assert (a.mean() + b.mean()) / 2 == pytest.approx(min(found), rel=1e-6)


def test_any_pose_on_the_grid_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quarter turns of a lopsided set of points, grown and moved: distance 0, F 1."""
    monkeypatch.setattr(zeroshape, "STEPS", (4, 4, 4))
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 0.6, 0], [0, 0, 0.3], [0.4, 0.5, 0.1]], np.float32)
    truth = Truth(None, {}, KEY[0], points=points)
    quarter = np.array([[0.0, -1, 0], [0, 0, 1], [-1, 0, 0]])
    moved = Points((3 * points @ quarter.T + [4, 5, 6]).astype(np.float32))
    found = score_zeroshape(moved, truth, KEY, SETTINGS)
    assert found["chamfer"] == pytest.approx(0, abs=1e-6)
    assert all(found[f"fscore@{t}"] == 1.0 for t in zeroshape.THRESHOLDS)
    mirrored = Points((points * [-1, 1, 1]).astype(np.float32))
    assert score_zeroshape(mirrored, truth, KEY, SETTINGS)["chamfer"] > 0.01


def test_depth_does_not_count() -> None:
    """Along z the extent is 8, along x 2: everything is divided by 2."""
    found = normalised(np.array([[0.0, 0, 0], [2, 1, 8]]))
    assert found == pytest.approx(np.array([[-0.5, -0.25, -2], [0.5, 0.25, 2]]), rel=1e-6)


def test_the_views_camera_is_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A box 1 x 0.6 x 0.3 has the unit 1 along its own axes. A camera that looks along x sees
    0.6 x 0.3, the unit is 0.6, and the same distances count 1 / 0.6 times."""
    monkeypatch.setattr(zeroshape, "STEPS", (4, 4, 4))
    monkeypatch.setattr(zeroshape, "SAMPLES", 2000)
    brick = box((-0.5, -0.3, -0.15), (0.5, 0.3, 0.15))
    along_x = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    plain = score_zeroshape(brick, Truth(brick, {}, KEY[0]), KEY, SETTINGS)["chamfer"]
    assert plain == pytest.approx(0.5 * np.sqrt(2.16 / 2000), rel=0.1)  # edges add a little
    turned = Truth(brick, {}, KEY[0], turn=lambda view: along_x)
    found = score_zeroshape(brick, turned, KEY, SETTINGS)["chamfer"]
    assert found == pytest.approx(plain / 0.6, rel=0.05)
    assert score_zeroshape(brick, turned, (KEY[0], -1), SETTINGS)["chamfer"] < 0.6 * found + 0.01


def test_broken_things() -> None:
    brick = box((-0.5, -0.3, -0.15), (0.5, 0.3, 0.15))
    dot = Truth(None, {}, KEY[0], points=np.ones((3, 3), np.float32))
    with pytest.raises(Unscorable, match="no extent"):
        score_zeroshape(brick, dot, KEY, SETTINGS)
    with pytest.raises(Unscorable, match="beyond 1e6"):
        score_zeroshape(box((0, 0, 0), (1e8, 1, 1)), Truth(brick, {}, KEY[0]), KEY, SETTINGS)
