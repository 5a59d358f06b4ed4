"""GLB and NPZ predictions: what is in them is read, whatever is hostile in them is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from benchbench.core.errors import InputError
from benchbench.core.types import Mesh, Points, Voxels
from benchbench.datasets.exporting import asymmetric_solid
from benchbench.evaluation.glb_files import plain_glb
from benchbench.evaluation.meshes_in import read_shape

SOLID = asymmetric_solid("03001627/a").mesh
BOX = trimesh.creation.box()


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(data[12:16], "little")
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def join(content: Any, binary: bytes) -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    chunks = len(text).to_bytes(4, "little") + b"JSON" + text
    chunks += len(binary).to_bytes(4, "little") + b"BIN\0" + binary
    return b"glTF" + (2).to_bytes(4, "little") + (12 + len(chunks)).to_bytes(4, "little") + chunks


@pytest.fixture(scope="module")
def good() -> bytes:
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.Trimesh(SOLID.vertices, SOLID.faces, process=False))
    return bytes(scene.export(file_type="glb"))


def write(tmp_path: Path, data: bytes, name: str = "a.glb") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_a_mesh_vertex_for_vertex(tmp_path: Path, good: bytes) -> None:
    found = read_shape(write(tmp_path, good))
    assert isinstance(found, Mesh)
    assert (found.vertices == SOLID.vertices).all() and (found.faces == SOLID.faces).all()


def test_parts_stand_where_their_nodes_put_them(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    shown = {"left": [-2.0, 0, 0], "right": [3.0, 0, 0]}
    for name, place in shown.items():
        matrix = trimesh.transformations.translation_matrix(place)
        scene.add_geometry(BOX, node_name=name, geom_name="box", transform=matrix)
    found = read_shape(write(tmp_path, bytes(scene.export(file_type="glb"))))
    assert isinstance(found, Mesh)
    assert len(found.faces) == 24
    assert found.vertices.min(0).tolist() == [-2.5, -0.5, -0.5]
    assert found.vertices.max(0).tolist() == [3.5, 0.5, 0.5]


def test_pictures_and_materials_are_never_looked_at(tmp_path: Path, good: bytes) -> None:
    content, binary = split(good)
    content["images"] = [{"uri": "/etc/passwd"}, {"bufferView": 99}]
    content["textures"] = [{"source": 0}]
    content["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    for primitive in content["meshes"][0]["primitives"]:
        primitive["material"] = 0
        primitive["attributes"]["TEXCOORD_0"] = 77
    plain = plain_glb(tmp_path, join(content, binary))
    assert b"passwd" not in plain and b"material" not in plain and b"TEXCOORD" not in plain
    found = read_shape(write(tmp_path, join(content, binary)))
    assert isinstance(found, Mesh) and (found.faces == SOLID.faces).all()


def change(function: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        content, binary = split(data)
        function(content)
        return join(content, binary)

    return changed


def deep(content: dict[str, Any]) -> None:
    content["nodes"] = [{"children": [1]}, {"children": [0]}]


def many(content: dict[str, Any]) -> None:
    content["nodes"] = [{"mesh": 0} for _ in range(10_001)]


def lawn(content: dict[str, Any]) -> None:
    content["accessors"][0]["count"] = 380
    content["nodes"] = [{"mesh": 0} for _ in range(10_000)]
    content["meshes"] = [{"primitives": content["meshes"][0]["primitives"] * 20}]


WRONG: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda d: b"", "does not begin with glTF"),
    "a text": (lambda d: b"solid", "does not begin with glTF"),
    "version 1": (lambda d: d[:4] + b"\1\0\0\0" + d[8:], "version 1"),
    "cut": (lambda d: d[:200], "bytes claimed"),
    "cut within": (lambda d: d[:8] + (200).to_bytes(4, "little") + d[12:200], "behind the file"),
    "no JSON": (lambda d: join(b"{{{", b""), "JSONDecodeError in its JSON"),
    "a list": (lambda d: join([], b""), "its JSON is no object"),
    "nested": (lambda d: join(b"[" * 100_000, b""), "in its JSON"),
    "extension": (change(lambda c: c.update(extensionsRequired=["KHR_draco"])), "needs KHR_draco"),
    "other file": (change(lambda c: c["buffers"][0].update(uri="x.bin")), "in another file"),
    "two buffers": (change(lambda c: c["buffers"].append({"byteLength": 1})), "in another file"),
    "long buffer": (change(lambda c: c["buffers"][0].update(byteLength=1 << 40)), "is longer"),
    "view beyond": (
        change(lambda c: c["bufferViews"][0].update(byteLength=1 << 40)), "is not there",
    ),
    "view before": (change(lambda c: c["bufferViews"][0].update(byteOffset=-8)), "is not there"),
    "count": (change(lambda c: c["accessors"][0].update(count=1 << 40)), "elements in"),
    "nowhere": (change(lambda c: c["accessors"][0].pop("bufferView")), "lie nowhere"),
    "sparse": (change(lambda c: c["accessors"][0].update(sparse={"count": 1})), "lie nowhere"),
    "circle": (change(deep), "run in a circle"),
    "two parents": (
        change(lambda c: c.update(nodes=[{"children": [2]}, {"children": [2]}, {"mesh": 0}])),
        "two parents",
    ),
    "no such child": (change(lambda c: c.update(nodes=[{"children": [5]}])), "has the child 5"),
    "no such mesh": (change(lambda c: c.update(nodes=[{"mesh": 5}])), "shows the mesh 5"),
    "many nodes": (change(many), "10001 nodes"),
    "a lawn": (change(lawn), "corners, more than"),
    "odd types": (change(lambda c: c.update(meshes=7)), "TypeError"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name: str, tmp_path: Path, good: bytes) -> None:
    function, told = WRONG[name]
    with pytest.raises(InputError, match=r"is no readable GLB file") as caught:
        plain_glb(Path("x.glb"), function(good))
    assert told in str(caught.value)
    with pytest.raises(InputError):
        read_shape(write(tmp_path, function(good)))


# -- npz ------------------------------------------------------------------------------------


def npz(tmp_path: Path, **arrays: Any) -> Path:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return write(tmp_path, stream.getvalue(), "a.npz")


def test_npz_of_every_kind(tmp_path: Path) -> None:
    mesh = read_shape(npz(tmp_path, vertices=SOLID.vertices, faces=SOLID.faces, other=[1]))
    assert isinstance(mesh, Mesh)
    assert (mesh.vertices == SOLID.vertices).all() and (mesh.faces == SOLID.faces).all()
    cloud = np.random.default_rng(0).normal(size=(7, 3))
    for name in ("points", "whatever"):
        points = read_shape(npz(tmp_path, **{name: cloud}))
        assert isinstance(points, Points) and points.normals is None
        assert (points.points == cloud.astype(np.float32)).all()
    both = read_shape(npz(tmp_path, points=cloud, normals=-cloud))
    assert isinstance(both, Points) and both.normals is not None
    assert (both.normals == -both.points).all()
    grid = np.random.default_rng(0).random((8, 8, 8)) > 0.5
    voxels = read_shape(npz(tmp_path, voxels=grid))
    assert isinstance(voxels, Voxels) and (voxels.occupancy == grid).all()


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({}, "holds nothing"),
        ({"a": np.zeros((2, 3)), "b": np.zeros((2, 3))}, "holds a, b"),
        ({"vertices": np.zeros((4, 2)), "faces": np.zeros((1, 3), int)}, "not (n, 3)"),
        ({"vertices": np.zeros((4, 3)), "faces": np.array([[0, 1, -1]])}, "face index"),
        ({"vertices": np.zeros((4, 3)), "faces": np.array([[0, 1, 1 << 40]])}, "face index"),
        ({"a": np.zeros((2, 3, 4))}, "neither (R, R, R) nor (N, 3)"),
        ({"a": np.array(["x"])}, "something else than numbers"),
        ({"points": np.array([1 + 2j])}, "something else than numbers"),
    ],
)
def test_npz_of_something_else(tmp_path: Path, arrays: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        read_shape(npz(tmp_path, **arrays))
    assert told in str(caught.value)


def test_npz_with_objects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pickle"):
        read_shape(npz(tmp_path, a=np.array([{}], object)))
