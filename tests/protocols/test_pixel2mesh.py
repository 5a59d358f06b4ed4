"""Pixel2Mesh, Mesh R-CNN and GEOMetrics: units by hand, the reference clouds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchbench.core.types import Mesh, Points, Voxels
from benchbench.evaluation.selftest_case import box, square
from benchbench.protocols import pixel2mesh
from benchbench.protocols.clouds import Cloud, Pair, harmonic, nearest_pair
from benchbench.protocols.convert import unit_cube_grid
from benchbench.protocols.pixel2mesh import (
    GT10_THRESHOLDS,
    gt10_scale,
    meshrcnn_scores,
    p2m_scores,
    score_geometrics,
    score_meshrcnn_gt10,
    score_meshrcnn_p2m,
    score_p2m,
    unit_scale,
)
from benchbench.protocols.truth import NotAccepted, Truth, Unscorable

KEY = ("03001627/a", 0)
SETTINGS = {"threshold": 0.5, "grid": None, "seed": 0}
QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
HALF_QUARTER = np.array([[1, -1, 0], [1, 1, 0], [0, 0, 2**0.5]]) / 2**0.5


def test_reference_pixel2mesh(
    expected: dict[str, Any], pair: Pair, arrays: dict[str, np.ndarray], target: Cloud
) -> None:
    """Samples and vertices of the ellipsoid, coordinates times 0.57."""
    chamfer, fscore = expected["chamfer"], expected["fscore"]
    found = p2m_scores(pair, 0.57)
    assert found["chamfer"] == pytest.approx(chamfer["p2m on sampled clouds: raw"], rel=2e-6)
    vertices = p2m_scores(nearest_pair(Cloud(arrays["pred_vertices"]), target), 0.57)
    name = "p2m on mesh vertices (clouds.pred_vertices): x1000"
    assert 1000 * vertices["chamfer"] == pytest.approx(chamfer[name], rel=2e-6)
    for key, tau in (("tau", "0.0001"), ("2tau", "0.0002")):
        for scores, what in ((found, "sampled"), (vertices, "vertices")):
            value = fscore[f"p2m {what} tau={tau} percent"][2]
            assert 100 * scores[f"fscore@{key}"] == pytest.approx(value, rel=1e-6)


def test_reference_meshrcnn(
    expected: dict[str, Any], pair: Pair, preds: Cloud, target: Cloud
) -> None:
    """The box's longest edge is 1, so the scale is 10."""
    found = meshrcnn_scores(pair, preds, target, 10.0, GT10_THRESHOLDS)
    name = "meshrcnn-gt10 Chamfer-L2 (gt mesh box, axis-aligned frame)"
    assert found["chamfer"] == pytest.approx(expected["chamfer"][name], rel=2e-6)
    for threshold in ("0.1", "0.3", "0.5"):
        value = expected["fscore"][f"meshrcnn-gt10 t={threshold} percent"][2]
        assert 100 * found[f"fscore@{threshold}"] == pytest.approx(value, rel=1e-6)
    normals = expected["normals"]
    assert found["normals"] == pytest.approx(normals["signed"], rel=1e-5)
    assert preds.normals is not None
    flipped = Cloud(preds.points, -preds.normals)
    turned = meshrcnn_scores(pair, flipped, target, 10.0, GT10_THRESHOLDS)
    assert turned["normals"] == pytest.approx(normals["signed with pred flipped"], rel=1e-5)
    assert turned["abs_normals"] == found["abs_normals"]


def test_reference_geometrics(expected: dict[str, Any], pair: Pair) -> None:
    precision, recall, fscore = expected["fscore"]["geometrics .57 unsq 1e-2"]
    hits = pair.hits(1e-2, strict=False, scale=0.57)
    assert (*hits, harmonic(*hits)) == pytest.approx((precision, recall, fscore), abs=1e-12)


def test_pixel2mesh_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A truth of two points 1 apart: diagonal 1, so 0.57 units. One predicted point 0.02 beside the
    first: 0.0114 units, squared 1.2996e-4; the second is 0.57^2 (1 + 0.0004) away. F: 1.2996e-4 is
    above tau and below 2 tau: P = 1, R = 1/2, F = 2/3."""
    truth = Truth(None, {}, KEY[0], points=np.array([[0, 0, 0], [1, 0, 0]], np.float32))
    assert unit_scale(truth) == pytest.approx(0.57)
    near = Points(np.array([[0, 0.02, 0]], np.float32))
    found = score_p2m(near, truth, KEY, SETTINGS)
    square_ = 0.57**2
    expected = square_ * 0.0004 + square_ * (0.0004 + 1.0004) / 2
    assert found["chamfer"] == pytest.approx(expected, rel=1e-6)
    assert found["fscore@tau"] == 0.0
    assert found["fscore@2tau"] == pytest.approx(2 / 3, rel=1e-6)


def test_geometrics_by_hand() -> None:
    """A truth of two points 1 apart: diagonal 1, so 0.57 units. Of three predicted points one is
    0.017 from the first, 0.00969 units, below 0.01; one is 0.018 from the second, 0.01026, above;
    one is far. P = 1/3, R = 1/2, F = 2 (1/3) (1/2) / (1/3 + 1/2) = 0.4. Without the 0.57 nothing
    is near; on squared distances, both are."""
    truth = Truth(None, {}, KEY[0], points=np.array([[0, 0, 0], [1, 0, 0]], np.float32))
    cloud = np.array([[0, 0.017, 0], [1, 0.018, 0], [1, 0.5, 0]], np.float32)
    found = score_geometrics(Points(cloud), truth, KEY, SETTINGS)
    assert found == {"fscore": pytest.approx(0.4, rel=1e-12)}
    # Both within: P = 2/3, R = 1, F = 4/5.
    cloud[1, 1] = 0.017
    found = score_geometrics(Points(cloud), truth, KEY, SETTINGS)
    assert found == {"fscore": pytest.approx(0.8, rel=1e-12)}


def test_geometrics_of_a_surface() -> None:
    """A unit square against itself, both of 2,466 samples. Its diagonal is sqrt 2, so 0.01 units
    are the radius 0.01 sqrt 2 / 0.57 = 0.02481. Away from the border a point's neighbours within
    are Poisson of mean 2466 pi 0.02481^2 = 4.769: it has one with 1 - exp(-4.769) = 0.9915. Along
    the border, of 4 sides 0.0248 wide, up to half of the disc is outside: at worst, with half of
    the disc, 1 - exp(-2.38) = 0.9078 on the strip's share 0.0968. F lies between 0.983 and 0.9915,
    give or take three standard errors of 0.002."""
    flat = square(2, 0.0)
    found = score_geometrics(flat, Truth(flat, {}, KEY[0]), KEY, SETTINGS)["fscore"]
    assert 0.983 - 0.006 < found < 0.9915 + 0.006


def test_vertices_are_those_that_faces_use() -> None:
    """A square of four vertices against itself: the truth's points are up to 0.5 from a corner;
    a fifth vertex that no face uses does not count."""
    flat = square(2, 0.0)
    stray = Mesh(np.vstack([flat.vertices, [[0, 0, 0]]]).astype(np.float32), flat.faces)
    truth = Truth(flat, {}, KEY[0])
    found = score_p2m(flat, truth, KEY, SETTINGS)
    assert score_p2m(stray, truth, KEY, SETTINGS) == found
    # Mean squared distance to the nearest corner: 2 * 1/12 of side 1, in units 0.57 / sqrt 2. The
    # way back, from a corner to the nearest of 10,000 points, adds 1e-4.
    assert found["chamfer"] == pytest.approx(0.57**2 / 2 / 6, rel=0.02)
    used = Points(flat.vertices)
    assert score_p2m(used, truth, KEY, SETTINGS)["chamfer"] == found["chamfer"]


def test_the_unit_is_the_truths() -> None:
    """Truth and prediction twice as large: the same number. Only the prediction: another."""
    brick, other = box((0, 0, 0), (1, 0.6, 0.3)), box((0, 0, 0), (0.9, 0.6, 0.3))

    def grown(mesh: Mesh) -> Mesh:
        return Mesh(mesh.vertices * np.float32(2), mesh.faces)

    for scorer in (score_p2m, score_meshrcnn_gt10, score_meshrcnn_p2m, score_geometrics):
        first = scorer(other, Truth(brick, {}, KEY[0]), KEY, SETTINGS)
        second = scorer(grown(other), Truth(grown(brick), {}, KEY[0]), KEY, SETTINGS)
        assert second == pytest.approx(first, rel=1e-5, abs=1e-9)
        assert scorer(grown(other), Truth(brick, {}, KEY[0]), KEY, SETTINGS) != first


def test_gt10_scale_by_hand() -> None:
    """A square of side 1 across z: 10. Turned by 45 degrees its box has side sqrt 2: 10 / sqrt 2.
    Its diagonal is sqrt 2 in any frame."""
    truth = Truth(square(2, 0.0), {}, KEY[0], turn=lambda view: (QUARTER, HALF_QUARTER)[view])
    assert gt10_scale(truth, 0) == pytest.approx(10)
    assert gt10_scale(truth, 1) == pytest.approx(10 / 2**0.5)
    assert gt10_scale(truth, -1) == gt10_scale(Truth(square(2, 0.0), {}, "a"), 1) == 10
    assert unit_scale(truth) == pytest.approx(0.57 / 2**0.5)


def test_meshrcnn_parallel_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Squares h = 0.02 apart: 0.2 in the unit of gt10, so s1 + s2 = 2 (0.04 + 100 r^2) with mean
    r^2 = 1 / (pi 10,000); F is 0 at 0.2 and 1 at 0.3. The other winding has normals -1."""
    truth = Truth(square(2, 0.0), {}, KEY[0])
    found = score_meshrcnn_gt10(square(2, 0.02), truth, KEY, SETTINGS)
    assert found["chamfer"] == pytest.approx(2 * (0.04 + 100 / (np.pi * 1e4)), rel=0.01)
    assert found["fscore@0.2"] == 0.0 and found["fscore@0.3"] == pytest.approx(1.0)
    assert found["abs_normals"] == 1.0 and found["normals"] == 1.0
    flat = square(2, 0.02)
    back = Mesh(flat.vertices, np.ascontiguousarray(flat.faces[:, ::-1]))
    assert score_meshrcnn_gt10(back, truth, KEY, SETTINGS)["normals"] == -1.0
    # In Pixel2Mesh's units h is 0.02 * 0.57 / sqrt 2 = 0.00806: below 0.01.
    small = score_meshrcnn_p2m(square(2, 0.02), truth, KEY, SETTINGS)
    ratio = (0.57 / 2**0.5 / 10) ** 2
    assert small["chamfer"] == pytest.approx(found["chamfer"] * ratio, rel=1e-6)
    assert set(small) == {"chamfer", "abs_normals", "normals", "fscore@0.01", "fscore@0.014142"}


def test_counts_are_the_papers() -> None:
    assert pixel2mesh.MESHRCNN_SAMPLES == 10_000 and pixel2mesh.GEOMETRICS_SAMPLES == 2466
    assert pixel2mesh.P2M_THRESHOLDS == {"tau": 1e-4, "2tau": 2e-4}


def test_kinds_and_broken_things() -> None:
    truth = Truth(box((0, 0, 0), (1, 1, 1)), {}, KEY[0])
    points = Points(np.full((5, 3), 0.5, np.float32))
    for scorer in (score_meshrcnn_gt10, score_meshrcnn_p2m):
        with pytest.raises(NotAccepted, match="needs a surface"):
            scorer(points, truth, KEY, SETTINGS)
    assert score_geometrics(points, truth, KEY, SETTINGS) == {"fscore": 0.0}
    grid = np.zeros((32, 32, 32), np.float32)
    grid[16:, 16:, 16:] = 1
    half = Voxels(grid, unit_cube_grid())
    for scorer in (score_p2m, score_meshrcnn_gt10, score_meshrcnn_p2m, score_geometrics):
        assert scorer(half, truth, KEY, SETTINGS)
        with pytest.raises(Unscorable, match="beyond 1e6"):
            scorer(box((0, 0, 0), (1e8, 1, 1)), truth, KEY, SETTINGS)
    dot = Truth(None, {}, KEY[0], points=np.ones((4, 3), np.float32))
    with pytest.raises(Unscorable, match="no extent"):
        score_p2m(points, dot, KEY, SETTINGS)
