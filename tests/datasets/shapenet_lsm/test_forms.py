"""`prepare shapenet-lsm`: files of other forms that it takes, and broken ones that it names."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from benchbench.core.errors import InputError
from benchbench.datasets.exporting import asymmetric_cells
from benchbench.datasets.shapenet_lsm.prepare import prepare
from benchbench.datasets.store import Store

QUIET = {"quiet": True}
Share = Callable[[Store, int, np.ndarray], float]


def edit_cameras(model: Path, change) -> None:
    for path in model.glob("camera_*.mat"):
        values = {k: v for k, v in scipy.io.loadmat(str(path)).items() if not k.startswith("__")}
        scipy.io.savemat(str(path), change(values))


def prepare_one(folder: Path, tmp_path: Path) -> Store:
    report = prepare(tmp_path / "root", source=folder, **QUIET)
    assert report.failed == []
    return Store(report.path)


def test_the_world_of_the_matrices_is_measured(
    folder: Path, model: Path, tmp_path: Path, share_inside: Share
) -> None:
    """Matrices for Blender's world (x, -z, y) instead of LSM's: the same pictures all the same."""
    lsm = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    blender = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # to the object frame

    def change(values: dict) -> dict:
        values["extrinsic"][:3, :3] = values["extrinsic"][:3, :3] @ lsm.T @ blender
        return {**values, "extrinsic": values["extrinsic"][:3]}

    edit_cameras(model, change)
    store = prepare_one(folder, tmp_path)
    np.testing.assert_array_equal(store.source_to_object(0)[:3, :3], blender)
    assert share_inside(store, 0, store.voxels(0)) > 0.999


def test_depth_of_eight_bits(prepared: Store, folder: Path, model: Path, tmp_path: Path) -> None:
    for path in model.glob("depth_*.png"):
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
    folder: Path, model: Path, tmp_path: Path
) -> None:
    place = model
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


def test_colours_under_alpha_that_are_no_background(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 4), dtype=np.uint8)
    noise[..., 3] = 0
    Image.fromarray(noise).save(model / "render_7.png")
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
def test_cameras_that_are_none(folder: Path, model: Path, tmp_path: Path, case: str) -> None:
    change, word = CAMERA_FAULTS[case]
    edit_cameras(model, change)
    with pytest.raises(InputError, match=word) as caught:
        prepare(tmp_path / "root", source=folder, workers=1, **QUIET)
    assert "03001627/a" in str(caught.value)


def model_of(folder: Path) -> Path:
    return folder / "shapenet_release" / "renders" / "03001627" / "a"


def write(name: str, data: bytes):
    return lambda folder: (model_of(folder) / name).write_bytes(data)


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
    "a view missing": (lambda f: (model_of(f) / "render_7.png").unlink(), "19 of 20 render_*.png; "
                       "missing: render_7.png"),
    "a depth missing": (lambda f: (model_of(f) / "depth_0.png").unlink(), "missing: depth_0.png"),
    "a camera missing": (lambda f: (model_of(f) / "camera_9.mat").unlink(), "g: camera_9.mat"),
    "no view.txt": (lambda f: (model_of(f) / "view.txt").unlink(), "has no view.txt"),
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
