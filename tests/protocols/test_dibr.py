"""dibr-chamfer-v1 equals its script on given points, and agrees in distribution where it draws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchbench.core.types import Mesh, Points, Voxels
from benchbench.evaluation.selftest_case import box
from benchbench.protocols.convert import unit_cube_grid
from benchbench.protocols.dibr import (
    SAMPLES,
    THRESHOLDS,
    directed_distances,
    point_scores,
    score_dibr,
    truth_subset,
)
from benchbench.protocols.truth import NotAccepted, Truth

CASES = ("sphere_vs_sphere", "box_vs_sphere", "squashed_vs_box", "degenerate_box_vs_box")
SETTINGS = {"threshold": 0.5, "grid": None, "seed": 0}


@pytest.mark.parametrize("case", CASES)
def test_given_points_equal_the_script(shared: Path, case: str) -> None:
    found = np.load(shared / "oracles/dibr/chamfer.npz")
    truth = found[f"{case}_gt_points"]
    order = truth_subset(len(truth))
    assert (order == found[f"{case}_perm_seed123456"]).all()
    preds, target = found[f"{case}_sampled"], truth[order].astype(np.float32)
    d_preds, d_target = directed_distances(preds, target)
    assert (d_preds == found[f"{case}_dist1"]).all()
    assert (d_target == found[f"{case}_dist2"]).all()
    scores = point_scores(preds, target)
    assert np.float32(scores["chamfer"]) == found[f"{case}_chamfer"]
    for threshold, value in zip(THRESHOLDS, found[f"{case}_fscore"], strict=True):
        assert np.float32(scores[f"fscore@{threshold}"]) == np.float32(value)


@pytest.mark.parametrize("number", range(4))
def test_small_clouds_equal_the_script(shared: Path, number: int) -> None:
    """Two and three points, coincident points, and points beyond the search's 10,000."""
    found = np.load(shared / "oracles/dibr/chamfer.npz")
    name = f"small{number}"
    d_preds, d_target = directed_distances(found[f"{name}_a"], found[f"{name}_b"])
    assert (d_preds == found[f"{name}_dist1"]).all()
    assert (d_target == found[f"{name}_dist2"]).all()
    scores = point_scores(found[f"{name}_a"], found[f"{name}_b"])
    assert np.float32(scores["chamfer"]) == found[f"{name}_chamfer"]
    fscores = [scores[f"fscore@{t}"] for t in THRESHOLDS]
    assert (np.float32(fscores) == found[f"{name}_fscore"].astype(np.float32)).all()


@pytest.mark.parametrize("case", CASES[:3])
def test_own_draws_agree_in_distribution(shared: Path, case: str) -> None:
    """Mean over views within 4 standard errors (and the reference's own) of the resampled mean."""
    found = np.load(shared / "oracles/dibr/chamfer.npz")
    summary = json.loads((shared / "oracles/dibr/chamfer_summary.json").read_text())[case]
    mesh = Mesh(found[f"{case}_vertices"], found[f"{case}_faces"])
    truth = Truth(None, {}, "a/b", points=found[f"{case}_gt_points"].astype(np.float32))
    values = [score_dibr(mesh, truth, ("a/b", view), SETTINGS)["chamfer"] for view in range(24)]
    spread = summary["resampled_std"]
    assert abs(np.mean(values) - summary["resampled_mean"]) < 4 * spread / np.sqrt(24) + spread
    assert 0.4 * spread < np.std(values) < 2.5 * spread


def test_reference_clouds(shared: Path) -> None:
    """2,500 against 4,000 points: float64 reference of the specification, to float32 rounding."""
    clouds = np.load(shared / "oracles/protocols/clouds.npz")
    expected = json.loads((shared / "oracles/protocols/expected.json").read_text())
    scores = point_scores(clouds["pred"], clouds["gt"])
    value = expected["chamfer"]["dibr-dvr-2500 chamfer (raw)"]
    assert scores["chamfer"] == pytest.approx(value, rel=1e-6)
    for name in ("0.01", "0.03", "0.05"):
        fscore = expected["fscore"][f"standard t={name} <= (P,R,F)"][2]
        assert scores[f"fscore@{name}"] == pytest.approx(fscore, rel=1e-5)


def test_two_points_by_hand() -> None:
    """From (0,0,0) to {(0,0,0), (1,0,0)}: 0 one way, (0 + 1)/2 the other; P = 1, R = 1/2."""
    scores = point_scores(
        np.zeros((1, 3), np.float32), np.array([[0, 0, 0], [1, 0, 0]], np.float32)
    )
    assert scores["chamfer"] == 0.25
    assert scores["fscore@0.05"] == pytest.approx(2 / 3, abs=1e-6)


def test_noise_floor_of_the_truth_against_itself() -> None:
    """Two samplings of area A: about sqrt(A / 2500) / 2 each way (specs: 1.5 to 1.8 times 100)."""
    mesh = box((-0.5, -0.3, -0.2), (0.5, 0.3, 0.2))
    area = 2 * (0.6 + 0.4 + 0.24)
    value = score_dibr(mesh, Truth(mesh, {}, "a/b"), ("a/b", 0), SETTINGS)["chamfer"]
    assert value == pytest.approx(0.5 * np.sqrt(area / SAMPLES), rel=0.08)


def test_points_are_taken_by_a_keyed_permutation() -> None:
    rng = np.random.default_rng(0)
    cloud = Points(rng.random((5000, 3), dtype=np.float32))
    truth = Truth(None, {}, "a/b", points=rng.random((3000, 3), dtype=np.float32))
    first = score_dibr(cloud, truth, ("a/b", 0), SETTINGS)
    assert score_dibr(cloud, truth, ("a/b", 0), SETTINGS) == first
    assert score_dibr(cloud, truth, ("a/b", 1), SETTINGS) != first
    with pytest.raises(NotAccepted, match="no conversion"):
        grid = Voxels(np.ones((4, 4, 4), np.float32), unit_cube_grid(4))
        score_dibr(grid, truth, ("a/b", 0), SETTINGS)
