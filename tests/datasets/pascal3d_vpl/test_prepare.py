"""`prepare pascal3d-vpl` on files that the exporter writes, and on learn3D's own numbers."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from benchbench.core.errors import InputError, MissingError, UsageError
from benchbench.datasets import preparing
from benchbench.datasets.cameras import Camera, project
from benchbench.datasets.exporting import Solid, asymmetric_solid, export
from benchbench.datasets.pascal3d_vpl import prepare as module
from benchbench.datasets.pascal3d_vpl.convert import B, reference_camera, to_object_axes
from benchbench.datasets.pascal3d_vpl.export import write_npz
from benchbench.datasets.pascal3d_vpl.prepare import prepare
from benchbench.datasets.store import Store

QUIET: dict[str, Any] = {"quiet": True, "workers": 1}
PLANE, CAR, CHAIR = "02691156", "02958343", "03001627"
IDS = [
    *(f"{PLANE}/val-00000",),
    *(f"{CAR}/imagenet-00000", f"{CAR}/train-00000", f"{CAR}/val-00000", f"{CAR}/val-00001"),
    *(f"{CHAIR}/imagenet-00000",),
]
DIAGONAL = float(np.linalg.norm([1, 20 / 32, 18 / 32]))
BOXES = (
    ((0, 6, 7), (32, 10, 11)),
    ((0, 6, 7), (4, 26, 11)),
    ((0, 6, 7), (4, 10, 15)),
    ((28, 6, 7), (32, 10, 25)),
)


def solids() -> list[Solid]:
    return [
        asymmetric_solid(f"{CAR}/a", "train", 0),
        asymmetric_solid(f"{CAR}/b", "train", 1),
        asymmetric_solid(f"{CAR}/c", "test", 2),
        asymmetric_solid(f"{CAR}/d", "test", 3),
        asymmetric_solid(f"{CHAIR}/e", "train", 5),
        asymmetric_solid(f"{PLANE}/f", "val", 6),
    ]


def hand_cells() -> np.ndarray:
    """Cells of the unit cube that the solid touches once its diagonal is 1, object axes."""
    cells = np.zeros((32, 32, 32), bool)
    for low, high in BOXES:
        first, last = (
            np.floor(32 * ((np.array(side) / 32 - 0.5) / DIAGONAL + 0.5)).astype(int)
            for side in (low, high)
        )
        cells[tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))] = True
    return cells


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported files; never written to (copy them first)."""
    return export("pascal3d-vpl", solids(), tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def prepared(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    report = prepare(tmp_path_factory.mktemp("root"), source=raw, quiet=True, workers=2)
    assert (report.failed, report.excluded) == ([], [])
    return Store(report.path)


def plain(path: Path, key: str) -> np.ndarray:
    with zipfile.ZipFile(path) as archive:
        return np.load(io.BytesIO(archive.read(f"{key}.npy")), allow_pickle=False)


def test_objects_and_splits(prepared: Store) -> None:
    assert prepared.object_ids == IDS
    assert prepared.split_counts() == {"train": 3, "val": 0, "test": 3}
    names = [prepared.object_ids[row] for row in prepared.indices("test")]
    assert names == [name for name in IDS if "/val-" in name]
    assert prepared.info["rows"]["car_val"] == 2


def test_voxels(prepared: Store, raw: Path) -> None:
    for index in range(len(IDS)):
        assert np.array_equal(prepared.voxels(index), hand_cells()), IDS[index]
    # the file's own axes: (-y, x, z) of the CAD frame are (x, -z, y) of the object frame
    volume = plain(raw / "car_val.npz", "voxels")[0] > 0
    for i, j, k in np.argwhere(volume)[::37]:
        assert hand_cells()[i, k, 31 - j]
    notes = prepared.parameters(0) or {}
    assert abs(notes["longest_side"] - 1 / DIAGONAL) < 2 / 32


WRONG: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "x and z exchanged": lambda p: p[:, [2, 1, 0]],
    "x and y exchanged": lambda p: p[:, [1, 0, 2]],
    "y and z exchanged": lambda p: p[:, [0, 2, 1]],
    "x mirrored": lambda p: p * [-1, 1, 1],
    "y mirrored": lambda p: p * [1, -1, 1],
    "z mirrored": lambda p: p * [1, 1, -1],
}


def share_inside(
    store: Store,
    index: int,
    rendering: str,
    shown: np.ndarray,
    change: Callable[[np.ndarray], np.ndarray] = lambda p: p,
) -> float:
    """Share of the solid's inner points that fall on shown pixels of a rendering."""
    cells = np.zeros((32, 32, 32), bool)
    for low, high in BOXES:
        cells[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    points = change(((np.argwhere(cells) + 0.5) / 32 - 0.5) / DIAGONAL)
    back = np.linalg.inv(store.source_to_object(index))
    pixels, _ = project(store.camera(index, 0, rendering), points @ back[:3, :3].T + back[:3, 3])
    column, row = np.floor(pixels).astype(int).T
    inside = (row >= 0) & (row < 224) & (column >= 0) & (column < 224)
    return float(shown[row[inside], column[inside]].sum() / len(points))


def test_points_fall_on_the_reference_masks(prepared: Store) -> None:
    masks = [prepared.image(index, 0, "ref")[..., 3] > 0 for index in range(len(IDS))]
    for index, mask in enumerate(masks):
        assert share_inside(prepared, index, "ref", mask) > 0.995
    for what, change in WRONG.items():
        shares = [share_inside(prepared, n, "ref", mask, change) for n, mask in enumerate(masks)]
        assert np.mean(shares) < 0.8, what


def test_the_estimated_cameras_of_the_crops(prepared: Store, raw: Path) -> None:
    """Against where the exporter drew the solid; the pixels are the file's, cut by hand."""
    for index, name in enumerate(IDS):
        _, part, row = name.replace("-", "/").split("/")
        wanted = dict(prepared.classes)[name.split("/")[0]]
        found = module.read({f"{wanted}_{part}.npz": raw / f"{wanted}_{part}.npz"})
        (npz,) = found.files.values()  # type: ignore[attr-defined]
        picture = list(npz.pictures())[int(row)]
        parameters = prepared.camera(index, 0, "crop").parameters
        left, top, width, height = plain(raw / f"{wanted}_{part}.npz", "bounding_boxes")[int(row)]
        assert [parameters[k] for k in ("left", "top", "width", "height")] == [
            *(left, top, width, height)
        ]
        x0, y0 = max(0, int(left - 0.15 * width)), max(0, int(top - 0.15 * height))
        x1, y1 = int(left + 1.15 * width), int(top + 1.15 * height)
        small = (
            Image.fromarray(picture)
            .crop((x0, y0, min(x1, 320), min(y1, 240)))
            .resize((224, 224), Image.Resampling.BILINEAR)
        )
        image = prepared.image(index, 0, "crop")
        assert np.array_equal(image[..., :3], np.array(small))
        assert (image[..., 3] == 255).all()
        # the true camera of the scene is a pinhole's at 16 to 20 units: nearly orthographic
        mask = scene_mask(name)
        crop = Image.fromarray(mask).crop((x0, y0, min(x1, 320), min(y1, 240)))
        shown = np.array(crop.resize((224, 224), Image.Resampling.NEAREST)) > 0
        assert share_inside(prepared, index, "crop", shown) > 0.97
        for what, change_axes in WRONG.items():
            assert share_inside(prepared, index, "crop", shown, change_axes) < 0.97, what


def scene_mask(name: str) -> np.ndarray:
    """The solid's pixels in its photograph, as the exporter drew it."""
    from benchbench.datasets.pascal3d.export import Scene, cad_mesh

    order = [f"{CAR}/train-00000", f"{CAR}/imagenet-00000", f"{CAR}/val-00000"]
    order += [f"{CAR}/val-00001", f"{CHAIR}/imagenet-00000", f"{PLANE}/val-00000"]
    solid = solids()[order.index(name)]
    return Scene(solid, cad_mesh(solid.mesh), 0).visible.astype(np.uint8) * 255


def test_references_and_rotations_are_the_files(prepared: Store, raw: Path) -> None:
    for row in (0, 1):
        index = IDS.index(f"{CAR}/val-0000{row}")
        reference = plain(raw / "car_val.npz", "images_ref")[row]
        assert np.array_equal(prepared.image(index, 0, "ref"), reference)
        turn = plain(raw / "car_val.npz", "rotation_matrices")[row]
        for rendering in ("ref", "crop"):
            parameters = prepared.camera(index, 0, rendering).parameters
            assert [parameters[f"r{n // 3}{n % 3}"] for n in range(9)] == turn.ravel().tolist()


def test_cameras_against_learn3d(shared: Path) -> None:
    """learn3D draws diag(-1, 1, 1) R v without perspective, rows upwards; v is twice the CAD's."""
    with np.load(shared / "oracles" / "learn3d" / "io_pascal.npz") as data:
        turns, meshes = data["rotation_matrices"], data["vertices"]
        expected, silhouettes = data["vertices_for_rasteriser"], data["silhouettes"]
    for turn, vertices, seen, silhouette in zip(turns, meshes, expected, silhouettes, strict=True):
        matrix, to_pixels = reference_camera(turn)
        points = vertices.astype(np.float64) @ B.T / 2
        pixels, depth = project(Camera(matrix, to_pixels), points)
        assert np.abs(pixels[:, 0] / 112 - 1 - seen[:, 0]).max() < 2e-4
        assert np.abs(1 - pixels[:, 1] / 112 - seen[:, 1]).max() < 2e-4
        assert np.abs(2 * (depth - 10_000) + 1 - seen[:, 2]).max() < 2e-4
        column, row = np.floor(pixels * 64 / 224).astype(int).T
        inside = (column >= 0) & (column < 64) & (row >= 0) & (row < 64)
        near = ndimage.binary_dilation(silhouette[0] > 0, np.ones((3, 3)))
        assert near[row[inside], column[inside]].all()
        row, column, drawn = row[inside], column[inside], silhouette[0] > 0
        right = drawn[row, column].sum()  # the shapes are nearly round: a few pixels tell
        assert right > max(drawn[row, 63 - column].sum(), drawn[63 - row, column].sum())


def test_grid_against_the_evaluation() -> None:
    """VPL's evaluation: cells of (v + 1) / 2, axes (0, 2, 1), all flipped, are compared."""
    rng = np.random.default_rng(0)
    cells = rng.random((32, 32, 32)) > 0.9  # [x, y, z] of v
    volume = cells.transpose(0, 2, 1)[::-1, ::-1, ::-1]
    stored = to_object_axes(volume)
    for x, y, z in np.argwhere(cells)[::50]:
        v = (np.array([x, y, z]) + 0.5) / 16 - 1
        p = B @ v / 2
        s = np.array([-p[1], p[2], -p[0]])
        assert stored[tuple(np.floor((s + 0.5) * 32).astype(int))]
    assert stored.sum() == cells.sum()


@pytest.mark.parametrize("form", ["packed", "zip", "below"])
def test_other_forms_hold_the_same_objects(
    prepared: Store, raw: Path, tmp_path: Path, form: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    if form == "zip":
        with zipfile.ZipFile(source / "dataset.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(raw.glob("*.npz"), reverse=True):
                archive.write(path, f"dataset/{path.name}")
            archive.writestr("dataset/02691156_test.pkl", b"another set")
    elif form == "below":
        shutil.copytree(raw, source / "data" / "dataset")
    else:
        for path in raw.glob("*.npz"):
            with (
                zipfile.ZipFile(path) as plain_file,
                zipfile.ZipFile(source / path.name, "w", zipfile.ZIP_DEFLATED) as archive,
            ):
                for name in reversed(plain_file.namelist()):
                    archive.writestr(name, plain_file.read(name))
    store = Store(prepare(tmp_path / "root", source=source, **QUIET).path)
    assert store.identity == prepared.identity
    assert store.split_hash("test") == prepared.split_hash("test")


def test_same_bytes_twice_and_after_a_kill(
    prepared: Store, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(raw, tmp_path / "copy")
    monkeypatch.setattr(preparing, "_SHARD", 2)
    real, made = module.convert, []

    def stopped(name: str, *rest: Any) -> Any:
        if len(made) == 5:
            raise KeyboardInterrupt
        made.append(name)
        return real(name, *rest)

    monkeypatch.setattr(module, "convert", stopped)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "root", source=tmp_path / "copy", **QUIET)
    monkeypatch.setattr(module, "convert", lambda name, *r: (made.append(name), real(name, *r))[1])
    report = prepare(tmp_path / "root", source=tmp_path / "copy", **QUIET)
    assert len(made) == 5 + len(IDS) - 4  # two whole shards of two were kept
    assert report.path.read_bytes() == prepared.path.read_bytes()


def arrays() -> dict[str, list[Any]]:
    """Four rows, as `write_npz` takes them."""
    rng = np.random.default_rng(0)
    volume = np.zeros((32, 32, 32), np.uint8)
    volume[10:20, 5:12, 3:9] = 1
    return {
        "images": [rng.integers(0, 256, (40 + n, 50, 3), np.uint8) for n in range(4)],
        "images_ref": [np.full((224, 224, 4), 9, np.uint8) for _ in range(4)],
        "bounding_boxes": [np.array([5.0, 6, 30, 20]) for _ in range(4)],
        "rotation_matrices": [np.eye(3) for _ in range(4)],
        "voxels": [volume.copy() for _ in range(4)],
    }


def test_broken_rows_are_named(tmp_path: Path) -> None:
    table = arrays()
    for key in table:
        table[key] = table[key] * 3
    for key, row, value in (
        ("images", 1, np.zeros((40, 50), np.uint8)),
        ("images", 2, np.zeros((40, 50, 3), np.float32)),
        ("images", 3, 7),
        ("bounding_boxes", 4, np.array([5.0, 6, 0, 20])),
        ("bounding_boxes", 5, np.array([500.0, 6, 30, 20])),
        ("bounding_boxes", 6, np.array([5.0, np.nan, 30, 20])),
        ("rotation_matrices", 7, np.ones((3, 3))),
        ("rotation_matrices", 8, np.diag([1.0, 1, -1])),
        ("voxels", 9, np.zeros((32, 32, 32), np.uint8)),
        ("voxels", 10, np.full((32, 32, 32), 3, np.uint8)),
    ):
        table[key][row] = value
    write_npz(tmp_path / "car_val.npz", table)
    report = prepare(tmp_path / "root", source=tmp_path, **QUIET)
    reasons = {int(name[-5:]): why for name, why in report.failed}
    words = {
        **dict.fromkeys((1, 2), "has a picture of shape"),
        3: "has a int for a picture",
        4: "a box",
        5: "outside its",
        6: "a box",
        7: "rotation matrix that is none",
        8: "mirror image",
        9: "voxels",
        10: "voxels",
    }
    assert sorted(reasons) == sorted(words)
    for row, word in words.items():
        assert word in reasons[row], row
        assert f"{CAR}/val-{row:05d}" in reasons[row]
    assert report.counts["objects"] == 2
    again = prepare(tmp_path / "root", source=tmp_path, **QUIET)
    assert again.failed == report.failed


def test_an_empty_reference_mask(tmp_path: Path) -> None:
    """The crop's camera is then laid on the projected voxels."""
    table = arrays()
    table["images_ref"][0] = np.zeros((224, 224, 4), np.uint8)
    write_npz(tmp_path / "car_val.npz", table)
    store = Store(prepare(tmp_path / "root", source=tmp_path, **QUIET).path)
    assert [(store.parameters(n) or {})["crop_camera_from"] for n in (0, 1)] == ["voxels", "mask"]
    points = ((np.argwhere(store.voxels(0)) + 0.5) / 32 - 0.5) @ np.array(
        [[0.0, -1, 0], [0, 0, 1], [-1, 0, 0]]
    )
    pixels, _ = project(store.camera(0, 0, "crop"), points)
    middle = (pixels.min(0) + pixels.max(0)) / 2
    assert np.allclose(middle, [224 * (20 - 0) / 39, 224 * (16 - 3) / 26], atol=0.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("voxels"), "no array 'voxels'"),
        (lambda t: t["voxels"].pop(), "different lengths"),
        (lambda t: t.update(images_ref=[np.zeros((224, 224, 3), np.uint8)] * 4), "224, 224, 4"),
        (lambda t: t.update(images_ref=[np.zeros((224, 224, 4), np.uint16)] * 4), "not uint8"),
        (lambda t: t.update(rotation_matrices=[np.array([[b"x"] * 3] * 3)] * 4), "belongs"),
    ],
)
def test_files_that_do_not_fit(
    tmp_path: Path, change: Callable[[dict[str, list[Any]]], Any], words: str
) -> None:
    table = arrays()
    change(table)
    write_npz(tmp_path / "car_val.npz", table)
    with pytest.raises(InputError, match=words):
        prepare(tmp_path / "root", source=tmp_path, **QUIET)


def test_pickles_that_want_more_than_data(tmp_path: Path) -> None:
    write_npz(tmp_path / "car_val.npz", arrays())
    with zipfile.ZipFile(tmp_path / "car_val.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = members["images.npy"][:128]
    with zipfile.ZipFile(tmp_path / "car_val.npz", "w") as archive:
        for name, data in members.items():
            evil = header[: header.index(b"\n") + 1] + b"cos\nsystem\n(S'true'\ntR."
            archive.writestr(name, evil if name == "images.npy" else data)
    with pytest.raises(InputError, match=r"os\.system"):
        prepare(tmp_path / "root", source=tmp_path, **QUIET)


def test_cut_and_flipped_files_end_in_errors(tmp_path: Path) -> None:
    write_npz(tmp_path / "car_val.npz", arrays(), packed=True)
    whole = (tmp_path / "car_val.npz").read_bytes()
    rng = np.random.default_rng(0)
    for case in range(25):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 2):
            data[place] ^= int(rng.integers(1, 256))
        if case % 5 == 0:
            del data[int(rng.integers(0, len(data))) :]
        (tmp_path / "car_val.npz").write_bytes(data)
        try:
            prepare(tmp_path / f"root{case}", source=tmp_path, **QUIET)
        except InputError as error:
            assert "car_val.npz" in str(error)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"car_val\.npz"):
        prepare(tmp_path / "root", source=tmp_path, **QUIET)
    with zipfile.ZipFile(tmp_path / "dataset.zip", "w") as archive:
        archive.writestr("dataset/02691156_test.pkl", b"another set")
    with pytest.raises(InputError, match=r"no file like car_val\.npz"):
        prepare(tmp_path / "root", source=tmp_path, **QUIET)
    with pytest.raises(MissingError, match="terms"):
        prepare(tmp_path / "root2", **QUIET)


def test_solids_of_other_classes_are_refused(tmp_path: Path) -> None:
    for layout in ("pascal3d-vpl", "pascal3d"):
        with pytest.raises(UsageError, match="none of the classes"):
            export(layout, [asymmetric_solid("04090263/a")], tmp_path / layout)
