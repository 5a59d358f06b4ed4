"""The house's voxeliser: one for the protocols and for the baselines below them."""

from __future__ import annotations

import numpy as np

from benchbench.baselines import truth
from benchbench.core.types import Mesh
from benchbench.cuda_ops.house_voxels import house_voxels, unit_cube_grid
from benchbench.protocols import convert

SIDES = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1),
         (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]  # fmt: skip


def box(low: tuple[float, ...], high: tuple[float, ...]) -> Mesh:
    corners = [[(low, high)[n >> 2][0], (low, high)[n >> 1 & 1][1], (low, high)[n & 1][2]]
               for n in range(8)]  # fmt: skip
    return Mesh(np.array(corners, np.float32), np.array(SIDES, np.int32))


def test_a_full_cube_is_full() -> None:
    assert house_voxels(box((-0.5,) * 3, (0.5,) * 3), unit_cube_grid()).all()


def test_a_box_off_the_axes_lands_in_its_cells_on_any_grid() -> None:
    mesh = box((2.5 / 16, 3.5 / 16, 4.5 / 16), (5.5 / 16, 7.5 / 16, 6.5 / 16))
    for resolution, scale in ((32, 16.0), (16, 16.0), (8, 16.0)):
        matrix = np.diag([1 / scale] * 3 + [1.0])  # cell n spans [n / 16, (n + 1) / 16]
        expected = np.zeros((resolution,) * 3, bool)
        expected[2:6, 3:8, 4:7] = True
        assert (house_voxels(mesh, matrix, resolution) == expected).all()


def test_there_is_one_conversion() -> None:
    """A second copy could drift: the class mean would be averaged on other cells than scored."""
    assert truth.house_voxels is convert.voxels_of_mesh is house_voxels
    assert truth.unit_cube_grid is convert.unit_cube_grid is unit_cube_grid
