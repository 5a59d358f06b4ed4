"""The class average, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchbench.baselines import load_baseline
from benchbench.core.errors import MissingError, UsageError
from benchbench.core.types import Voxels
from benchbench.cuda_ops.house_voxels import house_voxels, unit_cube_grid


class Cells:
    """A store of hand-made 2^3 grids: class a has 4 training objects, class b has 1."""

    id, identity, split_name, path = "cells", "1", "one", Path("cells.h5")
    voxel_kinds = ("first", "binvox")

    def __init__(self, val: bool = True, kinds: tuple[str, ...] | None = None) -> None:
        self.val, self.identity = val, f"cells {val}"
        if kinds is not None:
            self.voxel_kinds = kinds
        a = [[1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0, 0],
             [1, 0, 0, 0, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0]]  # fmt: skip
        b = [[0, 0, 0, 0, 1, 1, 1, 1]]
        held = [[1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]]
        self.grids = np.array([*a, *b, *held], bool).reshape(-1, 2, 2, 2)
        self.synsets = ["a"] * 4 + ["b", "a", "b"]
        self.object_ids = [f"{s}/{n}" for n, s in enumerate(self.synsets)]
        self.reads = 0

    def indices(self, split: str, classes: object = None, limit: int | None = None) -> np.ndarray:
        rows = {"train": [0, 1, 2, 3, 4], "val": [5, 6] if self.val else [], "test": [5, 6]}
        rows["all"] = list(range(7))
        return np.array(rows[split], np.int64)[:limit]

    def class_of(self, index: int) -> str:
        return self.synsets[index]

    def voxels(self, index: int, kind: str) -> np.ndarray:
        self.reads += 1
        return self.grids[index] if kind == "binvox" else ~self.grids[index]

    def grid_to_object(self, kind: str) -> np.ndarray:
        return np.diag([0.5, 0.5, 0.5, 1.0])

    def mesh(self, index: int) -> None:
        return None


def test_average_and_threshold_by_hand() -> None:
    store, mean = Cells(), load_baseline("mean")
    assert mean.threshold is None and not mean.uses_views
    a, b = mean.predict_items(store, [(5, -1), (6, -1)])
    assert isinstance(a, Voxels) and a.occupancy.dtype == np.float32
    assert a.occupancy.reshape(-1).tolist() == [1, 0.75, 0.25, 0.25, 0, 0, 0, 0]
    assert b.occupancy.reshape(-1).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    # On val, a threshold in (0.25, 0.75] gives IoU 1 for both; the first of 0.02 steps is 0.26.
    assert mean.threshold == 0.26
    assert "class was given" in mean.caption and "0.26 chosen on val" in mean.caption
    reads = store.reads
    mean.predict_items(store, [(0, -1)])
    assert store.reads == reads  # averaged once


def test_without_val_the_caption_says_train() -> None:
    mean = load_baseline("mean")
    mean.predict_items(Cells(val=False), [(5, -1)])
    # On train, class a's four grids at (0.25, 0.75]: IoU 1, 2/3, 1/2, 2/3; lower: 2/4, 3/4, 1/4,
    # 3/4; higher: 1/2, 1/3, 1, 1/3.
    assert mean.threshold == 0.26 and "chosen on train" in mean.caption


def test_kind_is_chosen_and_checked() -> None:
    mean = load_baseline("mean", kind="first")
    (voxels,) = mean.predict_items(Cells(), [(6, -1)])
    assert voxels.occupancy.reshape(-1).tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    with pytest.raises(UsageError, match="'binvx'"):
        load_baseline("mean", kind="binvx").predict_items(Cells(), [(6, -1)])
    with pytest.raises(UsageError, match="neither meshes nor voxels"):
        load_baseline("mean").predict_items(Cells(kinds=()), [(6, -1)])
    assert load_baseline("mean").kind(Cells(kinds=("x", "y"))) == "x"


def test_house_grid_comes_from_the_meshes(little_store: Any) -> None:
    mean = load_baseline("mean")
    rows = little_store.indices("test").tolist()
    found = mean.predict_items(little_store, [(row, -1) for row in rows])
    assert mean.kind(little_store) == "house"
    np.testing.assert_allclose(found[0].grid_to_object @ [16, 16, 16, 1], [0, 0, 0, 1], atol=1e-12)
    train = [i for i in little_store.indices("train").tolist()
             if little_store.class_of(i) == little_store.class_of(rows[0])]  # fmt: skip
    grid = unit_cube_grid()
    wanted = np.mean([house_voxels(little_store.mesh(i), grid) for i in train], axis=0)
    np.testing.assert_allclose(found[0].occupancy, wanted, atol=1e-7)
    # A ball of these sides fills about pi/6 of its box.
    inside = found[0].occupancy >= mean.threshold
    assert 0.3 < inside.sum() / 32**3 / (np.prod([1.0, 0.3, 0.8]) * np.pi / 6) < 2


def test_missing_things_are_named() -> None:
    with pytest.raises(UsageError, match="no weights"):
        load_baseline("mean", checkpoint="x.npz")
    store = Cells()
    store.synsets[6] = "c"
    with pytest.raises(MissingError, match="class c"):
        load_baseline("mean").predict_items(store, [(6, -1)])
