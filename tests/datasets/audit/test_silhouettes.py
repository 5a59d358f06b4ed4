"""Shares whose values follow from one camera looking along an axis."""

from __future__ import annotations

import numpy as np
import pytest

from benchbench.datasets.audit.silhouettes import Shares, coarse, mean, shares
from benchbench.datasets.cameras import Camera

# Far away and strongly magnified: cell (x, y) falls on pixels [4 x, 4 x + 4) x [4 y, 4 y + 4).
FAR = 1e6
CAMERA = Camera(
    np.block([[np.eye(3), np.array([[0.0], [0.0], [FAR]])], [np.zeros((1, 3)), np.ones((1, 1))]]),
    np.array([[4 * FAR, 0, 0], [0, 4 * FAR, 0], [0, 0, 1.0]]),
)


def masks(columns: slice, rows: slice) -> np.ndarray:
    mask = np.zeros((32, 32), bool)
    mask[rows, columns] = True
    return mask


def look(grid: np.ndarray, mask: np.ndarray) -> Shares | None:
    return shares(grid, np.eye(4), CAMERA, mask, mask)


def test_shares_by_hand() -> None:
    grid = np.zeros((8, 8, 8), bool)
    grid[2:6, 1, 0:4] = True  # pixels [8, 24) x [4, 8), four deep
    assert look(grid, masks(slice(8, 24), slice(4, 8))) == Shares(1.0, 1.0, 1.0)
    # Half a cell's diagonal is 4 sqrt(3) / 2 = 3.5, so 4 whole pixels.
    half = look(grid, masks(slice(8, 16), slice(4, 8)))
    # Centres at columns 10, 14, 18, 22; the mask ends at 15, 18 is within 4, 22 is not.
    assert half == Shares(0.5, 0.75, 1.0)
    # Wider than the cells: columns 6 to 26 of [0, 32) are within 4 of a centre.
    wide = look(grid, masks(slice(0, 32), slice(4, 8)))
    assert wide == Shares(1.0, 1.0, 21 / 32)
    away = look(grid, masks(slice(8, 24), slice(20, 24)))
    assert away == Shares(0.0, 0.0, 0.0)


def test_rows_are_y_and_columns_are_x() -> None:
    grid = np.zeros((8, 8, 8), bool)
    grid[7, 0, 0] = True
    mask = masks(slice(28, 32), slice(0, 4))
    assert look(grid, mask) == Shares(1.0, 1.0, 1.0)
    assert look(grid.transpose(1, 0, 2), mask) == Shares(0.0, 0.0, 0.0)


def test_what_is_behind_or_beside_the_picture_is_outside() -> None:
    grid = np.zeros((8, 8, 8), bool)
    grid[0:2, 0, 0] = True
    mask = masks(slice(0, 4), slice(0, 4))
    matrix = CAMERA.world_to_camera.copy()
    matrix[2, 3] = -FAR
    behind = shares(grid, np.eye(4), Camera(matrix, CAMERA.intrinsics), mask, mask)
    assert behind == Shares(0.0, 0.0, 0.0)
    moved = np.eye(4)
    moved[0, 3] = -1.0  # the first of the two cells leaves the picture
    assert shares(grid, moved, CAMERA, mask, mask) == Shares(0.5, 0.5, 1.0)


def test_nothing_to_compare() -> None:
    grid = np.zeros((8, 8, 8), bool)
    assert look(grid, masks(slice(0, 4), slice(0, 4))) is None
    grid[0, 0, 0] = True
    assert look(grid, np.zeros((32, 32), bool)) is None


@pytest.mark.parametrize("side", [1, 2, 5, 9, 10])
def test_coarse_grids_hold_what_fine_ones_hold(side: int) -> None:
    rng = np.random.default_rng(side)
    grid = rng.random((9, 9, 9)) > 0.9
    matrix = np.diag([0.5, 0.5, 0.5, 1.0])
    small, place = coarse(grid, matrix, side)
    assert len(small) <= side
    step = -(-9 // side)
    wanted = {tuple(cell // step) for cell in np.argwhere(grid)}
    assert {tuple(cell) for cell in np.argwhere(small)} == wanted
    assert place[0, 0] == 0.5 * step


def test_mean_is_that_of_each_share() -> None:
    assert mean([Shares(0.0, 0.5, 1.0), Shares(1.0, 0.5, 0.0)]) == Shares(0.5, 0.5, 0.5)
