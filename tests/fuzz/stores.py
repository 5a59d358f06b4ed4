"""HDF5 files of our own: a prepared data set, and predictions."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from mutations import mutate
from server import Files, Format
from wrapping import change

from benchbench.core.types import Mesh, Points, Voxels
from benchbench.datasets.cameras import Cameras
from benchbench.datasets.records import ArrayKind, Layout, ObjectRecord, Rendering, VoxelKind
from benchbench.datasets.store import Store
from benchbench.datasets.store_format import SPLITS
from benchbench.datasets.store_writer import StoreWriter
from benchbench.datasets.verify import verify_store
from benchbench.evaluation.predictions import Item, write_shard

_TRIANGLE = Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32))


def _records() -> list[ObjectRecord]:
    rng = np.random.default_rng(0)
    found = []
    for n in range(3):
        rgba = rng.integers(0, 256, (2, 9, 7, 4), np.uint8)
        rgba[:, :2] = 0
        depth = rng.integers(0, 1 << 16, (2, 9, 7)).astype(np.uint16)
        cells = rng.random((5, 5, 5)) > 0.5
        cameras = Cameras(np.tile(np.eye(4), (2, 1, 1)), np.tile(np.eye(3), (2, 1, 1)),
                          np.ones((2, 1)))  # fmt: skip
        found.append(
            ObjectRecord(
                id=f"03001627/{n}",
                synset="03001627",
                images={"a": rgba, "m": rgba, "d": depth},
                cameras={"a": cameras, "m": cameras, "d": cameras},
                voxels={"v": cells},
                mesh=_TRIANGLE if n != 1 else None,
                parameters={"n": n},
                arrays={"points": rng.random((n, 3)).astype(np.float32)},
                shared_mesh="one" if n == 1 else "",
            )
        )
    return found


def _store_seeds() -> list[Files]:
    layout = Layout(
        {
            "a": Rendering(9, 7, ("azimuth",)),
            "m": Rendering(9, 7, ("azimuth",), mode="rgb+mask"),
            "d": Rendering(9, 7, ("azimuth",), mode="depth", depth_unit=0.5),
        },
        {"v": VoxelKind(5, np.eye(4))},
        {"points": ArrayKind((3,), "float32")},
    )
    seeds = []
    for objects in (None, 2):  # in one file, and in two
        with tempfile.TemporaryDirectory() as folder:
            with StoreWriter(folder, "toy", (("03001627", "chair"),), layout, {"title": "toy"},
                             {"seed": 0}, objects_per_file=objects) as writer:  # fmt: skip
                writer.shard(0, _records())
                splits = {"s": {"train": ["03001627/0"], "test": ["03001627/1", "03001627/2"]}}
                writer.finish(splits, shared_meshes={"one": _TRIANGLE})
            files = sorted(Path(folder).glob("toy*"))
            seeds.append({path.name: path.read_bytes() for path in files})
    return seeds


def read_store(path: Path, pictures: bool = True) -> dict[str, Any]:
    """Everything that a reader can ask for."""
    store = Store(path)
    found: dict[str, Any] = {"id": store.id, "identity": store.identity, "ids": store.object_ids}
    found["excluded"], found["failed"] = store.excluded, store.failed
    found["title"] = store.info.get("title")
    for part in (*SPLITS, "all"):
        found[part] = store.indices(part, ["chair"]).tolist()
        found[f"hash {part}"] = store.split_hash(part)
    for n in range(len(store)):
        own: list[Any] = [store.class_of(n), int(store.class_indices[n]), store.parameters(n)]
        own += [store.source_to_object(n)]
        own += [(store.voxels(n, kind), store.grid_to_object(kind)) for kind in store.voxel_kinds]
        own += [store.array(n, name) for name in store.array_kinds]
        own += [store.mesh(n), store.shared_mesh(n), store.identity_of(n)]
        for name in store.renderings:
            own += [store.images(n, name)] if pictures else []
            own += [store.mode(name), store.picture_size(name)]
            own += [store.camera(n, view, name) for view in range(store.view_count(n, name))]
            if store.mode(name) == "depth" and pictures:
                own += [store.depth(n, view, name) for view in range(store.view_count(n, name))]
        found[f"object {n}"] = own
    return found


def _read(folder: Path) -> dict[str, Any]:
    found = read_store(folder / "toy.h5")
    verify_store(Store(folder / "toy.h5"))
    return found


def _check(found: Any, expected: Any, folder: Path, protected: bool) -> None:
    """Whatever was verified is what was stored."""
    assert found["identity"] == expected["identity"], "another data set passed the check"
    assert found["ids"] == expected["ids"]
    for n in range(len(found["ids"])):
        a, b = found[f"object {n}"], expected[f"object {n}"]
        assert np.array_equal(a[4][0], b[4][0]), "other voxels passed the check"
        assert a[2] == b[2], "other notes passed the check"


def store_format() -> Format:
    """The HDF5 store itself."""
    return Format("store", _store_seeds, _read, _check)


def predictions_items() -> list[Item]:
    """One of each kind."""
    rng = np.random.default_rng(1)
    floats = rng.random((4, 4, 4)).astype(np.float32)
    points = rng.random((6, 3)).astype(np.float32)
    return [
        Item("03001627/0", 0, _TRIANGLE),
        Item("03001627/0", 1, Mesh(2 * _TRIANGLE.vertices, _TRIANGLE.faces)),
        Item("03001627/1", 0, Voxels((floats > 0.5).astype(np.float32), np.eye(4))),
        Item("03001627/1", 1, Voxels(floats, np.eye(4))),
        Item("03001627/2", 0, Points(points, points)),
        Item("03001627/2", 1, None, "error", "it said no"),
    ]


def _shard(items: list[Item], threshold: float = 0.4) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.h5"
        write_shard(path, items, threshold, {"device": "cpu"})
        return path.read_bytes()


def predictions_seeds() -> list[Files]:
    """A shard as `bench run` writes it."""
    return [{"shard-000000.h5": _shard(predictions_items())}]


def alter_predictions(
    files: Files, rng: random.Random, wrapped: bool
) -> tuple[dict[str, bytes], bool]:
    """Bytes of the file; one of its arrays; or other predictions with all their hashes right."""
    (name,) = files
    if not wrapped or rng.random() < 0.3:
        return {name: change(name, files[name], rng, wrapped).data}, False
    items = predictions_items()
    n = rng.randrange(len(items))
    items[n] = _altered(items[n], rng)
    return {name: _shard(items, rng.choice((0.4, 0.4, 0.4, 0.0, float("nan"))))}, False


def _altered(item: Item, rng: random.Random) -> Item:
    prediction = item.prediction
    what = rng.randrange(5)
    if what == 0 or prediction is None:
        status = rng.choice(("ok", "fine", "", "error", "missing"))
        return Item(item.object_id, item.view, prediction, status, "x\x1b[2J" * rng.randrange(3))
    if what == 1:
        name = rng.choice(("../../x", "\u00e9/\u0660", "", "a/b\n", "x" * 5000))
        return Item(name, rng.choice((-1, 0, 1 << 30)), prediction)

    def other(array: np.ndarray | None) -> np.ndarray | None:
        if array is None or rng.random() < 0.3:
            return array
        if rng.random() < 0.3:
            return array[: rng.randrange(len(array) + 1)]
        data = mutate(array.tobytes(), rng)[: array.nbytes].ljust(array.nbytes, b"\0")
        return np.frombuffer(data, array.dtype).reshape(array.shape)

    if isinstance(prediction, Mesh):
        return Item(item.object_id, item.view,
                    Mesh(other(prediction.vertices), other(prediction.faces)))  # fmt: skip
    if isinstance(prediction, Points):
        return Item(item.object_id, item.view,
                    Points(other(prediction.points), other(prediction.normals)))  # fmt: skip
    cells = prediction.occupancy
    if rng.random() < 0.7:
        data = mutate(cells.tobytes(), rng)[: cells.nbytes].ljust(cells.nbytes, b"\0")
        cells = np.frombuffer(data, np.float32).reshape(cells.shape)
    matrix = other(prediction.grid_to_object)
    return Item(item.object_id, item.view, Voxels(cells, matrix))
