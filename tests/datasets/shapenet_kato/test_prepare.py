"""`prepare shapenet-kato`: exported files, the archive, lists of ids, and broken ones."""

from __future__ import annotations

import hashlib
import io
import math
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchbench.core.errors import InputError, MissingError
from benchbench.datasets import preparing
from benchbench.datasets.cameras import project
from benchbench.datasets.exporting import asymmetric_cells, asymmetric_solid, export
from benchbench.datasets.shapenet_kato import prepare as module
from benchbench.datasets.shapenet_kato.prepare import locate, prepare
from benchbench.datasets.store import Store

QUIET = {"quiet": True}
CLASSES = ("02691156", "03001627")
PARTS = {"train": 3, "val": 1, "test": 2}
NAME = "03001627_train"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The npz files of two classes; the test copies what it changes."""
    folder = tmp_path_factory.mktemp("kato") / "raw"
    solids = [
        asymmetric_solid(f"{synset}/{part}{number}", part, number)
        for synset in CLASSES
        for part, count in PARTS.items()
        for number in range(count)
    ]
    return export("shapenet-kato", solids, folder)


@pytest.fixture(scope="module")
def prepared(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    report = prepare(tmp_path_factory.mktemp("root"), source=raw, **QUIET)
    assert (report.counts["objects"], report.failed, report.excluded) == (12, [], [])
    return Store(report.path)


def array(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as file:
        return file[file.files[0]]


def write(path: Path, values: np.ndarray, name: str = "arr_0") -> None:
    np.savez_compressed(path, **{name: values})


def archive_of(raw: Path, folder: Path, method: int, inside: str = "mesh_reconstruction/") -> Path:
    folder.mkdir()
    with zipfile.ZipFile(folder / "mesh_reconstruction_dataset.zip", "w", method) as archive:
        for path in sorted(raw.iterdir()):
            archive.write(path, inside + path.name)
    return folder


def test_exported_files_are_those_of_the_archive(raw: Path) -> None:
    assert sorted(path.name for path in raw.iterdir()) == sorted(
        f"{synset}_{part}_{kind}.npz"
        for synset in CLASSES
        for part in PARTS
        for kind in ("images", "voxels")
    )
    for part, count in PARTS.items():
        images = array(raw / f"02691156_{part}_images.npz")
        voxels = array(raw / f"02691156_{part}_voxels.npz")
        assert (images.shape, images.dtype) == ((count, 24, 4, 64, 64), np.uint8)
        assert (voxels.shape, voxels.dtype) == ((count, 32, 32, 32), np.bool_)
    with np.load(raw / "02691156_val_images.npz") as file:
        assert file.files == ["arr_0"]


def test_ids_splits_and_facts(prepared: Store) -> None:
    wanted = [f"{s}/{p}/{n:05d}" for s in CLASSES for p, c in PARTS.items() for n in range(c)]
    assert prepared.object_ids == sorted(wanted)
    assert prepared.split_name == "kato"
    for part in PARTS:
        found = [prepared.object_ids[n] for n in prepared.indices(part)]
        assert found == [name for name in prepared.object_ids if f"/{part}/" in name]
    assert (prepared.info["ids"], prepared.info["hidden_pixels"]) == ("unknown", 0)
    assert prepared.parameters(prepared.index_of("03001627/train/00002")) == {
        "part": "train",
        "index": 2,
    }
    assert prepared.info["renderings"][0]["colours"] == "inverted"


def test_pixels_are_the_files(prepared: Store, raw: Path) -> None:
    for row, name in enumerate(prepared.object_ids):
        synset, part, index = name.split("/")
        images = array(raw / f"{synset}_{part}_images.npz")[int(index)]
        np.testing.assert_array_equal(prepared.images(row), images.transpose(0, 2, 3, 1))
    visible = prepared.image(0, 0)[..., 3] > 0
    assert 0.02 < visible.mean() < 0.6


def test_colours_are_inverted_and_premultiplied(prepared: Store) -> None:
    """A pixel inside the object is (1 - c), so a bright red side is nearly without red."""
    from benchbench.datasets.cameras import kato_cameras
    from benchbench.datasets.drawing import draw, lit

    solid = asymmetric_solid("02691156/train0", "train", 0)
    straight = draw(solid.mesh, lit(solid.mesh, solid.colours), kato_cameras(64), 64, 64)
    stored = prepared.images(prepared.index_of("02691156/train/00000"))
    opaque = straight[..., 3] == 255
    assert abs(stored[opaque][:, :3].astype(int) - (255 - straight[opaque][:, :3])).max() <= 1
    assert (stored[..., :3].max(-1) <= stored[..., 3]).all()  # premultiplied: never above alpha


# Kato's cell of a coordinate c is floor(31 c + 16), and his voxeliser marks what a surface touches:
# an edge at n/32 - 1/2 lies at 31 n / 32 + 1/2, so 0 6 7 10 11 15 25 26 28 32 fall into cells
# 0 6 7 10 11 15 24 25 27 31, both ends of a side included. By hand, x y z, first to last:
ARMS = (
    ((0, 31), (6, 10), (7, 11)),
    ((0, 4), (6, 25), (7, 11)),
    ((0, 4), (6, 10), (7, 15)),
    ((27, 31), (6, 10), (7, 24)),
)
WRONG = {
    "x and z exchanged": lambda c: c.transpose(2, 1, 0),
    "x and y exchanged": lambda c: c.transpose(1, 0, 2),
    "y and z exchanged": lambda c: c.transpose(0, 2, 1),
    "x mirrored": lambda c: c[::-1],
    "y mirrored": lambda c: c[:, ::-1],
    "z mirrored": lambda c: c[:, :, ::-1],
    "half a turn": lambda c: c[::-1, :, ::-1],
    "as in the file": lambda c: c[:, :, ::-1].transpose(1, 2, 0),
}


def test_voxels_known_by_hand(prepared: Store, raw: Path) -> None:
    cells = np.zeros((32, 32, 32), bool)
    for arm in ARMS:
        cells[tuple(slice(first, last + 1) for first, last in arm)] = True
    for row in range(len(prepared)):
        assert np.array_equal(prepared.voxels(row), cells)
    for what, change in WRONG.items():
        assert not np.array_equal(change(cells), cells), what
    # kato.md 1.5: the file's [i, j, k] is Y = i, Z = 31 - j, X = k.
    stored = array(raw / "02691156_val_voxels.npz")[0]
    i, j, k = np.nonzero(stored)
    assert cells[k, i, 31 - j].all() and stored.sum() == cells.sum()


def inside(store: Store, points: np.ndarray, views: range = range(24)) -> float:
    """Share of points, in the object frame, that fall on visible pixels of object 0."""
    back = np.linalg.inv(store.source_to_object(0))
    points = points @ back[:3, :3].T + back[:3, 3]
    shares = []
    for view in views:
        pixels, _ = project(store.camera(0, view), points)
        column, row = np.floor(pixels).astype(int).T
        shares.append((store.image(0, view)[row, column, 3] > 0).mean())
    return float(np.mean(shares))


def centres(cells: np.ndarray, grid_to_object: np.ndarray) -> np.ndarray:
    return (np.argwhere(cells) + 0.5) @ grid_to_object[:3, :3].T + grid_to_object[:3, 3]


def test_points_fall_on_the_pictures(prepared: Store) -> None:
    unit = np.diag([1 / 32] * 3 + [1.0])
    unit[:3, 3] = -0.5
    assert inside(prepared, centres(asymmetric_cells(), unit)) == 1.0  # cells of the solid itself
    to_object = prepared.grid_to_object()
    assert (to_object @ [16, 16, 16, 1])[:3].tolist() == [0, 0, 0]  # cell 16 begins at the origin
    # Conservative cells stick out by up to one cell; measured 0.968, turned ones 0.67 at most.
    assert inside(prepared, centres(prepared.voxels(0), to_object)) > 0.96
    for what, change in WRONG.items():
        turned = change(prepared.voxels(0))
        assert inside(prepared, centres(turned, to_object), range(0, 24, 5)) < 0.8, what


def test_cameras_against_an_independent_formula(prepared: Store, shared: Path) -> None:
    """The authors' eyes, in their mirrored frame, by their formula and from their own arrays."""
    with np.load(shared / "oracles" / "kato" / "misc.npz") as file:
        authors = file["camera/eyes_view0to23"].astype(float)
    for view in range(24):
        camera = prepared.camera(0, view)
        a, e, d = math.radians(-15 * view), math.radians(30), 2.732
        eye = d * np.array([math.cos(e) * math.sin(a), math.sin(e), -math.cos(e) * math.cos(a)])
        assert np.allclose(eye, authors[view], atol=1e-5)
        mirrored = np.array([-eye[2], eye[1], -eye[0]])  # (X, Y, Z) = (-z, y, -x)
        rotation, shift = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
        assert np.allclose(-rotation.T @ shift, mirrored, atol=1e-12)
        assert np.allclose(rotation @ -mirrored / d, [0, 0, 1])  # looks at the origin
        assert rotation[1] @ [0, 1, 0] < -0.8 and abs(rotation[0] @ [0, 1, 0]) < 1e-12  # up is up
        assert np.linalg.det(rotation) == pytest.approx(1)
        focal = 32 / math.tan(math.radians(15))
        assert np.allclose(camera.intrinsics, [[focal, 0, 32], [0, focal, 32], [0, 0, 1]])
        assert camera.parameters == {"azimuth": 15 * view, "elevation": 30, "distance": d}


@pytest.mark.parametrize("form", ["below", "stored", "deflated", "flat zip", "zip below"])
def test_every_place_gives_the_same_objects(
    prepared: Store, raw: Path, tmp_path: Path, form: str
) -> None:
    source = tmp_path / "source"
    if form == "below":
        shutil.copytree(raw, source / "mesh_reconstruction")
    elif form == "zip below":
        source.mkdir()
        archive_of(raw, source / "mesh_reconstruction", zipfile.ZIP_DEFLATED)
    else:
        method = zipfile.ZIP_DEFLATED if form == "deflated" else zipfile.ZIP_STORED
        archive_of(raw, source, method, "" if form == "flat zip" else "mesh_reconstruction/")
    store = Store(prepare(tmp_path / "root", source=source, workers=1, **QUIET).path)
    assert store.identity == prepared.identity
    assert store.split_hash("test") == prepared.split_hash("test")


def test_same_bytes_twice_and_after_an_interruption(
    prepared: Store, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = prepare(tmp_path / "again", source=raw, workers=1, **QUIET)
    assert again.path.read_bytes() == prepared.path.read_bytes()
    monkeypatch.setattr(preparing, "_SHARD", 2)
    made: list[str] = []
    real = module.convert

    def stopped(name: str, *rest: object) -> object:
        if len(made) == 7:
            raise KeyboardInterrupt
        made.append(name)
        return real(name, *rest)

    monkeypatch.setattr(module, "convert", stopped)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "root", source=raw, workers=1, **QUIET)
    monkeypatch.setattr(module, "convert", lambda name, *r: (made.append(name), real(name, *r))[1])
    report = prepare(tmp_path / "root", source=raw, workers=1, **QUIET)
    assert len(made) == 7 + 12 - 6  # three whole shards of two were kept
    assert report.path.read_bytes() == prepared.path.read_bytes()


def test_any_name_of_the_array_and_python_2_headers(
    prepared: Store, raw: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(raw, source)
    path = source / f"{NAME}_voxels.npz"
    write(path, array(path), "voxels")
    path = source / f"{NAME}_images.npz"
    values = array(path)
    shape = ", ".join(f"{side}L" for side in values.shape)
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({shape}), }}"
    text += " " * (63 - (len(text) + 10) % 64) + "\n"
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + values.tobytes()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", data)
    (source / "03001627_train_masks.npz").write_bytes(b"never looked at")
    (source / "99999999_train_images.npz").write_bytes(b"a class of others")
    store = Store(prepare(tmp_path / "root", source=source, workers=1, **QUIET).path)
    assert store.identity == prepared.identity


def write_ids(folder: Path) -> dict[str, list[str]]:
    """Lists for the files of `raw`, in an order that is not the alphabet's."""
    lists = {}
    (folder / "shapenetcore_ids").mkdir()
    for synset in CLASSES:
        for part, count in PARTS.items():
            names = [hashlib.md5(f"{part}{n}".encode()).hexdigest() for n in range(count)]
            lists[f"{synset}/{part}"] = names
            lines = "".join(f"{synset}/{name}\n" for name in names)
            (folder / "shapenetcore_ids" / f"{synset}_{part}ids.txt").write_text(lines)
    return lists


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_lists_give_the_true_ids(prepared: Store, raw: Path, tmp_path: Path, form: str) -> None:
    source = tmp_path / "source"
    if form == "zip":
        archive_of(raw, source, zipfile.ZIP_STORED)
    else:
        shutil.copytree(raw, source)
    lists = write_ids(source)
    store = Store(prepare(tmp_path / "root", source=source, workers=1, **QUIET).path)
    for row, name in enumerate(prepared.object_ids):
        place, _, index = name.rpartition("/")
        other = store.index_of(f"{place.split('/')[0]}/{lists[place][int(index)]}")
        np.testing.assert_array_equal(store.images(other), prepared.images(row))
        assert store.parameters(other) == prepared.parameters(row)
    for part, count in PARTS.items():
        assert len(store.indices(part)) == 2 * count
    flat = "".join(f"{s}/{n}\n" for s in CLASSES for p in PARTS for n in lists[f"{s}/{p}"])
    assert store.info["ids"] == "sha256 " + hashlib.sha256(flat.encode()).hexdigest()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("absent", "lack"),
        ("short", "2 ids, the npz files have 3 objects"),
        ("other class", "line 2: '02691156/x'"),
        ("path", "line 2"),
        ("not ascii", "line 2"),
        ("twice", "twice"),
    ],
)
def test_lists_that_do_not_fit(raw: Path, tmp_path: Path, fault: str, reason: str) -> None:
    source = tmp_path / "source"
    shutil.copytree(raw, source)
    lists = write_ids(source)
    path = source / "shapenetcore_ids" / f"{NAME}ids.txt"
    lines = path.read_text().splitlines()
    if fault == "absent":
        path.unlink()
    else:
        lines[1] = {
            "short": "",
            "other class": "02691156/x",
            "path": "03001627/..",
            "not ascii": "03001627/\u00e9",
            "twice": f"03001627/{lists['03001627/train'][0]}",
        }[fault]
        path.write_text("\n".join(line for line in lines if line), encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        prepare(tmp_path / "root", source=source, workers=1, **QUIET)


def test_broken_rows_are_named(raw: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(raw, source)
    voxels = array(source / f"{NAME}_voxels.npz").view(np.uint8)
    voxels[0] = 0
    voxels[1, 3, 4, 5] = 2
    write(source / f"{NAME}_voxels.npz", voxels)
    images = array(source / f"{NAME}_images.npz")
    images[2, :, 3] = 0
    write(source / f"{NAME}_images.npz", images)
    (source / "03001627_val_voxels.npz").unlink()
    (source / "02691156_val_images.npz").unlink()
    report = prepare(tmp_path / "root", source=source, workers=1, **QUIET)
    reasons = dict(report.failed)
    assert set(reasons) == {f"03001627/train/0000{n}" for n in range(3)}
    assert "no occupied cell" in reasons["03001627/train/00000"]
    assert "a cell of 2" in reasons["03001627/train/00001"]
    assert "empty pictures" in reasons["03001627/train/00002"]
    assert dict(report.excluded) == {
        "03001627/val/00000": "has pictures but no ground truth",
        "02691156/val/00000": "has ground truth but no pictures",
    }
    assert Store(report.path).split_counts() == {"train": 3, "val": 0, "test": 4}


def test_colours_under_no_alpha_are_kept(raw: Path, tmp_path: Path) -> None:
    from benchbench.baselines.inputs import network_pictures
    from benchbench.baselines.kato.spec import INPUT

    source = tmp_path / "source"
    shutil.copytree(raw, source)
    images = array(source / f"{NAME}_images.npz")
    images[1, 5, :3, 2, 60] = (7, 0, 9)
    images[1, 5, :3, 3, 0] = (0, 0, 1)
    images[2, 23, :3, 63, 63] = (255, 255, 255)
    write(source / f"{NAME}_images.npz", images)
    store = Store(prepare(tmp_path / "root", source=source, workers=1, **QUIET).path)
    assert store.info["hidden_pixels"] == 3
    row = store.index_of("03001627/train/00001")
    assert store.array(row, "hidden_pixels").tolist() == [[5, 2, 60, 7, 0, 9], [5, 3, 0, 0, 0, 1]]
    assert not store.image(row, 5)[2, 60].any()
    items = [(row - 1 + n, view) for n in range(3) for view in range(24)]
    pictures = network_pictures(store, items, "kato", INPUT).reshape(images.shape)
    np.testing.assert_array_equal(pictures, images)  # the network sees the file, bit for bit


def test_pictures_reach_the_network_untouched(
    prepared: Store, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from benchbench.baselines import load_baseline
    from benchbench.baselines.kato.pairs import Pairs

    row = prepared.index_of("03001627/train/00001")
    images = array(raw / f"{NAME}_images.npz")
    kato = load_baseline("kato")
    seen: list[torch.Tensor] = []
    real = kato.predict
    monkeypatch.setattr(kato, "predict", lambda batch: (seen.append(batch.clone()), real(batch))[1])
    kato.predict_items(prepared, [(row, 3), (row, 20)])
    expected = images[1, [3, 20]].astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(seen[0][:2].numpy(), expected)
    pairs = Pairs(prepared, "kato", quiet=True)  # training too, and its masks are channel 3
    np.testing.assert_array_equal(pairs.pictures[pairs.rows[1]], images)


def bad_npz(values: np.ndarray, **changes: object) -> bytes:
    """An npz file with another header than the array's."""
    header = {"descr": values.dtype.str, "fortran_order": False, "shape": values.shape}
    header |= changes
    inner = io.BytesIO()
    np.lib.format.write_array_header_1_0(inner, header)
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", inner.getvalue() + values.tobytes())
    return outer.getvalue()


def faults(whole: bytes, values: np.ndarray) -> dict[str, tuple[bytes, str]]:
    middle = len(whole) // 2
    two = io.BytesIO()
    np.savez_compressed(two, values, values)
    objects = io.BytesIO()
    np.savez_compressed(objects, np.array([{}], object))
    flipped = bytearray(whole)
    flipped[120] ^= 0x10  # among the packed numbers
    place = 30 + len("arr_0.npy") + 4  # of the 64-bit size in the local header
    huge = whole[:place] + (1 << 60).to_bytes(8, "little") + whole[place + 8 :]
    return {
        "cut": (whole[:middle], "cut off"),
        "flipped": (bytes(flipped), "damaged"),
        "empty": (b"", "no npz"),
        "page": (b"<html>moved</html>" * 10, "no npz"),
        "two": (two.getvalue(), "more than one array"),
        "objects": (objects.getvalue(), "Python objects"),
        "fewer": (bad_npz(values, shape=(2, *values.shape[1:])), "does not fit"),
        "absurd": (bad_npz(values, shape=(10**17, *values.shape[1:])), "does not fit"),
        "nothing a row": (bad_npz(values[:0], shape=(10**17, 0)), "C order"),
        "fortran": (bad_npz(values, fortran_order=True), "C order"),
        "floats": (bad_npz(values.astype(np.float32)), "float32"),
        "turned": (bad_npz(np.moveaxis(values, 0, 1)), "belongs"),
        "flat": (bad_npz(values.reshape(-1)), "belongs"),
        "sizes": (huge, "does not fit"),
    }


@pytest.mark.parametrize("kind", ["images", "voxels"])
@pytest.mark.parametrize("place", ["folder", "zip"])
def test_broken_files_are_refused_in_a_sentence(
    raw: Path, tmp_path: Path, kind: str, place: str
) -> None:
    name = f"{NAME}_{kind}.npz"
    whole = (raw / name).read_bytes()
    for fault, (data, reason) in faults(whole, array(raw / name)).items():
        assert data != whole
        source = tmp_path / fault
        shutil.copytree(raw, source)
        (source / name).write_bytes(data)
        if place == "zip":
            source = archive_of(source, tmp_path / f"{fault}-zip", zipfile.ZIP_STORED)
        with pytest.raises(InputError, match=reason) as caught:
            prepare(tmp_path / f"{fault}-root", source=source, workers=1, **QUIET)
        assert name in str(caught.value) or fault == "fewer", fault
        shutil.rmtree(source)


def test_files_that_do_not_belong_together(raw: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(raw, source)
    write(source / f"{NAME}_voxels.npz", array(source / f"{NAME}_voxels.npz")[:2])
    with pytest.raises(InputError, match="3 objects of pictures and 2 of voxels"):
        prepare(tmp_path / "root", source=source, workers=1, **QUIET)


def test_a_broken_archive(raw: Path, tmp_path: Path) -> None:
    source = archive_of(raw, tmp_path / "source", zipfile.ZIP_STORED)
    path = source / "mesh_reconstruction_dataset.zip"
    whole = path.read_bytes()
    for data, reason in (
        (whole[: len(whole) // 2], "cut off"),
        (b"<html>Google Drive</html>" * 50, "no directory"),
        (b"", "no directory"),
    ):
        path.write_bytes(data)
        with pytest.raises(InputError, match=reason):
            prepare(tmp_path / "root", source=source, **QUIET)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mesh_reconstruction/readme.txt", "nothing")
    with pytest.raises(InputError, match="holds no file like"):
        prepare(tmp_path / "root", source=source, **QUIET)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"a/{NAME}_images.npz", "x")
        archive.writestr(f"b/{NAME}_images.npz", "x")
    with pytest.raises(InputError, match="twice"):
        prepare(tmp_path / "root", source=source, **QUIET)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="02691156_train_images") as caught:
        locate(tmp_path)
    assert "bench prepare shapenet-kato --from DIR" in str(caught.value.hint)
