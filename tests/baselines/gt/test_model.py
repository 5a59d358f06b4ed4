"""The truth handed on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchbench.baselines import load_baseline
from benchbench.core.errors import UsageError
from benchbench.core.types import Mesh, Voxels


def test_meshes_are_handed_on(little_store: Any) -> None:
    gt = load_baseline("gt")
    found = gt.predict_items(little_store, [(3, -1), (0, -1)])
    assert not gt.uses_views and "truth" in gt.caption
    assert isinstance(found[0], Mesh)
    np.testing.assert_array_equal(found[0].vertices, little_store.mesh(3).vertices)
    np.testing.assert_array_equal(found[1].faces, little_store.mesh(0).faces)


def test_voxels_where_wanted_or_where_there_is_no_mesh(little_store: Any) -> None:
    (found,) = load_baseline("gt", kind="binvox").predict_items(little_store, [(2, -1)])
    assert isinstance(found, Voxels)
    np.testing.assert_array_equal(found.occupancy > 0.5, little_store.voxels(2, "binvox"))

    class Bare:
        id, voxel_kinds, array_kinds = "bare", ("first", "binvox"), ()

        def mesh(self, index: int) -> None:
            return None

        def voxels(self, index: int, kind: str) -> np.ndarray:
            return little_store.voxels(index, kind)

        def grid_to_object(self, kind: str) -> np.ndarray:
            return little_store.grid_to_object(kind)

    (found,) = load_baseline("gt").predict_items(Bare(), [(2, -1)])
    assert isinstance(found, Voxels) and load_baseline("gt").threshold == 0.5
    Bare.voxel_kinds = ()
    with pytest.raises(UsageError, match="neither"):
        load_baseline("gt").predict_items(Bare(), [(2, -1)])


def test_refusals(little_store: Any) -> None:
    with pytest.raises(UsageError, match="'binvx'"):
        load_baseline("gt", kind="binvx").predict_items(little_store, [(2, -1)])
    with pytest.raises(UsageError, match="no weights"):
        load_baseline("gt", checkpoint="x")
