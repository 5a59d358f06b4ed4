"""The store: what goes in comes out, whatever the shards were; broken files are refused."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from benchbench.core.errors import CheckError, InputError, MissingError, UsageError
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import Cameras
from benchbench.datasets.records import Layout, ObjectRecord, Rendering, VoxelKind, encode
from benchbench.datasets.store import Store, open_dataset
from benchbench.datasets.store_writer import StoreWriter
from benchbench.datasets.verify import verify_store
from benchbench.datasets.views import ViewDataset

CLASSES = (("03001627", "chair"), ("02691156", "airplane"))
RENDERINGS = {"small": Rendering(9, 7, ("azimuth",)), "big": Rendering(20, 30, ())}
KINDS = {"a": VoxelKind(4, np.eye(4)), "b": VoxelKind(3, np.diag([2.0, 2, 2, 1]))}
PLAN = {"seed": 1}
INFO = {"title": "toy"}


def record(number: int, views: int = 3, mesh: bool = True) -> ObjectRecord:
    """An object with everything in it, different for every number."""
    rng = np.random.default_rng(number)
    synset = CLASSES[number % 2][0]
    images, cameras = {}, {}
    for name, rendering in RENDERINGS.items():
        shape = (views, rendering.height, rendering.width, 4)
        stack = rng.integers(0, 256, shape, dtype=np.uint8)
        stack[..., 3] *= rng.random(shape[:3]) > 0.8
        images[name] = stack
        cameras[name] = Cameras(
            rng.random((views, 4, 4)),
            rng.random((views, 3, 3)),
            rng.random((views, len(rendering.parameters))),
        )
    shape = None
    if mesh:
        vertices = rng.random((number + 3, 3)).astype(np.float32)
        shape = Mesh(vertices, np.array([[0, 1, 2]] * (number + 1), np.int32))
    return ObjectRecord(
        id=f"{synset}/m{number:02d}",
        synset=synset,
        images=images,
        cameras=cameras,
        voxels={"a": rng.random((4, 4, 4)) > 0.5, "b": rng.random((3, 3, 3)) > 0.5},
        mesh=shape,
        parameters={"n": number, "name": "Stuhl \u00fc"} if number % 3 else None,
        source_to_object=rng.random((4, 4)),
    )


def records() -> list[ObjectRecord]:
    views = [3, 1, 0, 4, 2, 3, 1]
    return [record(n, k, mesh=n != 4) for n, k in enumerate(views)]


def splits(items: list[ObjectRecord]) -> dict:
    ids = [item.id for item in items]
    return {"one": {"train": ids[:4], "val": ids[4:5], "test": ids[5:]}, "two": {"test": ids[::-1]}}


def writer(root: Path, **options) -> StoreWriter:
    arguments = {"plan": PLAN, "info": INFO, **options}
    plan, info = arguments.pop("plan"), arguments.pop("info")
    return StoreWriter(root, "toy", CLASSES, Layout(RENDERINGS, KINDS), info, plan, **arguments)


def write(root: Path, size: int = 3, order: list[str] | None = None, **options) -> Path:
    items = records()
    with writer(root, **options) as target:
        for number, start in enumerate(range(0, len(items), size)):
            target.shard(number, items[start : start + size], failed=[(f"x/{number}", "broken")])
        return target.finish(splits(items), excluded=[("x/none", "no truth")], order=order)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("toy"))


def test_everything_comes_back(toy: Path) -> None:
    store = Store(toy)
    assert len(store) == 7
    assert store.classes == CLASSES
    assert store.renderings == ("small", "big")
    assert store.voxel_kinds == ("a", "b")
    for index, item in enumerate(records()):
        assert store.object_ids[index] == item.id
        assert store.index_of(item.id) == index
        assert store.class_of(index) == item.synset
        assert CLASSES[store.class_indices[index]][0] == item.synset
        assert store.parameters(index) == item.parameters
        assert np.array_equal(store.source_to_object(index), item.source_to_object)
        for name in RENDERINGS:
            stack = item.images[name]
            assert store.view_count(index, name) == len(stack)
            clean = np.where(stack[..., 3:] > 0, stack, 0)
            assert np.array_equal(store.images(index, name), clean)
            for view in range(len(stack)):
                assert np.array_equal(store.image(index, view, name), clean[view])
                camera = store.camera(index, view, name)
                cameras = item.cameras[name]
                assert np.array_equal(camera.world_to_camera, cameras.world_to_camera[view])
                assert np.array_equal(camera.intrinsics, cameras.intrinsics[view])
                assert list(camera.parameters.values()) == cameras.parameters[view].tolist()
        for kind in KINDS:
            assert np.array_equal(store.voxels(index, kind), item.voxels[kind])
            assert np.array_equal(store.grid_to_object(kind), KINDS[kind].grid_to_object)
        mesh = store.mesh(index)
        if item.mesh is None:
            assert mesh is None
        else:
            assert mesh is not None
            assert np.array_equal(mesh.vertices, item.mesh.vertices)
            assert np.array_equal(mesh.faces, item.mesh.faces)
            assert (mesh.vertices.dtype, mesh.faces.dtype) == (np.float32, np.int32)
    verify_store(store)


def test_splits(toy: Path) -> None:
    store = Store(toy)
    assert (store.split_name, store.split_names) == ("one", ("one", "two"))
    assert store.split_counts() == {"train": 4, "val": 1, "test": 2}
    assert store.indices("all").tolist() == list(range(7))
    assert store.indices("test").tolist() == [5, 6]
    assert store.indices("all", classes=["chair"]).tolist() == [0, 2, 4, 6]
    assert store.indices("all", classes=["02691156"], limit=2).tolist() == [1, 3]
    other = Store(toy, "two")
    assert other.indices("test").tolist() == list(range(7))  # data-set order, not list order
    assert other.indices("train").tolist() == []
    assert other.split_hash("test") == store.split_hash("all")
    assert store.split_hash("test") == store.info["splits"]["one"]["test"]["sha256"]
    for call in (
        lambda: store.indices("tset"),
        lambda: store.indices("all", classes=["chiar"]),
        lambda: store.indices("all", limit=0),
        lambda: Store(toy, "on"),
        lambda: store.image(0, 3),
        lambda: store.image(0, -1),
        lambda: store.image(0, 0, "smal"),
        lambda: store.voxels(0, "c"),
        lambda: store.index_of("03001627/m0"),
    ):
        with pytest.raises(UsageError):
            call()


def test_excluded_and_failed(toy: Path) -> None:
    store = Store(toy)
    assert store.failed == [("x/0", "broken"), ("x/1", "broken"), ("x/2", "broken")]
    assert store.excluded == [*store.failed, ("x/none", "no truth")]


def test_same_bytes_whatever_the_shards(toy: Path, tmp_path: Path) -> None:
    assert write(tmp_path / "again").read_bytes() == toy.read_bytes()
    items = records()
    ids = [item.id for item in items]
    for name, groups in {"one": [range(7)], "mixed": [[6, 1, 0], [4], [3, 2, 5]]}.items():
        with writer(tmp_path / name) as target:
            for number, group in enumerate(groups):
                failed = [(f"x/{n}", "broken") for n in range(3)] if number == 0 else []
                target.shard(
                    number, [encode(items[n], Layout(RENDERINGS, KINDS)) for n in group], failed
                )
            path = target.finish(splits(items), excluded=[("x/none", "no truth")], order=ids)
        assert path.read_bytes() == toy.read_bytes()


def test_no_python_objects_and_no_filters(toy: Path) -> None:
    def visit(name: str, node: h5py.Dataset | h5py.Group) -> None:
        for value in node.attrs.values():
            assert np.asarray(value).dtype.kind in "iufS", name
        if isinstance(node, h5py.Dataset):
            assert node.dtype.kind in "iufS", name
            assert node.chunks is None, name

    with h5py.File(toy) as file:
        file.visititems(visit)


def test_identity_is_the_content(toy: Path, tmp_path: Path) -> None:
    same = Store(write(tmp_path / "a", info={"title": "other words"}))
    assert same.identity == Store(toy).identity
    items = records()
    changed = items[3].images["small"].copy()
    changed[0, 0, 0] = (1, 2, 3, 255)
    items[3] = ObjectRecord(**{**vars(items[3]), "images": {**items[3].images, "small": changed}})
    with writer(tmp_path / "b") as target:
        target.shard(0, items)
        path = target.finish(splits(items))
    assert Store(path).identity != same.identity
    # colour under alpha 0 is not stored and does not count
    items = records()
    hidden = items[3].images["small"].copy()
    hidden[hidden[..., 3] == 0] = (9, 9, 9, 0)
    items[3] = ObjectRecord(**{**vars(items[3]), "images": {**items[3].images, "small": hidden}})
    with writer(tmp_path / "c") as target:
        target.shard(0, items)
        path = target.finish(splits(items))
    assert Store(path).identity == same.identity


def test_sidecar(toy: Path) -> None:
    note = json.loads(toy.with_suffix(".json").read_text())
    assert note["id"] == "toy"
    assert note["bytes"] == toy.stat().st_size
    assert note["identity"] == Store(toy).identity
    assert note["objects_per_class"] == {"03001627": 4, "02691156": 3}
    assert (note["excluded"], note["failed"]) == (1, 3)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_open_the_file_themselves(toy: Path, context: str) -> None:
    store = Store(toy)
    store.image(0, 0)  # the parent's handle is open before the fork
    dataset = ViewDataset(store, store.indices("all"), "big")
    alone = [dataset[n] for n in range(len(dataset))]
    assert len(alone) == 14
    if context == "spawn" and not torch.multiprocessing.get_all_start_methods().count("spawn"):
        pytest.skip("no spawn here")
    loader = DataLoader(dataset, 4, num_workers=2, multiprocessing_context=context)
    batches = list(loader)
    together = torch.cat([batch["image"] for batch in batches])
    assert torch.equal(together, torch.stack([item["image"] for item in alone]))
    assert together.shape == (14, 4, 20, 30)
    objects = torch.cat([batch["object"] for batch in batches]).tolist()
    assert objects == [0, 0, 0, 1, 3, 3, 3, 3, 4, 4, 5, 5, 5, 6]
    assert torch.cat([batch["class"] for batch in batches]).tolist() == [n % 2 for n in objects]


def test_pickling_and_closing(toy: Path) -> None:
    store = Store(toy, "two")
    store.image(0, 0)
    again = pickle.loads(pickle.dumps(store))
    assert again.split_name == "two"
    assert np.array_equal(again.image(0, 1), store.image(0, 1))
    store.close()
    assert store.voxels(0).shape == (4, 4, 4)


def test_broken_files(toy: Path, tmp_path: Path) -> None:
    whole = toy.read_bytes()
    path = tmp_path / "broken.h5"
    for content in (b"", b"rubbish" * 100, whole[:100], whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"broken\.h5"):
            verify_store(Store(path))
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="schema 0"):
        Store(path)
    with pytest.raises(MissingError):
        Store(tmp_path / "absent.h5")


def test_damage_is_found(toy: Path, tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    for name, expected in {
        "renderings/small/pixels": InputError,
        "voxels/a/bits": CheckError,
        "meshes/vertices": CheckError,
        "objects/source_to_object": CheckError,
        "objects/identity": CheckError,
        "splits/one/test": CheckError,
    }.items():
        shutil.copy(toy, path)
        with h5py.File(path, "r+") as file:
            data = file[name][()]
            data.reshape(-1).view(np.uint8)[-8] ^= 3
            file[name][...] = data
        with pytest.raises(expected):
            verify_store(Store(path))


def test_missing_parts(toy: Path, tmp_path: Path) -> None:
    path = tmp_path / "toy.h5"
    for name in ("objects/id", "renderings/small/pixels", "voxels/b", "splits/one", "excluded"):
        shutil.copy(toy, path)
        with h5py.File(path, "r+") as file:
            del file[name]
        with pytest.raises(InputError, match=r"toy\.h5"):
            verify_store(Store(path))


def test_open_dataset(toy: Path, tmp_path: Path) -> None:
    assert open_dataset("toy", toy.parent, "two").split_name == "two"
    with pytest.raises(MissingError, match="shapenet") as caught:
        open_dataset("shapenet", tmp_path)
    assert caught.value.hint == "bench prepare shapenet"
    shutil.copy(toy, tmp_path / "shapes13-demo.h5")
    assert open_dataset("shapes13", tmp_path).path.name == "shapes13-demo.h5"
    shutil.copy(toy, tmp_path / "shapes13.h5")
    assert open_dataset("shapes13", tmp_path).path.name == "shapes13.h5"
