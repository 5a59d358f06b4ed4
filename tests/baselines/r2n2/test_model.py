"""The baseline: pictures to grids in the object frame, alone and several together."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from benchbench.baselines import checkpoints
from benchbench.baselines.inputs import as_floats, network_pictures
from benchbench.baselines.r2n2.model import R2N2Baseline, load
from benchbench.baselines.r2n2.network import Network, probabilities
from benchbench.baselines.r2n2.spec import INPUT, SPEC, R2N2Parameters
from benchbench.baselines.r2n2.weights import Checkpoint, read_checkpoint
from benchbench.core.errors import CheckError, MissingError, ShapeError, UsageError
from benchbench.core.files import sha256_file
from benchbench.core.types import problem
from benchbench.cuda_ops.house_voxels import unit_cube_grid
from benchbench.datasets.store import Store

from .conftest import VIEWS


@pytest.fixture(scope="module")
def weights(data: Path) -> Path:
    return data / "r2n2" / "GRUNet_small.npy"


@pytest.fixture(scope="module")
def content(weights: Path) -> Checkpoint:
    return read_checkpoint(weights)


def make(content: Checkpoint, **parameters: object) -> R2N2Baseline:
    chosen = R2N2Parameters(**parameters)  # type: ignore[arg-type]
    return R2N2Baseline(content, "x", "0" * 64, "cpu", chosen)


def alone(content: Checkpoint, store: Store, row: int, views: list[int]) -> np.ndarray:
    """The network itself on one object's views."""
    network = Network(content.architecture)
    network.load(content.tensors)
    pairs = [(row, view) for view in views]
    pictures = as_floats(network_pictures(store, pairs, "choy", INPUT))
    with torch.no_grad():
        return probabilities(network(torch.from_numpy(pictures)[None]))[0].numpy()


def test_every_picture_alone(content: Checkpoint, hooks_store: Store) -> None:
    baseline = make(content, block_size=4)
    items = [(row, view) for row in hooks_store.indices("test").tolist() for view in range(VIEWS)]
    found = baseline.predict_items(hooks_store, items)
    assert len(found) == len(items)
    for (row, view), voxels in zip(items, found, strict=True):
        assert problem(voxels) is None
        wanted = alone(content, hooks_store, row, [view])
        np.testing.assert_allclose(voxels.occupancy, wanted, atol=1e-5)
        assert (voxels.grid_to_object == unit_cube_grid()).all()
    first = baseline.predict_items(hooks_store, items[:4])
    again = baseline.predict_items(hooks_store, items[:2])
    # A block that is not full is padded: the same bits.
    assert all((a.occupancy == b.occupancy).all() for a, b in zip(first, again, strict=False))
    assert baseline.predict_items(hooks_store, []) == []


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_first_views_together(content: Checkpoint, hooks_store: Store, count: int) -> None:
    baseline = make(content, block_size=4, views=count)
    rows = hooks_store.indices("test").tolist()
    mixed = [(rows[0], -1), (rows[1], 1), (rows[2], -1)]
    found = baseline.predict_items(hooks_store, mixed)
    first = list(range(min(count, VIEWS)))
    for (row, view), voxels in zip(mixed, found, strict=True):
        wanted = alone(content, hooks_store, row, first if view < 0 else [view])
        np.testing.assert_allclose(voxels.occupancy, wanted, atol=1e-5)


def test_predict_takes_views(content: Checkpoint) -> None:
    baseline = make(content)
    grids = baseline.predict(torch.zeros(2, 3, 3, 127, 127))
    assert len(grids) == 2 and grids.occupancy.shape == (2, 32, 32, 32)
    assert [voxels.occupancy.shape for voxels in grids.to_object()] == [(32, 32, 32)] * 2
    for wrong in (torch.zeros(2, 3, 127, 127), torch.zeros(1, 1, 4, 127, 127)):
        with pytest.raises(ShapeError, match=r"\(B, T, 3, 127, 127\)"):
            baseline.predict(wrong)
    with pytest.raises(ShapeError, match="float64"):
        baseline.predict(torch.zeros(1, 1, 3, 127, 127, dtype=torch.float64))


def test_what_results_record(weights: Path, content: Checkpoint) -> None:
    baseline = load(weights)
    assert baseline.checkpoint_hash == sha256_file(weights)
    assert baseline.caption == (
        f"r2n2 (3D-GRU-3), weights GRUNet_small.npy ({baseline.checkpoint_hash[:8]}), threshold 0.4"
    )
    assert baseline.training is None  # a published list does not say
    assert baseline.settings == asdict(R2N2Parameters())
    assert (baseline.threshold, baseline.uses_views, baseline.block_size) == (0.4, True, 16)
    assert load(weights, "cpu", R2N2Parameters(threshold=0.25)).threshold == 0.25
    assert baseline.spec is SPEC


@pytest.mark.parametrize(
    "parameters", [{"block_size": 0}, {"views": 0}, {"threshold": 0.0}, {"threshold": 1.0}]
)
def test_parameters_that_make_no_sense(content: Checkpoint, parameters: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(parameters))):
        make(content, **parameters)


def test_an_object_without_pictures_is_named(content: Checkpoint, hooks_store: Store) -> None:
    class Blind:
        object_ids = ("a/b",)
        renderings = ("choy",)
        default_rendering = "choy"

        def view_count(self, index: int, rendering: str) -> int:
            return 0

    with pytest.raises(UsageError, match="'a/b' has no picture"):
        make(content).predict_items(Blind(), [(0, -1)])


def test_files_and_devices_that_are_not_there(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no checkpoint"):
        load(tmp_path / "none.npy")
    with pytest.raises(UsageError, match="device"):
        load(weights, "tpu")
    kato = checkpoints.shipped_checkpoint("kato")
    with pytest.raises(CheckError, match=r"decoder/linear.*r2n2 is res3d-gru-3"):
        load(kato)
    with pytest.raises(UsageError, match="unknown network"):
        load(weights, "cpu", R2N2Parameters(network="gru"))
