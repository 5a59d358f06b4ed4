"""`prepare pascal3d` on releases that the exporter writes: solids, scenes, annotations, faults."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import shutil
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image

from benchbench.core.errors import InputError
from benchbench.datasets import preparing, registry
from benchbench.datasets.cameras import project
from benchbench.datasets.exporting import asymmetric_cells, asymmetric_solid
from benchbench.datasets.pascal3d import prepare as module
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


def test_registered() -> None:
    spec = registry.dataset_spec("pascal3d")
    assert spec.classes == 12
    assert any("share the same CAD models" in fault for fault in spec.faults)
