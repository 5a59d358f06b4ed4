"""Retrieval by the truth against loops over all training shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.spatial.distance import cdist

from benchbench.baselines import load_baseline
from benchbench.baselines.oracle_nearest import clouds as clouds_module
from benchbench.baselines.oracle_nearest import grids as grids_module
from benchbench.baselines.oracle_nearest.clouds import best_cloud, cloud_of
from benchbench.baselines.oracle_nearest.grids import Grids, pack
from benchbench.baselines.training_ids import TrainingIds
from benchbench.cli.main import cli
from benchbench.core.errors import MissingError, UsageError
from benchbench.core.types import Mesh, Voxels
from benchbench.cuda_ops.house_voxels import house_voxels, unit_cube_grid


def slow_iou(a: np.ndarray, b: np.ndarray) -> float:
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def slow_best(query: np.ndarray, grids: np.ndarray) -> tuple[int, float]:
    values = [slow_iou(query, grid) for grid in grids]
    return values.index(max(values)), max(values)


@pytest.mark.parametrize("chunk", [1, 3, 512])
@pytest.mark.parametrize("side", [1, 4, 5])
def test_the_best_grid_equals_the_slow_twin(
    chunk: int, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grids_module, "_CHUNK", chunk)
    rng = np.random.default_rng(side)
    densities = rng.random(60) ** 2
    grids = rng.random((60, side, side, side)) < densities[:, None, None, None]
    grids[[3, 40]] = grids[20]  # equals: the first wins
    grids[7], grids[8] = False, True
    known = Grids(np.stack([pack(grid) for grid in grids]))
    for query in (*grids, *(rng.random((20, side, side, side)) < 0.3)):
        assert known.best(pack(query)) == slow_best(query, grids)


def test_the_bound_leaves_grids_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the search would be no search: most grids are never compared."""
    monkeypatch.setattr(grids_module, "_CHUNK", 8)
    grids = np.zeros((64, 4, 4, 4), bool)
    for n in range(64):
        grids[n].reshape(-1)[: n + 1] = True
    known, read = Grids(np.stack([pack(g) for g in grids])), []

    class Counting:
        def __init__(self, words: np.ndarray) -> None:
            self.words = words

        def __len__(self) -> int:
            return len(self.words)

        def __getitem__(self, part: slice) -> np.ndarray:
            read.append((part.start, part.stop))
            return self.words[part]

    known.grids = Counting(known.grids)  # type: ignore[assignment]
    assert known.best(pack(grids[30])) == (30, 1.0)
    assert read == [(24, 32)]


def slow_chamfer(a: np.ndarray, b: np.ndarray) -> float:
    distances = cdist(a.astype(np.float64), b.astype(np.float64))
    return float((distances.min(0).mean() + distances.min(1).mean()) / 2)


@pytest.mark.parametrize("chunk", [1, 4, 1024])
def test_the_best_cloud_equals_the_slow_twin(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clouds_module, "_CHUNK", chunk)
    rng = np.random.default_rng(0)
    clouds = rng.standard_normal((9, 16, 3)).astype(np.float32)
    clouds[5] = clouds[2]
    for query in (clouds[5], *rng.standard_normal((5, 16, 3)).astype(np.float32)):
        row, value = best_cloud(torch.from_numpy(query), torch.from_numpy(clouds))
        wanted = [slow_chamfer(query, cloud) for cloud in clouds]
        assert row == int(np.argmin(wanted)) and value == pytest.approx(min(wanted), abs=1e-6)


def grid(store: Any, row: int) -> np.ndarray:
    return house_voxels(store.mesh(row), unit_cube_grid())


@pytest.mark.parametrize("by", ["iou", "chamfer"])
def test_answers_equal_a_loop_over_all_training_shapes(little_store: Any, by: str) -> None:
    oracle = load_baseline("oracle-nearest", by=by)
    train = little_store.indices("train").tolist()
    rows = little_store.indices("test").tolist()
    found = oracle.predict_items(little_store, [(row, -1) for row in rows])
    for row, mesh in zip(rows, found, strict=True):
        if by == "iou":
            values = [slow_iou(grid(little_store, row), grid(little_store, t)) for t in train]
            wanted = train[values.index(max(values))]
            assert oracle.find(little_store, row) == (wanted, max(values))
        else:
            values = [
                slow_chamfer(cloud_of(little_store, row), cloud_of(little_store, t)) for t in train
            ]
            wanted = train[values.index(min(values))]
            assert oracle.find(little_store, row)[0] == wanted
        assert isinstance(mesh, Mesh)
        np.testing.assert_array_equal(mesh.vertices, little_store.mesh(wanted).vertices)


def test_a_training_object_finds_itself(little_store: Any) -> None:
    row = int(little_store.indices("train")[5])
    assert load_baseline("oracle-nearest").find(little_store, row) == (row, 1.0)
    found, value = load_baseline("oracle-nearest", by="chamfer").find(little_store, row)
    assert found == row and value < 1e-6


class Cells:
    """Grids of 2^3 cells without meshes; the last object is the one asked for."""

    id, identity, split_name, path = "cells", "1", "one", Path("cells.h5")
    voxel_kinds, array_kinds = ("first", "binvox"), ()

    def __init__(self, train: int = 3) -> None:
        rows = [[1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1],
                [1, 1, 1, 0, 0, 0, 0, 0]]  # fmt: skip
        self.grids = np.array(rows, bool).reshape(-1, 2, 2, 2)
        self.object_ids = [f"a/{n}" for n in range(4)]
        self.info: dict[str, Any] = {}
        self.train = train

    def indices(self, split: str, classes: object = None, limit: int | None = None) -> np.ndarray:
        rows = {"train": range(self.train), "all": range(4)}[split]
        return np.array([*rows][:limit], np.int64)

    def mesh(self, index: int) -> None:
        return None

    def voxels(self, index: int, kind: str) -> np.ndarray:
        return self.grids[index] if kind == "binvox" else ~self.grids[index]

    def grid_to_object(self, kind: str) -> np.ndarray:
        return np.diag([0.5, 0.5, 0.5, 1.0])


def test_grids_by_hand() -> None:
    """IoU with 2/3, 3/4 and 0: the second; inverted grids: 5/6, 4/5 and 1/8: the first."""
    oracle = load_baseline("oracle-nearest")
    assert oracle.find(Cells(), 3) == (1, 0.75)
    (voxels,) = oracle.predict_items(Cells(), [(3, -1)])
    assert isinstance(voxels, Voxels) and voxels.occupancy.reshape(-1).tolist() == [1] * 4 + [0] * 4
    assert load_baseline("oracle-nearest", kind="first").find(Cells(), 3) == (0, 5 / 6)


def test_what_it_says_of_itself(little_store: Any) -> None:
    oracle = load_baseline("oracle-nearest")
    assert oracle.training is None and not oracle.uses_views and oracle.threshold == 0.5
    oracle.fit(little_store)
    assert oracle.training == TrainingIds.of(little_store, little_store.indices("train").tolist())
    assert "truth was given" in oracle.caption and "IoU of 'house' voxels" in oracle.caption
    assert oracle._known is None  # nothing is read before it is needed
    oracle = load_baseline("oracle-nearest", by="chamfer")
    oracle.fit(little_store)
    assert "Chamfer" in oracle.caption


def test_refusals() -> None:
    with pytest.raises(UsageError, match="no weights"):
        load_baseline("oracle-nearest", checkpoint="x")
    with pytest.raises(UsageError, match="unknown measure 'chanfer'") as caught:
        load_baseline("oracle-nearest", by="chanfer")
    assert "'chamfer'" in str(caught.value.hint)
    with pytest.raises(MissingError, match="training objects of 'cells'"):
        load_baseline("oracle-nearest").fit(Cells(train=0))
    with pytest.raises(UsageError, match="'binvx'"):
        load_baseline("oracle-nearest", kind="binvx").fit(Cells())
    with pytest.raises(UsageError, match="neither a mesh nor points") as caught:
        load_baseline("oracle-nearest", by="chamfer").predict_items(Cells(), [(3, -1)])
    assert caught.value.hint == "--set by=iou"


def test_the_command(little_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line = ["run", "--baseline", "oracle-nearest", "--dataset", "blobs",
            "--root", str(Path(little_store.path).parent),
            "--protocol", "bench-iou-v1"]  # fmt: skip
    done = CliRunner().invoke(cli, [*line, "--split", "test"])
    assert done.exit_code == 0, done.stderr
    assert "mean over classes" in done.stdout
    done = CliRunner().invoke(cli, [*line, "--split", "train"])
    assert (done.exit_code, done.stdout) == (5, "") and "are in the training set" in done.stderr
