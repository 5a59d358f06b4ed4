"""What3D, LegoFormer and DIB-R's first F-score: conversion by hand, the reference clouds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchbench.core.types import Mesh, Points, Voxels
from benchbench.evaluation.selftest_case import box, square
from benchbench.protocols import fscores
from benchbench.protocols.clouds import Pair
from benchbench.protocols.convert import kato_grid, unit_cube_grid
from benchbench.protocols.fscores import (
    fitted,
    score_dibr_fscore,
    score_legoformer,
    score_what3d,
    what3d_mesh,
    what3d_scores,
)
from benchbench.protocols.truth import NotAccepted, Truth, Unscorable

KEY = ("03001627/a", 0)
SETTINGS = {"threshold": 0.5, "grid": "binvox", "seed": 0}
GRID = unit_cube_grid()


def block() -> np.ndarray:
    grid = np.zeros((32, 32, 32), np.float32)
    grid[8:24, 4:14, 12:20] = 1
    return grid


def test_reference_clouds(expected: dict[str, Any], pair: Pair) -> None:
    found = what3d_scores(pair)
    for threshold in ("0.005", "0.01", "0.02", "0.05", "0.1", "0.2"):
        value = expected["fscore"][f"what3d t={threshold} (P,R,F; true P and R)"]
        assert found[f"fscore@{threshold}"] == pytest.approx(value[2], abs=1e-12)
    precision, recall, _ = expected["fscore"]["what3d t=0.01 (P,R,F; true P and R)"]
    assert found["precision@0.01"] == pytest.approx(precision, abs=1e-12)
    assert found["recall@0.01"] == pytest.approx(recall, abs=1e-12)


def test_precision_and_recall_have_their_own_names() -> None:
    """Two predicted points, one on the truth's single point, one far: P = 1/2, R = 1, F = 2/3. The
    original prints P = 1 and R = 1/2."""
    truth = Truth(None, {}, KEY[0], points=np.zeros((1, 3), np.float32))
    pair = Points(np.array([[0, 0, 0], [0.5, 0, 0]], np.float32))
    found = score_what3d(pair, truth, KEY, SETTINGS)
    assert (found["precision@0.01"], found["recall@0.01"]) == (0.5, 1.0)
    assert found["fscore@0.01"] == pytest.approx(2 / 3)
    near = Points(np.array([[0, 0, 0], [0.01, 0, 0]], np.float32))
    # Float32's 0.01 is a little less than 0.01: within; 0.02 is not.
    assert score_what3d(near, truth, KEY, SETTINGS)["precision@0.01"] == 1.0


def test_the_voxel_conversion_grows_and_shrinks() -> None:
    """Cells 8 to 23 of 32: padded indices 9 to 24, the surface through the centres of the empty
    neighbours at 8 and 25, divided by 33: 8/33 to 25/33 of the cube, 17/33 wide, not 16/32."""
    mesh = what3d_mesh(block() > 0, GRID)
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    assert low == pytest.approx([8 / 33 - 0.5, 4 / 33 - 0.5, 12 / 33 - 0.5], abs=1e-6)
    assert high == pytest.approx([25 / 33 - 0.5, 15 / 33 - 0.5, 21 / 33 - 0.5], abs=1e-6)
    with pytest.raises(Unscorable, match="no cell"):
        what3d_mesh(block() > 2, GRID)


def test_what3d_of_voxels_uses_it() -> None:
    """The true box against its own voxels: half a cell off, about 0.016, so F at 1 % is small and F
    at 5 % is 1."""
    truth = Truth(box((-0.25, -0.375, -0.125), (0.25, -0.0625, 0.125)), {}, KEY[0])
    found = score_what3d(Voxels(block(), GRID), truth, KEY, SETTINGS)
    assert found["fscore@0.01"] < 0.6 and found["fscore@0.05"] > 0.99
    mesh = score_what3d(truth.mesh, truth, KEY, SETTINGS)  # type: ignore[arg-type]
    # Area 0.5 * 0.3125 * 2 + ... = 0.71875: within r a share 1 - exp(-n pi r^2 / A) = 0.987.
    assert mesh["fscore@0.01"] == pytest.approx(1 - np.exp(-1e4 * np.pi * 1e-4 / 0.71875), abs=0.01)


def stored() -> Truth:
    return Truth(None, {"binvox": Voxels(block(), GRID)}, KEY[0])


def test_legoformer_by_hand() -> None:
    """The truth's grid against itself: both grown alike, so F is what 8,192 points can reach: on a
    box 17/33 x 11/33 x 9/33 of area A = 0.806 at least 1 - exp(-8192 pi 1e-4 / A) = 0.959, and a
    little more, as corners are cut and points around an edge are near each other. Moved by one cell
    along x, 1/33 = 0.0303 away, only sides along x stay near."""
    a, b, c = 17 / 33, 11 / 33, 9 / 33
    area = 2 * (a * b + b * c + c * a)
    same = score_legoformer(Voxels(block(), GRID), stored(), KEY, SETTINGS)["fscore"]
    least = 1 - np.exp(-8192 * np.pi * 1e-4 / area)
    assert least < same < least + 0.02
    moved = Voxels(np.roll(block(), 1, 0), GRID)
    sides = 2 * (a * b + c * a) / area * (1 - 1 / 17)
    found = score_legoformer(moved, stored(), KEY, SETTINGS)["fscore"]
    assert found == pytest.approx(same * sides, abs=0.05)
    # A mesh takes the way over house-voxeliser-v1 to the very cells.
    inside = box(*(tuple((x - 16) / 32 for x in corner)
                   for corner in ((8.5, 4.5, 12.5), (23.5, 13.5, 19.5))))  # fmt: skip
    assert score_legoformer(inside, stored(), KEY, SETTINGS)["fscore"] == same


def test_legoformer_refuses_other_grids_and_empties() -> None:
    with pytest.raises(NotAccepted, match="grid of the truth"):
        score_legoformer(Voxels(block(), kato_grid()), stored(), KEY, SETTINGS)
    with pytest.raises(NotAccepted, match="clouds of points"):
        score_legoformer(Points(np.zeros((2, 3), np.float32)), stored(), KEY, SETTINGS)
    with pytest.raises(Unscorable, match="no cell"):
        faint = Voxels(block() * np.float32(0.4), GRID)
        score_legoformer(faint, stored(), KEY, SETTINGS)


def test_dibr_fits_both_meshes() -> None:
    """A box five times as large and elsewhere is the truth; its samples differ by key alone."""
    truth = Truth(box((-0.5, -0.3, -0.15), (0.5, 0.3, 0.15)), {}, KEY[0])
    same = score_dibr_fscore(box((-0.5, -0.3, -0.15), (0.5, 0.3, 0.15)), truth, KEY, SETTINGS)
    large = score_dibr_fscore(box((1, 1, 1), (6, 4, 2.5)), truth, KEY, SETTINGS)
    assert large == pytest.approx(same, abs=2e-3)
    moved = fitted(box((1, 1, 1), (6, 4, 2.5)))
    assert moved.vertices.min(0) == pytest.approx([-0.45, -0.27, -0.135], abs=1e-6)
    # Two samplings of area A = 2.16 * 0.81 with 2,500 points: F = 1 - exp(-2500 pi t^2 / A).
    for t in (0.01, 0.03, 0.05):
        share = 1 - np.exp(-2500 * np.pi * t**2 / (2.16 * 0.81))
        assert same[f"fscore@{t}"] == pytest.approx(share, abs=0.03)


def test_dibr_parallel_squares() -> None:
    """A square and one of the same size turned upright: fitted they share a middle line only."""
    truth = Truth(square(2, 0.0), {}, KEY[0])
    flat = score_dibr_fscore(square(2, 0.3), truth, KEY, SETTINGS)
    assert flat["fscore@0.05"] > 0.99  # fitting removes the distance
    upright = score_dibr_fscore(square(0, 0.0), truth, KEY, SETTINGS)
    # Within t of the other plane and of points on it: 2 t / 0.9 of the area.
    assert upright["fscore@0.05"] == pytest.approx(2 * 0.05 / 0.9, abs=0.02)
    with pytest.raises(Unscorable, match="no extent"):
        dot = Mesh(np.ones((3, 3), np.float32), np.array([[0, 1, 2]], np.int32))
        score_dibr_fscore(dot, truth, KEY, SETTINGS)
    with pytest.raises(NotAccepted, match="needs a surface"):
        score_dibr_fscore(Points(np.zeros((2, 3), np.float32)), truth, KEY, SETTINGS)


def test_counts_are_the_papers() -> None:
    assert fscores.LEGOFORMER_POINTS == 8192 and fscores.DIBR_SAMPLES == 2500
