"""A data set in several files reads like the same set in one file, which is the twin here."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from torch.utils.data import DataLoader

from benchbench.core.errors import CheckError, DamagedError, UsageError
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import Cameras, kato_cameras
from benchbench.datasets.loading import ViewLoader
from benchbench.datasets.records import ArrayKind, Layout, ObjectRecord, Rendering, VoxelKind
from benchbench.datasets.registry import sidecars, stored_bytes
from benchbench.datasets.store import Store, open_dataset
from benchbench.datasets.store_format import SPLITS
from benchbench.datasets.store_writer import StoreWriter
from benchbench.datasets.verify import verify_store
from benchbench.datasets.views import ViewDataset

CLASSES = (("02691156", "airplane"), ("03001627", "chair"))
NAME = "shapes13"  # any known id: `sidecars` asks for known sets only
OBJECTS, PER_FILE = 23, 5


def make(number: int) -> ObjectRecord:
    """Ragged in everything that may be: views, meshes, arrays, notes, shared meshes."""
    rng = np.random.default_rng(number)
    synset = CLASSES[number >= 9][0]
    views = int(rng.integers(1, 5))
    every = kato_cameras(16)
    cameras = Cameras(
        every.world_to_camera[:views], every.intrinsics[:views], every.parameters[:views]
    )
    own = number % 3 == 0
    mesh = Mesh(rng.random((4, 3), np.float32), np.array([[0, 1, 2], [1, 2, 3]], np.int32))
    return ObjectRecord(
        f"{synset}/{number:04d}",
        synset,
        {"kato": rng.integers(0, 256, (views, 16, 16, 4), dtype=np.uint8)},
        {"kato": cameras},
        {"a": rng.random((8, 8, 8)) > 0.5},
        mesh=mesh if own else None,
        shared_mesh="" if own else f"model{number % 4}",
        arrays={"points": rng.random((number % 4, 3))},
        parameters={"number": number} if number % 2 else None,
    )


def write(root: Path, per_file: int | None, pause: float = 0.0, **options) -> Path:
    layout = Layout(
        {"kato": Rendering(16, 16, ("azimuth", "elevation", "distance"))},
        {"a": VoxelKind(8, np.eye(4))},
        {"points": ArrayKind((3,), "float64")},
    )
    ids = [make(number).id for number in range(OBJECTS)]
    shared = {
        f"model{k}": Mesh(np.full((3, 3), k, np.float32), np.array([[0, 1, 2]], np.int32))
        for k in range(4)
    }
    with StoreWriter(
        root, NAME, CLASSES, layout, {"title": "toy"}, {"seed": 0}, objects_per_file=per_file,
        **options,
    ) as writer:  # fmt: skip
        if writer.finished:
            return writer.path
        for shard, start in enumerate(range(0, OBJECTS, 4)):
            if not writer.done(shard):
                time.sleep(pause)
                records = [make(n) for n in range(start, min(start + 4, OBJECTS))]
                writer.shard(shard, records, [("03001627/broken", "no picture")] * (shard == 2))
        splits = {
            "rule": {"train": ids[:12], "val": ids[12:13], "test": ids[13:]},
            "other": {"train": ids[::2], "test": ids[1::4]},
        }
        return writer.finish(splits, "rule", [("02691156/gone", "not there")], ids, shared)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    one, several = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("several")
    write(one, None)
    write(several, PER_FILE)
    return one, several


@pytest.fixture(scope="module")
def stores(folders: tuple[Path, Path]) -> tuple[Store, Store]:
    return Store(folders[0] / f"{NAME}.h5"), Store(folders[1] / f"{NAME}.h5")


def copy(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target / "set")
    return target / "set" / f"{NAME}.h5"


def same(left: object, right: object) -> bool:
    if isinstance(left, Mesh) and isinstance(right, Mesh):
        return same(left.vertices, right.vertices) and same(left.faces, right.faces)
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    return left == right


# -- the same as one file -------------------------------------------------------------------


def test_five_files_of_five_and_three_objects(stores: tuple[Store, Store]) -> None:
    one, several = stores
    assert one.files == (one.path,)
    assert len(several.files) == 5
    assert [len(Store(path)) for path in several.files] == [5, 5, 5, 5, 3]
    assert all("-of-00005-" in path.name for path in several.files)


def test_the_whole_is_the_same(stores: tuple[Store, Store]) -> None:
    one, several = stores
    for name in ("id", "identity", "object_ids", "classes", "failed", "excluded", "renderings",
                 "voxel_kinds", "array_kinds", "split_names", "split_name"):  # fmt: skip
        assert getattr(one, name) == getattr(several, name), name
    own = dict(several.info["plan"])
    assert own.pop("objects_per_file") == PER_FILE
    assert {**several.info, "plan": own} == one.info
    assert same(one.class_indices, several.class_indices)
    assert [one.class_of(n) for n in range(OBJECTS)] == [several.class_of(n) for n in range(23)]
    assert several.index_of("03001627/0017") == 17
    assert same(one.view_counts(), several.view_counts())
    assert same(one.grid_to_object(), several.grid_to_object())
    assert one.picture_size() == several.picture_size() == (16, 16)


def test_every_object_is_the_same(stores: tuple[Store, Store]) -> None:
    one, several = stores
    for index in range(OBJECTS):
        for read in ("images", "voxels", "mesh", "shared_mesh", "parameters", "identity_of",
                     "source_to_object", "view_count"):  # fmt: skip
            assert same(getattr(one, read)(index), getattr(several, read)(index)), (index, read)
        assert same(one.array(index, "points"), several.array(index, "points"))
        left, right = one.rows(index), several.rows(index)
        assert left.keys() == right.keys()
        assert all(same(left[name], right[name]) for name in left)
        for view in range(one.view_count(index)):
            cameras = [store.camera(index, view) for store in stores]
            assert same(cameras[0].world_to_camera, cameras[1].world_to_camera)
            assert same(cameras[0].intrinsics, cameras[1].intrinsics)
            assert cameras[0].parameters == cameras[1].parameters


@pytest.mark.parametrize("split", ["rule", "other"])
@pytest.mark.parametrize("part", [*SPLITS, "all"])
def test_splits_cross_files(folders: tuple[Path, Path], split: str, part: str) -> None:
    one, several = (Store(folder / f"{NAME}.h5", split) for folder in folders)
    assert same(one.indices(part), several.indices(part))
    assert one.split_hash(part) == several.split_hash(part)
    assert same(one.indices(part, ["chair"], 3), several.indices(part, ["chair"], 3))
    assert several.info["splits"][split].get(part, {}).get("sha256") in (
        None,
        several.split_hash(part),
    )


def test_batches_of_all_files_in_any_order(stores: tuple[Store, Store]) -> None:
    one, several = stores
    rng = np.random.default_rng(0)
    rows = rng.integers(0, OBJECTS, 64)
    views = rng.integers(0, one.view_counts()[rows])
    assert same(one.batch(rows, views), several.batch(rows, views))
    assert several.batch(rows[:0], views[:0]).shape == (0, 16, 16, 4)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("loader", [DataLoader, ViewLoader])
def test_loaders(stores: tuple[Store, Store], workers: int, loader: type) -> None:
    rows = np.arange(OBJECTS)
    found = [
        [
            (batch["image"].clone(), batch["object"].tolist(), batch["class"].tolist())
            for batch in loader(ViewDataset(store, rows), batch_size=7, num_workers=workers)
        ]
        for store in stores
    ]
    assert len(found[0]) == len(found[1]) > 3
    for left, right in zip(*found, strict=True):
        assert (left[0] == right[0]).all()
        assert left[1:] == right[1:]


def _picture(store: Store) -> bytes:
    return store.image(20, 0).tobytes()


def test_a_store_goes_to_other_processes(stores: tuple[Store, Store]) -> None:
    one, several = stores
    assert _picture(pickle.loads(pickle.dumps(several))) == _picture(one)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(_picture, (several,)) == _picture(one)


def test_closed_and_read_again(stores: tuple[Store, Store]) -> None:
    one, several = stores
    several.close()
    assert _picture(several) == _picture(one)


def test_a_part_is_a_data_set_by_itself(stores: tuple[Store, Store]) -> None:
    one, several = stores
    part = Store(several.files[3])  # objects 15 to 19
    assert part.object_ids == one.object_ids[15:20]
    assert part.indices("test").tolist() == [0, 1, 2, 3, 4]
    assert part.info["splits"]["rule"]["test"]["count"] == 5
    assert part.split_hash("test") == part.info["splits"]["rule"]["test"]["sha256"]
    assert same(part.image(1, 0), one.image(16, 0))
    # Meshes that only other parts need are not in it: objects 16, 17 and 19 share three.
    with h5py.File(part.path) as file:
        assert len(file["meshes/faces_offset"]) - 1 == 5 + 3
    verify_store(part)


def test_verified_and_found_by_name(stores: tuple[Store, Store], folders: tuple) -> None:
    verify_store(stores[1])
    assert open_dataset(NAME, folders[1]).identity == stores[0].identity
    (note,) = sidecars(NAME, folders[1])
    assert note["files"] == 6
    held = sum(path.stat().st_size for path in folders[1].glob("*.h5"))
    assert stored_bytes(note, folders[1]) == note["bytes"] == held


def test_set_that_fits_one_file_is_one(tmp_path: Path, stores: tuple[Store, Store]) -> None:
    path = write(tmp_path, OBJECTS)
    assert Store(path).files == (path,)
    assert Store(path).identity == stores[0].identity


def test_no_objects_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a file of 0 objects"):
        write(tmp_path, 0)


# -- what can go wrong ----------------------------------------------------------------------


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.h5"))}


def test_written_twice_gives_the_same_bytes(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    write(tmp_path, PER_FILE)
    assert files_of(tmp_path) == files_of(folders[1])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.h5")}
    write(tmp_path, PER_FILE)  # finished: nothing is written
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.h5")}


def test_other_numbers_of_files_leave_nothing_behind(tmp_path: Path, folders: tuple) -> None:
    for stranger in ("shapes13-demo-00001-of-00005-0123abcd.h5", "shapes13-mine.h5"):
        (tmp_path / stranger).write_bytes(b"somebody else's")
    for per_file, count in ((5, 6), (10, 4), (None, 1)):
        write(tmp_path, per_file, overwrite=per_file == 10)
        assert len(list(tmp_path.glob("*.h5"))) == count + 2
    own = {name: data for name, data in files_of(tmp_path).items() if data != b"somebody else's"}
    assert own == files_of(folders[0])


def test_missing_part_is_named_and_made_again(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    path = copy(folders[1], tmp_path)
    lost = Store(path).files[2]
    lost.unlink()
    with pytest.raises(DamagedError, match=lost.name) as caught:
        Store(path)
    assert caught.value.hint == f"bench prepare {NAME} --overwrite"
    write(path.parent, PER_FILE)
    assert files_of(path.parent) == files_of(folders[1])


def test_part_of_another_set_is_refused(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    path = copy(folders[1], tmp_path)
    first, second = Store(path).files[:2]
    shutil.copy(first, second)
    with pytest.raises(DamagedError, match="another file than the one written with it"):
        Store(path)


@pytest.mark.parametrize(
    "name",
    ["../shapes13-00001-of-00001-00000000.h5", "/etc/passwd", "shapes13.h5", "", 7, None,
     "other-00001-of-00001-00000000.h5", "shapes13-00001-of-00001-0000000\n.h5"],
)  # fmt: skip
def test_hostile_names_of_parts(tmp_path: Path, folders: tuple[Path, Path], name: object) -> None:
    path = copy(folders[1], tmp_path)
    with h5py.File(path, "r+") as file:
        del file["parts"]
        text = json.dumps([[name, 5, "0" * 64]])
        file["parts"] = np.frombuffer(text.encode(), np.uint8)
    with pytest.raises(DamagedError):
        Store(path)


@pytest.mark.parametrize("text", ["{", "3", "[3]", "[[]]", '["abc"]', '{"a": 1}', "[[[]]]"])
def test_damaged_list_of_parts(tmp_path: Path, folders: tuple[Path, Path], text: str) -> None:
    path = copy(folders[1], tmp_path)
    with h5py.File(path, "r+") as file:
        del file["parts"]
        file["parts"] = np.frombuffer(text.encode(), np.uint8)
    with pytest.raises(DamagedError):
        Store(path)


def test_parts_within_parts_are_refused(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    path = copy(folders[1], tmp_path)
    inner = Store(path).files[0]
    with h5py.File(path) as file:
        identity = file.attrs["identity"].decode()
    inner.unlink()
    shutil.copy(path, inner)  # names itself
    with h5py.File(path, "r+") as file:
        del file["parts"]
        text = json.dumps([[inner.name, 0, identity]])
        file["parts"] = np.frombuffer(text.encode(), np.uint8)
    with pytest.raises(DamagedError, match="does not fit the others"):
        Store(path)


def test_parts_of_other_pictures_are_refused(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    path = copy(folders[1], tmp_path)
    with h5py.File(Store(path).files[1], "r+") as file:
        file["renderings/kato"].attrs["height"] = 15
    with pytest.raises(DamagedError, match="is another in every file"):
        Store(path).image(0, 0)


def test_changed_pixels_are_found(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    path = copy(folders[1], tmp_path)
    with h5py.File(Store(path).files[4], "r+") as file:
        file["voxels/a/bits"][0] = ~file["voxels/a/bits"][0]
    with pytest.raises(CheckError, match="0020"):
        verify_store(Store(path))


SCRIPT = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("writing", {file!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print("begun", flush=True)
module.write(Path(sys.argv[1]), 5, pause=0.02)
"""


def killed_runs(root: Path, count: int, expected: dict[str, bytes]) -> None:
    rng = random.Random(count)
    command = [sys.executable, "-c", SCRIPT.format(file=__file__)]

    def begin(target: Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([*command, str(target)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        return process

    with begin(root / "timing") as process:
        start = time.monotonic()
        assert process.wait() == 0
        whole = time.monotonic() - start
    stopped = 0
    for number in range(count):
        target = root / f"{number // 3}"
        with begin(target) as process:
            time.sleep(rng.uniform(0, whole))
            process.send_signal(signal.SIGKILL)
            stopped += process.wait() != 0
        if (target / f"{NAME}.h5").is_file():
            Store(target / f"{NAME}.h5").image(0, 0)  # whole, or not there
    for target in sorted(root.glob("[0-9]*")):
        write(target, PER_FILE)
        assert files_of(target) == expected
        assert not list((target / ".partial").glob("*/*"))
    assert stopped > 0


def test_killed_at_random(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    killed_runs(tmp_path, 3, files_of(folders[1]))


@pytest.mark.slow
def test_killed_at_random_often(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    killed_runs(tmp_path, 40, files_of(folders[1]))
