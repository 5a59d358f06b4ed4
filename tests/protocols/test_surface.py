"""Surface distances: by hand, against brute force, and what must not matter."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch

from benchbench.core.types import Mesh, Points, Voxels
from benchbench.evaluation.selftest_case import box, square
from benchbench.protocols import surface
from benchbench.protocols.convert import unit_cube_grid
from benchbench.protocols.surface import (
    compare,
    sampled_surface,
    score_surface,
    score_voxel_surface,
)
from benchbench.protocols.truth import NotAccepted, Truth, Unscorable

KEY = ("03001627/a", 7)
SETTINGS = {"threshold": 0.5, "grid": None, "seed": 0}
CUBE = box((-0.5, -0.3, -0.2), (0.5, 0.3, 0.2))


def truth_of(mesh: Mesh) -> Truth:
    return Truth(mesh, {}, KEY[0])


def test_the_protocol_is_what_it_says() -> None:
    assert surface.SAMPLES == 30_000 and surface.F_RADIUS == 0.01 and surface.SEED == 0


def test_a_truth_against_itself_is_perfect() -> None:
    for mesh in (CUBE, square(1, 0.3)):
        scores = score_surface(mesh, truth_of(mesh), KEY, SETTINGS)
        assert scores["chamfer"] < 1e-4
        assert scores["fscore"] == 1.0 and scores["normals"] > 0.9999


def test_parallel_squares() -> None:
    """Unit squares h apart: every distance is h, so 100 h; F is 1 up to h = 0.01 and then 0."""
    for h, fscore in ((0.1, 0.0), (0.0099, 1.0), (0.0101, 0.0), (0.005, 1.0)):
        scores = score_surface(square(2, h), truth_of(square(2, 0.0)), KEY, SETTINGS)
        assert scores["chamfer"] == pytest.approx(100 * h, abs=1e-4)
        assert scores["fscore"] == fscore and scores["normals"] == pytest.approx(1.0)


def test_the_longest_truth_edge_is_the_unit() -> None:
    """Scaling truth and prediction together changes nothing, scaling one does."""
    small = score_surface(square(2, 0.1), truth_of(square(2, 0.0)), KEY, SETTINGS)
    grown = [Mesh(m.vertices * np.float32(4), m.faces) for m in (square(2, 0.1), square(2, 0.0))]
    large = score_surface(grown[0], truth_of(grown[1]), KEY, SETTINGS)
    assert large["chamfer"] == pytest.approx(small["chamfer"], abs=1e-4)
    # A vertex that no face uses does not belong to the truth's box.
    stray = Mesh(np.vstack([square(2, 0.0).vertices, [[9, 9, 9]]]).astype(np.float32),
                 square(2, 0.0).faces)  # fmt: skip
    assert score_surface(square(2, 0.1), truth_of(stray), KEY, SETTINGS) == small


def test_against_brute_force_in_float64() -> None:
    """The same samples, distances to every triangle by plain float64 formulas."""
    rng = np.random.default_rng(5)
    corners = rng.normal(size=(30, 3)).astype(np.float32) * np.float32(0.3)
    wild = Mesh(corners, rng.permutation(30).reshape(10, 3).astype(np.int32))
    preds, target = sampled_surface(wild, "p", 300), sampled_surface(CUBE, "t", 300)
    scores = compare(preds, target)
    d_preds = [to_triangles(p, CUBE) for p in preds.points]
    d_target = [to_triangles(p, wild) for p in target.points]
    expected = 100 * (np.mean(d_preds) + np.mean(d_target)) / 2
    assert scores["chamfer"] == pytest.approx(expected, rel=1e-5)
    hits_p, hits_r = np.mean(np.array(d_preds) <= 0.01), np.mean(np.array(d_target) <= 0.01)
    both = hits_p + hits_r
    assert scores["fscore"] == pytest.approx(2 * hits_p * hits_r / both if both else 0.0)


def to_triangles(point: np.ndarray, mesh: Mesh) -> float:
    """Distance to the nearest triangle: inside by projection, else to the three segments."""
    best = np.inf
    p = point.astype(np.float64)
    for face in mesh.faces:
        a, b, c = mesh.vertices[face].astype(np.float64)
        normal = np.cross(b - a, c - a)
        normal /= np.linalg.norm(normal)
        foot = p - np.dot(p - a, normal) * normal
        inside = all(
            np.dot(np.cross(v - u, foot - u), normal) >= 0 for u, v in ((a, b), (b, c), (c, a))
        )
        if inside:
            best = min(best, abs(np.dot(p - a, normal)))
        for u, v in ((a, b), (b, c), (c, a)):
            t = np.clip(np.dot(p - u, v - u) / np.dot(v - u, v - u), 0, 1)
            best = min(best, float(np.linalg.norm(p - u - t * (v - u))))
    return best


def test_scores_do_not_depend_on_history_or_threads() -> None:
    prediction = box((-0.5, -0.25, -0.2), (0.45, 0.3, 0.2))
    first = score_surface(prediction, truth_of(CUBE), KEY, SETTINGS)
    truth = truth_of(CUBE)
    score_surface(CUBE, truth, ("03001627/b", 3), SETTINGS)
    assert score_surface(prediction, truth, KEY, SETTINGS) == first
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert score_surface(prediction, truth_of(CUBE), KEY, SETTINGS) == first
    finally:
        torch.set_num_threads(threads)
    # Another view or object draws other points: nearly the same number, not the same bits.
    other = score_surface(prediction, truth_of(CUBE), (KEY[0], 8), SETTINGS)
    assert other != first and other["chamfer"] == pytest.approx(first["chamfer"], rel=0.05)


def test_the_truths_points_depend_on_the_object_alone() -> None:
    a, b = truth_of(CUBE), truth_of(CUBE)
    score_surface(CUBE, a, (KEY[0], 0), SETTINGS)
    score_surface(square(0, 0.1), b, (KEY[0], 9), SETTINGS)

    def target(truth: Truth) -> surface.Surface:
        key = ("surface", surface.SEED, surface.SAMPLES)
        found = truth.remember(key, lambda: None)
        assert found is not None  # remembered, not made now
        return cast(surface.Surface, found)

    one, two = target(a), target(b)
    assert (one.points == two.points).all()


def test_winding_does_not_matter() -> None:
    flipped = Mesh(CUBE.vertices, np.ascontiguousarray(CUBE.faces[:, ::-1]))
    assert score_surface(flipped, truth_of(CUBE), KEY, SETTINGS)["normals"] > 0.99


def test_triangles_without_area_are_ignored() -> None:
    extra = Mesh(
        CUBE.vertices, np.vstack([CUBE.faces, [[0, 0, 1], [2, 2, 2], [3, 5, 3]]]).astype(np.int32)
    )
    clean = score_surface(CUBE, truth_of(CUBE), KEY, SETTINGS)
    assert score_surface(extra, truth_of(CUBE), KEY, SETTINGS) == clean
    flat = Mesh(CUBE.vertices, np.array([[0, 0, 1], [2, 2, 2]], np.int32))
    with pytest.raises(Unscorable, match="no triangle") as caught:
        score_surface(flat, truth_of(CUBE), KEY, SETTINGS)
    assert caught.value.status == "empty"


def test_hostile_meshes_are_refused_not_scored() -> None:
    with pytest.raises(Unscorable, match="1e6"):
        score_surface(box((0, 0, 0), (1e20, 1, 1)), truth_of(CUBE), KEY, SETTINGS)
    with pytest.raises(NotAccepted, match="no triangles"):
        score_surface(Points(np.zeros((3, 3), np.float32)), truth_of(CUBE), KEY, SETTINGS)


def test_a_far_prediction_costs_its_true_distance() -> None:
    """Not capped: a square 50 away costs 5000, more than a missing one."""
    scores = score_surface(square(2, 50.0), truth_of(square(2, 0.0)), KEY, SETTINGS)
    assert scores["chamfer"] == pytest.approx(5000, rel=1e-4)


def test_voxels_become_meshes_at_the_threshold() -> None:
    grid = np.zeros((32, 32, 32), np.float32)
    grid[:, 7:25, 10:22] = 0.7
    grid[:, 5:7, 10:22] = 0.3
    truth = truth_of(box((-0.5, 7 / 32 - 0.5, 10 / 32 - 0.5), (0.5, 25 / 32 - 0.5, 22 / 32 - 0.5)))
    at_half = score_surface(Voxels(grid, unit_cube_grid()), truth, KEY, SETTINGS)
    loose = score_surface(
        Voxels(grid, unit_cube_grid()), truth, KEY, {**SETTINGS, "threshold": 0.2}
    )
    assert at_half["chamfer"] < 1.0 < loose["chamfer"]
    with pytest.raises(Unscorable, match="no cell"):
        score_surface(Voxels(grid, unit_cube_grid()), truth, KEY, {**SETTINGS, "threshold": 0.8})


def test_voxel_surface_by_hand() -> None:
    """A grid of one cell: the surface at 0.5 is an octahedron with its corners 0.5 from the middle,
    longest edge 1. The prediction is its upper half alone, four of eight faces of height
    0.5 sqrt 1.5 = 0.61237. From there every distance is 0. A point of a lower face is nearest to
    the edge that it shares with an upper one, so far as it lies below: a third of the height on
    average, 0.20412. Chamfer: 100 (0 + 0.20412 / 2) / 2 = 5.1031. F: P = 1; a lower point is within
    0.01 with the share 1 - (1 - 0.01 / 0.61237)^2 = 0.03239, R = (1 + 0.03239) / 2 = 0.51620 and
    F = 2 R / (1 + R) = 0.68091. Upper and lower normals (1, 1, 1) and (1, 1, -1) have the cosine
    1/3: (1 + (1 + 1/3) / 2) / 2 = 5/6."""
    cell = Voxels(np.ones((1, 1, 1), np.float32), unit_cube_grid(1))
    truth = Truth(None, {"binvox": cell}, KEY[0])
    corners = [(0.5, 0, 0), (0, 0.5, 0), (-0.5, 0, 0), (0, -0.5, 0), (0, 0, 0.5)]
    upper = [(0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)]
    half = Mesh(np.array(corners, np.float32), np.array(upper, np.int32))
    found = score_voxel_surface(half, truth, KEY, {**SETTINGS, "grid": "binvox"})
    # Four standard errors of 30,000 samples: distances vary by 0.14, shares by 0.5.
    assert found["chamfer"] == pytest.approx(5.1031, abs=4 * 50 * 0.14 / 30_000**0.5)
    assert found["fscore"] == pytest.approx(0.68091, abs=4 * 0.5 / 30_000**0.5)
    assert found["normals"] == pytest.approx(5 / 6, abs=4 / 6 / 30_000**0.5)
    # At the threshold 0.5 the prediction's own cell is the truth; at 0.75 its corners are 0.25
    # from the middle, and faces of height 0.5 / sqrt 3 are 0.14434 apart: no distance is less.
    same = score_voxel_surface(cell, truth, KEY, SETTINGS)
    assert same["chamfer"] < 1e-4 and same["fscore"] == 1.0
    small = score_voxel_surface(cell, truth, KEY, {**SETTINGS, "threshold": 0.75})
    assert small["chamfer"] > 14.43 and small["fscore"] == 0.0


def test_voxel_surface_takes_the_sets_own_grid() -> None:
    grid = np.zeros((32, 32, 32), np.float32)
    grid[4:28, 8:20, 12:20] = 1
    own = Voxels(grid, unit_cube_grid())
    truth = Truth(None, {"other": Voxels(1 - grid, unit_cube_grid()), "binvox": own}, KEY[0])
    scores = score_voxel_surface(own, truth, KEY, {**SETTINGS, "grid": "binvox"})
    assert scores["chamfer"] < 1e-4 and scores["fscore"] == 1.0
    # The true box differs from the surface of its voxels only where corners are cut.
    solid = box((4 / 32 - 0.5, 8 / 32 - 0.5, 12 / 32 - 0.5), (28 / 32 - 0.5, 20 / 32 - 0.5, 0.125))
    near = score_voxel_surface(solid, truth, KEY, {**SETTINGS, "grid": "binvox"})
    assert 0 < near["chamfer"] < 0.2
