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
from benchbench.datasets.picture_coding import clean, encode_picture
from benchbench.datasets.store_format import content_identity, dump, pack_voxels

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rendering:
    """What all pictures of one rendering share.

    Attributes:
        height: Rows, pixels.
        width: Columns, pixels.
        parameters: Names of the columns of `Cameras.parameters`.
        title: One line for people: who rendered, with what.
        mode: What a picture is, one of `picture_coding.MODES`.
        colours: "straight", or "inverted": RGB is (1 - c) alpha of a straight picture's colour c.
        depth_unit: World units of one count of a "depth" picture.
    """

    height: int
    width: int
    parameters: tuple[str, ...]
    title: str = ""
    mode: str = "rgba"
    colours: str = "straight"
    depth_unit: float = 0.0


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
class ArrayKind:
    """Further numbers of every object, a table of any number of rows: points, boxes, and so on.

    Attributes:
        shape: Of one row; () for plain numbers.
        dtype: Name of the numpy type, little-endian: "float32", "float16", "uint8" and so on.
        title: One line for people.
    """

    shape: tuple[int, ...]
    dtype: str
    title: str = ""


@dataclass(frozen=True)
class Layout:
    """What every object of a data set has.

    Attributes:
        renderings: Name to `Rendering`; the first is the default one.
        voxel_kinds: Name to `VoxelKind`; the first is the default one.
        array_kinds: Name to `ArrayKind`.
    """

    renderings: Mapping[str, Rendering]
    voxel_kinds: Mapping[str, VoxelKind]
    array_kinds: Mapping[str, ArrayKind] = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectRecord:
    """One object to be stored.

    Attributes:
        id: "synset/model".
        synset: Its class.
        images: Rendering name to the K pictures: (K, H, W, 4) uint8, or (K, H, W) uint16 depth.
        cameras: Rendering name to `Cameras` of the K views.
        voxels: Kind to (R, R, R) bool, [x, y, z] in object axes.
        mesh: Surface in the object frame, or None.
        parameters: JSON-able notes of the maker, or None.
        source_to_object: (4, 4) from the cameras' world to the object frame.
        arrays: Array kind to a table of any number of rows.
        shared_mesh: Key of a mesh that several objects share, given to `StoreWriter.finish`.
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
    arrays: Mapping[str, Array] = field(default_factory=dict)
    shared_mesh: str = ""
    identity: bytes | None = None


@dataclass(frozen=True)
class Encoded:
    """An `ObjectRecord` packed for the file: column name to rows, and bytes per view."""

    id: str
    synset: str
    columns: dict[str, Array]


def encode(record: ObjectRecord, layout: Layout) -> Encoded:
    """Pack one object (the costly part; a plain function, so that a process pool can run it).

    Raises:
        InputError: The record does not fit the layout.
    """
    columns: dict[str, Array] = {}
    for name in sorted(record.images):
        _encode_rendering(name, record, layout.renderings[name], columns)
    for kind in sorted(record.voxels):
        columns[f"voxels/{kind}/bits"] = pack_voxels(record.voxels[kind])[None]
    for name, spec in layout.array_kinds.items():
        values = np.asarray(record.arrays[name])
        columns[f"arrays/{name}/values"] = values.astype(spec.dtype, casting="same_kind")
    mesh = record.mesh or Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    columns["meshes/vertices"] = np.asarray(mesh.vertices, np.float32).reshape(-1, 3)
    columns["meshes/faces"] = np.asarray(mesh.faces, np.int32).reshape(-1, 3)
    text = "" if record.parameters is None else dump(dict(record.parameters))
    columns["objects/parameters"] = np.frombuffer(text.encode("utf-8"), np.uint8)
    matrix = np.asarray(record.source_to_object, np.float64).reshape(1, 4, 4)
    columns["objects/source_to_object"] = matrix
    key = record.shared_mesh.encode("ascii")
    columns["objects/shared_mesh"] = np.frombuffer(key, np.uint8)
    kept = {
        name: clean(images, layout.renderings[name].mode) for name, images in record.images.items()
    }
    identity = record.identity or content_identity(columns, kept)
    if len(identity) != 32:
        raise InputError(f"'{record.id}': an identity is 32 bytes, not {len(identity)}")
    columns["objects/identity"] = np.frombuffer(identity, np.uint8)[None]
    return Encoded(record.id, record.synset, columns)


def _encode_rendering(
    name: str, record: ObjectRecord, rendering: Rendering, columns: dict[str, Array]
) -> None:
    images, cameras = record.images[name], record.cameras[name]
    views = len(images)
    if images.shape[1:3] != (rendering.height, rendering.width):
        raise InputError(
            f"'{record.id}' has pictures of {images.shape[1:3]}, "
            f"{(rendering.height, rendering.width)} belong"
        )
    packed = [encode_picture(image, rendering.mode) for image in images]
    group = f"renderings/{name}"
    columns[f"{group}/box"] = np.array([box for box, _ in packed], np.uint16).reshape(views, 4)
    columns[f"{group}/view_bytes"] = np.array([len(data) for _, data in packed], np.int64)
    columns[f"{group}/pixels"] = np.frombuffer(b"".join(data for _, data in packed), np.uint8)
    world = np.asarray(cameras.world_to_camera, np.float64)
    columns[f"{group}/world_to_camera"] = world.reshape(views, 4, 4)
    columns[f"{group}/intrinsics"] = np.asarray(cameras.intrinsics, np.float64).reshape(views, 3, 3)
    parameters = np.asarray(cameras.parameters, np.float64)
    columns[f"{group}/parameters"] = parameters.reshape(views, len(rendering.parameters))
