"""The OBJ files of the original's demo, byte by byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchbench.baselines.r2n2.demo_obj import demo_obj
from benchbench.core.errors import ShapeError


@pytest.mark.parametrize(("name", "surface_only"), [("surface", True), ("all", False)])
def test_files_equal_the_originals(shared: Path, name: str, surface_only: bool) -> None:
    folder = shared / "oracles/r2n2"
    occupied = np.load(folder / "voxel2obj_input.npy", allow_pickle=False)
    found = demo_obj(occupied, surface_only)
    assert found.encode() == (folder / f"voxel2obj_{name}.obj").read_bytes()


def test_only_cells_that_can_be_seen_are_written() -> None:
    """Of 5x5x5 cells the inner 3x3x3 have no empty neighbour."""
    whole = np.ones((5, 5, 5), bool)
    assert demo_obj(whole).count("\nv ") == 8 * (125 - 27)
    assert demo_obj(whole, surface_only=False).count("\nv ") == 8 * 125
    whole[2, 2, 2] = False  # now all 26 around it see it
    assert demo_obj(whole).count("\nv ") == 8 * 124
    assert demo_obj(np.zeros((3, 3, 3), bool)) == "g\n# 0 vertex\n# 0 faces\n"


def test_other_grids_are_refused() -> None:
    for grid in (np.zeros((2, 2, 3), bool), np.zeros((2, 2), bool), np.zeros((2, 2, 2))):
        with pytest.raises(ShapeError, match="occupied"):
            demo_obj(grid)  # type: ignore[arg-type]
