"""PASCAL3D+'s CAD models: from `CAD/<class>.mat` or `CAD/<class>/<nn>.off` to stored shapes.

The two hold the same models; the .mat is what the toolbox projects and is preferred. The models'
frame and scale differ from object to object in the object frame, so each has its own matrix.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.core.types import Mesh
from benchbench.datasets.matlab import read_mat
from benchbench.datasets.pascal3d.camera import CAD_TO_OBJECT_AXES
from benchbench.datasets.shapes13.voxels import kato_grid
from benchbench.datasets.store_format import pack_voxels

Array = npt.NDArray[Any]

MOST_FACES = 1 << 20  # and vertices; an honest model has some ten thousand
_MAT_BYTES = 1 << 28


@dataclass(frozen=True)
class Cad:
    """One CAD model.

    Attributes:
        name: "<class>/<nn>", nn from 1.
        mesh: In the object frame.
        cad_to_object: (4, 4) float64: axes turned, box centred, longest side 1.
        bits: Kato's grid, packed.
        key: Hash of the mesh.
    """

    name: str
    mesh: Mesh
    cad_to_object: Array
    bits: Array
    key: str


def make_cad(name: str, vertices: Array, faces: Array) -> Cad:
    """Brings a model into the object frame and voxelises it.

    Args:
        name: "<class>/<nn>".
        vertices: (V, 3), CAD frame.
        faces: (F, 3), from 0.

    Raises:
        InputError: No shape: empty, not finite, without extent, or faces that leave the vertices.
    """
    vertices = np.asarray(vertices, np.float64)
    for what, table in (("vertices", vertices), ("faces", faces)):
        if table.ndim != 2 or table.shape[1] != 3 or not 1 <= len(table) <= MOST_FACES:
            raise InputError(f"CAD model '{name}' has {what} of shape {table.shape}")
    if not np.isfinite(vertices).all() or np.abs(vertices).max() > 1e6:
        raise InputError(f"CAD model '{name}' has vertices that are no places")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise InputError(f"CAD model '{name}' has a face with a vertex that it does not have")
    used = vertices[np.unique(faces)]
    low, high = used.min(axis=0), used.max(axis=0)
    longest = float((high - low).max())
    if longest <= 1e-9:
        raise InputError(f"CAD model '{name}' has no extent")
    matrix = np.eye(4)
    matrix[:3, :3] = CAD_TO_OBJECT_AXES / longest
    matrix[:3, 3] = -matrix[:3, :3] @ ((low + high) / 2)
    moved = (vertices @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)
    mesh = Mesh(moved, np.ascontiguousarray(faces, np.int32))
    digest = hashlib.sha256(f"{moved.shape} {mesh.faces.shape}\n".encode())
    digest.update(moved.tobytes())
    digest.update(mesh.faces.tobytes())
    bits = pack_voxels(kato_grid(moved, mesh.faces))
    return Cad(name, mesh, matrix, bits, digest.hexdigest()[:32])


def read_mat_models(data: bytes, name: str, wanted: str) -> list[tuple[Array, Array] | str]:
    """Models of `CAD/<class>.mat` in the order of their numbers: vertices and faces from 0.

    Args:
        data: The file.
        name: What to call it.
        wanted: The class, which is the variable's name.

    Returns:
        For every model its arrays, or why it has none.

    Raises:
        InputError: The file is broken as a whole.
    """
    models = read_mat(data, name, _MAT_BYTES).get(wanted)
    if not isinstance(models, list):
        raise InputError(f"'{name}' has no struct array '{wanted}'")
    found: list[tuple[Array, Array] | str] = []
    for number, fields in enumerate(models, 1):
        vertices, faces = (
            fields.get(key) if isinstance(fields, dict) else None for key in ("vertices", "faces")
        )
        if not (isinstance(vertices, np.ndarray) and isinstance(faces, np.ndarray)):
            found.append(f"'{name}': model {number} has no vertices or no faces")
        elif not np.isfinite(faces).all() or (faces != np.rint(faces)).any():
            found.append(f"'{name}': model {number} has faces that are no whole numbers")
        else:
            # Cut before it is cast: a whole number may be too large for any integer.
            found.append((vertices, np.clip(faces, 0, 1 << 31).astype(np.int64) - 1))
    return found


def read_off(data: bytes, name: str) -> tuple[Array, Array]:
    """Vertices (V, 3) and triangles (F, 3) from 0 of an OFF file.

    Raises:
        InputError: It is none, has other faces than triangles, or is too large.
    """
    words = data.split()
    try:
        if words[0] != b"OFF":
            raise InputError(f"'{name}' is no OFF file")
        count, faces = int(words[1]), int(words[2])
        if not (1 <= count <= MOST_FACES and 1 <= faces <= MOST_FACES):
            raise InputError(f"'{name}' has {count} vertices and {faces} faces; refused")
        middle, end = 4 + 3 * count, 4 + 3 * count + 4 * faces
        if len(words) < end:
            raise InputError(f"'{name}' is cut off")
        vertices = np.array(words[4:middle], np.float64).reshape(count, 3)
        table = np.array(words[middle:end], np.int64).reshape(faces, 4)
    except (ValueError, IndexError, OverflowError) as error:
        raise InputError(f"'{name}' is a damaged OFF file ({error})") from error
    if (table[:, 0] != 3).any():
        raise InputError(f"'{name}' has faces that are no triangles")
    return vertices, table[:, 1:]


def read_models(
    mat: bytes | None, offs: dict[int, bytes], wanted: str
) -> tuple[dict[int, Cad], dict[int, str]]:
    """All models of a class.

    Args:
        mat: `CAD/<class>.mat`, or None.
        offs: Number to `CAD/<class>/<nn>.off`; read where there is no .mat.
        wanted: The class.

    Returns:
        Number (from 1) to model, and number to what is wrong with a broken one.
    """
    models: dict[int, tuple[Array, Array] | str] = {}
    if mat is not None:
        models = dict(enumerate(read_mat_models(mat, f"CAD/{wanted}.mat", wanted), 1))
    else:
        for number, data in sorted(offs.items()):
            try:
                models[number] = read_off(data, f"CAD/{wanted}/{number:02d}.off")
            except InputError as error:
                models[number] = str(error)
    cads: dict[int, Cad] = {}
    broken: dict[int, str] = {}
    for number, model in models.items():
        try:
            if isinstance(model, str):
                raise InputError(model)
            cads[number] = make_cad(f"{wanted}/{number:02d}", *model)
        except InputError as error:
            broken[number] = str(error)
    return cads, broken
