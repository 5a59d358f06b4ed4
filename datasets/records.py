"""One object on its way into a store: as its maker gives it, and packed for the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import Cameras
from benchbench.datasets.store_format import content_identity, dump, encode_picture, pack_voxels

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rendering:
    """What all pictures of one rendering share.

    Attributes:
        height: Rows, pixels.
        width: Columns, pixels.
        parameters: Names of the columns of `Cameras.parameters`.
        title: One line for people: who rendered, with what.
    """

    height: int
    width: int
    parameters: tuple[str, ...]
    title: str = ""


@dataclass(frozen=True)
class VoxelKind:
    """What all grids of one kind share.

    Attributes:
        resolution: Cells per side R.
        grid_to_object: (4, 4) float64 from cell index coordinates to the object frame.
        title: One line for people: which voxeliser.
    """

    resolution: int
    grid_to_object: Array
    title: str = ""


@dataclass(frozen=True)
class ObjectRecord:
    """One object to be stored.

    Attributes:
        id: "synset/model".
        synset: Its class.
        images: Rendering name to (K, H, W, 4) uint8 straight-alpha RGBA.
        cameras: Rendering name to `Cameras` of the K views.
        voxels: Kind to (R, R, R) bool, [x, y, z] in object axes.
        mesh: Surface in the object frame, or None.
        parameters: JSON-able notes of the maker, or None.
        source_to_object: (4, 4) from the cameras' world to the object frame.
        identity: sha256 (32 bytes) of what the object is; None takes the sha256 of all its content.
    """

    id: str
    synset: str
    images: Mapping[str, Array]
    cameras: Mapping[str, Cameras]
    voxels: Mapping[str, Array]
    mesh: Mesh | None = None
    parameters: Mapping[str, Any] | None = None
    source_to_object: Array = field(default_factory=lambda: np.eye(4))
    identity: bytes | None = None


@dataclass(frozen=True)
class Encoded:
    """An `ObjectRecord` packed for the file: column name to rows, and bytes per view."""

    id: str
    synset: str
    columns: dict[str, Array]


def encode(record: ObjectRecord) -> Encoded:
    """Pack one object (the costly part; a plain function, so that a process pool can run it)."""
    columns: dict[str, Array] = {}
    for name in sorted(record.images):
        _encode_rendering(name, record, columns)
    for kind in sorted(record.voxels):
        columns[f"voxels/{kind}/bits"] = pack_voxels(record.voxels[kind])[None]
    mesh = record.mesh or Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    columns["meshes/vertices"] = np.asarray(mesh.vertices, np.float32).reshape(-1, 3)
    columns["meshes/faces"] = np.asarray(mesh.faces, np.int32).reshape(-1, 3)
    text = "" if record.parameters is None else dump(dict(record.parameters))
    columns["objects/parameters"] = np.frombuffer(text.encode("utf-8"), np.uint8)
    matrix = np.asarray(record.source_to_object, np.float64).reshape(1, 4, 4)
    columns["objects/source_to_object"] = matrix
    identity = record.identity or content_identity(columns, record.images)
    if len(identity) != 32:
        raise InputError(f"'{record.id}': an identity is 32 bytes, not {len(identity)}")
    columns["objects/identity"] = np.frombuffer(identity, np.uint8)[None]
    return Encoded(record.id, record.synset, columns)


def _encode_rendering(name: str, record: ObjectRecord, columns: dict[str, Array]) -> None:
    images, cameras = record.images[name], record.cameras[name]
    views = len(images)
    packed = [encode_picture(image) for image in images]
    group = f"renderings/{name}"
    columns[f"{group}/box"] = np.array([box for box, _ in packed], np.uint16).reshape(views, 4)
    columns[f"{group}/view_bytes"] = np.array([len(data) for _, data in packed], np.int64)
    columns[f"{group}/pixels"] = np.frombuffer(b"".join(data for _, data in packed), np.uint8)
    world = np.asarray(cameras.world_to_camera, np.float64)
    columns[f"{group}/world_to_camera"] = world.reshape(views, 4, 4)
    columns[f"{group}/intrinsics"] = np.asarray(cameras.intrinsics, np.float64).reshape(views, 3, 3)
    columns[f"{group}/parameters"] = np.asarray(cameras.parameters, np.float64)
