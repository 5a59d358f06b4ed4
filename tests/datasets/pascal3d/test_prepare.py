"""`prepare pascal3d` on releases that the exporter writes: solids, scenes, annotations, faults."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import json
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image

from benchbench.core.errors import InputError, MissingError
from benchbench.core.types import Mesh
from benchbench.datasets import preparing, registry
from benchbench.datasets.cameras import project
from benchbench.datasets.exporting import Solid, asymmetric_cells, asymmetric_solid, export
from benchbench.datasets.pascal3d import prepare as module
from benchbench.datasets.pascal3d.annotations import Found, read_annotation
from benchbench.datasets.pascal3d.prepare import CONVERTER, prepare
from benchbench.datasets.spec import Archive
from benchbench.datasets.store import Store

QUIET: dict[str, Any] = {"quiet": True, "workers": 1}
CAR, CHAIR, BOAT = "02958343", "03001627", "02858304"
RELEASE = "PASCAL3D+_release1.1"
# The boxes of `asymmetric_solid` in 32nds of the cube, from its description.
BOXES = (
    ((0, 6, 7), (32, 10, 11)),
    ((0, 6, 7), (4, 26, 11)),
    ((0, 6, 7), (4, 10, 15)),
    ((28, 6, 7), (32, 10, 25)),
)
HEIGHTS = (1.0, 0.8, 0.6)  # of the three car models


def flattened(solid: Solid, height: float) -> Solid:
    vertices = np.asarray(solid.mesh.vertices) * np.float32([1, height, 1])
    return dataclasses.replace(solid, mesh=Mesh(vertices, solid.mesh.faces))


def solids() -> list[Solid]:
    """Six cars of three models, two chairs, one boat; odd seeds are ImageNet pictures."""
    found = []
    for seed, (model, part) in enumerate(
        [(0, "train"), (1, "train"), (2, "test"), (0, "test"), (2, "train"), (1, "val")]
    ):
        found.append(flattened(asymmetric_solid(f"{CAR}/{seed}", part, seed), HEIGHTS[model]))
    found.append(asymmetric_solid(f"{CHAIR}/0", "test", 6))
    found.append(asymmetric_solid(f"{CHAIR}/1", "train", 7))
    found.append(asymmetric_solid(f"{BOAT}/0", "test", 9))
    return found


IDS = [
    f"{BOAT}/imagenet-n{BOAT}_8-2",
    f"{CAR}/imagenet-n{CAR}_1-2",
    f"{CAR}/imagenet-n{CAR}_3-2",
    f"{CAR}/imagenet-n{CAR}_5-2",
    f"{CAR}/pascal-2008_000000-2",
    f"{CAR}/pascal-2008_000002-2",
    f"{CAR}/pascal-2008_000004-2",
    f"{CHAIR}/imagenet-n{CHAIR}_7-2",
    f"{CHAIR}/pascal-2008_000006-2",
]
MODEL = dict(zip(IDS, (0, 1, 0, 1, 0, 2, 2, 0, 0), strict=True))


def hand_cells(height: float) -> np.ndarray:
    """Kato's grid of the solid: cells that its boxes touch, coordinate c lies at 31 c + 16."""
    cells = np.zeros((32, 32, 32), bool)
    scale = np.array([1, height, 1])
    for low, high in BOXES:
        first = np.floor(31 * (np.array(low) / 32 - 0.5) * scale + 16).astype(int)
        last = np.floor(31 * (np.array(high) / 32 - 0.5) * scale + 16).astype(int)
        cells[tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))] = True
    return cells


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported release; never written to (copy it first)."""
    return export("pascal3d", solids(), tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def prepared(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    report = prepare(tmp_path_factory.mktemp("root"), source=raw, quiet=True, workers=2)
    assert (report.failed, report.excluded) == ([], [])
    return Store(report.path)


def test_objects_and_their_voxels(prepared: Store) -> None:
    assert prepared.object_ids == IDS
    assert prepared.info["objects_of_other_classes"] == len(IDS)  # the second one of each record
    for index, name in enumerate(IDS):
        expected = hand_cells(HEIGHTS[MODEL[name]])
        assert np.array_equal(prepared.voxels(index), expected), name
    assert np.allclose(prepared.grid_to_object()[:3, 3], -16 / 31)


WRONG: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "x and z exchanged": lambda p: p[:, [2, 1, 0]],
    "x and y exchanged": lambda p: p[:, [1, 0, 2]],
    "y and z exchanged": lambda p: p[:, [0, 2, 1]],
    "x mirrored": lambda p: p * [-1, 1, 1],
    "y mirrored": lambda p: p * [1, -1, 1],
    "z mirrored": lambda p: p * [1, 1, -1],
    "half a turn": lambda p: p * [-1, 1, -1],
}


def pixels_of(store: Store, index: int, points: np.ndarray) -> np.ndarray:
    """(N, 2) row and column of points of the solid before it was flattened."""
    points = points * [1, HEIGHTS[MODEL[IDS[index]]], 1]
    back = np.linalg.inv(store.source_to_object(index))
    pixels, _ = project(store.camera(index, 0), points @ back[:3, :3].T + back[:3, 3])
    return np.floor(pixels).astype(int)[:, ::-1]


def share_inside(
    store: Store, index: int, change: Callable[[np.ndarray], np.ndarray] = lambda p: p
) -> float:
    """Share of the solid's inner points that fall on pixels of the mask."""
    points = (np.argwhere(asymmetric_cells()) + 0.5) / 32 - 0.5
    row, column = pixels_of(store, index, change(points)).T
    inside = (row >= 0) & (row < 224) & (column >= 0) & (column < 224)
    return float((store.image(index, 0)[row[inside], column[inside], 3] > 0).sum() / len(points))


def test_points_fall_on_the_masks(prepared: Store) -> None:
    for index in range(len(IDS)):
        assert share_inside(prepared, index) > 0.995, index
    for what, change in WRONG.items():
        shares = [share_inside(prepared, index, change) for index in range(len(IDS))]
        assert max(shares) < 0.95 and np.mean(shares) < 0.8, what


def test_both_kinds_of_masks_agree_with_the_solid(prepared: Store) -> None:
    kinds = [(prepared.parameters(n) or {})["mask"] for n in range(len(IDS))]
    assert kinds == ["voc" if "/pascal-" in name else "cad" for name in IDS]
    for index in range(len(IDS)):
        mask = prepared.image(index, 0)[..., 3]
        assert set(np.unique(mask)) == {0, 255}
        # points of the solid are on the mask (above); and nothing of the mask is far from them
        fine = asymmetric_cells().repeat(3, 0).repeat(3, 1).repeat(3, 2)
        points = (np.argwhere(fine) + 0.5) / 96 - 0.5
        pixels = pixels_of(prepared, index, points)
        near = np.zeros((224, 224), bool)
        for down in range(-3, 4):
            for right in range(-3, 4):
                near[tuple(np.clip(pixels + [down, right], 0, 223).T)] = True
        assert (mask[~near] > 0).sum() < 0.005 * (mask > 0).sum(), index


def test_pictures_cameras_and_numbers_are_the_files(prepared: Store, raw: Path) -> None:
    for index, name in enumerate(IDS):
        source, image, number = name.split("/")[1].split("-")
        wanted = dict(prepared.classes)[name.split("/")[0]]
        suffix = "jpg" if source == "pascal" else "JPEG"
        place = f"{wanted}_{source}/{image}"
        record = scipy.io.loadmat(
            raw / RELEASE / "Annotations" / f"{place}.mat",
            squeeze_me=True,
            struct_as_record=False,
        )["record"]
        thing = record.objects[int(number) - 1]
        assert thing.__dict__["class"] == wanted
        x1, y1, x2, y2 = thing.bbox  # whole numbers, inside
        left, top, width, height = x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1
        x0, y0 = max(0, int(left - 0.15 * width)), max(0, int(top - 0.15 * height))
        x3 = min(320, int(left + width + 0.15 * width))
        y3 = min(240, int(top + height + 0.15 * height))
        with Image.open(raw / RELEASE / "Images" / f"{place}.{suffix}") as picture:
            assert picture.size == (320, 240)
            small = picture.crop((x0, y0, x3, y3)).resize((224, 224), Image.Resampling.BILINEAR)
        assert np.array_equal(prepared.image(index, 0)[..., :3], np.array(small))
        camera = prepared.camera(index, 0)
        for key in ("azimuth", "elevation", "theta", "distance", "focal", "px", "py", "viewport"):
            assert camera.parameters[key] == getattr(thing.viewpoint, key), key
        boxes = [camera.parameters[f"bbox_{key}"] for key in ("x1", "y1", "x2", "y2")]
        assert boxes == thing.bbox.tolist()
        assert camera.parameters["cad_index"] == MODEL[name] + 1
        # the whole picture's camera, from annotated pixels to those of the crop
        stretch = np.array([224 / (x3 - x0), 224 / (y3 - y0)])
        middle = (np.array([thing.viewpoint.px, thing.viewpoint.py]) - 0.5 - [x0, y0]) * stretch
        assert np.allclose(camera.intrinsics[:2, 2], middle, atol=1e-9)
        assert np.allclose(np.diag(camera.intrinsics)[:2], 3000 * stretch, rtol=1e-12)
        notes = prepared.parameters(index) or {}
        assert notes["annotation"]["viewpoint"]["px"] == thing.viewpoint.px
        assert notes["annotation"]["anchors"]["unseen"] == {"location": None, "status": 2.0}
        assert (notes["source"], notes["image"]) == (source, image)


def test_frames_and_shared_meshes(prepared: Store) -> None:
    keys = {prepared.shared_mesh(index) for index in range(len(IDS))}
    assert len(keys) == 3  # chair, boat and the first car are the same mesh
    for index, name in enumerate(IDS):
        height = HEIGHTS[MODEL[name]]
        mesh = prepared.mesh(index)
        assert mesh is not None
        expected = asymmetric_solid("x/y").mesh.vertices * np.float32([1, height, 1])
        assert np.abs(mesh.vertices - expected).max() < 1e-6
        diagonal = np.linalg.norm([1, 20 / 32 * height, 18 / 32])
        axes = np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0]])
        matrix = prepared.source_to_object(index)
        assert np.allclose(matrix[:3, :3], axes * diagonal, atol=1e-6)
        assert np.allclose(matrix[:3, 3], 0, atol=1e-6)


def ids(store: Store, split: str, part: str) -> set[str]:
    one = Store(store.path, split)
    return {one.object_ids[row].split("/")[1] for row in one.indices(part)}


def test_splits(prepared: Store) -> None:
    assert prepared.split_names == ("disjoint", "imagenet", "pascal", "drc-like")
    assert prepared.split_name == "disjoint"
    third = {"pascal-2008_000002-2", "pascal-2008_000004-2"}  # the cars of the third model
    assert ids(prepared, "disjoint", "test") == third
    on_val = {f"imagenet-n{CAR}_{n}-2" for n in (3, 5)}
    on_val |= {f"imagenet-n{BOAT}_8-2", "pascal-2008_000006-2"}
    assert ids(prepared, "disjoint", "val") == on_val
    assert len(ids(prepared, "disjoint", "train")) == len(IDS) - 6
    assert ids(prepared, "imagenet", "train") == {f"imagenet-n{CAR}_1-2", f"imagenet-n{CHAIR}_7-2"}
    assert ids(prepared, "imagenet", "test") == {n for n in on_val if n.startswith("imagenet")}
    voc_test = {"pascal-2008_000002-2", "pascal-2008_000006-2"}
    assert ids(prepared, "pascal", "test") == voc_test
    assert ids(prepared, "pascal", "train") == {"pascal-2008_000000-2", "pascal-2008_000004-2"}
    assert ids(prepared, "drc-like", "test") == voc_test
    assert len(ids(prepared, "drc-like", "train")) == 2 + 4  # VOC train, ImageNet but for the boat
    for split in ("imagenet", "pascal", "drc-like"):
        assert ids(prepared, split, "val") == set()
    told = prepared.info["shared_models"]
    assert told["disjoint"] == {"test_models": 1, "also_in_train": 0}
    assert told["pascal"] == {"test_models": 2, "also_in_train": 1}  # the third car, not the chair


def pack(raw: Path, folder: Path, form: str) -> Path:
    folder.mkdir()
    if form == "zip":
        shutil.make_archive(str(folder / RELEASE), "zip", raw, RELEASE)
    else:
        with tarfile.open(folder / f"{RELEASE}.tgz", "w:gz", compresslevel=1) as tar:
            # an order that nobody would choose: pictures first
            for path in sorted(raw.rglob("*.*"), key=lambda p: (p.suffix != ".JPEG", p.name)):
                if path.is_file():
                    tar.add(path, path.relative_to(raw).as_posix())
    return folder


@pytest.mark.parametrize("form", ["zip", "tgz", "inner"])
def test_archives_hold_the_same_objects(
    prepared: Store, raw: Path, tmp_path: Path, form: str
) -> None:
    source = raw / RELEASE if form == "inner" else pack(raw, tmp_path / "source", form)
    store = Store(prepare(tmp_path / "root", source=source, **QUIET).path)
    assert store.identity == prepared.identity
    assert store.split_hash("test") == prepared.split_hash("test")


def test_same_bytes_twice_and_after_a_kill(
    prepared: Store, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(raw, tmp_path / "copy")
    monkeypatch.setattr(preparing, "_SHARD", 2)
    real, made = module.convert, []

    def stopped(instance: Any, *rest: Any) -> Any:
        if len(made) == 5:
            raise KeyboardInterrupt
        made.append(instance.id)
        return real(instance, *rest)

    monkeypatch.setattr(module, "convert", stopped)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "root", source=tmp_path / "copy", **QUIET)
    monkeypatch.setattr(module, "convert", lambda one, *r: (made.append(one.id), real(one, *r))[1])
    report = prepare(tmp_path / "root", source=tmp_path / "copy", **QUIET)
    assert len(made) <= 5 + len(IDS) - 4  # two whole shards of two were kept
    assert report.path.read_bytes() == prepared.path.read_bytes()


def test_models_from_off_files(prepared: Store, raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "copy")
    for path in (tmp_path / "copy" / RELEASE / "CAD").glob("*.mat"):
        path.unlink()
    store = Store(prepare(tmp_path / "root", source=tmp_path / "copy", **QUIET).path)
    assert store.identity == prepared.identity


def edited(path: Path, change: Callable[[dict[str, Any], np.ndarray], Any]) -> None:
    """Rewrites an annotation: `change` gets the record and its second object (a struct row)."""
    record = scipy.io.loadmat(path)["record"]
    fields = {name: record[0, 0][name] for name in record.dtype.names}
    change(fields, fields["objects"][0, 1])
    scipy.io.savemat(path, {"record": fields})


def without(*names: str) -> Callable[[dict[str, Any], np.ndarray], Any]:
    def change(_: dict[str, Any], thing: Any) -> None:
        view = thing["viewpoint"][0, 0]
        thing["viewpoint"] = {n: view[n] for n in view.dtype.names if n not in names}

    return change


def setting(**values: float) -> Callable[[dict[str, Any], np.ndarray], Any]:
    def change(_: dict[str, Any], thing: Any) -> None:
        view = thing["viewpoint"][0, 0]
        thing["viewpoint"] = {n: view[n] for n in view.dtype.names} | values

    return change


def field(**values: Any) -> Callable[[dict[str, Any], np.ndarray], Any]:
    def change(_: dict[str, Any], thing: Any) -> None:
        for key, value in values.items():
            thing[key] = value

    return change


EXCLUDED = {
    "no viewpoint": (field(viewpoint=np.zeros((0, 0))), "no viewpoint is annotated"),
    "no angles": (without("azimuth", "azimuth_coarse"), "has no azimuth"),
    "distance 0": (setting(distance=0.0), "distance is 0"),
    "no distance": (without("distance"), "distance is 0"),
    "zeros": (setting(azimuth=0.0, elevation=0.0, theta=0.0), "taken as not annotated"),
}
FAILED = {
    "half a model": (field(cad_index=np.array([[1.5]])), "no whole number"),
    "not finite": (setting(px=np.nan), "px is not one finite number"),
    "no focal": (without("focal"), "has no focal"),
    "negative": (setting(distance=-3.0), "must be positive"),
    "short box": (field(bbox=np.array([[1.0, 2, 3]])), "bbox"),
    "absurd size": (lambda record, _: record.update(imgsize=np.array([[-1.0, 2]])), "imgsize"),
}


@pytest.mark.parametrize("what", [*EXCLUDED, *FAILED])
def test_annotations_that_cannot_be_used(raw: Path, tmp_path: Path, what: str) -> None:
    change, reason = {**EXCLUDED, **FAILED}[what]
    path = tmp_path / "a.mat"
    shutil.copy(raw / RELEASE / "Annotations/car_pascal/2008_000002.mat", path)
    found = Found()
    read_annotation(path.read_bytes(), "a.mat", CAR, "car", "pascal", "a", found)
    assert [one.id for one in found.instances] == [f"{CAR}/pascal-a-2"]
    edited(path, change)
    found = Found()
    read_annotation(path.read_bytes(), "a.mat", CAR, "car", "pascal", "a", found)
    assert found.instances == []
    noted, other = found.failed, found.excluded
    if what in EXCLUDED:
        noted, other = other, noted
    assert other == {}
    assert reason in noted[f"{CAR}/pascal-a" + ("" if what == "absurd size" else "-2")]


def test_skipped_and_broken_instances_are_counted(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "copy")
    folder = tmp_path / "copy" / RELEASE / "Annotations"
    edited(folder / "car_pascal/2008_000002.mat", field(cad_index=np.array([[4.0]])))
    edited(folder / "car_pascal/2008_000004.mat", field(bbox=np.array([[900.0, 1, 990, 40]])))
    edited(
        folder / f"car_imagenet/n{CAR}_1.mat",
        lambda record, _: record.update(imgsize=np.array([[640.0, 240, 3]])),
    )
    edited(folder / f"car_imagenet/n{CAR}_3.mat", setting(distance=0.0))
    report = prepare(tmp_path / "root", source=tmp_path / "copy", **QUIET)
    reasons = dict(report.failed)
    assert len(reasons) == 3
    assert "no such model of car" in reasons[f"{CAR}/pascal-2008_000002-2"]
    assert "outside its 320x240" in reasons[f"{CAR}/pascal-2008_000004-2"]
    assert "annotated for 640x240" in reasons[f"{CAR}/imagenet-n{CAR}_1-2"]
    assert [name for name, _ in report.excluded] == [f"{CAR}/imagenet-n{CAR}_3-2"]
    assert list(Store(report.path).info["skipped"].values()) == [1]
    assert report.counts["objects"] == len(IDS) - 4


def test_readers_rules_for_missing_angles(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "copy")
    folder = tmp_path / "copy" / RELEASE / "Annotations/car_pascal"
    edited(folder / "2008_000002.mat", without("azimuth", "elevation"))
    edited(folder / "2008_000004.mat", without("theta"))
    store = Store(prepare(tmp_path / "root", source=tmp_path / "copy", **QUIET).path)
    coarse = store.camera(IDS.index(f"{CAR}/pascal-2008_000002-2"), 0).parameters
    notes = store.parameters(IDS.index(f"{CAR}/pascal-2008_000002-2")) or {}
    assert coarse["coarse"] == 1
    assert coarse["azimuth"] == notes["annotation"]["viewpoint"]["azimuth_coarse"]
    assert coarse["elevation"] == 0
    assert store.camera(IDS.index(f"{CAR}/pascal-2008_000004-2"), 0).parameters["theta"] == 0


def test_broken_files_are_named(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "copy")
    root = tmp_path / "copy" / RELEASE
    path = root / "Images/car_pascal/2008_000000.jpg"
    path.write_bytes(path.read_bytes()[:900])
    (root / "Images/car_pascal/2008_000002.jpg").unlink()
    path = root / "Annotations/car_pascal/2008_000004.mat"
    path.write_bytes(path.read_bytes()[:-40])
    voc = root / "PASCAL/VOCdevkit/VOC2012"
    Image.new("RGB", (320, 240), (1, 2, 3)).save(voc / "SegmentationObject/2008_000006.png")
    models = scipy.io.loadmat(root / "CAD/boat.mat")["boat"]
    models[0, 0]["faces"] = models[0, 0]["faces"] + 100
    scipy.io.savemat(root / "CAD/boat.mat", {"boat": models})
    (root / "CAD/chair.mat").write_bytes(b"x" * 400)
    report = prepare(tmp_path / "root", source=tmp_path / "copy", **QUIET)
    reasons = dict(report.failed)
    assert "damaged JPEG" in reasons[f"{CAR}/pascal-2008_000000-2"]
    assert "2008_000004.mat" in reasons[f"{CAR}/pascal-2008_000004"]
    assert "a vertex that it does not have" in reasons[f"{BOAT}/imagenet-n{BOAT}_8-2"]
    assert "CAD/chair.mat" in reasons[f"{CHAIR}/imagenet-n{CHAIR}_7-2"]
    assert len(reasons) == 5
    assert report.excluded == [(f"{CAR}/pascal-2008_000002-2", "has an annotation but no picture")]
    (root / "CAD/chair.mat").unlink()  # the .off is taken; then the segmentation's colours count
    report = prepare(tmp_path / "root2", source=tmp_path / "copy", **QUIET)
    assert "not those of VOC" in dict(report.failed)[f"{CHAIR}/pascal-2008_000006-2"]


def test_segmentation_without_a_fitting_object(raw: Path, tmp_path: Path) -> None:
    """Another class in its place: the model's silhouette is taken."""
    shutil.copytree(raw, tmp_path / "copy")
    path = tmp_path / "copy" / RELEASE / "PASCAL/VOCdevkit/VOC2012/SegmentationClass"
    picture = Image.open(path / "2008_000002.png")
    numbers = np.array(picture)
    numbers[numbers == 7] = 9
    changed = Image.fromarray(numbers, "P")
    changed.putpalette(picture.getpalette())
    changed.save(path / "2008_000002.png")
    store = Store(prepare(tmp_path / "root", source=tmp_path / "copy", **QUIET).path)
    index = IDS.index(f"{CAR}/pascal-2008_000002-2")
    assert (store.parameters(index) or {})["mask"] == "cad"
    assert share_inside(store, index) > 0.995


def test_nothing_usable(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"PASCAL3D\+_release1\.1"):
        prepare(tmp_path / "root", source=tmp_path, **QUIET)
    (tmp_path / RELEASE).mkdir()
    with pytest.raises(InputError, match="no annotation of the 12 classes"):
        prepare(tmp_path / "root", source=tmp_path, **QUIET)


def test_members_that_appear_twice(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    path = raw / RELEASE / "Annotations/car_pascal/2008_000002.mat"
    with tarfile.open(tmp_path / "source" / f"{RELEASE}.tgz", "w:gz") as tar:
        for _ in range(2):
            tar.add(path, path.relative_to(raw).as_posix())
    with pytest.raises(InputError, match="twice"):
        prepare(tmp_path / "root", source=tmp_path / "source", **QUIET)


def test_from_a_server(
    prepared: Store, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_OFFLINE", raising=False)
    served = pack(raw, tmp_path / "served", "zip")

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Silent, directory=str(served))
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        name = f"{RELEASE}.zip"
        url = f"http://127.0.0.1:{server.server_address[1]}/{name}"
        spec = dataclasses.replace(CONVERTER.spec, archives=(Archive(name, (url,)),))
        converter = dataclasses.replace(CONVERTER, spec=spec)
        report = preparing.prepare(converter, tmp_path / "root", accept_license=True, **QUIET)
        assert Store(report.path).identity == prepared.identity
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_as_typed(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "copy")
    edited(
        tmp_path / "copy" / RELEASE / "Annotations/car_pascal/2008_000002.mat",
        field(cad_index=np.array([[4.0]])),
    )
    words = ["prepare", "pascal3d", "--from", str(tmp_path / "copy"), "--root", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchbench", *words, "--json"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert json.loads(done.stdout)["prepared"][0]["counts"]["objects"] == len(IDS) - 1
    assert f"{CAR}/pascal-2008_000002-2" in done.stdout
    assert "failed 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_registered() -> None:
    spec = registry.dataset_spec("pascal3d")
    assert spec.classes == 12
    assert any("share the same CAD models" in fault for fault in spec.faults)
