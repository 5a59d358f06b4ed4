"""`prepare shapenet-vpl`: exported pickles in and out, in archives too, broken and hostile ones."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchbench.core.errors import InputError, MissingError
from benchbench.datasets import preparing
from benchbench.datasets.cameras import project
from benchbench.datasets.exporting import asymmetric_cells, export, snug_solid
from benchbench.datasets.pickle_writing import pickle2
from benchbench.datasets.shapenet_vpl import prepare as module
from benchbench.datasets.shapenet_vpl.convert import read_viewpoint
from benchbench.datasets.shapenet_vpl.prepare import prepare
from benchbench.datasets.store import Store

QUIET = {"quiet": True}
NAME = "03001627_val.pkl"


def load(path: Path) -> dict[str, dict[str, Any]]:
    """As dataset_shapenet.py of the authors reads it under python 3: pickle, latin1."""
    return pickle.loads(path.read_bytes(), encoding="latin1")


def test_files_are_those_that_the_authors_read(raw: Path) -> None:
    names = ["02691156_test.pkl", "03001627_train.pkl", "03001627_val.pkl"]
    assert sorted(path.name for path in raw.iterdir()) == names
    found = load(raw / NAME)
    assert list(found) == ["images", "viewpoints", "voxels"]
    models = [f"03001627_{name}" for name in ("b_1-x", "c")]
    assert list(found["voxels"]) == models
    assert list(found["images"]) == [f"{m}_{view}" for m in models for view in range(20)]
    assert list(found["viewpoints"]) == list(found["images"])
    for key, data in found["images"].items():
        assert len(found["viewpoints"][key]) == 3
        with Image.open(io.BytesIO(data.encode("latin1"))) as picture:
            assert (picture.size, picture.mode) == ((224, 224), "RGBA")
    assert all(v.shape == (32, 32, 32) for v in found["voxels"].values())
    assert all(-20 <= elevation <= 40 for _, elevation, _ in found["viewpoints"].values())


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
    for index in range(len(prepared)):
        np.testing.assert_array_equal(prepared.voxels(index), cells)
    for what, change in WRONG.items():
        assert not np.array_equal(change(cells), cells), what
    # VPL evaluates with the mesh's grid flipped along its last axis
    stored = load(raw / NAME)["voxels"]["03001627_c"]
    np.testing.assert_array_equal(stored[:, :, ::-1], cells)


def test_cells_fall_on_the_drawn_pixels(prepared: Store) -> None:
    def share(index: int, cells: np.ndarray) -> float:
        to_object = prepared.grid_to_object()
        points = (np.argwhere(cells) + 0.5) @ to_object[:3, :3].T + to_object[:3, 3]
        hit = total = 0
        for view in range(20):
            pixels, _ = project(prepared.camera(index, view), points)
            inside = ((pixels >= 0) & (pixels < 224)).all(axis=1)
            column, row = np.floor(pixels[inside]).astype(int).T
            hit += int((prepared.image(index, view)[row, column, 3] > 0).sum())
            total += int(inside.sum())
        return hit / total

    for index in range(len(prepared)):
        np.testing.assert_array_equal(prepared.source_to_object(index), np.eye(4))
        assert share(index, prepared.voxels(index)) > 0.999
    for what, change in WRONG.items():
        assert share(0, change(prepared.voxels(0))) < 0.9, what


def test_cameras_as_the_authors_place_them(prepared: Store) -> None:
    """VPL's eye and its picture, which mirrors both axes of a left-handed projection."""
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3))
    for index in range(len(prepared)):
        for view in range(20):
            camera = prepared.camera(index, view)
            names = ("distance", "elevation", "azimuth_pkl")
            assert tuple(camera.parameters) == names
            distance, elevation, azimuth = (camera.parameters[name] for name in names)
            e, a = math.radians(elevation), math.radians(azimuth + 90)
            eye = distance * np.array(  # neural_renderer's get_points_from_angles
                [math.cos(e) * math.sin(a), math.sin(e), -math.cos(e) * math.cos(a)]
            )
            z = -eye / np.linalg.norm(eye)  # its look_at
            x = np.cross([0.0, 1.0, 0.0], z)
            x /= np.linalg.norm(x)
            y = np.cross(z, x)
            seen = (points - eye) @ np.stack([x, y, z]).T
            ndc = seen[:, :2] / seen[:, 2:] / (16 / 60)
            pixels, depth = project(camera, points)
            np.testing.assert_allclose(pixels, 112 - 112 * ndc, atol=1e-9)
            np.testing.assert_allclose(depth, seen[:, 2], atol=1e-12)


def test_azimuth_is_minus_lsms(tmp_path: Path, prepared: Store) -> None:
    """The same object exported as LSM's has the same cameras in the object frame, and pixels."""
    solid = snug_solid("03001627/a", "train", 1)
    raw = export("shapenet-lsm", [solid], tmp_path / "raw")
    from benchbench.datasets.shapenet_lsm.prepare import prepare as prepare_lsm

    store = Store(prepare_lsm(tmp_path, source=raw, **QUIET).path)
    index = prepared.index_of("03001627/a")
    for view in range(20):
        one, two = store.camera(0, view), prepared.camera(index, view)
        in_object = one.world_to_camera @ np.linalg.inv(store.source_to_object(0))
        np.testing.assert_allclose(in_object, two.world_to_camera, atol=1e-12)
        assert two.parameters["azimuth_pkl"] == -one.parameters["azimuth"]
        np.testing.assert_array_equal(store.image(0, view), prepared.image(index, view))


def test_pixels_and_numbers_are_the_files(
    prepared: Store, raw: Path, parts: dict[str, str]
) -> None:
    for index, name in enumerate(prepared.object_ids):
        found = load(raw / f"{name[:8]}_{parts[name]}.pkl")
        for view in range(20):
            key = f"{name.replace('/', '_', 1)}_{view}"
            with Image.open(io.BytesIO(found["images"][key].encode("latin1"))) as picture:
                np.testing.assert_array_equal(prepared.image(index, view), np.asarray(picture))
            numbers = list(prepared.camera(index, view).parameters.values())
            assert numbers == list(found["viewpoints"][key])


def test_splits(prepared: Store, parts: dict[str, str]) -> None:
    assert (prepared.split_names, prepared.split_name) == (("vpl",), "vpl")
    for part in ("train", "val", "test"):
        ids = [prepared.object_ids[row] for row in prepared.indices(part)]
        assert ids == sorted(name for name, its in parts.items() if its == part)


def test_lsms_list_is_there_where_ids_are_of_it(raw: Path, tmp_path: Path) -> None:
    listed = next(i for i in module.split_list("lsm").parts["test"] if i.startswith("03001627/"))
    content = load(raw / "03001627_train.pkl")
    model = listed.replace("/", "_")
    renamed = {
        kind: {key.replace("03001627_a", model): value for key, value in part.items()}
        for kind, part in content.items()
    }
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "03001627_train.pkl").write_bytes(pickle.dumps(in_bytes(renamed), 2))
    store = Store(prepare(tmp_path, source=tmp_path / "raw", **QUIET).path)
    assert store.split_names == ("vpl", "lsm")
    assert store.split_counts() == {"train": 1, "val": 0, "test": 0}
    assert len(Store(store.path, "lsm").indices("test")) == 1


def in_bytes(content: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Pictures as bytes, as somebody would write them who packs the files anew."""
    return {
        kind: {k: v.encode("latin1") if isinstance(v, str) else v for k, v in part.items()}
        for kind, part in content.items()
    }


def quoted(text: bytes) -> bytes:
    return b"S" + repr(text)[1:].encode() + b"\n"


def protocol0(content: dict[str, dict[str, Any]]) -> bytes:
    """As pickle.dump of python 2 writes by default: strings quoted in lines."""
    out = [b"(d"]
    for kind, part in content.items():
        out += [quoted(kind.encode()), b"(d"]
        for key, value in part.items():
            out.append(quoted(key.encode()))
            if kind == "images":
                out.append(quoted(value.encode("latin1")))
            elif kind == "viewpoints":
                out += [b"(l", *(f"F{number!r}\na".encode() for number in value)]
            else:
                out += [
                    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR",
                    b"(I1\n(I32\nI32\nI32\ntcnumpy\ndtype\n(S'b1'\nI0\nI1\ntR",
                    b"(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\n" + quoted(value.tobytes()) + b"tb",
                ]
            out.append(b"s")
        out.append(b"s")
    return b"".join(out) + b"."


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5, "python 2, protocol 0"])
def test_whatever_protocol(prepared: Store, raw: Path, tmp_path: Path, protocol: Any) -> None:
    source = tmp_path / "raw"
    source.mkdir()
    for path in raw.iterdir():
        content = load(path)
        data = (
            pickle.dumps(in_bytes(content), protocol)
            if isinstance(protocol, int)
            else protocol0(content)
        )
        assert isinstance(protocol, int) or same(pickle.loads(data, encoding="latin1"), content)
        (source / path.name).write_bytes(data)
    store = Store(prepare(tmp_path, source=source, **QUIET).path)
    assert store.identity == prepared.identity


def same(one: dict[str, dict[str, Any]], other: dict[str, dict[str, Any]]) -> bool:
    return list(one) == list(other) and all(
        list(one[kind]) == list(part)
        and all(map(np.array_equal, one[kind].values(), part.values()))
        for kind, part in other.items()
    )


@pytest.mark.parametrize("name", ["dataset.zip", "dataset.tgz", "dataset.tar", "data/dataset"])
def test_however_it_is_packed(prepared: Store, raw: Path, tmp_path: Path, name: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    others = [("dataset/car_val.npz", b"PASCAL3D+"), ("dataset/99999999_val.pkl", b"no class")]
    entries = [*others, *((f"dataset/{p.name}", p.read_bytes()) for p in sorted(raw.iterdir()))]
    if name.endswith(".zip"):
        with zipfile.ZipFile(source / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry in entries:
                archive.writestr(*entry)
    elif name.startswith("dataset"):
        with tarfile.open(source / name, "w:gz" if name.endswith("gz") else "w") as archive:
            for entry, data in entries[::-1]:
                info = tarfile.TarInfo(entry)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    else:
        shutil.copytree(raw, source / name)
    store = Store(prepare(tmp_path / "root", source=source, **QUIET).path)
    assert store.identity == prepared.identity
    assert store.split_hash("val") == prepared.split_hash("val")


def test_same_bytes_twice_and_after_an_interruption(
    prepared: Store, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(raw, tmp_path / "elsewhere")
    again = prepare(tmp_path / "root", source=tmp_path / "elsewhere", **QUIET)
    assert again.path.read_bytes() == prepared.path.read_bytes()
    monkeypatch.setattr(preparing, "_SHARD", 1)
    calls = []

    def interrupted(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return preparing_make(*args)

    preparing_make = preparing._make
    monkeypatch.setattr(preparing, "_make", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "cut", source=raw, workers=1, **QUIET)
    resumed = prepare(tmp_path / "cut", source=raw, workers=1, **QUIET)
    assert len(calls) == 5  # two of four were there
    assert resumed.path.read_bytes() == prepared.path.read_bytes()


def first_view(kind: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of the first view of the object c, or of its voxels."""

    def change(content: dict[str, Any]) -> None:
        key = "03001627_c" if kind == "voxels" else "03001627_c_0"
        if value is None:
            del content[kind][key]
        else:
            content[kind][key] = value(content[kind][key]) if callable(value) else value

    return change


def png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


EMPTY = np.zeros((32, 32, 32), np.uint8)
FAULTS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a view missing": (first_view("images", None), "has 19 views, 20 belong; missing: 0"),
    "a view too many": (lambda c: c["images"].update({"03001627_c_20": b"x"}), "has 21 views"),
    "a page for a picture": (first_view("images", b"<html>" * 200), "view 0' is not a PNG"),
    "a short picture": (first_view("images", b""), "view 0' is not a PNG"),
    "a broken picture": (first_view("images", lambda p: p[:-20]), "view 0' is cut off"),
    "a picture of another size": (
        first_view("images", png(np.zeros((64, 64, 4), np.uint8))), "224x224 belong"
    ),
    "an array for a picture": (first_view("images", EMPTY), "view 0 is no picture"),
    "no viewpoint": (first_view("viewpoints", None), "view 0 has no viewpoint"),
    "two numbers": (first_view("viewpoints", [2.0, 3.0]), "not three numbers"),
    "words": (first_view("viewpoints", [2.0, 3.0, "a"]), "not three numbers"),
    "text": (first_view("viewpoints", "abc"), "not three numbers"),
    "no number": (first_view("viewpoints", [2.0, 3.0, math.nan]), "no camera"),
    "a huge number": (first_view("viewpoints", [2.0, 3.0, 10**150]), "no camera"),
    "no distance": (first_view("viewpoints", [0.0, 3.0, 4.0]), "no camera"),
    "no cells": (first_view("voxels", EMPTY), "no occupied cell"),
    "cells of 2": (first_view("voxels", EMPTY + 2), "neither 0 nor 1"),
    "cells not finite": (first_view("voxels", EMPTY * np.nan), "neither 0 nor 1"),
    "other cells": (first_view("voxels", EMPTY[:16]), "(16, 32, 32) uint8, 32^3 belong"),
    "huge cells": (first_view("voxels", np.ones((200, 200, 200), np.uint8)), "(200, 200, 200)"),
    "bytes for cells": (first_view("voxels", b"1" * 40000), "no array"),
    "words for cells": (first_view("voxels", np.full((32,) * 3, "a")), "<U1, 32^3 belong"),
    "objects for cells": (first_view("voxels", np.full((32,) * 3, None)), "object, 32^3 belong"),
}  # fmt: skip


def changed(raw: Path, folder: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """A folder with the two objects of one file after a change."""
    content = in_bytes(load(raw / NAME))
    folder.mkdir()
    change(content)
    (folder / NAME).write_bytes(pickle.dumps(content, 4))
    return folder


@pytest.mark.parametrize("case", FAULTS)
def test_every_fault_is_named(raw: Path, tmp_path: Path, case: str) -> None:
    change, word = FAULTS[case]
    source = changed(raw, tmp_path / "raw", change)
    report = prepare(tmp_path / "root", source=source, workers=1, **QUIET)
    assert report.counts["objects"] == 1
    ((name, reason),) = report.failed
    assert name == "03001627/c" and word in reason


def test_keys_that_are_out_of_place(raw: Path, tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["images"]["02691156_c_0"] = b"of another class"
        content["images"]["03001627_../x_0"] = b"climbing out"
        content["images"][7] = b"no text"
        content["voxels"]["03001627_e\x1b[2J"] = EMPTY
        content["voxels"]["03001627_d"] = EMPTY + 1

    source = changed(raw, tmp_path / "raw", change)
    report = prepare(tmp_path / "root", source=source, workers=1, **QUIET)
    assert report.counts["objects"] == 2
    assert {name for name, _ in report.failed} == {
        "03001627/02691156_c_0", "03001627/03001627_../x_0", "03001627/7",
        "03001627/03001627_e\\x1b[2J",
    }  # fmt: skip
    assert all("odd key" in reason for _, reason in report.failed)
    assert report.excluded == [("03001627/d", "has ground truth but no pictures")]


def test_pictures_without_voxels(raw: Path, tmp_path: Path) -> None:
    source = changed(raw, tmp_path / "raw", first_view("voxels", None))
    report = prepare(tmp_path / "root", source=source, workers=1, **QUIET)
    assert report.excluded == [("03001627/c", "has pictures but no ground truth")]


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (lambda path: {"images": {}, "viewpoints": {}}, "has no 'voxels'"),
        (lambda path: [1, 2], "holds a list where a dict belongs"),
        (lambda path: {"images": [], "viewpoints": {}, "voxels": {}}, "images' holds a list"),
        (lambda path: {"images": {}, "viewpoints": {}, "voxels": {}}, "no object of"),
        (lambda path: {"images": {"a": Bomb(path)}, "viewpoints": {}, "voxels": {}}, "system"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: Any, word: str) -> None:
    source = tmp_path / "raw"
    source.mkdir()
    (source / NAME).write_bytes(pickle.dumps(content(tmp_path / "touched"), 2))
    with pytest.raises(InputError, match=word) as caught:
        prepare(tmp_path / "root", source=source, **QUIET)
    assert NAME in str(caught.value)
    assert not (tmp_path / "touched").exists()


def test_sources_that_are_none(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"neither files like") as caught:
        prepare(tmp_path / "root", source=tmp_path, **QUIET)
    assert "bench prepare shapenet-vpl --from DIR" in str(caught.value.hint)
    with pytest.raises(MissingError, match="cannot be fetched by a program") as caught:
        prepare(tmp_path / "root", accept_license=True, **QUIET)
    assert "drive.google.com" in str(caught.value.hint)
    source = tmp_path / "twice"
    shutil.copytree(raw, source)
    shutil.copy(source / NAME, source / "03001627_test.pkl")
    with pytest.raises(InputError, match="in another file too"):
        prepare(tmp_path / "root", source=source, **QUIET)
    cut = tmp_path / "cut"
    cut.mkdir()
    (cut / NAME).write_bytes((raw / NAME).read_bytes()[:-50_000])
    with pytest.raises(InputError, match="cut off"):
        prepare(tmp_path / "root", source=cut, **QUIET)
    with zipfile.ZipFile(cut / "dataset.zip", "w") as archive:
        archive.writestr(NAME, b"\x80\x02}.")
        archive.writestr(f"x/{NAME}", b"\x80\x02}.")
    (cut / NAME).unlink()
    with pytest.raises(InputError, match="has no 'images'"):
        prepare(tmp_path / "root", source=cut, **QUIET)


def test_viewpoints_as_arrays() -> None:
    for value in (np.array([2.0, 30, -45]), (np.float32(2), 30, np.int64(-45)), [2, 30.0, -45]):
        assert read_viewpoint(value, "x") == (2.0, 30.0, -45.0)
    for value in (np.zeros((3, 1)), np.array(["a"] * 3), {1: 2}, None, [True, None, 1]):
        with pytest.raises(InputError, match="'x' has a viewpoint"):
            read_viewpoint(value, "x")


def bench(*words: object, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchbench", *map(str, words), "--root", str(home)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_commands(raw: Path, tmp_path: Path) -> None:
    done = bench("prepare", "shapenet-vpl", "--from", raw, "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["prepared"][0]["counts"]["objects"] == 4
    source = changed(raw, tmp_path / "raw", first_view("images", None))
    done = bench("prepare", "shapenet-vpl", "--from", source, home=tmp_path / "broken")
    assert done.returncode == 4
    assert "03001627/c" in done.stderr and "missing: 0" in done.stderr
    assert "Traceback" not in done.stderr
    (source / NAME).write_bytes(pickle2({b"images": {}}))
    done = bench("prepare", "shapenet-vpl", "--from", source, home=tmp_path / "none")
    assert (done.returncode, done.stdout) == (1, "")
    assert "has no 'viewpoints'" in done.stderr
