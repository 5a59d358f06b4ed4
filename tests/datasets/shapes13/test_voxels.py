"""Grids: cells of an asymmetric object known by hand, and Kato's own grids of three meshes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchbench.datasets.shapes13.parts import box
from benchbench.datasets.shapes13.voxels import VOXEL_KINDS, kato_grid, unit_grid


def cells(grid: np.ndarray) -> list[list[int]]:
    """First and last occupied cell on x, y, z."""
    return [
        np.where(grid.any(tuple(a for a in range(3) if a != axis)))[0][[0, -1]].tolist()
        for axis in range(3)
    ]


# No side lies on a lattice plane of either grid, so every cell that the box touches and no other
# is marked: first = floor(scale * low + shift), last = floor(scale * high + shift).
LOW, HIGH = np.array([0.11, -0.43, -0.09]), np.array([0.47, -0.21, 0.38])


def test_kato_cells_of_a_box_off_centre() -> None:
    grid = kato_grid(*box(LOW, HIGH))
    # 31 c + 16: x 19.41 to 30.57, y 2.67 to 9.49, z 13.21 to 27.78.
    assert cells(grid) == [[19, 30], [2, 9], [13, 27]]
    assert grid.sum() == 12 * 8 * 15


def test_unit_cells_of_a_box_off_centre() -> None:
    grid = unit_grid(*box(LOW, HIGH))
    # 32 (c + 0.5): x 19.52 to 31.04, y 2.24 to 9.28, z 13.12 to 28.16.
    assert cells(grid) == [[19, 31], [2, 9], [13, 28]]
    assert grid.sum() == 13 * 8 * 16


@pytest.mark.parametrize(("kind", "make"), [("kato", kato_grid), ("binvox", unit_grid)])
def test_grid_to_object_says_where_the_cells_are(kind: str, make: object) -> None:
    grid = make(*box(LOW, HIGH))  # type: ignore[operator]
    matrix = VOXEL_KINDS[kind].grid_to_object
    extent = np.array(cells(grid)).T + [[0] * 3, [1] * 3]
    corners = extent @ matrix[:3, :3].T + matrix[:3, 3]
    cell = matrix[0, 0]
    assert (corners[0] <= LOW).all()
    assert (corners[0] > LOW - cell).all()
    assert (corners[1] >= HIGH).all()
    assert (corners[1] < HIGH + cell).all()


def test_a_full_cube_does_not_leak() -> None:
    cube = box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
    assert unit_grid(*cube).all()
    assert kato_grid(*cube).all()  # 0.5 to 31.5


def test_kinds_are_named_for_what_they_are() -> None:
    assert "not the program binvox" in VOXEL_KINDS["binvox"].title


@pytest.mark.parametrize("name", ["example_airplane", "example_car", "example_chair"])
def test_equals_katos_grids_after_the_change_of_axes(shared: Path, name: str) -> None:
    with np.load(shared / "oracles" / "kato" / "voxelization.npz") as arrays:
        mesh, faces = arrays[f"{name}/vertices"], arrays[f"{name}/faces"]
        own = arrays[f"{name}/grid"]  # [x, y, z] of his mesh frame
    object_vertices = np.stack([-mesh[:, 2], mesh[:, 1], -mesh[:, 0]], -1)
    stored = own.transpose(1, 0, 2)[:, :, ::-1]  # as in his data set
    expected = np.empty_like(own)
    for x, y, z in np.ndindex(32, 32, 32):
        expected[x, y, z] = stored[y, 31 - z, x]
    np.testing.assert_array_equal(kato_grid(object_vertices, faces), expected)
