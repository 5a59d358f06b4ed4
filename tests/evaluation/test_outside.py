"""Predictions from outside: every file kind, absent and unknown ids, hostile files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import trimesh

from benchbench.core.errors import CheckError, InputError, MissingError, UsageError
from benchbench.core.types import Mesh, Points, Voxels
from benchbench.datasets.binvox import write_binvox
from benchbench.evaluation.folder import RunFolder
from benchbench.evaluation.meshes_in import read_shape
from benchbench.evaluation.outside import open_outside
from benchbench.evaluation.rescore import (
    check_expected,
    plan_outside,
    read_result,
    score_outside,
    score_run,
)
from benchbench.evaluation.run import run
from benchbench.protocols.convert import house_voxels, unit_cube_grid


def save(mesh: Mesh, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(path)


def fill(folder: Path, tiny: ModuleType, store: Any, views: int = 1, suffix: str = ".obj") -> None:
    """The truths as files, for every object of the test split."""
    for row in store.indices("test").tolist():
        for view in range(views):
            save(store.mesh(row), folder / store.object_ids[row] / f"{view:02d}{suffix}")


def score(folder: Path, store: Any, out: Path, *protocols: str, **options: Any) -> dict[str, Any]:
    found, runs, config, items = plan_outside(folder, store, "test", out=out, **options)
    names = protocols or ("bench-iou-v1",)
    return score_outside(found, runs, config, items, store, names, quiet=True)


@pytest.mark.parametrize("suffix", [".obj", ".off", ".ply"])
def test_mesh_files(stubs: ModuleType, tiny_root: Path, tmp_path: Path, suffix: str) -> None:
    store = stubs.tiny_store(tiny_root)
    fill(tmp_path / "mine", stubs, store, suffix=suffix)
    result = score(tmp_path / "mine", store, tmp_path / "runs")
    assert result["complete"] and result["baseline"]["id"] == "mine"
    assert result["protocols"]["bench-iou-v1"]["mean_over_classes"]["iou"] == 1.0
    assert result["selection"] | {"views": "0", "items": 12} == result["selection"]


def test_grids_and_points(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    store = stubs.tiny_store(tiny_root)
    for row in store.indices("test").tolist():
        path = tmp_path / "mine" / (store.object_ids[row] + ".npy")
        path.parent.mkdir(parents=True, exist_ok=True)
        grid = house_voxels(store.mesh(row), unit_cube_grid())
        np.save(path, grid if row % 2 else grid.astype(np.float16) * np.float16(0.45))
    result = score(tmp_path / "mine", store, tmp_path / "runs", "r2n2-iou-v1", "bench-iou-v1")
    assert result["selection"]["views"] == "none"
    assert result["protocols"]["r2n2-iou-v1"]["mean_over_classes"] == {"iou": 1.0, "ap": 1.0}
    assert 0 < result["protocols"]["bench-iou-v1"]["mean_over_objects"]["iou"] < 1
    again = score(tmp_path / "mine", store, tmp_path / "runs", threshold=0.4)
    assert again["protocols"]["bench-iou-v1"]["mean_over_objects"]["iou"] == 1.0
    assert again["hash"] != result["hash"]


def test_absent_items_are_penalised_and_named(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    store = stubs.tiny_store(tiny_root)
    mine = tmp_path / "mine"
    fill(mine, stubs, store, views=2)
    ids = [store.object_ids[row] for row in store.indices("test").tolist()]
    (mine / ids[0] / "01.obj").unlink()
    for file in (mine / ids[5]).iterdir():
        file.unlink()
    (mine / ids[7] / "00.obj").write_text("f 1 2 3\nthis is no obj \x00\xff")
    (mine / "notes.txt").write_text("not a prediction")
    result = score(mine, store, tmp_path / "runs")
    summary = result["protocols"]["bench-iou-v1"]
    assert summary["items"] == 24  # 12 objects in the 2 views that occur
    assert result["predictions"]["failed"]["missing"] == 3
    broken = [f for f in summary["failed_items"] if f["object"] == ids[7]]
    assert len(broken) == 1 and broken[0]["status"] in ("unreadable", "invalid", "empty")
    assert summary["mean_over_objects"]["iou"] == pytest.approx((24 - 4) / 24)
    every = score(mine, store, tmp_path / "all", views="all")
    assert every["protocols"]["bench-iou-v1"]["items"] == 36
    assert every["predictions"]["failed"]["missing"] == 15


def test_a_file_that_gets_its_right_ending_is_read_again(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    """The same bytes: unreadable under the wrong ending, perfect under the right one."""
    store = stubs.tiny_store(tiny_root)
    fill(tmp_path / "mine", stubs, store)
    file = tmp_path / "mine" / store.object_ids[int(store.indices("test")[0])] / "00.obj"
    wrong = file.rename(file.with_suffix(".off"))
    assert score(tmp_path / "mine", store, tmp_path / "runs")["predictions"]["failed"]
    wrong.rename(file)
    assert not score(tmp_path / "mine", store, tmp_path / "runs")["predictions"]["failed"]


def test_names_of_classes_and_whole_objects(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    store = stubs.tiny_store(tiny_root)
    names = dict(store.classes)
    for row in store.indices("test").tolist():
        synset, model = store.object_ids[row].split("/")
        save(store.mesh(row), tmp_path / "mine" / names[synset] / f"{model}.ply")
    result = score(tmp_path / "mine", store, tmp_path / "runs", "kato-iou-v1", "bench-iou-v1")
    assert result["protocols"]["kato-iou-v1"]["mean_over_classes"]["iou"] == 1.0


def test_other_objects_of_the_set_are_left_aside(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    store = stubs.tiny_store(tiny_root)
    mine = tmp_path / "mine"
    fill(mine, stubs, store)
    save(stubs.box_of(0), mine / "02691156" / "train0" / "0.obj")
    *_, config, items = plan_outside(mine, store, "test", out=tmp_path)
    assert config["left_aside"] == 1 and len(items) == 12


def test_protocols_that_want_other_views(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    store = stubs.tiny_store(tiny_root)
    for row in store.indices("test").tolist():
        save(store.mesh(row), tmp_path / "mine" / store.object_ids[row] / "1.obj")
    with pytest.raises(UsageError, match="looks at view 0; these predictions are of view 1"):
        score(tmp_path / "mine", store, tmp_path / "runs", "dibr-chamfer-v1")
    with pytest.raises(UsageError, match="all views; these predictions are of view 1"):
        score(tmp_path / "mine", store, tmp_path / "runs", "kato-iou-v1")
    assert score(tmp_path / "mine", store, tmp_path / "runs")["complete"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("02691156/nobody/0.obj", "no object '02691156/nobody'"),
        ("99999999/test0/0.obj", "no object '99999999/test0'"),
        ("02691156/test0/3.obj", "3 views, no view 3"),
        ("02691156/test0/first.obj", "no number of a view"),
        ("02691156/test0/0.ply", "there twice"),
        ("02691156/test0/0/0.obj", "is no <synset>"),
        ("alone.obj", "is no <synset>"),
    ],
)
def test_unknown_ids_are_an_error(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, name: str, words: str
) -> None:
    store = stubs.tiny_store(tiny_root)
    mine = tmp_path / "mine"
    fill(mine, stubs, store)
    save(stubs.box_of(0), mine / name)
    with pytest.raises(CheckError, match=words):
        open_outside(mine, store)


def test_links_are_not_followed(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    store = stubs.tiny_store(tiny_root)
    fill(tmp_path / "mine", stubs, store)
    os.symlink("/etc/passwd", tmp_path / "mine" / "02691156" / "test0" / "01.obj")
    with pytest.raises(CheckError, match="no plain file"):
        open_outside(tmp_path / "mine", store)


def test_nothing_there(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    store = stubs.tiny_store(tiny_root)
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "absent"):
        with pytest.raises(MissingError):
            open_outside(path, store)
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(UsageError, match="neither a folder nor"):
        open_outside(tmp_path / "a.txt", store)


def test_a_single_h5_and_a_folder_of_shards(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    first = run(stubs.request(tiny_root, tmp_path), quiet=True)
    store = stubs.tiny_store(tiny_root)
    folder = next(tmp_path.glob("*/stub-*"))
    for place in (folder / "predictions", folder / "predictions" / "shard-0000.h5"):
        result = score(place, store, tmp_path / "again")
        theirs, ours = (r["protocols"]["bench-iou-v1"] for r in (first, result))
        assert theirs["per_class"] == ours["per_class"]


def test_outside_scoring_goes_on_where_it_stopped(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    store = stubs.tiny_store(tiny_root)
    fill(tmp_path / "mine", stubs, store)
    first = score(tmp_path / "mine", store, tmp_path / "runs")
    folder = next((tmp_path / "runs").glob("*/mine-*"))
    (folder / "result.json").unlink()
    assert score(tmp_path / "mine", store, tmp_path / "runs") == first
    both = score(tmp_path / "mine", store, tmp_path / "runs", "dibr-chamfer-v1")
    assert list(both["protocols"]) == ["bench-iou-v1", "dibr-chamfer-v1"]


def test_expect(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    protocols = ("bench-iou-v1", "bench-surface-v1")
    result = run(stubs.request(tiny_root, tmp_path, protocols=protocols), quiet=True)
    folder = RunFolder(next(tmp_path.glob("*/stub-*")))
    before = {p: p.read_bytes() for p in folder.path.rglob("*.csv")}
    found = check_expected(folder, result, tiny_root, quiet=True)
    assert found["differences"] == [] and found["largest_difference"] == 0.0
    assert found["compared"] == sum((2 + 2 * m + 3 * (1 + m)) for m in (1, 3))
    changed = result["protocols"]["bench-iou-v1"]["per_class"]["03001627"]["metrics"]
    changed["iou"] += 1e-4
    found = check_expected(folder, result, tiny_root, quiet=True)
    assert len(found["differences"]) == 1 and "03001627 iou" in found["differences"][0]
    assert {p: p.read_bytes() for p in folder.path.rglob("*.csv")} == before


def test_a_run_of_another_data_set_version_is_refused(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    run(stubs.request(tiny_root, tmp_path / "runs"), quiet=True)
    folder = RunFolder(next((tmp_path / "runs").glob("*/stub-*")))
    other = tmp_path / "other"
    stubs.make_store(other, meshes=False)
    with pytest.raises(CheckError, match="the prepared one is"):
        score_run(folder, other, quiet=True)
    (folder.predictions / "shard-0000.h5").unlink()
    with pytest.raises(CheckError, match="0 of 36 predictions"):
        score_run(folder, tiny_root, quiet=True)


# -- single files ---------------------------------------------------------------------------


def test_a_mesh_is_taken_vertex_for_vertex(tmp_path: Path) -> None:
    """Equal vertices are not merged, unused ones stay, NaN stays: nothing is repaired."""
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 0\nv 9 9 9\nvt 0 0\nvn 0 0 1\nusemtl x\n"
    text = "mtllib /etc/passwd\n" + text + "f 1/1/1 2/1/1 3/1/1\nf 4 2 3\n"
    (tmp_path / "a.obj").write_text(text)
    mesh = read_shape(tmp_path / "a.obj")
    assert isinstance(mesh, Mesh)
    corners = mesh.vertices[mesh.faces]
    assert corners.tolist() == [[[0, 0, 0], [1, 0, 0], [0, 1, 0]]] * 2
    (tmp_path / "n.obj").write_text("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert np.isnan(read_shape(tmp_path / "n.obj").vertices).any()


def test_ply_without_faces_and_arrays(tmp_path: Path) -> None:
    trimesh.PointCloud(np.eye(3)).export(tmp_path / "c.ply")
    assert isinstance(read_shape(tmp_path / "c.ply"), Points)
    np.save(tmp_path / "p.npy", np.zeros((5, 3)))
    assert isinstance(read_shape(tmp_path / "p.npy"), Points)
    np.save(tmp_path / "v.npy", np.ones((8, 8, 8), bool))
    voxels = read_shape(tmp_path / "v.npy")
    assert isinstance(voxels, Voxels) and voxels.grid_to_object[0, 0] == 1 / 8


def hostile(folder: Path) -> dict[str, Path]:
    """Files that a careless reader believes, unpickles or chokes on."""
    files: dict[str, bytes] = {
        "empty.obj": b"",
        "noise.obj": bytes(range(256)) * 40,
        "noise.ply": bytes(range(256)) * 40,
        "noise.off": bytes(range(256)) * 40,
        "noise.npy": bytes(range(256)) * 40,
        "huge.off": b"OFF\n99999999999 99999999999 0\n",
        "huge.ply": b"ply\nformat binary_little_endian 1.0\nelement vertex 99999999999\n"
        b"property float x\nproperty float y\nproperty float z\nend_header\n",
        "short.ply": b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\n"
        b"property float y\nproperty float z\nelement face 1\n"
        b"property list uchar int vertex_indices\nend_header\n0 0 0\n",
    }
    paths = {}
    for name, content in files.items():
        (folder / name).write_bytes(content)
        paths[name] = folder / name
    np.save(folder / "pickle.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(folder / "shape.npy", np.zeros((4, 5, 6)))
    np.save(folder / "complex.npy", np.zeros((4, 4, 4), complex))
    np.save(folder / "text.npy", np.array(["a"]))
    np.save(folder / "long.npy", np.zeros((8, 8, 8)))
    data = (folder / "long.npy").read_bytes()
    (folder / "long.npy").write_bytes(data.replace(b"(8, 8, 8)", b"(8,8,800)"))
    for name in ("pickle", "shape", "complex", "text", "long"):
        paths[f"{name}.npy"] = folder / f"{name}.npy"
    os.mkfifo(folder / "pipe.obj")
    paths["pipe.obj"] = folder / "pipe.obj"
    os.symlink("/dev/zero", folder / "zero.obj")
    paths["zero.obj"] = folder / "zero.obj"
    (folder / "folder.obj").mkdir()
    paths["folder.obj"] = folder / "folder.obj"
    return paths


def test_hostile_files(tmp_path: Path) -> None:
    from benchbench.evaluation.predictions import make_item

    for name, path in hostile(tmp_path).items():
        try:
            shape = read_shape(path)
        except InputError as error:
            assert name in str(error)
            continue
        assert make_item("a/b", 0, shape).status != "ok", name


def test_a_file_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchbench.evaluation.meshes_in.MAX_BYTES", 10)
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(InputError, match="more than"):
        read_shape(tmp_path / "a.obj")


def test_face_indices_out_of_range(tmp_path: Path) -> None:
    from benchbench.evaluation.predictions import make_item

    (tmp_path / "a.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n")
    try:
        assert make_item("a/b", 0, read_shape(tmp_path / "a.off")).status == "invalid"
    except InputError as error:
        assert "a.off" in str(error)


@pytest.mark.parametrize("kind", ["ply", "npy"])
def test_one_prediction_of_a_wrong_kind_is_penalised(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path, kind: str
) -> None:
    """The first of twelve is a cloud of points: it costs one item, not the scoring of all."""
    store = stubs.tiny_store(tiny_root)
    fill(tmp_path / "mine", stubs, store)
    bad = store.object_ids[int(store.indices("test")[0])]
    (tmp_path / "mine" / bad / "00.obj").unlink()
    if kind == "ply":
        trimesh.PointCloud(np.eye(3)).export(tmp_path / "mine" / bad / "00.ply")
    else:
        np.save(tmp_path / "mine" / bad / "00.npy", np.eye(3))
    for _ in range(2):  # and the same when its scores are there
        result = score(tmp_path / "mine", store, tmp_path / "runs")
        summary = result["protocols"]["bench-iou-v1"]
        assert summary["items"] == 12 and summary["ok"] == 11
        assert summary["failed_items"] == [{"object": bad, "view": 0, "status": "invalid"}]
        assert summary["mean_over_objects"]["iou"] == pytest.approx(11 / 12)
        assert "clouds of points" in next(tmp_path.glob("runs/*/*/run.log")).read_text()


def test_a_protocol_that_takes_no_prediction_refuses(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    store = stubs.tiny_store(tiny_root)
    rows = store.indices("test").tolist()
    for row in rows[1:]:  # the first one is missing, the others are points
        path = tmp_path / "mine" / store.object_ids[row] / "0.npy"
        path.parent.mkdir(parents=True)
        np.save(path, np.eye(3))
    for _ in range(2):
        with pytest.raises(UsageError, match="clouds of points") as caught:
            score(tmp_path / "mine", store, tmp_path / "runs")
        assert f"'{store.object_ids[rows[1]]}' view 0" in str(caught.value)


def test_groups_and_textures_move_no_vertex(tmp_path: Path) -> None:
    """Two materials, an object, texture seams: the vertices and faces are those of the lines."""
    text = (
        "mtllib a.mtl\no first\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 0\nv 9 9 9\nvt 0 0\nvt 1 1\n"
        "vn 0 0 1\ng left\nusemtl red\ns 1\nf 1/1/1 2/1/1 3/2/1\no second\nusemtl blue\n"
        "f 4/2/1 2//1 \\\n 3/1\n"
    )
    for name, content in (("unix", text), ("dos", text.replace("\n", "\r\n"))):
        (tmp_path / f"{name}.obj").write_bytes(content.encode())
        mesh = read_shape(tmp_path / f"{name}.obj")
        assert isinstance(mesh, Mesh)
        expected = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [9, 9, 9]]
        assert mesh.vertices.tolist() == expected
        assert mesh.faces.tolist() == [[0, 1, 2], [3, 1, 2]]


@pytest.mark.parametrize(
    "face", ["f 0 1 2", "f 1 2 0", "f 2/1 00/1 1/1", " f\t1 0//1 2", "f 1 -0 2"]
)
def test_an_obj_that_counts_from_0_is_unreadable(tmp_path: Path, face: str) -> None:
    corners = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n"
    (tmp_path / "a.obj").write_text(f"{corners}f 1 2 3\n{face}\nf 2 3 1\n")
    with pytest.raises(InputError, match="counts from 1"):
        read_shape(tmp_path / "a.obj")
    (tmp_path / "b.obj").write_text(f"{corners}vt 0 0\nf 1/0 2/10 10 # 0\nf 1 2 3 # 0\n")
    try:
        read_shape(tmp_path / "b.obj")
    except InputError as error:
        assert "counts from 1" not in str(error)


def test_binvox_files(stubs: ModuleType, tiny_root: Path, tmp_path: Path) -> None:
    """The unit cube's cells by object axes, whatever the header says of the frame."""
    store = stubs.tiny_store(tiny_root)
    for row in store.indices("test").tolist():
        path = tmp_path / "mine" / (store.object_ids[row] + ".binvox")
        path.parent.mkdir(parents=True, exist_ok=True)
        grid = house_voxels(store.mesh(row), unit_cube_grid())
        write_binvox(grid, path, translate=(3.0, 4.0, 5.0), scale=7.0)
    result = score(tmp_path / "mine", store, tmp_path / "runs", "r2n2-iou-v1", "bench-iou-v1")
    assert result["protocols"]["bench-iou-v1"]["mean_over_classes"]["iou"] == 1.0
    assert result["protocols"]["r2n2-iou-v1"]["mean_over_classes"] == {"iou": 1.0, "ap": 1.0}
    cells = np.zeros((4, 4, 4), bool)
    cells[0, 1, 2] = cells[0, 1, 3] = True
    write_binvox(cells, tmp_path / "a.binvox")
    shape = read_shape(tmp_path / "a.binvox")
    assert isinstance(shape, Voxels) and (shape.occupancy == cells).all()
    assert shape.grid_to_object.tolist() == unit_cube_grid(4).tolist()


def test_binvox_files_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.binvox"
    write_binvox(np.ones((4, 4, 5), bool), path)
    with pytest.raises(InputError, match="not \\(R, R, R\\)"):
        read_shape(path)
    write_binvox(np.ones((4, 4, 4), bool), path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="no length"):
        read_shape(path)
    path.write_bytes(b"#binvox 1\ndim 257 257 257\ntranslate 0 0 0\nscale 1\ndata\n\x01\xff")
    with pytest.raises(InputError, match="1 to 256"):
        read_shape(path)


def test_expect_compares_something_and_says_what_not(
    stubs: ModuleType, tiny_root: Path, tmp_path: Path
) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    protocols = ("bench-iou-v1", "dibr-chamfer-v1")
    result = run(stubs.request(tiny_root, tmp_path, protocols=protocols), quiet=True)
    folder = RunFolder(next(tmp_path.glob("*/stub-*")))
    with pytest.raises(CheckError, match="names no protocol"):
        check_expected(folder, {**result, "protocols": {}}, tiny_root, quiet=True)
    part = {**result, "protocols": {"bench-iou-v1": result["protocols"]["bench-iou-v1"]}}
    found = check_expected(folder, part, tiny_root, quiet=True)
    assert found["differences"] == [] and found["not_compared"] == ["dibr-chamfer-v1"]
    # A result that lacks something is refused when it is read.
    path = tmp_path / "expected.json"
    for place, key in (("dataset", "identity"), ("dataset", "split_hash"), ("selection", "items")):
        lacking = {name: value for name, value in result[place].items() if name != key}
        path.write_text(json.dumps({**result, place: lacking}))
        with pytest.raises(InputError, match="lacks what a result holds"):
            read_result(path)
    for wrong in ({"bench-iou-v1": {}}, {"bench-iou-v1": None}, ["bench-iou-v1"]):
        path.write_text(json.dumps({**result, "protocols": wrong}))
        with pytest.raises(InputError, match="lacks what a result holds"):
            read_result(path)
    path.write_text(json.dumps(result))
    assert read_result(path)["hash"] == result["hash"]


def test_a_comment_in_an_old_encoding_hurts_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The module which the loader would guess the encoding with need not be installed.
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    body = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    (tmp_path / "a.obj").write_bytes("# Künstler: José\n".encode("latin-1") + body)
    (tmp_path / "a.off").write_bytes(
        "OFF\n# José\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n".encode("latin-1")
    )
    for name in ("a.obj", "a.off"):
        mesh = read_shape(tmp_path / name)
        assert isinstance(mesh, Mesh)
        assert (mesh.vertices.shape, mesh.faces.tolist()) == ((3, 3), [[0, 1, 2]])
