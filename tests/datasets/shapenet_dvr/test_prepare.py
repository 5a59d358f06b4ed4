"""`prepare shapenet-dvr`: exported folders, zip and tgz archives, and broken ones."""

from __future__ import annotations

import io
import math
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchbench.core.errors import InputError, MissingError, UsageError
from benchbench.datasets import preparing
from benchbench.datasets.cameras import project
from benchbench.datasets.exporting import asymmetric_cells, asymmetric_solid
from benchbench.datasets.shapenet_dvr import prepare as module
from benchbench.datasets.shapenet_dvr.convert import read_cameras, read_points
from benchbench.datasets.shapenet_dvr.export import export, surface_points
from benchbench.datasets.shapenet_dvr.prepare import locate, prepare
from benchbench.datasets.store import Store

QUIET = {"quiet": True}
CLASSES = ("02691156", "03001627")
PARTS = {"train": 3, "val": 1, "test": 2}
COUNT = 2000  # points


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`NMR_Dataset/` of two classes; a test copies what it changes."""
    folder = tmp_path_factory.mktemp("dvr")
    solids = [
        asymmetric_solid(f"{synset}/{part}{number}", part, number)
        for synset in CLASSES
        for part, count in PARTS.items()
        for number in range(count)
    ]
    export(solids, folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def prepared(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    report = prepare(tmp_path_factory.mktemp("root"), source=raw, **QUIET)
    assert (report.counts["objects"], report.failed, report.excluded) == (12, [], [])
    return Store(report.path)


def test_exported_files_are_those_of_the_archive(raw: Path) -> None:
    base = raw / "NMR_Dataset"
    assert sorted(path.name for path in base.iterdir()) == [*CLASSES, "metadata.yaml"]
    assert (base / "03001627" / "softras_test.lst").read_text() == "test0\ntest1\n"
    folder = base / "02691156" / "train1"
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*")) == sorted(
        [f"{what}/{v:04d}.png" for what in ("image", "mask") for v in range(24)]
        + ["cameras.npz", "pointcloud.npz"]
    )
    with Image.open(folder / "image" / "0007.png") as image:
        assert (image.mode, image.size, image.getpixel((0, 0))) == ("RGB", (64, 64), (255,) * 3)
    with Image.open(folder / "mask" / "0007.png") as mask:
        assert mask.mode == "L" and set(np.unique(np.asarray(mask))) == {0, 255}
    with np.load(folder / "cameras.npz") as file:
        assert len(file.files) == 4 * 24
        assert np.allclose(file["world_mat_5"] @ file["world_mat_inv_5"], np.eye(4))
        assert file["camera_mat_0"][0, 0] == pytest.approx(3.7320508, abs=1e-7)  # 1 / tan 15
    with np.load(folder / "pointcloud.npz") as file:
        kinds = {key: (file[key].shape, file[key].dtype.name) for key in file.files}
    assert kinds == {
        "points": ((COUNT, 3), "float16"),
        "normals": ((COUNT, 3), "float16"),
        "loc": ((3,), "float64"),
        "scale": ((), "float64"),
    }


def test_ids_and_splits(prepared: Store) -> None:
    wanted = [f"{s}/{p}{n}" for s in CLASSES for p, count in PARTS.items() for n in range(count)]
    assert prepared.object_ids == sorted(wanted)
    assert prepared.split_names == ("softras",)
    for part in PARTS:
        found = [prepared.object_ids[n] for n in prepared.indices(part)]
        assert found == [name for name in prepared.object_ids if f"/{part}" in name]


def test_pixels_are_the_files(prepared: Store, raw: Path) -> None:
    assert prepared.mode() == "rgb+mask"
    for row, name in enumerate(prepared.object_ids):
        for view in (0, 11, 23):
            folder = raw / "NMR_Dataset" / name
            image = np.asarray(Image.open(folder / "image" / f"{view:04d}.png"))
            mask = np.asarray(Image.open(folder / "mask" / f"{view:04d}.png"))
            np.testing.assert_array_equal(prepared.image(row, view)[..., :3], image)
            np.testing.assert_array_equal(prepared.image(row, view)[..., 3], mask)
    assert (prepared.image(0, 0)[0, 0] == (255, 255, 255, 0)).all()  # the background is kept


def test_points_are_the_files(prepared: Store, raw: Path) -> None:
    for row, name in enumerate(prepared.object_ids):
        with np.load(raw / "NMR_Dataset" / name / "pointcloud.npz") as file:
            for key in ("points", "normals"):
                assert prepared.array(row, key).dtype == np.float16
                np.testing.assert_array_equal(prepared.array(row, key), file[key])
                assert len(prepared.array(row, f"{key}_float32")) == 0
        assert prepared.array(row, "loc").tolist() == [[0, 0, 0]]
        assert prepared.array(row, "scale").tolist() == [1]
    assert prepared.voxel_kinds == () and prepared.mesh(0) is None


def test_exported_points_lie_on_the_surface() -> None:
    solid = asymmetric_solid("03001627/a")
    points, normals = surface_points(solid.mesh, 4000, "a")
    cells = (points + 0.5) * 32
    occupied = np.pad(asymmetric_cells(), 1)

    def at(place: np.ndarray) -> np.ndarray:
        return occupied[tuple(np.floor(place).astype(int).T + 1)]

    # Just inside is solid. Just outside is air, but where the boxes of the solid overlap.
    assert at(cells - 1e-6 * normals).all()
    assert at(cells + 1e-6 * normals).mean() < 0.2
    assert (np.abs(normals).max(axis=1) == 1).all()  # the sides of boxes
    # The upper arm (4 x 20 x 4 cells) as against the long one (32 x 4 x 4): by area, 4 x 80 + ...
    assert abs((cells[:, 1] > 10).mean() - (4 * 4 * 16 + 16) / _area()) < 0.03


def _area() -> float:
    """Area of the four closed boxes, in cell faces."""
    boxes = ((32, 4, 4), (4, 20, 4), (4, 4, 8), (4, 4, 18))
    return sum(2 * (a * b + b * c + a * c) for a, b, c in boxes)


WRONG = {
    "x and z exchanged": [2, 1, 0],
    "x and y exchanged": [1, 0, 2],
    "x mirrored": [-1, 1, 1],
    "y mirrored": [1, -1, 1],
    "z mirrored": [1, 1, -1],
    "half a turn": [-1, 1, -1],
}


def share(store: Store, points: np.ndarray) -> float:
    """Share of points, in the object frame, that fall on the masks of object 0."""
    back = np.linalg.inv(store.source_to_object(0))
    points = points @ back[:3, :3].T + back[:3, 3]
    shares = []
    for view in range(24):
        pixels, _ = project(store.camera(0, view), points)
        column, row = np.floor(pixels).astype(int).T
        shares.append((store.image(0, view)[row, column, 3] > 0).mean())
    return float(np.mean(shares))


def test_points_fall_on_the_masks(prepared: Store) -> None:
    points = prepared.array(0, "points").astype(float)
    cells = (np.argwhere(asymmetric_cells()) + 0.5) / 32 - 0.5
    # Masks are cut at half coverage, so points at the rim fall beside them: measured 0.980, 1.
    assert share(prepared, points) > 0.97
    assert share(prepared, cells) == 1
    for what, change in WRONG.items():
        turned = points[:, change] if sorted(change) == [0, 1, 2] else points * change
        assert share(prepared, turned) < 0.75, what
    low, high = points.min(0), points.max(0)
    assert np.allclose(low, [-0.5, -0.3125, -0.28125], atol=0.01)
    assert np.allclose(high, [0.5, 0.3125, 0.28125], atol=0.01)


def test_cameras_against_an_independent_formula(prepared: Store) -> None:
    """Kato's eye around the object: azimuth 15 k from +x over +z, elevation 30, distance 2.732."""
    for view in range(24):
        camera = prepared.camera(0, view)
        a, e, d = math.radians(15 * view), math.radians(30), 2.732
        eye = d * np.array([math.cos(a) * math.cos(e), math.sin(e), math.sin(a) * math.cos(e)])
        forward = -eye / d
        right = np.array([-forward[2], 0, forward[0]]) / math.hypot(forward[0], forward[2])
        turn = np.stack([right, np.cross(forward, right), forward])
        assert np.allclose(camera.world_to_camera[:3, :3], turn, atol=1e-12)
        assert np.allclose(camera.world_to_camera[:3, 3], -turn @ eye, atol=1e-12)
        assert turn[1] @ [0, 1, 0] < -0.8  # down in the picture
        f = 1 / math.tan(math.radians(15))
        assert np.allclose(camera.intrinsics, [[32 * f, 0, 32], [0, 32 * f, 32], [0, 0, 1]])
        assert camera.parameters == {
            "focal_x": pytest.approx(f),
            "focal_y": pytest.approx(f),
            "centre_x": 0,
            "centre_y": 0,
        }


def test_intrinsics_of_an_uneven_camera() -> None:
    """[-1, 1] is the picture: -1 its left or upper edge, 1 the right or lower one."""
    arrays = {f"world_mat_{v}": np.eye(4) for v in range(24)}
    lens = np.array([[2.0, 0, 0.25, 0], [0, 4, -0.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    arrays |= {f"camera_mat_{v}": lens for v in range(24)}
    cameras = read_cameras(npz(**arrays), "x")
    point = np.array([0.3, -0.1, 2.0])
    x, y = 2 * 0.3 / 2 + 0.25, 4 * -0.1 / 2 - 0.5
    image = cameras.intrinsics[7] @ point
    assert (image[:2] / image[2]).tolist() == pytest.approx([32 * (x + 1), 32 * (y + 1)])
    assert cameras.parameters[7].tolist() == [2, 4, 0.25, -0.5]


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["zip", "tgz", "data"])
def test_every_form_gives_the_same_objects(
    prepared: Store, raw: Path, tmp_path: Path, form: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    if form == "zip":
        shutil.make_archive(str(source / "NMR_Dataset"), "zip", raw, "NMR_Dataset")
    elif form == "tgz":
        shutil.make_archive(str(source / "NMR_Dataset"), "gztar", raw, "NMR_Dataset")
    else:
        shutil.copytree(raw, source / "data")
    store = Store(prepare(tmp_path / "root", source=source, workers=1, **QUIET).path)
    assert store.identity == prepared.identity
    assert store.split_hash("test") == prepared.split_hash("test")


def test_visual_hulls_and_other_files_are_not_read(raw: Path, tmp_path: Path) -> None:
    source = tmp_path / "NMR_Dataset.zip"
    with zipfile.ZipFile(source, "w") as archive:
        for path in sorted((raw / "NMR_Dataset").rglob("*")):
            archive.write(path, path.relative_to(raw).as_posix())
        for model in ("train0", "test1"):
            for view in range(24):  # more files than a model may have, and none is a depth map
                name = f"NMR_Dataset/02691156/{model}/visual_hull_depth/{view:04d}.exr"
                archive.writestr(name, b"no depth map")
    report = prepare(tmp_path / "root", source=tmp_path, workers=1, **QUIET)
    assert report.counts["objects"] == 12


def test_same_bytes_twice_and_after_an_interruption(
    prepared: Store, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = prepare(tmp_path / "again", source=raw, workers=1, **QUIET)
    assert again.path.read_bytes() == prepared.path.read_bytes()
    monkeypatch.setattr(preparing, "_SHARD", 2)
    made: list[str] = []
    real = module.convert

    def stopped(synset: str, model: str, files: dict[str, bytes]) -> object:
        if len(made) == 7:
            raise KeyboardInterrupt
        made.append(model)
        return real(synset, model, files)

    monkeypatch.setattr(module, "convert", stopped)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "root", source=raw, workers=1, **QUIET)
    monkeypatch.setattr(module, "convert", lambda *a: (made.append(a[1]), real(*a))[1])
    report = prepare(tmp_path / "root", source=raw, workers=1, **QUIET)
    assert len(made) == 7 + 12 - 6  # three whole shards of two were kept
    assert report.path.read_bytes() == prepared.path.read_bytes()


def test_every_fault_is_named(raw: Path, tmp_path: Path) -> None:
    shutil.copytree(raw, tmp_path / "source")
    base = tmp_path / "source" / "NMR_Dataset"
    planes, chairs = base / "02691156", base / "03001627"
    (planes / "train0" / "mask" / "0023.png").unlink()
    path = planes / "train1" / "image" / "0005.png"
    path.write_bytes(path.read_bytes()[:-20])
    Image.new("L", (64, 65)).save(planes / "train2" / "mask" / "0000.png")
    Image.new("RGB", (64, 64), (1, 2, 3)).save(planes / "val0" / "mask" / "0001.png")
    (planes / "test0" / "cameras.npz").write_bytes(b"PK\x03\x04 and no more")
    (planes / "test1" / "pointcloud.npz").unlink()
    for view in range(24):
        (chairs / "train0" / "image" / f"{view:04d}.png").unlink()
    shutil.rmtree(chairs / "train1")
    with (chairs / "softras_val.lst").open("a") as file:
        file.write("absent\n")
    shutil.copytree(chairs / "train2", chairs / "listed-nowhere")
    shutil.copytree(chairs, base / "99999999")
    report = prepare(tmp_path / "root", source=tmp_path / "source", workers=1, **QUIET)
    reasons = dict(report.failed)
    assert "lacks mask/0023.png" in reasons["02691156/train0"]
    assert "image/0005.png" in reasons["02691156/train1"]
    assert "64x65 pixels" in reasons["02691156/train2"]
    assert "mask with colours" in reasons["02691156/val0"]
    assert "cameras.npz" in reasons["02691156/test0"]
    assert "lacks pointcloud.npz" in reasons["02691156/test1"]
    assert "and 21 more" in reasons["03001627/train0"]
    assert len(reasons) == 7
    assert dict(report.excluded) == {
        "03001627/absent": "is on a softras list but has no folder",
        "03001627/train1": "is on a softras list but has no folder",
        "03001627/listed-nowhere": "is on none of the softras lists",
    }
    store = Store(report.path)
    assert store.split_counts() == {"train": 1, "val": 1, "test": 2}


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("world_mat_4", None, "lacks world_mat_4"),
        ("world_mat_4", np.eye(3), r"\(3, 3\)"),
        ("world_mat_4", np.eye(4) * np.nan, "no finite"),
        ("world_mat_4", np.diag([2.0, 2, 2, 1]), "no rotation"),
        ("world_mat_4", np.diag([-1.0, 1, 1, 1]), "no rotation"),
        ("world_mat_4", np.eye(4)[::-1], "affine"),
        ("world_mat_4", np.full((4, 4), "x"), r"<U1"),
        ("camera_mat_0", np.diag([0.0, 1, 1, 1]), "no pinhole"),
        ("camera_mat_0", np.diag([1.0, 1, -1, 1]), "no pinhole"),
        ("camera_mat_0", np.eye(4) + np.eye(4, k=1) * [[1], [0], [0], [0]], "skewed"),
        ("scale_mat_9", np.diag([2.0, 2, 2, 1]), "scales the world"),
        ("scale_mat_9", np.eye(4), None),
    ],
)
def test_cameras_that_are_none(key: str, value: np.ndarray | None, reason: str | None) -> None:
    arrays = {f"{what}_mat_{v}": np.eye(4) for v in range(24) for what in ("world", "camera")}
    if value is None:
        del arrays[key]
    else:
        arrays[key] = value
    if reason is None:
        assert len(read_cameras(npz(**arrays), "x").world_to_camera) == 24
    else:
        with pytest.raises(InputError, match=reason):
            read_cameras(npz(**arrays), "x")


GOOD = {"points": np.zeros((5, 3)), "normals": np.ones((5, 3)), "loc": np.zeros(3), "scale": 2.0}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"points": None}, "lacks points"),
        ({"scale": None}, "lacks scale"),
        ({"points": np.zeros((5, 4))}, r"\(5, 4\)"),
        ({"points": np.zeros((0, 3)), "normals": np.zeros((0, 3))}, r"\(0, 3\)"),
        ({"normals": np.zeros((6, 3))}, "another count of normals"),
        ({"normals": np.full((5, 3), np.inf)}, "no finite"),
        ({"points": np.full((5, 3), 1e300)}, "beyond all bounds"),
        ({"points": np.full((5, 3), "x")}, "no finite"),
        ({"points": np.zeros((5, 3), np.complex64)}, "no finite"),
        ({"loc": np.zeros(2)}, "loc is"),
        ({"scale": 0.0}, "scale"),
        ({"scale": np.array([])}, "scale"),
    ],
)
def test_points_that_are_none(changes: dict, reason: str) -> None:
    arrays = {key: value for key, value in (GOOD | changes).items() if value is not None}
    with pytest.raises(InputError, match=reason):
        read_points(npz(**arrays), "x")


def test_numbers_of_32_bits_stay() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, 0.5, (50, 3)).astype(np.float32)
    normals = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 50)]
    tables = read_points(npz(**GOOD | {"points": points, "normals": normals}), "x")
    np.testing.assert_array_equal(tables["points_float32"], points)
    assert len(tables["points"]) == 0 and len(tables["normals_float32"]) == 0
    np.testing.assert_array_equal(tables["normals"], normals)  # ones and zeros need only 16
    assert tables["scale"].tolist() == [2.0]


def test_pickles_and_bombs_are_refused() -> None:
    stream = io.BytesIO()
    np.savez(stream, points=np.array([{}], object))
    with pytest.raises(InputError, match="Python objects"):
        read_points(stream.getvalue(), "x")
    stream = io.BytesIO()
    np.savez_compressed(stream, points=np.zeros((3_000_000, 3)))  # 72 MB from 70 kB
    with pytest.raises(InputError, match="claims 72000128 bytes"):
        read_points(stream.getvalue(), "x")
    stream = io.BytesIO()
    np.savez_compressed(stream, **{f"a{n}": np.zeros((1 << 22) - 64) for n in range(5)})
    with pytest.raises(InputError, match="unpacks to more than"):
        read_points(stream.getvalue(), "x")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("softras_val.lst", "train0\n", "'03001627/train0' twice"),
        ("softras_val.lst", "../../etc\n", "no id"),
        ("softras_val.lst", "caf\u00e9\n", "no id"),
        ("softras_val.lst", "x" * 200, "no id"),
    ],
)
def test_lists_that_are_none(raw: Path, tmp_path: Path, name: str, text: str, reason: str) -> None:
    shutil.copytree(raw, tmp_path / "source")
    path = tmp_path / "source" / "NMR_Dataset" / "03001627" / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        prepare(tmp_path / "root", source=tmp_path / "source", workers=1, **QUIET)


def test_nothing_there(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="NMR_Dataset"):
        locate(tmp_path)
    shutil.copytree(raw, tmp_path / "source")
    for path in (tmp_path / "source").rglob("*.lst"):
        path.unlink()
    with pytest.raises(InputError, match=r"no softras_train\.lst"):
        prepare(tmp_path / "root", source=tmp_path / "source", **QUIET)
    with pytest.raises(UsageError, match="holds no voxels"):
        Store(prepare(tmp_path / "root", source=raw, **QUIET).path).voxels(0)
