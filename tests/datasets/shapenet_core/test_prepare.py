"""`prepare shapenet-core`: trees of both releases, as folders and archives, whole and broken."""

from __future__ import annotations

import dataclasses
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchbench.cli.main import cli
from benchbench.core.errors import InputError, MissingError, UsageError
from benchbench.core.types import Mesh
from benchbench.datasets import preparing, registry
from benchbench.datasets.exporting import (
    Solid,
    asymmetric_cells,
    asymmetric_solid,
    export,
    snug_solid,
)
from benchbench.datasets.shapenet_core import prepare as module
from benchbench.datasets.shapenet_core.convert import TURNS
from benchbench.datasets.shapenet_core.export import export as export_release
from benchbench.datasets.shapenet_core.occupancy import decode_inside, decode_points
from benchbench.datasets.shapenet_core.prepare import locate, prepare
from benchbench.datasets.split_lists import split_list
from benchbench.datasets.store import Store

QUIET = {"quiet": True, "workers": 1}
LSM = split_list("lsm").parts
IDS = (LSM["train"][0], LSM["test"][0], "03001627/mine1", "03001627/mine2")
ALL = "kato,choy,lsm"


@pytest.fixture(scope="module")
def solids() -> list[Solid]:
    return [snug_solid(id, "test", n) for n, id in enumerate(IDS)]


@pytest.fixture(scope="module")
def tree(solids: list[Solid], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ShapeNetCore.v1 of four objects; never written to by a test (copy it first)."""
    return export("shapenet-core", solids, tmp_path_factory.mktemp("core") / "raw")


@pytest.fixture(scope="module")
def store(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("root")
    report = prepare(root, source=tree, pictures=ALL, **QUIET)
    assert (report.counts["objects"], report.counts["pictures"]) == (4, 4 * 68)
    assert (report.failed, report.excluded) == ([], [])
    assert any("4 of 4 meshes are closed; occupancy is exact for 4" in m for m in report.messages)
    return Store(report.path)


def points_of(mesh: Mesh) -> np.ndarray:
    weights = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    corners = np.asarray(mesh.vertices, np.float64)[mesh.faces]
    return np.einsum("nk,fkd->fnd", weights, corners).reshape(-1, 3)


# -- frames ---------------------------------------------------------------------------------


def test_mesh_and_voxels_are_in_the_object_frame(store: Store, solids: list[Solid]) -> None:
    by_id = {solid.id: solid for solid in solids}
    for index, id in enumerate(store.object_ids):
        mesh = store.mesh(index)
        assert mesh is not None
        expected = np.asarray(by_id[id].mesh.vertices)[by_id[id].mesh.faces].reshape(-1, 9)
        found = np.asarray(mesh.vertices)[mesh.faces].reshape(-1, 9)
        order = np.lexsort(found.T), np.lexsort(expected.T)
        np.testing.assert_allclose(found[order[0]], expected[order[1]], atol=2e-7)
        np.testing.assert_array_equal(store.voxels(index, "binvox"), asymmetric_cells())
        np.testing.assert_array_equal(store.source_to_object(index), np.eye(4))


def test_release_two_is_turned(solids: list[Solid], tmp_path: Path) -> None:
    """-z is the front and y is up: written down here without the code under test."""
    folder = tmp_path / "ShapeNetCore.v2" / "03001627" / "a" / "models"
    folder.mkdir(parents=True)
    solid = snug_solid("03001627/a")
    x, y, z = np.asarray(solid.mesh.vertices, np.float64).T
    lines = [f"v {b} {c} {d}" for b, c, d in zip(z * 3 + 7, y * 3, -x * 3 - 1, strict=True)]
    lines += ["f {} {} {}".format(*(face + 1)) for face in np.asarray(solid.mesh.faces)]
    (folder / "model_normalized.obj").write_text("\n".join(lines))
    report = prepare(tmp_path / "root", source=tmp_path, pictures="none", **QUIET)
    store = Store(report.path)
    assert store.info["release"] == "ShapeNetCore.v2"
    np.testing.assert_array_equal(store.voxels(0, "binvox"), asymmetric_cells())
    notes = store.parameters(0) or {}
    assert notes["source_longest_side"] == pytest.approx(3)
    assert notes["source_centre"] == pytest.approx([7, 0, -1], abs=1e-6)
    assert notes["faces_without_colour"] == len(solid.mesh.faces)
    assert np.linalg.det(TURNS["v2"]) == pytest.approx(1)
    export_release(solids[:1], tmp_path / "own", "v2")
    report = prepare(tmp_path / "root2", source=tmp_path / "own", pictures="none", **QUIET)
    np.testing.assert_array_equal(Store(report.path).voxels(0, "binvox"), asymmetric_cells())


def eye_of(kind: str, parameters: dict[str, float], diagonal: float) -> tuple[np.ndarray, float]:
    """Where the camera stands, and its focal length in pixels: the three papers' numbers."""
    azimuth, elevation = np.radians(parameters["azimuth"]), np.radians(parameters["elevation"])
    flat = np.cos(elevation)
    if kind == "kato":
        toward = [flat * np.cos(azimuth), np.sin(elevation), flat * np.sin(azimuth)]
        return 2.732 * np.array(toward), 32 / np.tan(np.radians(15))
    if kind == "choy":
        toward = [flat * np.cos(azimuth), np.sin(elevation), flat * np.sin(azimuth)]
        distance = 1.75 * parameters["distance_ratio"] * diagonal
        return distance * np.array(toward), 149.84375
    toward = [flat * np.cos(azimuth), np.sin(elevation), -flat * np.sin(azimuth)]
    return parameters["distance"] * np.array(toward), 420.0


@pytest.mark.parametrize(
    ("kind", "size", "views"), [("kato", 64, 24), ("choy", 137, 24), ("lsm", 224, 20)]
)
def test_points_fall_on_the_drawn_pixels(store: Store, kind: str, size: int, views: int) -> None:
    assert store.view_count(0, kind) == views
    mesh = store.mesh(0)
    assert mesh is not None
    diagonal = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    points = points_of(mesh)

    def share(changed: np.ndarray) -> float:
        shares = []
        for view in range(0, views, 3):
            eye, focal = eye_of(kind, store.camera(0, view, kind).parameters, diagonal)
            forward = -eye / np.linalg.norm(eye)
            right = np.cross(forward, [0, 1, 0]) / np.linalg.norm(np.cross(forward, [0, 1, 0]))
            seen = changed - eye
            column = focal * (seen @ right) / (seen @ forward) + size / 2
            row = focal * (seen @ -np.cross(right, forward)) / (seen @ forward) + size / 2
            c, r = np.floor(column).astype(int), np.floor(row).astype(int)
            inside = (c >= 0) & (c < size) & (r >= 0) & (r < size)
            alpha = store.image(0, view, kind)[..., 3]
            assert inside.mean() > 0.7  # LSM's pictures cut the longest objects off
            shares.append((alpha[r[inside], c[inside]] > 0).mean())
        return float(np.mean(shares))

    assert share(points) > 0.97
    for wrong in (np.diag([1, 1, -1]), np.diag([-1, 1, 1]), np.eye(3)[[2, 1, 0]]):
        assert share(points @ wrong) < 0.85


def test_arrays(store: Store) -> None:
    mesh = store.mesh(0)
    assert mesh is not None
    points = store.array(0, "surface_points").astype(np.float64)
    normals = store.array(0, "surface_normals").astype(np.float64)
    assert points.shape == normals.shape == (100_000, 3)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=2e-3)
    along = np.abs(normals).argmax(1)  # boxes: every normal is an axis, and its side is flat
    np.testing.assert_allclose(np.abs(normals).max(1), 1, atol=1e-3)
    cells = points[np.arange(len(points)), along] * 32 + 16
    sides = np.array([0, 4, 28, 32]), np.array([6, 10, 26]), np.array([7, 11, 15, 25])
    for axis in range(3):
        off = np.abs(cells[along == axis][:, None] - sides[axis]).min(1)
        assert off.max() < 0.26  # inner sides lie a quarter of a cell inside their cells
    inside = decode_inside(store.array(0, "occupancy"))
    where = decode_points(store.array(0, "occupancy_points"))
    cell = np.floor(where * 32 + 16).astype(int)
    deep = asymmetric_cells()[tuple(np.clip(cell, 0, 31).T)] & ((cell >= 0) & (cell < 32)).all(1)
    assert not inside[~deep].any()  # the solid lies within its cells
    assert inside[deep].mean() > 0.75  # an arm fills 3.5 x 3.5 of its 4 x 4 cells


def test_both_sides_and_colours_are_drawn(tmp_path: Path) -> None:
    """One wall in the (y, z) plane, seen from the front and from behind; Kd and grey."""
    folder = tmp_path / "03001627" / "wall"
    folder.mkdir(parents=True)
    square = "v 0 -1 -1\nv 0 1 -1\nv 0 1 1\nv 0 -1 1\nusemtl red\nf 1 2 3\nusemtl none\nf 1 3 4\n"
    (folder / "model.obj").write_text(square)
    (folder / "model.mtl").write_text("newmtl red\nKd 1 0 0\n")
    report = prepare(tmp_path / "root", source=tmp_path, **QUIET)
    store = Store(report.path)
    assert store.renderings == ("kato",)
    for view in (0, 12):  # azimuth 0 and 180
        picture = store.image(0, view)
        assert picture[32, 32, 3] == 255
        shown = picture[picture[..., 3] == 255][:, :3].astype(int)
        red, grey = shown[shown[:, 1] == 0], shown[shown[:, 1] > 0]
        assert len(red) > 300 and len(grey) > 300
        assert (red[:, 0] > 60).all() and (red[:, 2] == 0).all()
        flat = np.ptp(grey, axis=1) == 0
        assert flat.mean() > 0.9  # but the pixels that both share
    assert (store.parameters(0) or {})["faces_without_colour"] == 1
    assert any("1 of 1 objects have faces without a colour" in m for m in report.messages)


# -- sources --------------------------------------------------------------------------------


def pack(tree: Path, folder: Path, form: str) -> Path:
    folder.mkdir()
    top = tree / "ShapeNetCore.v1"
    files = sorted(path for path in top.rglob("*") if path.is_file())
    if form == "class zips":
        for synset in sorted(path.name for path in top.iterdir()):
            with zipfile.ZipFile(folder / f"{synset}.zip", "w") as archive:
                for path in files:
                    if path.relative_to(top).parts[0] == synset:
                        archive.write(path, path.relative_to(top).as_posix())
    elif form == "zip":
        with zipfile.ZipFile(folder / "ShapeNetCore.v1.zip", "w", 8) as archive:
            for path in files:
                archive.write(path, path.relative_to(tree).as_posix())
    elif form == "tgz":
        with tarfile.open(folder / "ShapeNetCore.tgz", "w:gz") as archive:
            for path in reversed(files):
                archive.add(path, path.relative_to(top).as_posix())
    else:
        shutil.copytree(top, folder, dirs_exist_ok=True)
    return folder


@pytest.mark.parametrize("form", ["zip", "tgz", "class zips", "the tree itself"])
def test_every_form_gives_the_same_objects(tree: Path, tmp_path: Path, form: str) -> None:
    source = pack(tree, tmp_path / "source", form)
    expected = prepare(tmp_path / "one", source=tree, pictures="none", **QUIET)
    report = prepare(tmp_path / "two", source=source, pictures="none", **QUIET)
    assert report.failed == [] and report.counts == expected.counts
    assert Store(report.path).identity == Store(expected.path).identity


def test_splits(store: Store) -> None:
    assert store.info["split_names"] == [
        "r2n2-80-20", "r2n2-70-10-20", "pixel2mesh", "lsm", "own-70-10-20",
    ]  # fmt: skip
    lsm = Store(store.path, "lsm")
    for part, id in (("train", IDS[0]), ("test", IDS[1])):
        assert [lsm.object_ids[n] for n in lsm.indices(part)] == [id]
    assert sum(Store(store.path, "own-70-10-20").split_counts().values()) == 4
    assert store.info["split_lists"]["lsm"]["unlisted"] == 2


def test_own_ids_get_the_rule(tmp_path: Path) -> None:
    export("shapenet-core", [asymmetric_solid(f"03001627/x{n}") for n in range(5)], tmp_path / "t")
    report = prepare(tmp_path / "root", source=tmp_path / "t", pictures="none", **QUIET)
    store = Store(report.path)
    assert store.split_names == ("own-70-10-20",) and store.split_name == "own-70-10-20"
    assert store.split_counts() == {"train": 3, "val": 1, "test": 1}


def test_where_it_may_lie(tree: Path, tmp_path: Path) -> None:
    top = tree / "ShapeNetCore.v1"
    wanted = {path.name: path for path in sorted(top.iterdir())}
    assert locate(tree) == locate(top) == wanted
    with pytest.raises(MissingError, match="none of the 13 classes") as caught:
        locate(tmp_path)
    assert "--from DIR" in str(caught.value.hint)
    (tmp_path / "ShapeNetCore.v1" / "03001627").mkdir(parents=True)
    (tmp_path / "ShapeNetCore.v2.zip").touch()
    with pytest.raises(UsageError, match=r"ShapeNetCore.v1, ShapeNetCore.v2.zip"):
        locate(tmp_path)


def test_options(tree: Path, tmp_path: Path) -> None:
    for wrong in ("katoo", "kato,none", "", "kato,,lsm"):
        with pytest.raises(UsageError, match="rendering"):
            prepare(tmp_path, source=tree, pictures=wrong, **QUIET)
    with pytest.raises(MissingError, match="files of your own"):
        registry.prepare("shapenet-core", tmp_path, accept_license=True, quiet=True)
    report = prepare(tmp_path / "root", source=tree, pictures=" lsm , kato", **QUIET)
    assert Store(report.path).renderings == ("kato", "lsm")
    with pytest.raises(UsageError, match="with other settings"):
        prepare(tmp_path / "root", source=tree, pictures="kato", **QUIET)
    with pytest.raises(UsageError, match="has the pictures kato, lsm") as caught:
        prepare(tmp_path / "root", pictures="choy", **QUIET)
    assert "--from DIR --pictures choy --overwrite" in str(caught.value.hint)
    for same in ("kato,lsm", None):
        report = prepare(tmp_path / "root", pictures=same, **QUIET)
        assert any("already prepared" in line for line in report.messages)


def test_without_pictures(tree: Path, tmp_path: Path) -> None:
    report = prepare(tmp_path, source=tree, pictures="none", **QUIET)
    store = Store(report.path)
    assert store.renderings == () and report.counts["pictures"] == 0
    with pytest.raises(UsageError, match="no pictures") as caught:
        store.image(0, 0)
    assert "--from DIR --pictures kato --overwrite" in str(caught.value.hint)
    # What is proposed then is a method that looks at none.
    shown = CliRunner().invoke(cli, ["prepare", "shapenet-core", "--root", str(tmp_path)])
    assert shown.exit_code == 0
    assert shown.stderr.splitlines()[-1].startswith("next: bench run --baseline gt ")
    assert prepare(tmp_path, verify=True, **QUIET).counts["objects"] == 4


# -- what is broken -------------------------------------------------------------------------


def test_every_fault_is_named(tree: Path, tmp_path: Path) -> None:
    top = tmp_path / "source" / "ShapeNetCore.v1"
    shutil.copytree(tree / "ShapeNetCore.v1", top)
    whole = (top / IDS[0] / "model.obj").read_text()
    texts = {
        "nan": whole.replace("v -", "v nan ", 1),
        "empty": "",
        "point": "v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n",
        "line": "v 0 0 0\nv 1 1 1\nv 2 2 2\nf 1 2 3\n",
        "far": "v 0 0 0\nv 1e200 0 0\nv 0 1 0\nf 1 2 3\n",
        "index": "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n",
        "binary": "\0\1\2" * 1000,
    }
    for name, text in texts.items():
        (top / "03001627" / name).mkdir()
        (top / "03001627" / name / "model.obj").write_text(text)
    (top / "03001627" / "nothing").mkdir()
    (top / "03001627" / "link").mkdir()
    (top / "03001627" / "link" / "model.obj").symlink_to(top / IDS[0] / "model.obj")
    (top / "03001627" / "folder" / "model.obj").mkdir(parents=True)
    (top / "99999999" / "x").mkdir(parents=True)
    (top / "taxonomy.json").write_text("[]")
    (top / IDS[1] / "model.mtl").write_bytes(b"\xff" * 1000)
    report = prepare(tmp_path / "root", source=tmp_path / "source", pictures="none", **QUIET)
    failed = dict(report.failed)
    assert set(failed) == {f"03001627/{name}" for name in texts}
    reasons = {
        "nan": "not finite", "empty": "no face", "point": "0 long", "line": "no surface",
        "far": "1e+200 long", "index": "vertex 4 of 3", "binary": "no face",
    }  # fmt: skip
    for name, reason in reasons.items():
        assert reason in failed[f"03001627/{name}"] and name in failed[f"03001627/{name}"]
    assert dict(report.excluded) == {
        f"03001627/{name}": "has no model.obj" for name in ("nothing", "link", "folder")
    }
    assert report.counts["objects"] == 4


def test_nothing_usable(tmp_path: Path) -> None:
    (tmp_path / "03001627" / "a").mkdir(parents=True)
    (tmp_path / "03001627" / "a" / "model.ply").touch()
    with pytest.raises(InputError, match=r"holds neither model.obj nor models/"):
        prepare(tmp_path / "root", source=tmp_path, **QUIET)
    with zipfile.ZipFile(tmp_path / "02691156.zip", "w") as archive:
        archive.writestr("02691156/a/model.obj", "f 1 2 3")
    with pytest.raises(InputError, match=r"no object.*vertex 3 of 0"):
        prepare(tmp_path / "root", source=tmp_path, pictures="none", **QUIET)


def test_stopped_and_started_again(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = prepare(tmp_path / "one", source=tree, pictures="none", **QUIET).path.read_bytes()
    monkeypatch.setattr(preparing, "_SHARD", 1)
    real, made = module.convert, []

    def stopped(synset: str, model: str, *rest: object) -> object:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(model)
        return real(synset, model, *rest)

    monkeypatch.setattr(module, "convert", stopped)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "two", source=tree, pictures="none", **QUIET)
    assert registry.state("shapenet-core", tmp_path / "two") == "partial"
    monkeypatch.setattr(module, "convert", real)
    report = prepare(tmp_path / "two", source=tree, pictures="none", **QUIET)
    assert report.path.read_bytes() == expected
    assert any("4 of 4 meshes" in line for line in report.messages)
    spread = prepare(tmp_path / "three", source=tree, pictures="none", quiet=True, workers=2)
    assert spread.path.read_bytes() == expected


def test_export_refuses(solids: list[Solid], tmp_path: Path) -> None:
    foreign = dataclasses.replace(solids[0], id="12345678/a")
    with pytest.raises(UsageError, match="12345678"):
        export("shapenet-core", [foreign], tmp_path / "a")
    with pytest.raises(UsageError, match="v3"):
        export_release(solids, tmp_path / "b", "v3")
