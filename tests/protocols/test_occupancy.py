"""Occupancy Networks' and DVR's numbers: by hand, the reference clouds, what draws may change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchbench.core.types import Mesh, Points, Voxels
from benchbench.evaluation.selftest_case import box, square
from benchbench.protocols import occupancy
from benchbench.protocols.clouds import Cloud, Pair, harmonic, nearest_pair
from benchbench.protocols.convert import unit_cube_grid
from benchbench.protocols.occupancy import (
    chamfer_scores,
    normal_scores,
    query_points,
    score_dvr,
    score_iou,
    score_mesh,
    score_points,
)
from benchbench.protocols.surface_samples import score_deftet
from benchbench.protocols.truth import Memory, NotAccepted, Truth, Unscorable

KEY = ("03001627/a", 0)
SETTINGS = {"threshold": 0.5, "grid": None, "seed": 0}


def truth_of(mesh: Mesh) -> Truth:
    return Truth(mesh, {}, KEY[0])


def test_counts_are_the_papers() -> None:
    assert occupancy.SAMPLES == occupancy.QUERIES == 100_000 and occupancy.PADDING == 0.1


def test_reference_clouds(expected: dict[str, Any], pair: Pair) -> None:
    found = chamfer_scores(pair)
    names = {
        "accuracy": expected["accuracy_mean_unsq(pred->gt)"],
        "completeness": expected["completeness_mean_unsq(gt->pred)"],
        "chamfer_l1": expected["chamfer"]["occnet-mesh chamfer-L1 (raw)"],
        "chamfer_l2": expected["chamfer"]["occnet-mesh chamfer-L2"],
    }
    assert found == pytest.approx(names, rel=2e-6)
    squares = (expected["accuracy_mean_sq"], expected["completeness_mean_sq"])
    assert pair.square_means() == pytest.approx(squares, rel=2e-6)


def test_reference_normals(
    expected: dict[str, Any], pair: Pair, preds: Cloud, target: Cloud
) -> None:
    found = normal_scores(pair, preds, target)
    names = expected["normals"]
    assert found["normals"] == pytest.approx(names["occnet normals (abs, mean of two)"], rel=1e-5)
    assert found["normals_accuracy"] == pytest.approx(names["accuracy"], rel=1e-5)
    assert found["normals_completeness"] == pytest.approx(names["completeness"], rel=1e-5)


def test_reference_fscores(expected: dict[str, Any], pair: Pair) -> None:
    for name in ("0.01", "0.03", "0.05"):
        precision, recall, fscore = expected["fscore"][f"standard t={name} <= (P,R,F)"]
        hits = pair.hits(float(name), strict=False)
        assert (*hits, harmonic(*hits)) == pytest.approx((precision, recall, fscore), abs=1e-12)


def test_point_iou_of_the_reference_shapes(
    expected: dict[str, Any], ellipsoid: Mesh, brick: Mesh
) -> None:
    """0.5243 with 100,000 points of another draw and exact solids: 3 standard errors."""
    found = score_iou(ellipsoid, truth_of(brick), KEY, SETTINGS)["iou"]
    value = expected["iou"]["100k points padding .1 (points.npz here)"]
    error = expected["iou"]["union of those, standard error"][1]
    assert abs(found - value) < 3 * error


def test_point_iou_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four query points: one in both boxes, one in each alone, one in none: 1/3."""
    monkeypatch.setattr(
        occupancy,
        "query_points",
        lambda name, count: np.array(
            [[0.0, 0.03, 0.07], [-0.4, 0.03, 0.07], [0.4, 0.03, 0.07], [0.0, 0.5, 0.07]], np.float32
        ),
    )
    truth = truth_of(box((-0.5, -0.3, -0.2), (0.2, 0.3, 0.2)))
    prediction = box((-0.2, -0.3, -0.2), (0.5, 0.3, 0.2))
    assert score_iou(prediction, truth, KEY, SETTINGS) == {"iou": 1 / 3}
    assert score_iou(square(2, 0.0), truth, KEY, SETTINGS) == {"iou": 0.0}


def test_query_points_fill_the_padded_cube() -> None:
    """Uniform in [-0.55, 0.55]^3: mean 0, variance 1.21 / 12, keyed by the object alone."""
    points = query_points("a/b", 20_000)
    assert np.abs(points).max() <= 0.55 and np.abs(points).max() > 0.5499
    assert np.abs(points.mean(0)).max() < 0.01
    assert points.var(0) == pytest.approx([1.21 / 12] * 3, rel=0.03)
    assert (query_points("a/b", 100) != query_points("a/c", 100)).any()


def test_distances_by_hand() -> None:
    """(0,0,0) and (1,0,0) against (0,0,0) and (0,0,2): from the prediction 0 and 1, from the truth
    0 and 2. m1 = 1/2, m2 = 1, s1 = 1/2, s2 = 2: L1 = 3/4, L2 = 5/4. Within 1: 2/2 and 1/2 of the
    points: F = 2 * 1 * 0.5 / 1.5 = 2/3; below 1: 1/2 and 1/2."""
    a = Cloud(np.array([[0, 0, 0], [1, 0, 0]], np.float32), np.array([[1.0, 0, 0], [0, 1, 0]]))
    b = Cloud(np.array([[0, 0, 0], [0, 0, 2]], np.float32), np.array([[-1.0, 0, 0], [0, 0, 1]]))
    pair = nearest_pair(a, b)
    assert chamfer_scores(pair) == {
        "chamfer_l1": 0.75, "chamfer_l2": 1.25, "accuracy": 0.5, "completeness": 1.0
    }  # fmt: skip
    assert pair.hits(1.0, strict=False) == (1.0, 0.5)
    assert pair.hits(1.0, strict=True) == (0.5, 0.5)
    assert harmonic(1.0, 0.5) == 2 / 3 and harmonic(0.0, 0.0) == 0.0
    # Nearest of (0,0,0) is the opposite normal: |cos| = 1; of (1,0,0) it is at a right angle: 0.
    # Of the truth's second point (0,0,2) the nearest is (0,0,0), at a right angle: 0.
    assert normal_scores(pair, a, b) == {
        "normals": 0.5, "normals_accuracy": 0.5, "normals_completeness": 0.5
    }  # fmt: skip


def test_parallel_squares() -> None:
    """Unit squares 0.1 apart, 100,000 points each: m is 0.1 and a little, the distance to points
    and not to surfaces: sqrt(0.01 + r^2) with mean r^2 = 1 / (pi 100,000)."""
    for scorer in (score_mesh, score_dvr):
        found = scorer(square(2, 0.1), truth_of(square(2, 0.0)), KEY, SETTINGS)
        assert found["chamfer_l1"] == pytest.approx(0.1 + 1 / (0.2 * np.pi * 1e5), abs=2e-6)
        assert found["chamfer_l2"] == pytest.approx(0.01 + 1 / (np.pi * 1e5), abs=2e-7)
    assert found["fscore@0.1"] == 0.0 and "normals" not in found
    assert score_mesh(square(2, 0.1), truth_of(square(2, 0.0)), KEY, SETTINGS)["normals"] == 1.0


def test_the_floor_of_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two samplings of a box of area 2.16 with 10,000 points: sqrt(A / n) / 2 = 0.0073."""
    monkeypatch.setattr(occupancy, "SAMPLES", 10_000)
    brick = box((-0.5, -0.3, -0.15), (0.5, 0.3, 0.15))
    found = score_mesh(brick, truth_of(brick), KEY, SETTINGS)
    assert found["chamfer_l1"] == pytest.approx(0.5 * np.sqrt(2.16e-4), rel=0.03)


def test_points_are_scored_as_they_are() -> None:
    """One point at the middle of a unit square: 0 one way; the truth's mean distance from its
    centre is (sqrt 2 + asinh 1) / 6 = 0.3826, so Chamfer-L1 is half of that."""
    middle = Points(np.zeros((1, 3), np.float32))
    found = score_points(middle, truth_of(square(2, 0.0)), KEY, SETTINGS)
    assert found["accuracy"] < 0.005
    assert found["completeness"] == pytest.approx((np.sqrt(2) + np.arcsinh(1)) / 6, rel=0.005)
    with pytest.raises(NotAccepted, match="methods that predict points"):
        score_points(square(2, 0.0), truth_of(square(2, 0.0)), KEY, SETTINGS)
    for scorer in (score_mesh, score_iou, score_dvr):
        with pytest.raises(NotAccepted, match="needs a surface"):
            scorer(middle, truth_of(box((0, 0, 0), (1, 1, 1))), KEY, SETTINGS)


def test_a_set_of_points_is_its_own_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cloud with normals serves all; one without is refused where normals are compared."""
    monkeypatch.setattr(occupancy, "SAMPLES", 500)
    rng = np.random.default_rng(0)
    cloud = rng.uniform(-0.5, 0.5, (2000, 3)).astype(np.float32)
    cloud[:, 2] = 0
    up = np.tile(np.float32([0, 0, 2]), (2000, 1))
    truth = Truth(None, {}, KEY[0], points=cloud, normals=up)
    found = score_mesh(square(2, 0.1), truth, KEY, SETTINGS)
    assert found["normals"] == 1.0 and 0.1 < found["chamfer_l1"] < 0.11
    bare = Truth(None, {}, KEY[0], points=cloud)
    assert score_dvr(square(2, 0.1), bare, KEY, SETTINGS)["chamfer_l1"] == found["chamfer_l1"]
    with pytest.raises(NotAccepted, match="one of the clouds has none"):
        score_mesh(square(2, 0.1), bare, KEY, SETTINGS)


def test_voxels_become_meshes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occupancy, "SAMPLES", 2000)
    grid = np.zeros((32, 32, 32), np.float32)
    grid[4:28, 8:24, 12:20] = 1
    voxels = Voxels(grid, unit_cube_grid())
    truth = truth_of(box((4 / 32 - 0.5, -0.25, -0.125), (28 / 32 - 0.5, 0.25, 0.125)))
    # Corners are cut by marching cubes: a few thousandths of the volume.
    assert score_iou(voxels, truth, KEY, SETTINGS)["iou"] > 0.97
    assert score_mesh(voxels, truth, KEY, SETTINGS)["chamfer_l1"] < 0.02
    with pytest.raises(Unscorable, match="no cell"):
        score_iou(voxels, truth, KEY, {**SETTINGS, "threshold": 1.0})


def test_broken_truths_and_huge_predictions() -> None:
    with pytest.raises(Unscorable, match="contains no point"):
        score_iou(box((0, 0, 0), (1, 1, 1)), truth_of(square(1, 0.0)), KEY, SETTINGS)
    huge = box((0, 0, 0), (1e8, 1, 1))
    for scorer in (score_iou, score_mesh, score_dvr):
        with pytest.raises(Unscorable, match="beyond 1e6"):
            scorer(huge, truth_of(box((0, 0, 0), (1, 1, 1))), KEY, SETTINGS)
    with pytest.raises(Unscorable, match="beyond 1e6"):
        score_points(Points(huge.vertices), truth_of(square(1, 0.0)), KEY, SETTINGS)


def test_draws_are_keyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occupancy, "SAMPLES", 1000)
    brick = box((-0.5, -0.3, -0.15), (0.5, 0.3, 0.15))
    first = score_mesh(brick, truth_of(brick), KEY, SETTINGS)
    assert score_mesh(brick, truth_of(brick), KEY, SETTINGS) == first
    assert score_mesh(brick, truth_of(brick), (KEY[0], 1), SETTINGS) != first


def test_protocols_of_one_item_search_once(monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[Cloud] = []

    def counted(preds: Cloud, target: Cloud) -> Pair:
        searches.append(preds)
        return nearest_pair(preds, target)

    monkeypatch.setattr("benchbench.protocols.clouds.nearest_pair", counted)
    truth, preds = truth_of(box((0, 0, 0), (1, 1, 1))), box((0, 0, 0), (1, 1, 2))
    scorers = (score_mesh, score_dvr, score_deftet)
    alone = [scorer(preds, truth, ("a/b", 0), {}) for scorer in scorers]
    assert len(searches) == 3
    shared = {"memory": Memory()}
    assert [scorer(preds, truth, ("a/b", 0), shared) for scorer in scorers] == alone
    assert len(searches) == 4
