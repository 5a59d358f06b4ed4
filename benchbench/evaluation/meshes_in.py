"""Reading shapes from a stranger's files: meshes, grids, points. Nothing in them is executed."""

from __future__ import annotations

import io
import math
import os
import re
import stat
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchbench.core.errors import InputError
from benchbench.core.types import Mesh, Points, Prediction, Voxels
from benchbench.datasets.archives import Limits, read_npz
from benchbench.datasets.binvox import read_binvox
from benchbench.datasets.npy_header import read_npy_header
from benchbench.evaluation.glb_files import plain_glb
from benchbench.protocols.convert import unit_cube_grid

SUFFIXES = (".obj", ".off", ".ply", ".glb", ".npy", ".npz", ".binvox")
MAX_BYTES = 256 << 20
_MAX_SIDE = 256
_NPZ = Limits(members=16, member_bytes=MAX_BYTES, total_bytes=2 * MAX_BYTES, ratio=1100.0)
_VERTEX_OR_FACE = re.compile(rb"^[ \t]*[vf][ \t].*$", re.MULTILINE)
_VERTEX_ZERO = re.compile(rb"^[ \t]*f[ \t][^\n#]*?(?<=[ \t])[-+]?0+(?![^/\s]).*$", re.MULTILINE)
_AFTER_SLASH = re.compile(rb"(\d)/\S*")


def read_shape(path: Path) -> Prediction:
    """Reads one prediction.

    A mesh file is taken vertex for vertex, nothing is merged, split or repaired. Of an OBJ only
    the lines `v` and `f` are read, without groups, materials, textures and normals. A PLY without
    faces and an (N, 3) array are points. An (R, R, R) array is a grid of the object frame's unit
    cube, indexed [x, y, z], with values in [0, 1]. So is a .binvox, whatever frame its header
    states; both have at most 256 cells a side. An .npz holds `vertices` and `faces`, or `points`
    and perhaps `normals`, or one such array under any name. Of a .glb the triangles are read, moved
    to where its nodes show them.

    Args:
        path: .obj, .off, .ply, .glb, .npy, .npz or .binvox.

    Raises:
        InputError: The file is broken, too large, a link, or of another kind.
    """
    state = path.lstat()
    if not stat.S_ISREG(state.st_mode):
        raise InputError(f"'{path}' is no plain file")
    if state.st_size > MAX_BYTES:
        raise InputError(f"'{path}' has {state.st_size} bytes, more than {MAX_BYTES >> 20} MiB")
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            return _read_array(path, state.st_size)
        if suffix == ".npz":
            return _read_arrays(path)
        return _read_binvox(path) if suffix == ".binvox" else _read_mesh(path, suffix)
    except (InputError, ImportError):
        raise  # a missing module is this installation's fault, never the prediction's
    except Exception as error:
        reason = str(error).splitlines()[0][:200] if str(error) else "no reason given"
        raise InputError(f"'{path}' cannot be read: {type(error).__name__}: {reason}") from error


def _read_array(path: Path, size: int) -> Prediction:
    with path.open("rb") as file:
        shape, _, dtype, length = read_npy_header(file, str(path))
        if dtype.hasobject or dtype.kind not in "biuf":
            raise InputError(f"'{path}' holds {dtype}, not numbers")
        if math.prod(shape) * dtype.itemsize != size - length:
            raise InputError(f"'{path}' is not as long as its header says")
    return _from_array(path, np.load(path, allow_pickle=False))


def _read_arrays(path: Path) -> Prediction:
    arrays = read_npz(path.read_bytes(), _NPZ)
    if any(array.dtype.kind not in "biuf" for array in arrays.values()):
        raise InputError(f"'{path}' holds something else than numbers")
    if {"vertices", "faces"} <= set(arrays):
        vertices, faces = arrays["vertices"], arrays["faces"]
        if vertices.ndim != 2 or faces.ndim != 2 or vertices.shape[1] != 3 or faces.shape[1] != 3:
            raise InputError(
                f"'{path}': vertices {vertices.shape}, faces {faces.shape}, not (n, 3)"
            )
        if faces.size and (faces.max() > np.iinfo(np.int32).max or faces.min() < 0):
            raise InputError(f"'{path}' has a face index {faces.max()} or {faces.min()}")
        return Mesh(_floats(vertices), faces.astype(np.int32))
    if "points" in arrays:
        normals = arrays.get("normals")
        return Points(_floats(arrays["points"]), None if normals is None else _floats(normals))
    if len(arrays) != 1:
        raise InputError(
            f"'{path}' holds {', '.join(sorted(arrays))[:200] or 'nothing'}",
            hint="vertices and faces, or points, or one array",
        )
    return _from_array(path, next(iter(arrays.values())))


def _floats(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _from_array(path: Path, array: np.ndarray[Any, Any]) -> Prediction:
    if array.ndim == 2 and array.shape[1] == 3:
        return Points(_floats(array))
    if array.ndim == 3 and len(set(array.shape)) == 1 and max(array.shape) <= _MAX_SIDE:
        return Voxels(array.astype(np.float32), unit_cube_grid(max(array.shape[0], 1)))
    raise InputError(f"'{path}' holds an array {array.shape}, neither (R, R, R) nor (N, 3)")


def _read_binvox(path: Path) -> Prediction:
    grid = read_binvox(path, max_side=_MAX_SIDE).occupied
    if len(set(grid.shape)) != 1:
        raise InputError(f"'{path}' holds a grid of {grid.shape} cells, not (R, R, R)")
    return Voxels(grid.astype(np.float32), unit_cube_grid(grid.shape[0]))


def _read_mesh(path: Path, suffix: str) -> Prediction:
    import trimesh

    # A file object, not a name: the loader cannot follow references to other files.
    with path.open("rb") as file:
        _check_head(path, file.read(1 << 16), suffix)
        file.seek(0)
        source: IO[bytes] = file
        options: dict[str, Any] = {"process": False, "maintain_order": True}
        if suffix == ".off":
            source = io.BytesIO(_as_utf8(file.read()))
        elif suffix == ".obj":
            source = io.BytesIO(_as_utf8(_plain_obj(path, file.read())))
            options.update(skip_materials=True, split_object=False, group_material=False)
        elif suffix == ".glb":
            source = io.BytesIO(plain_glb(path, file.read()))
        loaded: Any = trimesh.load(source, file_type=suffix[1:], **options)
    if isinstance(loaded, trimesh.Scene):
        loaded = loaded.to_geometry() if hasattr(loaded, "to_geometry") else loaded.dump(True)
        if isinstance(loaded, list):
            raise InputError(f"'{path}' holds nothing")
    vertices = np.asarray(loaded.vertices, dtype=np.float64).reshape(-1, 3)
    with np.errstate(over="ignore"):
        floats = vertices.astype(np.float32)
    if isinstance(loaded, trimesh.PointCloud):
        # An .obj or .off that lost its faces is an empty mesh, not a method of another kind.
        return Points(floats) if suffix == ".ply" else Mesh(floats, np.zeros((0, 3), np.int32))
    faces = np.asarray(loaded.faces).reshape(-1, 3)
    if faces.size and (faces.max() > np.iinfo(np.int32).max or faces.min() < 0):
        raise InputError(f"'{path}' has a face index {faces.max()} or {faces.min()}")
    return Mesh(floats, faces.astype(np.int32))


def _as_utf8(data: bytes) -> bytes:
    """Text of any old encoding as UTF-8: else what the loader does depends on what is installed."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1").encode("utf-8")
    return data


def _plain_obj(path: Path, data: bytes) -> bytes:
    """Vertices and faces of an OBJ and nothing else: the loader would split it by material.

    Raises:
        InputError: A face names vertex 0; vertices count from 1, so all its faces are shifted.
    """
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\\\n", b" ")
    if zero := _VERTEX_ZERO.search(data):
        line = zero.group().decode("ascii", "replace").strip()[:60]
        raise InputError(f"'{path}' has a face of vertex 0, '{line}'; an OBJ counts from 1")
    return _AFTER_SLASH.sub(rb"\1", b"\n".join(_VERTEX_OR_FACE.findall(data)))


def _check_head(path: Path, head: bytes, suffix: str) -> None:
    """Refuses counts that the file is too short for, before a parser believes them."""
    size = os.path.getsize(path)
    counts: list[int] = []
    if suffix == ".off":
        words = [w for w in head[:4096].split() if w.isdigit()][:3]
        counts = [int(w) for w in words]
    elif suffix == ".ply":
        if not head.startswith(b"ply"):
            raise InputError(f"'{path}' is no PLY file")
        header = head.partition(b"end_header")[0].splitlines()
        counts = [
            int(line.split()[2])
            for line in header
            if line.startswith(b"element ") and len(line.split()) == 3 and line.split()[2].isdigit()
        ]
    if any(count > size for count in counts):  # every vertex and face takes more than a byte
        raise InputError(f"'{path}' announces {max(counts)} elements in {size} bytes")
