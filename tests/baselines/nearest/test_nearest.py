"""Image retrieval against a loop over all training pictures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchbench.baselines import load_baseline
from benchbench.baselines.inputs import as_floats, convert_picture, network_pictures
from benchbench.baselines.nearest import search
from benchbench.baselines.nearest.search import nearest_rows, quantise
from benchbench.baselines.nearest.spec import INPUT
from benchbench.baselines.training_ids import TrainingIds
from benchbench.cli.main import cli
from benchbench.core.errors import MissingError, ShapeError, UsageError
from benchbench.core.types import Voxels


def slow_row(query: np.ndarray, features: np.ndarray) -> int:
    """Exact integers of any size, one pair after the other."""
    best, row = None, -1
    for number, feature in enumerate(features):
        pairs = zip(query, feature, strict=True)
        distance = sum((int(a) - int(b)) ** 2 for a, b in pairs)
        if best is None or distance < best:
            best, row = distance, number
    return row


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_rows_equal_the_slow_twin(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_CHUNK", chunk)
    rng = np.random.default_rng(0)
    features = rng.integers(0, 64, (40, 9), dtype=np.uint8)
    features[[5, 11, 30]] = features[2]  # equals: the first wins
    queries = np.concatenate([features[[2, 30, 39]], rng.integers(0, 64, (20, 9), dtype=np.uint8)])
    found = nearest_rows(torch.from_numpy(queries), torch.from_numpy(features)).tolist()
    assert found == [slow_row(query, features) for query in queries]
    assert found[:3] == [2, 2, 39]


def test_distances_that_differ_by_one_are_told_apart() -> None:
    """At the largest numbers: single precision must not round the sums."""
    features = np.full((3, 1024), 63, np.uint8)
    features[0, 0], features[1, 1] = 0, 0
    features[1, 2] = 62  # one further away than row 0
    features[2, :] = 0
    query = np.zeros((1, 1024), np.uint8)
    query[0, 3:] = 63
    query[0, 0] = 1
    for order in ([0, 1, 2], [1, 0, 2], [2, 1, 0]):
        rows = nearest_rows(torch.from_numpy(query), torch.from_numpy(features[order]))
        assert rows.item() == slow_row(query[0], features[order])


def test_any_number_of_threads_gives_the_same_rows() -> None:
    rng = np.random.default_rng(1)
    features = torch.from_numpy(rng.integers(0, 64, (500, 1024), dtype=np.uint8))
    queries = torch.from_numpy(rng.integers(0, 64, (64, 1024), dtype=np.uint8))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(nearest_rows(queries, features))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


def test_what_cannot_be_searched() -> None:
    good = torch.zeros(2, 4, dtype=torch.uint8)
    for queries, features in (
        (good, good[:0]), (good[:, :3], good), (good.float(), good), (good, good.float()),
        (torch.zeros(1, 2200, dtype=torch.uint8), torch.zeros(1, 2200, dtype=torch.uint8)),
    ):  # fmt: skip
        with pytest.raises(ShapeError):
            nearest_rows(queries, features)
    assert nearest_rows(good[:0], good).shape == (0,)


def test_answers_equal_a_loop_over_all_training_pictures(little_store: Any) -> None:
    train = little_store.indices("train").tolist()
    pictures = [(row, view) for row in train for view in range(24)]
    features = quantise(
        np.stack([convert_picture(little_store.image(*pair), INPUT) for pair in pictures])
    )
    nearest = load_baseline("nearest", block_size=5)
    items = [(int(row), view) for row in little_store.indices("test") for view in (0, 7)]
    found = nearest.predict_items(little_store, items)
    for (row, view), mesh in zip(items, found, strict=True):
        asked = quantise(convert_picture(little_store.image(row, view), INPUT)[None])[0]
        wanted = pictures[slow_row(asked, features)][0]
        assert little_store.class_of(wanted) == little_store.class_of(row)  # balls of two shapes
        np.testing.assert_array_equal(mesh.vertices, little_store.mesh(wanted).vertices)
        np.testing.assert_array_equal(mesh.faces, little_store.mesh(wanted).faces)
    images = torch.from_numpy(as_floats(network_pictures(little_store, items, "kato", INPUT)))
    rows = nearest.predict(images)
    assert [little_store.mesh(row).vertices.tolist() for row in rows] == [
        mesh.vertices.tolist() for mesh in found
    ]


def test_a_training_picture_finds_itself_and_fewer_views_are_fewer(little_store: Any) -> None:
    train = little_store.indices("train").tolist()
    items = [(row, 3) for row in train]
    for views, known in ((None, True), (1, False)):
        nearest = load_baseline("nearest", views=views)
        found = nearest.predict_items(little_store, items)
        same = [
            np.array_equal(mesh.vertices, little_store.mesh(row).vertices)
            for row, mesh in zip(train, found, strict=True)
        ]
        assert all(same) or not known
        assert len(nearest._owners) == len(train) * (views or 24)


def test_what_it_says_of_itself(little_store: Any) -> None:
    nearest = load_baseline("nearest")
    assert nearest.training is None and nearest.uses_views and nearest.threshold == 0.5
    nearest.fit(little_store)
    assert nearest.training == TrainingIds.of(little_store, little_store.indices("train").tolist())
    assert "'blobs'" in nearest.caption and "class was not given" in nearest.caption
    assert nearest._features is None  # nothing is read before it is needed
    assert nearest.settings == {"block_size": 256, "rendering": None, "views": None}


def test_refusals(little_store: Any) -> None:
    with pytest.raises(UsageError, match="no weights"):
        load_baseline("nearest", checkpoint="x")
    for name in ("block_size", "views"):
        with pytest.raises(UsageError, match=f"{name} 0 is below 1"):
            load_baseline("nearest", **{name: 0})
    nearest = load_baseline("nearest")
    with pytest.raises(UsageError, match="none was given"):
        nearest.predict(torch.zeros(1, 4, 16, 16))
    with pytest.raises(ShapeError, match="images must be"):
        nearest.predict(torch.zeros(1, 4, 64, 64))
    with pytest.raises(UsageError, match="'choi'"):
        load_baseline("nearest", rendering="choi").predict_items(little_store, [(0, 0)])


class Empty:
    """A set without training objects, and one without pictures."""

    id, identity, split_name, path = "empty", "1", "s", Path("x.h5")
    renderings: tuple[str, ...] = ("kato",)
    default_rendering = "kato"
    voxel_kinds, array_kinds = ("binvox",), ()
    info = {"renderings": [{"name": "kato"}]}  # noqa: RUF012
    object_ids = ("a/0", "a/1")

    def __init__(self, rows: list[int]) -> None:
        self.rows = rows

    def indices(self, split: str, *_: Any, **__: Any) -> np.ndarray:
        return np.array(self.rows, np.int64)

    def view_count(self, index: int, rendering: str) -> int:
        return 1 if index else 0

    def batch(self, rows: np.ndarray, views: np.ndarray, rendering: str) -> np.ndarray:
        assert rows.tolist() == [1]
        return np.full((1, 8, 8, 4), 255, np.uint8)

    def mesh(self, index: int) -> None:
        return None

    def voxels(self, index: int, kind: str) -> np.ndarray:
        return np.full((2, 2, 2), index, bool)

    def grid_to_object(self, kind: str) -> np.ndarray:
        return np.eye(4)


def test_sets_with_little_in_them() -> None:
    with pytest.raises(MissingError, match="training objects of 'empty'"):
        load_baseline("nearest").fit(Empty([]))
    with pytest.raises(UsageError, match="no training object of 'empty' has a picture"):
        load_baseline("nearest").predict_items(Empty([0]), [(1, 0)])
    # An object without a picture is no answer; voxels are handed on where there is no mesh.
    (voxels,) = load_baseline("nearest").predict_items(Empty([0, 1]), [(1, 0)])
    assert isinstance(voxels, Voxels) and voxels.occupancy.min() == 1


def test_the_command(little_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line = ["run", "--baseline", "nearest", "--dataset", "blobs", "--views", "1",
            "--root", str(Path(little_store.path).parent),
            "--protocol", "bench-iou-v1"]  # fmt: skip
    done = CliRunner().invoke(cli, [*line, "--split", "test"])
    assert done.exit_code == 0, done.stderr
    assert "mean over classes" in done.stdout
    done = CliRunner().invoke(cli, [*line, "--split", "train"])
    assert (done.exit_code, done.stdout) == (5, "")
    assert "are in the training set" in done.stderr


def test_the_form_is_the_one_whose_sums_fit() -> None:
    assert dataclasses.astuple(INPUT)[:3] == (16, "rgba", "inverted")
    assert 2 * len(INPUT.channels) * INPUT.size**2 * 63**2 < 2**24
