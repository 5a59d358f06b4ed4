"""`prepare shapenet-lsm` on exported objects: files, axes, cameras, depth, splits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

from benchbench.datasets.cameras import project
from benchbench.datasets.exporting import asymmetric_cells
from benchbench.datasets.shapenet_lsm import prepare as module
from benchbench.datasets.shapenet_lsm.convert import unpack_volume
from benchbench.datasets.shapenet_lsm.prepare import prepare
from benchbench.datasets.store import Store

QUIET = {"quiet": True}
Share = Callable[[Store, int, np.ndarray], float]


def test_files_are_those_of_the_release(raw: Path, parts: dict[str, str]) -> None:
    """Names, shapes and types as LSM's loader.py and learn3D's data_loader.py read them."""
    assert sorted(path.name for path in raw.iterdir()) == ["shapenet_release", "splits.json"]
    root = raw / "shapenet_release"
    for name in parts:
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


def test_cells_fall_on_the_drawn_pixels(prepared: Store, share_inside: Share) -> None:
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


def test_splits(prepared: Store, parts: dict[str, str], folder: Path, tmp_path: Path) -> None:
    assert (prepared.split_names, prepared.split_name) == (("splits",), "splits")
    for part in ("train", "val", "test"):
        ids = [prepared.object_ids[row] for row in prepared.indices(part)]
        assert ids == sorted(name for name, its in parts.items() if its == part)
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


def test_published_lists_are_not_stored_twice() -> None:
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
