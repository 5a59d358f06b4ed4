"""Voxel IoU of the followers: thresholds by hand, the reference grids, the exact voxeliser."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchbench.core.types import Mesh, Points, Voxels
from benchbench.cuda_ops.reference.separating_axis import separating_axis
from benchbench.evaluation.selftest_case import box
from benchbench.protocols.convert import unit_cube_grid
from benchbench.protocols.grids import (
    score_dibr_house,
    score_lsm,
    score_matryoshka,
    score_pix2vox,
    score_ptn,
    score_vpl,
)
from benchbench.protocols.iou import kato_voxels
from benchbench.protocols.separating_axis import fill, separating_axis_voxels
from benchbench.protocols.truth import NotAccepted, Truth, Unscorable

KEY = ("03001627/a", 0)
GRID = unit_cube_grid()


def settings(threshold: float = 0.5) -> dict[str, object]:
    return {"threshold": threshold, "grid": "binvox", "seed": 0}


def stored(grid: np.ndarray) -> Truth:
    return Truth(None, {"binvox": Voxels(grid.astype(np.float32), GRID)}, KEY[0])


def steps() -> tuple[Voxels, Truth]:
    """Eight rows of 32 cells with p = 0.1, 0.2, ... 0.8; the truth is the last four rows."""
    p = np.zeros((32, 32, 32), np.float32)
    for row in range(8):
        p[row, 0] = np.float32((row + 1) / 10)
    target = np.zeros_like(p)
    target[4:8, 0] = 1
    return Voxels(p, GRID), stored(target)


def test_pix2vox_by_hand() -> None:
    """Rows with p >= 0.2, 0.3, 0.4, 0.5 are 7, 6, 5, 4; four of them are right: 4/7 ... 4/4."""
    found = score_pix2vox(*steps(), KEY, settings())
    assert found == {"iou@0.2": 4 / 7, "iou@0.3": 4 / 6, "iou@0.4": 4 / 5, "iou@0.5": 1.0}


def test_lsm_and_ptn_are_strict() -> None:
    """p > 0.4 leaves rows 0.5 to 0.8, all right: 1. p > 0.5 leaves three of four: 3/4."""
    assert score_lsm(*steps(), KEY, settings()) == {"iou": 1.0}
    assert score_ptn(*steps(), KEY, settings()) == {"iou": 0.75}


def test_matryoshka_cuts_at_the_methods_threshold() -> None:
    """p >= 0.7 leaves two rows of four: 1/2; a grid of 0 and 1 does not mind the threshold."""
    assert score_matryoshka(*steps(), KEY, settings(0.7)) == {"iou": 0.5}
    binary = Voxels((steps()[0].occupancy > 0.6).astype(np.float32), GRID)
    for threshold in (0.1, 0.9):
        assert score_matryoshka(binary, steps()[1], KEY, settings(threshold)) == {"iou": 0.5}


def test_reference_grids(shared: Path) -> None:
    """The soft grid of the specification at its four thresholds."""
    grids = np.load(shared / "oracles/protocols/grids.npz")
    expected = json.loads((shared / "oracles/protocols/expected.json").read_text())["iou"]
    truth = stored(np.unpackbits(grids["gt32"]).reshape(32, 32, 32))
    found = score_pix2vox(Voxels(grids["soft32"], GRID), truth, KEY, settings())
    for threshold, value in expected["soft32 thresholds (>=)"].items():
        assert found[f"iou@{threshold}"] == pytest.approx(value, abs=1e-12)
    binary = Voxels(np.unpackbits(grids["pred32"]).reshape(32, 32, 32).astype(np.float32), GRID)
    for scorer in (score_lsm, score_ptn, score_matryoshka):
        iou = scorer(binary, truth, KEY, settings())["iou"]
        assert iou == pytest.approx(expected["cell centres 32"], abs=1e-12)


def cells(low: tuple[float, ...], high: tuple[float, ...]) -> Mesh:
    """A box between two corners in cell coordinates of the unit cube's 32^3 grid."""
    return box(*(tuple((c - 16) / 32 for c in corner) for corner in (low, high)))  # type: ignore[arg-type]


def test_vpl_by_hand() -> None:
    """A box from cell coordinate 8.5 to 23.5 covers cells 8 to 23; on 8 to 24 touching counts, so
    7 to 24: 16^3 / 18^3."""
    target = np.zeros((32, 32, 32), bool)
    target[8:24, 8:24, 8:24] = True
    truth = stored(target)
    inside = cells((8.5,) * 3, (23.5,) * 3)
    assert score_vpl(inside, truth, KEY, settings()) == {"iou": 1.0}
    exact = cells((8.0,) * 3, (24.0,) * 3)
    assert score_vpl(exact, truth, KEY, settings()) == {"iou": 16**3 / 18**3}
    half = Voxels(target.astype(np.float32) * np.float32(0.5), GRID)
    assert score_vpl(half, truth, KEY, settings(0.5)) == {"iou": 1.0}
    assert score_vpl(half, truth, KEY, settings(0.6)) == {"iou": 0.0}


def test_exact_voxels_of_an_asymmetric_box() -> None:
    grid = separating_axis_voxels(cells((2.5, 10.5, 20.5), (5.5, 17.5, 30.5)), GRID)
    expected = np.zeros((32, 32, 32), bool)
    expected[2:6, 10:18, 20:31] = True
    assert (grid == expected).all()


def test_exact_voxels_scale_and_fill_what_triangles_meet() -> None:
    """The object frame's unit cube is the grid: +0.5, times 8, in float32."""
    rng = np.random.default_rng(2)
    corners = rng.uniform(-0.6, 0.6, (30, 3)).astype(np.float32)
    faces = np.arange(30, dtype=np.int32).reshape(10, 3)
    grid = separating_axis_voxels(Mesh(corners, faces), unit_cube_grid(8), 8)
    scaled = ((corners.astype(np.float64) + 0.5) * 8).astype(np.float32).astype(np.float64)
    surface = separating_axis(scaled.reshape(10, 3, 3), 8)
    assert 0 < surface.sum() < 8**3
    assert (grid == fill(surface)).all()


def test_closed_solids_have_katos_cells_on_katos_scale() -> None:
    """The specification measured IoU 1 on closed meshes that do not lie on cell borders."""
    rng = np.random.default_rng(4)
    for _ in range(5):
        low, high = rng.uniform(1.1, 9.9, 3), rng.uniform(20.1, 30.9, 3)
        kato = box(*(tuple((c - 16) / 31) for c in (low, high)))  # type: ignore[arg-type]
        ours = box(*(tuple((c - 16) / 32) for c in (low, high)))  # type: ignore[arg-type]
        assert (separating_axis_voxels(ours, GRID) == kato_voxels(kato)).all()


def test_degenerate_huge_and_outside_triangles() -> None:
    """A point marks its cell, a segment its row, a triangle outside or around everything none."""
    one = np.array([[0, 1, 2]], np.int32)
    point = Mesh(np.full((3, 3), 0.01, np.float32), one)
    assert np.argwhere(separating_axis_voxels(point, GRID)).tolist() == [[16, 16, 16]]
    line = np.full((3, 3), 0.01, np.float32)
    line[:, 0] = [-0.49, 0.0, 0.49]
    assert np.argwhere(separating_axis_voxels(Mesh(line, one), GRID))[:, 0].tolist() == [*range(32)]
    assert not separating_axis_voxels(Mesh(line + np.float32(2), one), GRID).any()
    huge = np.array([[-9e5, -9e5, 0.01], [9e5, -9e5, 0.01], [0, 9e5, 0.01]], np.float32)
    assert separating_axis_voxels(Mesh(huge, one), GRID).sum() == 32 * 32
    with pytest.raises(Unscorable, match="beyond 1e6"):
        separating_axis_voxels(Mesh(huge * np.float32(2), one), GRID)


def test_dibr_house_by_hand() -> None:
    """The truth has side 2 at a place of its own: in the grid it has side 0.9, cells 1.6 to 30.4,
    so 1 to 30. Moved by 3 cells, 3 of 30 layers go out: 27 / 33."""
    truth = Truth(box((1, 1, 1), (3, 3, 3)), {}, KEY[0])
    same = score_dibr_house(box((1, 1, 1), (3, 3, 3)), truth, KEY, settings())["iou"]
    assert same == pytest.approx(1.0, abs=1e-10)
    cell = 2 / 0.9 / 32
    moved = box((1 - 3 * cell, 1, 1), (3 - 3 * cell, 3, 3))
    # Cells -2 to 27 of which -2 and -1 lie outside the grid: 0..27 against 1..30.
    assert score_dibr_house(moved, truth, KEY, settings())["iou"] == pytest.approx(27 / 31)
    gone = score_dibr_house(box((9, 9, 9), (10, 10, 10)), truth, KEY, settings())
    assert gone == {"iou": 0.0}
    with pytest.raises(NotAccepted, match="no conversion"):
        score_dibr_house(steps()[0], truth, KEY, settings())


def test_what_is_not_accepted() -> None:
    _, truth = steps()
    points = Points(np.zeros((3, 3), np.float32))
    coarse = Voxels(np.ones((16, 16, 16), np.float32), unit_cube_grid(16))
    for scorer in (score_pix2vox, score_lsm, score_ptn, score_matryoshka, score_vpl):
        with pytest.raises(NotAccepted, match="clouds of points"):
            scorer(points, truth, KEY, settings())
        with pytest.raises(NotAccepted, match="only on the grid of the truth"):
            scorer(coarse, truth, KEY, settings())
    with pytest.raises(NotAccepted, match="clouds of points"):
        score_dibr_house(points, Truth(box((0, 0, 0), (1, 1, 1)), {}, "a"), KEY, settings())
