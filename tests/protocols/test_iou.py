"""Voxel IoU: against the originals' outputs, slow twins, and numbers done by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchbench.core.types import Mesh, Points, Voxels
from benchbench.evaluation.selftest_case import box
from benchbench.protocols.convert import (
    house_voxels,
    kato_grid,
    marching_cubes,
    nearest_cell,
    unit_cube_grid,
)
from benchbench.protocols.iou import (
    average_precision,
    grid_iou,
    kato_voxels,
    score_bench_iou,
    score_kato_iou,
    score_r2n2_iou,
    voxel_counts,
)
from benchbench.protocols.truth import NotAccepted, Truth, Unscorable

KEY = ("03001627/a", 0)
SETTINGS = {"threshold": 0.5, "grid": None, "seed": 0}


def kato_to_object(vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    """(X, Y, Z) = (-z, y, -x): a mirror, so the winding turns."""
    moved = np.stack([-vertices[:, 2], vertices[:, 1], -vertices[:, 0]], axis=1)
    return Mesh(moved.astype(np.float32), np.ascontiguousarray(faces[:, ::-1]))


def stored_to_object(grid: np.ndarray) -> np.ndarray:
    """object[X, Y, Z] = G[Y, 31 - Z, X], cell by cell."""
    out = np.zeros_like(grid)
    for x, y, z in np.ndindex(grid.shape):
        out[x, y, z] = grid[y, 31 - z, x]
    return out


def test_kato_iou_equals_the_original(shared: Path) -> None:
    """Model.evaluate_iou of the original on its own four meshes."""
    misc = np.load(shared / "oracles/kato/misc.npz")
    forward = np.load(shared / "oracles/kato/forward_full.npz")
    for n in range(4):
        mesh = kato_to_object(forward["vertices"][n], forward["faces"])
        predicted = stored_to_object(misc["evaluate_iou/voxels_predicted"][n])
        assert (kato_voxels(mesh) == predicted).all()
        grid = stored_to_object(misc["evaluate_iou/voxels_gt"][n]).astype(np.float32)
        truth = Truth(None, {"kato": Voxels(grid, kato_grid())}, KEY[0])
        score = score_kato_iou(mesh, truth, KEY, SETTINGS)
        assert score["iou"] == misc["evaluate_iou/iou"][n]  # to the last bit


def kato_box(low: tuple[float, ...], high: tuple[float, ...]) -> Mesh:
    """A box of the object frame between two corners in coordinates of Kato's cells."""
    return box(*(tuple((c - 16) / 31 for c in corner) for corner in (low, high)))


def kato_truth(*block: slice) -> Truth:
    grid = np.zeros((32, 32, 32), np.float32)
    grid[block] = 1
    return Truth(None, {"kato": Voxels(grid, kato_grid())}, KEY[0])


def test_kato_iou_by_hand() -> None:
    """A box from (2.5, 10.5, 20.5) to (5.5, 17.5, 30.5) marks every cell it touches: 2 to 5, 10 to
    17, 20 to 30, that is 4 x 8 x 11 = 352. The truth holds cells 2 to 5, 10 to 15, 18 to 25: 4 x 6
    x 8 = 192. Shared are 4 x 6 x 6 = 144, so IoU = 144 / (352 + 192 - 144) = 0.36."""
    truth = kato_truth(slice(2, 6), slice(10, 16), slice(18, 26))
    mesh = kato_box((2.5, 10.5, 20.5), (5.5, 17.5, 30.5))
    assert score_kato_iou(mesh, truth, KEY, SETTINGS) == {"iou": 0.36}
    same = kato_truth(slice(2, 6), slice(10, 18), slice(20, 31))
    assert score_kato_iou(mesh, same, KEY, SETTINGS) == {"iou": 1.0}
    # A soft grid is cut at the method's threshold, inclusive: 192 of 32^3 at 0.5, all at 0.25.
    soft = Voxels(np.maximum(truth.voxels["kato"].occupancy / 2, np.float32(0.25)), kato_grid())
    assert score_kato_iou(soft, truth, KEY, SETTINGS) == {"iou": 1.0}
    loose = score_kato_iou(soft, truth, KEY, {**SETTINGS, "threshold": 0.25})
    assert loose == {"iou": 192 / 32**3}


@pytest.mark.parametrize("axis", range(3))
def test_kato_iou_of_a_mesh_that_leaves_the_cube(axis: int) -> None:
    """A box of cells 8 to 23 across and from 8.5 to 40 along an axis: its far end is outside, so
    the outside flows in. Of 24 layers of 16 x 16 cells the first is a lid, the others are hollow
    by 14 x 14: 24 * 256 - 23 * 196 = 1636 cells of the 6144 that a solid one has."""
    far = [23.5, 23.5, 23.5]
    far[axis] = 40.0
    block = [slice(8, 24)] * 3
    block[axis] = slice(8, 32)
    mesh = kato_box((8.5, 8.5, 8.5), tuple(far))
    found = score_kato_iou(mesh, kato_truth(*block), KEY, SETTINGS)
    assert found == {"iou": 1636 / 6144}


def test_r2n2_counts_and_average_precision_equal_the_original(shared: Path) -> None:
    expected = np.load(shared / "oracles/r2n2/evaluate_expected.npz")
    probability, truth = expected["prob"], expected["gt"]
    for threshold, counts in zip(expected["thresholds"], expected["counts"], strict=True):
        occupied = probability >= np.float32(threshold)
        assert voxel_counts(occupied, truth) == tuple(counts.tolist())
    assert average_precision(probability, truth) == pytest.approx(float(expected["ap"]), abs=1e-12)
    stored = Truth(None, {"binvox": Voxels(truth.astype(np.float32), unit_cube_grid())}, KEY[0])
    scores = score_r2n2_iou(Voxels(probability, unit_cube_grid()), stored, KEY, SETTINGS)
    row = expected["counts"][expected["thresholds"].tolist().index(0.4)]
    assert scores["iou"] == row[1] / row[2]


def test_protocol_grids(shared: Path) -> None:
    """The soft grid of the protocols' reference: IoU at four thresholds."""
    grids = np.load(shared / "oracles/protocols/grids.npz")
    expected = json.loads((shared / "oracles/protocols/expected.json").read_text())["iou"]
    truth = np.unpackbits(grids["gt32"]).reshape(32, 32, 32).astype(bool)
    for threshold, value in expected["soft32 thresholds (>=)"].items():
        assert grid_iou(grids["soft32"] >= np.float32(threshold), truth) == pytest.approx(
            value, abs=1e-12
        )
    binary = np.unpackbits(grids["pred32"]).reshape(32, 32, 32).astype(bool)
    assert grid_iou(binary, truth) == pytest.approx(expected["cell centres 32"], abs=1e-12)


def test_average_precision_by_hand() -> None:
    """p .9 .8 .7 .7 .1 with hits 1 0 1 0 1: precision 1, then 2/4 at the tie, then 3/5."""
    p = np.array([0.9, 0.8, 0.7, 0.7, 0.1], np.float32)
    truth = np.array([1, 0, 1, 0, 1], bool)
    assert average_precision(p, truth) == pytest.approx(1 / 3 * (1 + 2 / 4 + 3 / 5))
    assert average_precision(p[::-1], truth[::-1]) == average_precision(p, truth)
    nothing = np.zeros(5, bool)
    assert average_precision(np.zeros(5, np.float32), nothing) == 1.0
    assert average_precision(p, nothing) == 0.0


def test_average_precision_equals_a_slow_twin() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        p = np.round(rng.random(40), 1).astype(np.float32)
        truth = rng.random(40) < 0.4
        truth[0] = True
        total, before = 0.0, 0.0
        for level in sorted(set(p.tolist()), reverse=True):
            taken = p >= np.float32(level)
            recall = (taken & truth).sum() / truth.sum()
            total += (recall - before) * (taken & truth).sum() / taken.sum()
            before = recall
        assert average_precision(p, truth) == pytest.approx(total, abs=1e-12)


def test_house_voxeliser_does_not_leak_at_the_border() -> None:
    """A cube of side 1 fills the whole grid; Kato's own voxeliser would leave it hollow."""
    cube = box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
    assert house_voxels(cube, unit_cube_grid()).all()
    # And shifted out by half: what is outside is not counted, what is inside is solid.
    half = box((0.0, -0.5, -0.5), (0.9, 0.5, 0.5))
    grid = house_voxels(half, unit_cube_grid())
    # The plane x = 0 lies on the border of cells 15 and 16 and marks both.
    assert grid[16:].all() and not grid[:15].any()


def test_asymmetric_object_lands_in_its_cells() -> None:
    """A box in one corner region: cells by hand, no axis exchanged or mirrored."""
    low, high = (2.5, 10.5, 20.5), (5.5, 17.5, 30.5)
    mesh = box(*(tuple((c - 16) / 32 for c in corner) for corner in (low, high)))
    grid = house_voxels(mesh, unit_cube_grid())
    expected = np.zeros((32, 32, 32), bool)
    expected[2:6, 10:18, 20:31] = True
    assert (grid == expected).all()
    kato_mesh = box(*(tuple((c - 16) / 31 for c in corner) for corner in (low, high)))
    assert (kato_voxels(kato_mesh) == expected).all()


def test_truth_is_the_sets_own_grid_where_there_is_no_mesh() -> None:
    mesh = box((-0.3, -0.2, -0.1), (0.3, 0.2, 0.1))
    for grid_to_object in (unit_cube_grid(), kato_grid()):
        grid = house_voxels(mesh, grid_to_object)
        truth = Truth(None, {"own": Voxels(grid.astype(np.float32), grid_to_object)}, KEY[0])
        assert score_bench_iou(mesh, truth, KEY, {**SETTINGS, "grid": "own"})["iou"] == 1.0
        voxels = Voxels(grid.astype(np.float32), grid_to_object)
        assert score_bench_iou(voxels, truth, KEY, {**SETTINGS, "grid": "own"})["iou"] == 1.0


def test_nearest_cell_by_hand() -> None:
    """A 2^3 grid read on a 4^3 one: each cell becomes eight; on a larger cube the rest is empty."""
    occupied = np.zeros((2, 2, 2), np.float32)
    occupied[1, 0, 1] = 0.6
    coarse = Voxels(occupied, unit_cube_grid(2))
    fine = nearest_cell(coarse, 0.6, unit_cube_grid(4), 4)
    assert fine.sum() == 8 and fine[2:, :2, 2:].all()
    assert not nearest_cell(coarse, 0.61, unit_cube_grid(4), 4).any()
    twice = unit_cube_grid(4)
    twice[:3] *= 2  # the cube [-1, 1]^3
    wide = nearest_cell(coarse, 0.5, twice, 4)
    assert wide.sum() == 1 and wide[2, 1, 2]


def test_threshold_is_inclusive_in_float32() -> None:
    grid = np.full((2, 2, 2), 0.4, np.float32)
    assert nearest_cell(Voxels(grid, unit_cube_grid(2)), 0.4, unit_cube_grid(2), 2).all()


def test_two_empty_grids_give_one_and_one_gives_zero() -> None:
    none, one = np.zeros((2, 2, 2), bool), np.ones((2, 2, 2), bool)
    assert grid_iou(none, none) == 1.0
    assert grid_iou(none, one) == grid_iou(one, none) == 0.0


def test_what_is_not_accepted() -> None:
    grid = Voxels(np.ones((32, 32, 32), np.float32), unit_cube_grid())
    truth = Truth(None, {"kato": Voxels(grid.occupancy, kato_grid()), "binvox": grid}, KEY[0])
    points = Points(np.zeros((4, 3), np.float32))
    for scorer in (score_bench_iou, score_kato_iou, score_r2n2_iou):
        with pytest.raises(NotAccepted, match="clouds of points"):
            scorer(points, truth, KEY, SETTINGS)
    with pytest.raises(NotAccepted, match="only on Kato's own"):
        score_kato_iou(grid, truth, KEY, SETTINGS)
    with pytest.raises(NotAccepted, match="only on the grid of ShapeNetVox32"):
        score_r2n2_iou(Voxels(grid.occupancy, kato_grid()), truth, KEY, SETTINGS)
    coarse = Voxels(np.ones((16, 16, 16), np.float32), unit_cube_grid(16))
    with pytest.raises(NotAccepted):
        score_r2n2_iou(coarse, truth, KEY, SETTINGS)


def test_absurd_coordinates_are_no_shape() -> None:
    truth = Truth(box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5)), {}, KEY[0])
    for size in (2e6, 1e30, 3e38):
        huge = box((-size, -size, -size), (size, size, size))
        with pytest.raises(Unscorable, match="beyond 1e6") as caught:
            score_bench_iou(huge, truth, KEY, SETTINGS)
        assert caught.value.status == "invalid"


def test_marching_cubes_by_hand() -> None:
    """A block of cells 8..23: the surface p = 0.5 lies between centres, on the cells' border."""
    grid = np.zeros((32, 32, 32), np.float32)
    grid[8:24, 8:24, 4:8] = 1
    mesh = marching_cubes(Voxels(grid, unit_cube_grid()), 0.5)
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    assert np.allclose(low, [8 / 32 - 0.5, 8 / 32 - 0.5, 4 / 32 - 0.5], atol=1e-6)
    assert np.allclose(high, [24 / 32 - 0.5, 24 / 32 - 0.5, 8 / 32 - 0.5], atol=1e-6)
    corners = mesh.vertices.astype(np.float64)[mesh.faces]
    volume = np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert 0.95 < volume / (16 * 16 * 4 / 32**3) <= 1.0  # outward, corners cut
    # A mirrored grid keeps the winding outward.
    mirror = unit_cube_grid() * [[-1], [1], [1], [1]]
    corners = marching_cubes(Voxels(grid, mirror), 0.5)
    corners = corners.vertices.astype(np.float64)[corners.faces]
    assert np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) > 0
    # A full grid is closed by the padding; an empty one has no surface.
    full = marching_cubes(Voxels(np.ones((4, 4, 4), np.float32), unit_cube_grid(4)), 0.5)
    assert np.allclose(np.abs(full.vertices).max(), 0.5)
    for empty in (0.0, 0.5):
        with pytest.raises(Unscorable, match="no cell"):
            marching_cubes(Voxels(np.full((4, 4, 4), empty, np.float32), unit_cube_grid(4)), 0.5)
