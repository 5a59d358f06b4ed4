"""Prediction shards: what goes in comes out to the last bit; damage and tricks are found."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from benchbench.core.errors import InputError
from benchbench.core.types import Mesh, Points, Prediction, Voxels, problem
from benchbench.evaluation.predictions import Item, Shard, make_item, write_shard
from benchbench.evaluation.selftest_case import box

GRID = np.diag([0.25, 0.25, 0.25, 1.0])


def some_items() -> list[Item]:
    rng = np.random.default_rng(0)
    mesh = box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
    moved = Mesh(mesh.vertices + np.float32(0.1), mesh.faces)
    soft = rng.random((4, 4, 4), dtype=np.float32)
    soft[0, 0, 0] = np.float32(0.4)
    return [
        make_item("a/1", 0, mesh),
        make_item("a/1", 1, moved),
        make_item("a/1", 2, Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))),
        make_item("a/2", -1, Voxels(soft, GRID)),
        make_item("a/3", -1, Voxels((soft > 0.5).astype(np.float32), GRID)),
        make_item("a/4", -1, Voxels(soft.copy(), GRID)),
        make_item("b/5", 3, Points(rng.random((7, 3), dtype=np.float32))),
        make_item("b/6", 3, Points(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32))),
        make_item("b/7", 0, None, "ü: nothing came"),
        make_item("b/8", 0, Mesh(np.eye(3, dtype=np.float32), np.array([[2, 1, 0]], np.int32))),
    ]


def same(a: object, b: object) -> bool:
    if type(a) is not type(b):
        return False
    if a is None:
        return True
    pairs = zip(vars(a).values(), vars(b).values(), strict=True)
    return all(
        (x is None and y is None) or (x.dtype == y.dtype and x.shape == y.shape and (x == y).all())
        for x, y in pairs
    )


def test_round_trip(tmp_path: Path) -> None:
    items = some_items()
    write_shard(tmp_path / "s.h5", items, 0.4, {"device": "cpu"})
    with Shard(tmp_path / "s.h5") as shard:
        assert shard.threshold == 0.4 and shard.notes["device"] == "cpu"
        assert shard.keys == [(i.object_id, i.view) for i in items]
        assert shard.statuses[2] == "empty" and shard.statuses[8] == "missing"
        for item, found in zip(items, shard, strict=True):
            assert same(item.prediction, found.prediction)
            assert (item.status, item.message) == (found.status, found.message)
    with h5py.File(tmp_path / "s.h5") as file:
        assert len(file["topologies"]) == 2  # two boxes share one
        assert len(file["grids"]) == 2  # equal grids are stored once
        assert {d.dtype for d in file["grids"].values()} == {np.dtype("u1"), np.dtype("f4")}


def test_same_items_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_shard(tmp_path / name, some_items(), 0.5, {"run": "x"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_no_items(tmp_path: Path) -> None:
    write_shard(tmp_path / "s.h5", [], 0.5, {})
    with Shard(tmp_path / "s.h5") as shard:
        assert list(shard) == []


@pytest.mark.parametrize(
    ("prediction", "status"),
    [
        (None, "missing"),
        (Mesh(np.full((3, 3), np.nan), np.array([[0, 1, 2]])), "nonfinite"),
        (Mesh(np.full((3, 3), 1e300), np.array([[0, 1, 2]])), "nonfinite"),  # too large for float32
        (Mesh(np.eye(3), np.array([[0, 1, 3]])), "invalid"),
        (Mesh(np.eye(3), np.array([[0, 1, -1]])), "invalid"),
        (Mesh(np.eye(3), np.array([[0, 1, 2**40]])), "invalid"),
        (Mesh(np.eye(3), np.array([[0.0, 1.0, 2.0]])), "invalid"),
        (Mesh(np.eye(4), np.array([[0, 1, 2]])), "invalid"),
        (Mesh(np.eye(3), np.zeros((0, 3), np.int32)), "empty"),
        (Voxels(np.full((2, 2, 2), np.inf), GRID), "nonfinite"),
        (Voxels(np.full((2, 2, 2), 1.5), GRID), "invalid"),
        (Voxels(np.ones((2, 2, 3)), GRID), "invalid"),
        (Voxels(np.ones((2, 2, 2)), np.eye(3)), "invalid"),
        (Points(np.zeros((0, 3))), "empty"),
        ("a text", "invalid"),
        (Mesh(None, None), "invalid"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_scored_is_named(prediction: object, status: str) -> None:
    item = make_item("a/1", 0, prediction)
    assert item.status == status and item.prediction is None and item.message


def test_other_dtypes_are_taken() -> None:
    mesh = make_item("a/1", 0, Mesh(np.eye(3), np.array([[0, 1, 2]]))).prediction
    assert isinstance(mesh, Mesh)
    assert mesh.vertices.dtype == np.float32 and mesh.faces.dtype == np.int32


@pytest.mark.parametrize("where", ["vertices", "digest", "status", "view"])
def test_a_changed_byte_is_found(tmp_path: Path, where: str) -> None:
    path = tmp_path / "s.h5"
    write_shard(path, some_items(), 0.5, {})
    with h5py.File(path, "r+") as file:
        data = file[where][()]
        if where == "status":
            data[0] = b"empty"
        elif where == "digest":
            data[0, 0] ^= 1
        else:
            data.reshape(-1)[0] += 1
        file[where][...] = data
    with pytest.raises(InputError, match="damaged"), Shard(path) as shard:
        list(shard)


@pytest.mark.parametrize("keep", [0, 100, 3000, -1])
def test_truncated_files(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "s.h5"
    write_shard(path, some_items(), 0.5, {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="damaged or no file of predictions"), Shard(path) as shard:
        list(shard)


def test_tricks_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.zeros(3)

    def tampered(change: object) -> Path:
        path = tmp_path / "s.h5"
        write_shard(path, some_items(), 0.5, {})
        with h5py.File(path, "r+") as file:
            change(file)  # type: ignore[operator]
        return path

    def external(file: h5py.File) -> None:
        del file["message"]
        file["message"] = h5py.ExternalLink(str(secret), "x")

    def soft(file: h5py.File) -> None:
        file["more"] = h5py.SoftLink("/view")

    def loop(file: h5py.File) -> None:
        file["grids/self"] = file["/"]

    def outside(file: h5py.File) -> None:
        file.create_dataset("raw", (8,), "u1", external=[("/etc/passwd", 0, 8)])

    def bomb(file: h5py.File) -> None:
        file.create_dataset("big", (1 << 36,), "u1", chunks=(1 << 20,), compression=9)

    def objects(file: h5py.File) -> None:
        file.create_dataset("text", data=["a", "b"], dtype=h5py.string_dtype())

    def threshold(file: h5py.File) -> None:
        file.attrs["threshold"] = float("nan")

    def schema(file: h5py.File) -> None:
        file.attrs["schema"] = 99

    def shorter(file: h5py.File) -> None:
        data = file["view"][()]
        del file["view"]
        file["view"] = data[:-1]

    def offsets(file: h5py.File) -> None:
        file["vertex_offset"][1] = 10**9

    changes = (external, soft, loop, outside, bomb, objects, threshold, schema, shorter, offsets)
    for change in changes:
        with pytest.raises(InputError, match="damaged"), Shard(tampered(change)) as shard:
            list(shard)
    grid = tampered(lambda file: file["grids/0"].attrs.modify("resolution", 10**6))
    with pytest.raises(InputError, match="damaged"), Shard(grid) as shard:
        list(shard)


CORNERS = np.eye(3, dtype=np.float32)
FACE = np.array([[0, 1, 2]], np.int32)
FLAT = np.diag([0.25, 0.25, 0.0, 1.0])
NAN_NORMAL = np.full((3, 3), np.nan, np.float32)


@pytest.mark.parametrize(
    ("prediction", "status"),
    [
        (Mesh(CORNERS, FACE.astype(np.int64) - 2**32), "invalid"),  # wraps to 0, 1, 2
        (Mesh(CORNERS, FACE.astype(np.int64) + 2**32), "invalid"),
        (Mesh(CORNERS + 0j, FACE), "invalid"),
        (Mesh(CORNERS.astype(str), FACE), "invalid"),
        (Mesh(CORNERS.astype(object), FACE), "invalid"),
        (Mesh(CORNERS, FACE.astype(np.float32)), "invalid"),
        (Voxels(np.ones((2, 2, 2)) + 0j, GRID), "invalid"),
        (Voxels(np.ones((2, 2, 2)).astype(str), GRID), "invalid"),
        (Voxels(np.ones((2, 2, 2)), FLAT), "invalid"),
        (Voxels(np.ones((2, 2, 2)), np.zeros((4, 4))), "invalid"),
        (Voxels(np.ones((2, 2, 2)), GRID + 0j), "invalid"),
        (Voxels(np.ones((2, 2, 2)), GRID * [[1], [1], [1], [0]]), "invalid"),
        (Points(CORNERS.astype("M8[s]")), "invalid"),
        (Points(CORNERS, CORNERS[:2]), "invalid"),
        (Points(CORNERS, NAN_NORMAL), "nonfinite"),
        (Points(CORNERS, CORNERS + 0j), "invalid"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_arrays_that_a_cast_would_change(prediction: Prediction, status: str) -> None:
    item = make_item("a/b", 0, prediction)
    assert (item.status, item.prediction) == (status, None)
    # Told by the contract's own check too, but for what only a cast to int32 brings about.
    if not isinstance(prediction, Mesh) or prediction.faces.dtype != np.int64:
        assert problem(prediction) == status


def test_arrays_of_other_real_numbers_are_taken() -> None:
    for kind in ("b", "u1", "i8", "f2", "f8"):
        assert make_item("a/b", 0, Voxels(np.ones((2, 2, 2)).astype(kind), GRID)).status == "ok"
    mesh = Mesh(CORNERS.astype(np.float64), FACE.astype(np.uint64))
    assert make_item("a/b", 0, mesh).status == "ok"
    mirrored = GRID * [[-1], [1], [1], [1]]
    assert make_item("a/b", 0, Voxels(np.ones((2, 2, 2)), mirrored)).status == "ok"
