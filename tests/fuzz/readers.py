"""The readers of single files: valid files for each, and what a changed one may be read as."""

from __future__ import annotations

import io
import math
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from files import (
    archive_files,
    checkpoint_tensors,
    grid,
    mat_file,
    mesh_files,
    npy_file,
    pickle_files,
    png_files,
    tar_file,
    zip_file,
)
from server import Format

from benchbench.baselines.kato.weights import read_checkpoint
from benchbench.core.types import problem
from benchbench.datasets.archives import read_archive, read_npy, read_npz
from benchbench.datasets.binvox import read_binvox, write_binvox
from benchbench.datasets.matlab import read_mat
from benchbench.datasets.pickled import read_pickle
from benchbench.datasets.pictures import decode_png
from benchbench.evaluation.predictions import Shard, make_item

Check = Callable[[Any, Any, Path, bool], None]


def single(
    name: str, files: Callable[[], list[bytes]], read: Callable[[Path], Any], check: Check
) -> Format:
    """A format whose reader takes one file, called `x.<name>`."""
    path = f"x.{name.split('-')[-1]}"
    return Format(
        name,
        lambda: [{path: data} for data in files()],
        lambda folder: read(folder / path),
        lambda found, expected, folder, protected: check(found, expected, folder / path, protected),
    )


def same(left: Any, right: Any) -> bool:
    """Equal arrays, NaN for NaN."""
    a, b = np.asarray(left), np.asarray(right)
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def _check_binvox(found: Any, expected: Any, path: Path, protected: bool) -> None:
    """By the letter: five lines, then pairs of a value and a count; x slowest, y fastest."""
    data = path.read_bytes()
    lines = data.split(b"\n", 5)
    sides = [int(word) for word in lines[1].split()[1:4]]
    flat = []
    for n in range(0, len(lines[5]) - 1, 2):
        flat += [lines[5][n] != 0] * lines[5][n + 1]
    assert found.occupied.shape == (sides[0], sides[2], sides[1])
    cells = np.array(flat, bool).reshape(sides).transpose(0, 2, 1)
    assert (found.occupied == cells).all(), "other cells"
    assert all(map(math.isfinite, (*found.translate, found.scale))), "not finite"


def _check_npy(found: Any, expected: Any, path: Path, protected: bool) -> None:
    assert same(found, np.load(path, allow_pickle=False)), "numpy reads something else"


def _check_npz(found: Any, expected: Any, path: Path, protected: bool) -> None:
    if protected:
        for key, array in found.items():
            assert key in expected and same(array, expected[key]), f"'{key}' became another"
        return  # numpy reads in pieces and gives up on some that are whole in one
    with np.load(path, allow_pickle=False) as loaded:
        for key, array in found.items():
            assert same(array, loaded[key]), f"numpy reads '{key}' otherwise"


def _check_png(found: Any, expected: Any, path: Path, protected: bool) -> None:
    head = path.read_bytes()[16:24]
    width, height = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
    assert found.shape == (height, width, 4) and found.dtype == np.uint8
    assert not protected or same(found, expected), "another picture"


def _read_archive(path: Path) -> list[tuple[str, bytes | None]]:
    return [(member.name, member.data) for member in read_archive(path)]


def _check_archive(found: Any, expected: Any, path: Path, protected: bool) -> None:
    """Python's own readers, which look at the whole file, find the same members."""
    if zipfile.is_zipfile(path) and path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            items = archive.infolist()
            other = [(i.filename, None if i.is_dir() else archive.read(i)) for i in items]
    else:
        other = []
        with tarfile.open(path, ignore_zeros=False) as tar:
            for item in tar:
                file = tar.extractfile(item) if item.isreg() else None
                other.append((item.name, file.read() if file else None))

    def plain(name: str) -> str:
        return "/".join(part for part in name.split("/") if part not in ("", "."))

    assert found == [(plain(name), data) for name, data in other], "other members"
    if protected:
        assert all(member in expected for member in found), "a member became another"


def _read_shape(path: Path) -> Any:
    from benchbench.evaluation.meshes_in import read_shape  # imports torch: forks get slower

    return read_shape(path)


def _check_shape(found: Any, expected: Any, path: Path, protected: bool) -> None:
    assert problem(found) in (None, "empty", "nonfinite", "invalid")
    for name in ("vertices", "faces", "points", "occupancy"):
        array = getattr(found, name, None)
        if array is not None:
            assert array.dtype == (np.int32 if name == "faces" else np.float32), name


def _check_checkpoint(found: Any, expected: Any, path: Path, protected: bool) -> None:
    widths, tensors = found
    assert {k: v.shape for k, v in tensors.items()} == widths.shapes()
    assert all(np.isfinite(v).all() and v.dtype == np.float32 for v in tensors.values())
    if protected:
        assert all(same(v, expected[1][k]) for k, v in tensors.items()), "another tensor"


def _walk(value: Any, kinds: tuple[type, ...]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _walk(key, kinds)
            _walk(inner, kinds)
    elif isinstance(value, (list, tuple)) or (
        isinstance(value, np.ndarray) and value.dtype.hasobject
    ):
        for inner in value:
            _walk(inner, kinds)
    else:
        assert isinstance(value, kinds), f"holds a {type(value)}"


def _check_mat(found: Any, expected: Any, path: Path, protected: bool) -> None:
    _walk(found, (str, np.ndarray))


def _check_pickle(found: Any, expected: Any, path: Path, protected: bool) -> None:
    _walk(found, (type(None), bool, int, float, str, bytes, np.generic, np.ndarray))


def _binvox_files() -> list[bytes]:
    wide = np.random.default_rng(0).random((5, 7, 9)) > 0.5
    return [write_binvox(grid()), write_binvox(wide, translate=(0.25, 0, -1), scale=0.7)]


def _npz_files() -> list[bytes]:
    stored, packed = io.BytesIO(), io.BytesIO()
    arrays = {"points": np.zeros((5, 3), np.float16), "loc": np.arange(3.0), "c": np.int64(7)}
    np.savez(stored, **arrays)
    np.savez_compressed(packed, images=np.arange(2 * 4 * 9 * 9).reshape(2, 4, 9, 9) % 251)
    return [stored.getvalue(), packed.getvalue()]


def _npy_files() -> list[bytes]:
    return [npy_file(np.arange(24.0).reshape(2, 3, 4)), npy_file(np.asfortranarray(grid(8)))]


def _shape_npy_files() -> list[bytes]:
    return [npy_file(grid(8).astype(np.float32)), npy_file(np.arange(12.0).reshape(4, 3))]


def _shape_npz_files() -> list[bytes]:
    files = []
    box = {"vertices": np.eye(3), "faces": np.array([[0, 1, 2]])}
    for arrays in (box, {"points": np.eye(4, 3), "normals": np.eye(4, 3)}, {"a": grid(8)}):
        stream = io.BytesIO()
        np.savez_compressed(stream, **arrays)
        files.append(stream.getvalue())
    return files


def _glb_files() -> list[bytes]:
    import trimesh

    scene = trimesh.Scene()
    for place in (0.0, 3.0):
        matrix = trimesh.transformations.translation_matrix([place, 0, 0])
        scene.add_geometry(trimesh.creation.box(), geom_name="box", transform=matrix)
    return [bytes(scene.export(file_type="glb"))]


def _read_npy(path: Path) -> Any:
    return read_npy(path.read_bytes(), path.name)


def _checkpoint_npz() -> list[bytes]:
    stored, packed = io.BytesIO(), io.BytesIO()
    np.savez(stored, **checkpoint_tensors())
    np.savez_compressed(packed, **checkpoint_tensors())
    return [stored.getvalue(), packed.getvalue()]


def _checkpoint_safetensors() -> list[bytes]:
    from safetensors.numpy import save

    return [save(checkpoint_tensors(), metadata={"format": "benchbench-kato-1"})]


def _predictions_check(found: Any, expected: Any, folder: Path, protected: bool) -> None:
    for item in found["items"]:
        assert (item.prediction is None) == (item.status != "ok")
        assert item.prediction is None or problem(item.prediction) is None
    if found["content"] == expected["content"]:
        assert [i.status for i in found["items"]] == [i.status for i in expected["items"]]


def _predictions_read(folder: Path) -> Any:
    with Shard(folder / "shard-000000.h5") as shard:
        items = [
            item if item.prediction is None and item.status != "ok" else
            make_item(item.object_id, item.view, item.prediction)
            for item in shard
        ]  # fmt: skip
        return {"items": items, "content": shard.content}


def formats() -> dict[str, Format]:
    """All formats of single files by name."""
    from stores import alter_predictions, predictions_seeds, store_format

    found = [
        single("binvox", _binvox_files, lambda p: read_binvox(p), _check_binvox),
        single("npz", _npz_files, lambda p: read_npz(p), _check_npz),
        single("npy", _npy_files, _read_npy, _check_npy),
        single("png", png_files, lambda p: decode_png(p.read_bytes(), p.name), _check_png),
        single("tar", lambda: [tar_file(archive_files())], _read_archive, _check_archive),
        single("tgz", lambda: [tar_file(archive_files(), True)], _read_archive, _check_archive),
        single("zip", lambda: [zip_file(archive_files())], _read_archive, _check_archive),
        single("mat", mat_file, lambda p: read_mat(p.read_bytes(), p.name), _check_mat),
        single("pkl", pickle_files, lambda p: read_pickle(p.read_bytes(), p.name), _check_pickle),
        single("checkpoint-npz", _checkpoint_npz, read_checkpoint, _check_checkpoint),
        single(
            "checkpoint-safetensors", _checkpoint_safetensors, read_checkpoint, _check_checkpoint
        ),
        Format(
            "predictions",
            predictions_seeds,
            _predictions_read,
            _predictions_check,
            alter_predictions,
        ),
        store_format(),
    ]
    for kind in ("obj", "off", "ply"):
        found.append(
            single(f"shape-{kind}", lambda k=kind: mesh_files(k), _read_shape, _check_shape)
        )
    found += [
        single("shape-glb", _glb_files, _read_shape, _check_shape),
        single("shape-npy", _shape_npy_files, _read_shape, _check_shape),
        single("shape-npz", _shape_npz_files, _read_shape, _check_shape),
        single("shape-binvox", lambda: _binvox_files()[:1], _read_shape, _check_shape),
    ]
    return {form.name: form for form in found}
