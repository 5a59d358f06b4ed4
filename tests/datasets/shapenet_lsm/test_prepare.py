"""`prepare shapenet-lsm`: exported objects in and out, packed in every way, and broken ones."""

from __future__ import annotations

import io
import json
import math
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from benchbench.core.errors import InputError, MissingError, UsageError
from benchbench.core.files import sha256_file
from benchbench.datasets.cameras import project
from benchbench.datasets.exporting import asymmetric_cells, export, snug_solid
from benchbench.datasets.shapenet_lsm import prepare as module
from benchbench.datasets.shapenet_lsm.convert import unpack_volume
from benchbench.datasets.shapenet_lsm.prepare import prepare
from benchbench.datasets.store import Store

QUIET = {"quiet": True}
IDS = {"02691156/d": "test", "03001627/a": "train", "03001627/b-1": "val", "03001627/c": "test"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked release and its splits.json; a test copies what it changes."""
    solids = [snug_solid(name, part, n) for n, (name, part) in enumerate(IDS.items())]
    return export("shapenet-lsm", solids, tmp_path_factory.mktemp("lsm") / "raw")


@pytest.fixture(scope="module")
def prepared(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    report = prepare(tmp_path_factory.mktemp("root"), source=raw, **QUIET)
    assert (report.counts["objects"], report.counts["pictures"]) == (4, 80)
    assert (report.failed, report.excluded) == ([], [])
    said = "of 4 objects 4 have pictures with alpha, 4 occupy 32 cells along their longest side"
    assert any(line.startswith(said) and "4 with 16-bit depth" in line for line in report.messages)
    return Store(report.path)


@pytest.fixture
def folder(raw: Path, tmp_path: Path) -> Path:
    """A copy with one object, to be changed."""
    target = tmp_path / "raw" / "shapenet_release"
    for inner in ("renders", "voxels/modelVoxels32", "voxels/modelVoxels64"):
        (target / inner / "03001627").mkdir(parents=True)
        for path in (raw / "shapenet_release" / inner / "03001627").glob("a*"):
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, target / inner / "03001627" / path.name)
    return tmp_path / "raw"


def model(folder: Path) -> Path:
    return folder / "shapenet_release" / "renders" / "03001627" / "a"


def test_files_are_those_of_the_release(raw: Path) -> None:
    """Names, shapes and types as LSM's loader.py and learn3D's data_loader.py read them."""
    assert sorted(path.name for path in raw.iterdir()) == ["shapenet_release", "splits.json"]
    root = raw / "shapenet_release"
    for name in IDS:
        files = {path.name for path in (root / "renders" / name).iterdir()}
        kinds = ("render_{}.png", "depth_{}.png", "camera_{}.mat")
        assert files == {"view.txt", *(k.format(n) for k in kinds for n in range(20))}
        for size in (32, 64):
            path = root / "voxels" / f"modelVoxels{size}" / name
            volume = scipy.io.loadmat(str(path))["Volume"]  # scipy adds ".mat", as LSM relies on
            assert (volume.shape, volume.dtype) == ((size,) * 3, np.uint8)
    place = root / "renders" / "03001627" / "a"
    with Image.open(place / "render_3.png") as picture, Image.open(place / "depth_3.png") as depth:
        assert (picture.size, picture.mode) == ((224, 224), "RGBA")
        assert depth.size == (224, 224) and depth.mode.startswith("I")
    camera = scipy.io.loadmat(str(place / "camera_3.mat"))
    shapes = {key: camera[key].shape for key in ("K", "extrinsic", "quat")}
    assert shapes == {"K": (3, 3), "extrinsic": (4, 4), "quat": (1, 4)}
    rows = np.loadtxt(place / "view.txt")
    assert rows.shape == (20, 4)
    assert (np.abs(rows[:, 0]) <= 180).all() and (rows[:, 2:] == [0, 2]).all()
    assert (rows[:, 1] >= -20).all() and (rows[:, 1] <= 40).all()
    lists = json.loads((raw / "splits.json").read_text())
    assert lists["03001627"] == {"name": "chair", "train": ["a"], "val": ["b-1"], "test": ["c"]}


WRONG = {
    "x and z exchanged": lambda c: c.transpose(2, 1, 0),
    "x and y exchanged": lambda c: c.transpose(1, 0, 2),
    "y and z exchanged": lambda c: c.transpose(0, 2, 1),
    "x mirrored": lambda c: c[::-1],
    "y mirrored": lambda c: c[:, ::-1],
    "z mirrored, as in the file": lambda c: c[:, :, ::-1],
    "half a turn": lambda c: c[::-1, :, ::-1],
}


def test_voxels_known_by_hand(prepared: Store, raw: Path) -> None:
    cells = asymmetric_cells()
    doubled = cells.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    for index, name in enumerate(prepared.object_ids):
        np.testing.assert_array_equal(prepared.voxels(index), cells)
        np.testing.assert_array_equal(unpack_volume(prepared.array(index, "volume64")), doubled)
        path = raw / "shapenet_release" / "voxels" / "modelVoxels32" / f"{name}.mat"
        i, j, k = np.nonzero(scipy.io.loadmat(str(path))["Volume"])
        assert cells[i, j, 31 - k].all() and len(i) == cells.sum()
    for what, change in WRONG.items():
        assert not np.array_equal(change(cells), cells), what


def share_inside(store: Store, index: int, cells: np.ndarray) -> float:
    """Share of the cells' middles that fall on visible pixels, of those within the pictures."""
    to_object = store.grid_to_object()
    points = (np.argwhere(cells) + 0.5) @ to_object[:3, :3].T + to_object[:3, 3]
    back = np.linalg.inv(store.source_to_object(index))
    points = points @ back[:3, :3].T + back[:3, 3]
    hit = total = 0
    for view in range(20):
        pixels, _ = project(store.camera(index, view), points)
        inside = ((pixels >= 0) & (pixels < 224)).all(axis=1)
        column, row = np.floor(pixels[inside]).astype(int).T
        hit += int((store.image(index, view)[row, column, 3] > 0).sum())
        total += int(inside.sum())
    return hit / total


def test_cells_fall_on_the_drawn_pixels(prepared: Store) -> None:
    for index in range(len(prepared)):
        assert share_inside(prepared, index, prepared.voxels(index)) > 0.999
    for what, change in WRONG.items():
        assert share_inside(prepared, 0, change(prepared.voxels(0))) < 0.9, what


def by_eye(points: np.ndarray, parameters: dict[str, float]) -> np.ndarray:
    """Pixels by eye, target and up, in the object frame: where LSM's angles put the camera."""
    azimuth, elevation = (math.radians(parameters[k]) for k in ("azimuth", "elevation"))
    toward = np.array(
        [
            math.cos(elevation) * math.cos(azimuth),
            math.sin(elevation),
            -math.cos(elevation) * math.sin(azimuth),
        ]
    )
    right = np.cross(-toward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    up = np.cross(right, -toward)
    seen = points - parameters["distance"] * toward
    scale = 112 / (16 / 60) / -(seen @ toward)  # half the field of view is atan(16 / 60)
    return np.stack([112 + seen @ right * scale, 112 - seen @ up * scale], -1)


def test_cameras_by_eye_target_and_up(prepared: Store) -> None:
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3))
    for index in range(len(prepared)):
        back = np.linalg.inv(prepared.source_to_object(index))
        in_world = points @ back[:3, :3].T + back[:3, 3]
        for view in range(20):
            for rendering in ("lsm", "lsm-depth"):
                camera = prepared.camera(index, view, rendering)
                pixels, _ = project(camera, in_world)
                np.testing.assert_allclose(pixels, by_eye(points, camera.parameters), atol=1e-9)


def test_cameras_against_learn3d(shared: Path) -> None:
    """The same picture as learn3D's renderer, which draws a mirrored world."""
    from benchbench.datasets.cameras import Camera
    from benchbench.datasets.shapenet_lsm.cameras import view_cameras, view_intrinsics

    folder = shared / "oracles" / "learn3d"
    with np.load(folder / "io_nips17_camera.npz") as one, np.load(folder / "io_cvpr18.npz") as two:
        rows, wanted = one["view_rows_az_el_x_dist"], one["vertices_ndc"]
        vertices = two["vertices"].astype(np.float64)
    matrices = view_cameras(rows[:, 0], rows[:, 1], rows[:, 3])
    for matrix, there, ndc in zip(matrices, vertices, wanted, strict=True):
        # learn3d.md 4.4: transpose(1, 3), flip axis 1, so Volume[i, j, k] is (-z, y, x) of its
        # frame; and Volume[i, j, k] is (x, y, -z) of the object's
        points = np.stack([-there[:, 2], there[:, 1], -there[:, 0]], axis=1)
        pixels, depth = project(Camera(matrix, view_intrinsics(1)[0]), points)
        by_learn3d = np.stack([112 * (1 + ndc[:, 0]), 112 * (1 - ndc[:, 1])], axis=1)
        np.testing.assert_allclose(pixels, by_learn3d, atol=2e-3)
        np.testing.assert_allclose(depth, ndc[:, 2], atol=1e-5)


def test_pictures_depth_and_numbers_are_the_files(prepared: Store, raw: Path) -> None:
    for index, name in enumerate(prepared.object_ids):
        place = raw / "shapenet_release" / "renders" / name
        rows = np.loadtxt(place / "view.txt")
        for view in range(20):
            with Image.open(place / f"render_{view}.png") as picture:
                np.testing.assert_array_equal(prepared.image(index, view), np.asarray(picture))
            with Image.open(place / f"depth_{view}.png") as picture:
                counts = np.asarray(picture).astype(np.int64)
            stored = prepared.image(index, view, "lsm-depth")
            np.testing.assert_array_equal(stored, np.where(counts == 65535, 0, counts))
            camera, values = (
                prepared.camera(index, view),
                scipy.io.loadmat(str(place / f"camera_{view}.mat")),
            )
            np.testing.assert_array_equal(camera.intrinsics, values["K"])
            np.testing.assert_array_equal(camera.world_to_camera, values["extrinsic"])
            numbers = list(camera.parameters.values())
            assert numbers == [*rows[view], *values["quat"].ravel()]
    names = ["azimuth", "elevation", "tilt", "distance", "quat_0", "quat_1", "quat_2", "quat_3"]
    assert list(prepared.camera(0, 0).parameters) == names


def test_depth_is_that_of_the_shape(prepared: Store) -> None:
    """Where a cell's middle is seen, no surface lies behind it; the nearest cell is near."""
    for view in range(20):
        depth = prepared.depth(0, view, "lsm-depth")
        np.testing.assert_array_equal(np.isfinite(depth), prepared.depth(0, view, "lsm-depth") < 4)
        camera = prepared.camera(0, view)
        back = np.linalg.inv(prepared.source_to_object(0))
        cells = (np.argwhere(asymmetric_cells()) + 0.5) / 32 - 0.5
        pixels, far = project(camera, cells @ back[:3, :3].T + back[:3, 3])
        inside = ((pixels >= 0) & (pixels < 224)).all(axis=1)
        column, row = np.floor(pixels[inside]).astype(int).T
        seen = depth[row, column]
        hit = np.isfinite(seen)
        assert hit.mean() > 0.99
        gap = far[inside][hit] - seen[hit]
        assert gap.min() > -0.03 and gap[gap < 0.05].size > 20  # a cell is 1/32 wide


def test_splits(prepared: Store, folder: Path, tmp_path: Path) -> None:
    assert (prepared.split_names, prepared.split_name) == (("splits",), "splits")
    for part in ("train", "val", "test"):
        ids = [prepared.object_ids[row] for row in prepared.indices(part)]
        assert ids == sorted(name for name, its in IDS.items() if its == part)
    # an id of the published list, of the first half by class; and an own list saying the same
    lists = json.loads(json.dumps({"03001627": {"train": [], "val": [], "test": ["a"]}}))
    listed = module.split_list("lsm").parts["val"]
    chair = next(name for name in listed if name.startswith("03001627/"))
    for place in sorted(folder.glob("shapenet_release/*/**/a*")):
        if place.parent.name == "03001627":
            place.rename(place.with_name(chair.split("/")[1] + place.suffix))
    (folder / "splits.json").write_text(json.dumps(lists))
    store = Store(prepare(tmp_path / "root", source=folder, **QUIET).path)
    assert (store.split_names, store.split_name) == (("lsm", "lsm-splits1"), "lsm")
    assert store.split_counts() == {"train": 0, "val": 1, "test": 0}
    facts = store.info["split_lists"]["lsm-splits1"]
    assert facts["listed"] == {"train": 15515, "val": 2213, "test": 4440}


def test_published_lists_are_not_stored_twice(shared: Path) -> None:
    """Own files that say what LSM's say; counts of both halves from the published table."""
    whole = module.split_list("lsm").parts
    lists = module.split_lists({"splits": {part: ids[::-1] for part, ids in whole.items()}})
    assert [one.name for one in lists] == ["lsm", "lsm-splits1", "lsm-splits2"]
    half, other = lists[1:]
    for part, count in (("train", 30643), ("val", 4371), ("test", 8770)):
        assert len(half.parts[part]) + len(other.parts[part]) == count
        assert set(half.parts[part]) | set(other.parts[part]) == set(whole[part])
    assert len(other.parts["test"]) == 810 + 364 + 1501 + 220 + 325 + 475 + 635
    own = {"splits1": {"train": [], "val": [], "test": ["03001627/a"]}}
    assert [one.name for one in module.split_lists(own)][3:] == ["splits1"]


def tar(entries: list[tuple[str, bytes]], mode: str = "w:gz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def packed(raw: Path, way: str) -> list[tuple[str, bytes]]:
    """The release's files as the members of an archive, or of archives in it."""
    root = raw / "shapenet_release"
    files = sorted(path for path in root.rglob("*") if path.is_file())
    if way == "plain":
        return [(path.relative_to(raw).as_posix(), path.read_bytes()) for path in files][::-1]
    groups: dict[str, list[tuple[str, bytes]]] = {}
    for path in files:
        parts = path.relative_to(root).parts
        if parts[0] == "renders":
            outer = f"shapenet_release/renders/{parts[1]}.tar.gz"
            inner = "/".join(parts[1:])
        elif way == "by class":
            outer = f"shapenet_release/voxels/{parts[1]}/{parts[2]}.tar.gz"
            inner = "/".join(parts[2:])
        else:
            outer = f"shapenet_release/voxels/{parts[1]}.tar.gz"
            inner = "/".join(parts[1:])
        groups.setdefault(outer, []).append((f"./{inner}", path.read_bytes()))
    return [(name, tar(entries)) for name, entries in groups.items()]


@pytest.mark.parametrize(
    ("way", "name"),
    [
        ("plain", "shapenet_release.tgz"),
        ("plain", "shapenet_release.zip"),
        ("by class", "shapenet_release.tar.gz"),
        ("by size", "shapenet_release.tar"),
        ("by size", "shapenet_release.zip"),
        ("by class", "folder"),
        ("by size", "data"),
        ("plain", "as prepare_data.sh leaves it"),
    ],
)
def test_however_it_is_packed(
    prepared: Store, raw: Path, tmp_path: Path, way: str, name: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(raw / "splits.json", source)
    entries = packed(raw, way)
    if name.endswith(".zip"):
        with zipfile.ZipFile(source / name, "w") as archive:
            for entry in entries:
                archive.writestr(*entry)
    elif name.startswith("shapenet_release"):
        (source / name).write_bytes(tar(entries, "w" if name.endswith(".tar") else "w:gz"))
    elif name.startswith("as"):
        for inner in ("renders", "voxels"):
            shutil.copytree(raw / "shapenet_release" / inner, source / inner)
    else:
        base = source / "data" if name == "data" else source
        for entry, data in entries:
            (base / entry).parent.mkdir(parents=True, exist_ok=True)
            (base / entry).write_bytes(data)
    store = Store(prepare(tmp_path / "root", source=source, **QUIET).path)
    assert store.identity == prepared.identity
    assert store.split_hash("test") == prepared.split_hash("test")


def test_same_bytes_twice_and_after_an_interruption(
    prepared: Store, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchbench.datasets import preparing

    copied = tmp_path / "elsewhere"
    shutil.copytree(raw, copied)
    again = prepare(tmp_path / "root", source=copied, **QUIET)
    assert again.path.read_bytes() == prepared.path.read_bytes()
    monkeypatch.setattr(preparing, "_SHARD", 1)
    calls = []

    def interrupted(*args: object) -> object:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return preparing_make(*args)

    preparing_make = preparing._make
    monkeypatch.setattr(preparing, "_make", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "cut", source=raw, workers=1, **QUIET)
    assert len(calls) == 3
    resumed = prepare(tmp_path / "cut", source=raw, workers=1, **QUIET)
    assert len(calls) == 5  # two were there
    assert sha256_file(resumed.path) == sha256_file(prepared.path)


def edit_cameras(folder: Path, change) -> None:
    for path in model(folder).glob("camera_*.mat"):
        values = {k: v for k, v in scipy.io.loadmat(str(path)).items() if not k.startswith("__")}
        scipy.io.savemat(str(path), change(values))


def prepare_one(folder: Path, tmp_path: Path) -> Store:
    report = prepare(tmp_path / "root", source=folder, **QUIET)
    assert report.failed == []
    return Store(report.path)


def test_the_world_of_the_matrices_is_measured(folder: Path, tmp_path: Path) -> None:
    """Matrices for Blender's world (x, -z, y) instead of LSM's: the same pictures all the same."""
    lsm = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    blender = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # to the object frame

    def change(values: dict) -> dict:
        values["extrinsic"][:3, :3] = values["extrinsic"][:3, :3] @ lsm.T @ blender
        return {**values, "extrinsic": values["extrinsic"][:3]}

    edit_cameras(folder, change)
    store = prepare_one(folder, tmp_path)
    np.testing.assert_array_equal(store.source_to_object(0)[:3, :3], blender)
    assert share_inside(store, 0, store.voxels(0)) > 0.999


def test_depth_of_eight_bits(prepared: Store, folder: Path, tmp_path: Path) -> None:
    for path in model(folder).glob("depth_*.png"):
        with Image.open(path) as picture:
            counts = np.asarray(picture).astype(np.int64)
        Image.fromarray((counts // 257).astype(np.uint8)).save(path)
    store = prepare_one(folder, tmp_path)
    assert store.parameters(0)["depth_bits"] == [8]
    whole = prepared.index_of("03001627/a")
    for view in range(20):
        exact, coarse = (s.image(i, view, "lsm-depth") for s, i in ((prepared, whole), (store, 0)))
        np.testing.assert_array_equal(coarse, exact // 257 * 257)
        found = store.depth(0, view, "lsm-depth")
        assert np.abs(found - coarse / 257 / 255 * 10)[coarse > 0].max() < 1e-5


def test_pictures_without_alpha_and_colours_under_it(
    prepared: Store, folder: Path, tmp_path: Path
) -> None:
    place = model(folder)
    with Image.open(place / "render_1.png") as picture:
        drawn = np.array(picture)
    Image.fromarray(drawn[..., :3]).save(place / "render_0.png")
    drawn[drawn[..., 3] == 0, :3] = 255
    drawn[0, :3, :3] = ((1, 2, 3), (4, 5, 6), (255, 255, 255))
    Image.fromarray(drawn).save(place / "render_1.png")
    store = prepare_one(folder, tmp_path)
    assert store.parameters(0)["alpha"] and store.parameters(0)["hidden_colours_kept"]
    assert (store.image(0, 0)[..., 3] == 255).all()
    colours = store.array(0, "hidden_colour")
    assert colours.tolist() == [[0] * 3, [255] * 3, *[[0] * 3] * 18]
    others = store.array(0, "hidden_pixels")
    assert others.tolist() == [[1, 0, 0, 1, 2, 3], [1, 0, 1, 4, 5, 6]]
    # what learn3D reads, which drops alpha
    read = store.image(0, 1)[..., :3]
    read[store.image(0, 1)[..., 3] == 0] = colours[1]
    _, row, column = others[others[:, 0] == 1, :3].T
    read[row, column] = others[:, 3:]
    np.testing.assert_array_equal(read, drawn[..., :3])


def test_colours_under_alpha_that_are_no_background(folder: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 4), dtype=np.uint8)
    noise[..., 3] = 0
    Image.fromarray(noise).save(model(folder) / "render_7.png")
    store = prepare_one(folder, tmp_path)
    assert store.parameters(0)["hidden_colours_kept"] is False
    assert len(store.array(0, "hidden_pixels")) == 0


def test_without_grids_of_64(folder: Path, tmp_path: Path) -> None:
    shutil.rmtree(folder / "shapenet_release" / "voxels" / "modelVoxels64")
    store = prepare_one(folder, tmp_path)
    assert store.array(0, "volume64").shape == (0, 512)
    np.testing.assert_array_equal(store.voxels(0), asymmetric_cells())


def other_values(key: str, change):
    """A change of one number table of every camera_*.mat."""
    return lambda values: {**values, key: change(values[key])}


def far_away(matrix: np.ndarray) -> np.ndarray:
    return matrix + np.array([[0, 0, 0, 0.0], [0, 0, 0, 0], [0, 0, 0, 0.2], [0, 0, 0, 0]])


CAMERA_FAULTS = {
    "no K": (lambda v: {k: v[k] for k in v if k != "K"}, "no 'K' of"),
    "a K of another shape": (other_values("K", lambda k: k[:2]), "no 'K' of"),
    "a K of words": (other_values("K", lambda k: "abc"), "no 'K' of"),
    "a K in cells": (other_values("K", lambda k: np.array([None, k], object)[1:]), "no 'K' of"),
    "a K not finite": (other_values("K", lambda k: k + np.inf), "not finite"),
    "a K that is none": (other_values("K", lambda k: -k), "no camera's"),
    "an extrinsic that is no turn": (other_values("extrinsic", lambda m: m * 2), "no turn"),
    "a mirrored extrinsic": (
        other_values("extrinsic", lambda m: np.diag([-1.0, 1, 1, 1]) @ m), "no turn"
    ),
    "no quat": (lambda v: {k: v[k] for k in v if k != "quat"}, "no 'quat' of"),
    "axes of OpenGL": (
        other_values("extrinsic", lambda m: np.diag([1.0, -1, -1, 1]) @ m), "degrees apart"
    ),
    "another distance": (other_values("extrinsic", far_away), "% of the distance apart"),
}  # fmt: skip


@pytest.mark.parametrize("case", CAMERA_FAULTS)
def test_cameras_that_are_none(folder: Path, tmp_path: Path, case: str) -> None:
    change, word = CAMERA_FAULTS[case]
    edit_cameras(folder, change)
    with pytest.raises(InputError, match=word) as caught:
        prepare(tmp_path / "root", source=folder, workers=1, **QUIET)
    assert "03001627/a" in str(caught.value)


def write(name: str, data: bytes):
    return lambda folder: (model(folder) / name).write_bytes(data)


def volume(array: np.ndarray, size: int = 32, name: str = "Volume"):
    def change(folder: Path) -> None:
        path = folder / "shapenet_release" / "voxels" / f"modelVoxels{size}" / "03001627" / "a.mat"
        scipy.io.savemat(str(path), {name: array})

    return change


def png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


ROW = "0.0 0.0 0.0 2.0\n"
FULL = np.zeros((32, 32, 32), np.uint8)
FAULTS = {
    "a view missing": (lambda f: (model(f) / "render_7.png").unlink(), "19 of 20 render_*.png; "
                       "missing: render_7.png"),
    "a depth missing": (lambda f: (model(f) / "depth_0.png").unlink(), "missing: depth_0.png"),
    "a camera missing": (lambda f: (model(f) / "camera_19.mat").unlink(), "missing: camera_19.mat"),
    "no view.txt": (lambda f: (model(f) / "view.txt").unlink(), "has no view.txt"),
    "a page for a picture": (write("render_2.png", b"<html>"), "render_2.png"),
    "a picture of another size": (write("render_2.png", png(np.zeros((64, 64, 4), np.uint8))),
                                  "64x64 pixels, 224x224 belong"),
    "a depth with colours": (write("depth_2.png", png(np.zeros((224, 224, 4), np.uint8))),
                             "one channel"),
    "a camera that is no .mat": (write("camera_3.mat", b"MATLAB"), "camera_3.mat"),
    "a camera by python": (write("camera_3.mat", b"\x80\x02]."), "camera_3.mat"),
    "a line too few": (write("view.txt", ROW.encode() * 19), "20 lines of 4"),
    "a column too many": (write("view.txt", b"1 " + ROW.encode() * 20), "20 lines of 4"),
    "words": (write("view.txt", ROW.encode() * 19 + b"a b c d"), "something else than numbers"),
    "no number": (write("view.txt", ROW.encode() * 19 + b"nan 0 0 2"), "no camera"),
    "a negative distance": (write("view.txt", ROW.encode() * 19 + b"0 0 0 -2"), "no camera"),
    "angles of other cameras": (write("view.txt", ROW.encode() * 20), "degrees apart"),
    "no cells": (volume(FULL), "no occupied cell"),
    "cells of 2": (volume(FULL + 2), "neither 0 nor 1"),
    "cells that are no number": (volume(FULL * np.nan), "neither 0 nor 1"),
    "cells of another size": (volume(np.ones((32, 32), np.uint8)), "(32, 32) uint8, 32^3 belong"),
    "another name": (volume(FULL + 1, name="tsdf"), "no array 'Volume'"),
    "a broken grid of 64": (volume(np.ones((2, 2), np.uint8), 64), "modelVoxels64/03001627/a.mat"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_every_fault_is_named(raw: Path, folder: Path, tmp_path: Path, case: str) -> None:
    change, word = FAULTS[case]
    for inner in ("renders/{}", "voxels/modelVoxels32/{}.mat"):  # a good one beside it
        path = raw / "shapenet_release" / inner.format("03001627/c")
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, folder / "shapenet_release" / inner.format("03001627/c"))
    change(folder)
    report = prepare(tmp_path / "root", source=folder, workers=1, **QUIET)
    assert report.counts["objects"] == 1
    ((name, reason),) = report.failed
    assert name == "03001627/a" and word in reason


def test_what_has_no_other_half_is_excluded(raw: Path, tmp_path: Path) -> None:
    copied = tmp_path / "raw"
    shutil.copytree(raw, copied)
    root = copied / "shapenet_release"
    shutil.rmtree(root / "renders" / "03001627" / "a")
    (root / "voxels" / "modelVoxels32" / "03001627" / "c.mat").unlink()
    (root / "renders" / "99999999" / "x").mkdir(parents=True)  # no class of ours
    report = prepare(tmp_path / "root", source=copied, **QUIET)
    assert report.failed == []
    assert report.excluded == [
        ("03001627/a", "has ground truth but no pictures"),
        ("03001627/c", "has pictures but no ground truth"),
    ]


def test_sources_that_are_none(folder: Path, raw: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="shapenet_release") as caught:
        prepare(tmp_path / "root", source=tmp_path, **QUIET)
    assert "bench prepare shapenet-lsm --from DIR" in str(caught.value.hint)
    with pytest.raises(MissingError, match="cannot be fetched by a program") as caught:
        prepare(tmp_path / "root", accept_license=True, **QUIET)
    assert "drive.google.com" in str(caught.value.hint)
    with pytest.raises(UsageError, match="split 'choy'"):
        prepare(tmp_path / "root", source=folder, split="choy", **QUIET)
    shutil.rmtree(folder / "shapenet_release" / "voxels" / "modelVoxels32")
    with pytest.raises(InputError, match="no modelVoxels32/"):
        prepare(tmp_path / "root", source=folder, **QUIET)
    archive = tmp_path / "cut" / "shapenet_release.tar.gz"
    archive.parent.mkdir()
    data = tar(packed(raw, "by size"))
    archive.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="damaged or cut off"):
        prepare(tmp_path / "root", source=archive.parent, **QUIET)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[]", "no list of classes"),
        ('{"03001627": []}', "no list 'train'"),
        ('{"03001627": {"train": "a"}}', "no list 'train'"),
        ('{"03001627": {"val": [1]}}', "no list 'val'"),
        ('{"03001627": {"train": ["a", "a"]}}', "an id twice"),
        ('{"03001627": {"train": ["a"], "test": ["a"]}}', "an id twice"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "JSON|nested"),
    ],
)
def test_lists_that_are_none(folder: Path, tmp_path: Path, text: str, word: str) -> None:
    (folder / "splits.json").write_text(text)
    with pytest.raises(InputError, match=word) as caught:
        prepare(tmp_path / "root", source=folder, **QUIET)
    assert "splits.json" in str(caught.value)


def bench(*words: object, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchbench", *map(str, words), "--root", str(home)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_commands(folder: Path, tmp_path: Path) -> None:
    done = bench("prepare", "shapenet-lsm", "--from", folder, "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["prepared"][0]["counts"]["objects"] == 1
    plan = bench("prepare", "shapenet-lsm", "--dry-run", home=tmp_path / "new")
    assert plan.returncode == 0
    assert "needs, by hand, shapenet_release.tar.gz (about 19.6 GiB)" in plan.stdout + plan.stderr
    assert "drive.google.com" in plan.stdout + plan.stderr
    (model(folder) / "render_7.png").unlink()
    done = bench("prepare", "shapenet-lsm", "--from", folder, home=tmp_path / "broken")
    assert (done.returncode, done.stdout) == (1, "")
    assert "missing: render_7.png" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_memory_does_not_grow_with_the_release(raw: Path, tmp_path: Path) -> None:
    """3,000 objects in archives in an archive: what reading holds, in a process of its own."""
    place = raw / "shapenet_release" / "renders" / "03001627" / "a"
    voxels = raw / "shapenet_release" / "voxels"
    files = [(path.name, path.read_bytes()) for path in sorted(place.iterdir())]
    grids = {n: (voxels / f"modelVoxels{n}/03001627/a.mat").read_bytes() for n in (32, 64)}
    ids = [f"m{n:05d}" for n in range(3000)]
    inner = {
        "renders/03001627.tar.gz": [(f"03001627/{i}/{n}", data) for i in ids for n, data in files],
        **{
            f"voxels/{what}.tar.gz": [(f"{what}/03001627/{i}.mat", grids[n]) for i in ids]
            for n, what in ((32, "modelVoxels32"), (64, "modelVoxels64"))
        },
    }
    entries = [(f"shapenet_release/{name}", tar(listed)) for name, listed in inner.items()]
    (tmp_path / "shapenet_release.tar").write_bytes(tar(entries, "w"))
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from benchbench.datasets.shapenet_lsm.prepare import locate, read\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak()\n"
        "conversion = read(locate(Path(sys.argv[1])))\n"
        "count = sum(1 for _ in conversion.jobs(frozenset()))\n"
        "print(count, peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    count, grown = map(int, done.stdout.split())
    assert count == 3000
    assert grown < 100  # MiB; the release unpacked has 900
