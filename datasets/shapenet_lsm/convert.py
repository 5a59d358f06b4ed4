"""One model of LSM's release to one stored object."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.datasets.cameras import Cameras, is_orthonormal
from benchbench.datasets.matlab import read_mat
from benchbench.datasets.pictures import decode_grey_png, decode_png
from benchbench.datasets.records import ArrayKind, Layout, ObjectRecord, Rendering, VoxelKind
from benchbench.datasets.shapenet_lsm.cameras import (
    SIZE,
    VIEWS,
    view_cameras,
    world_to_object,
)

Array = npt.NDArray[Any]

VIEW_COLUMNS = ("azimuth", "elevation", "tilt", "distance")
PARAMETERS = (*VIEW_COLUMNS, "quat_0", "quat_1", "quat_2", "quat_3")
DEPTH_RANGE = 10.0  # world units at full scale, which is the background
VIEW_FILE = "view.txt"
_MAT_BYTES = 1 << 22
_MOST_HIDDEN = 20_000  # rows; more is no background


def grid_to_object(resolution: int) -> Array:
    """Cell n of an axis spans [-0.5 + n/R, -0.5 + (n + 1)/R] in the object frame."""
    matrix = np.diag([1 / resolution] * 3 + [1.0])
    matrix[:3, 3] = -0.5
    return matrix


LAYOUT = Layout(
    {
        "lsm": Rendering(SIZE, SIZE, PARAMETERS, "LSM, 20 random views"),
        "lsm-depth": Rendering(
            SIZE,
            SIZE,
            VIEW_COLUMNS,
            "LSM, depth of the same views; full scale in the file is background, 0 here",
            mode="depth",
            depth_unit=DEPTH_RANGE / 65535,
        ),
    },
    {"lsm": VoxelKind(32, grid_to_object(32), "LSM, modelVoxels32")},
    {
        "volume64": ArrayKind(
            (512,),
            "uint8",
            "LSM, modelVoxels64: 64 rows, one a cell along x, each the bits of (64, 64) cells "
            "[y, z]; no rows where the source has no such grid (see unpack_volume)",
        ),
        "hidden_colour": ArrayKind(
            (3,), "uint8", "a row a view: R, G, B of most pixels under alpha 0; 0 where none is"
        ),
        "hidden_pixels": ArrayKind(
            (6,), "uint8", "view, row, column, R, G, B of other pixels under alpha 0"
        ),
    },
)


def needed(path: str) -> bool:
    """Whether a file of a model's folder is read."""
    return path in _NAMES


_NAMES = frozenset(
    [
        VIEW_FILE,
        *(f"render_{view}.png" for view in range(VIEWS)),
        *(f"depth_{view}.png" for view in range(VIEWS)),
        *(f"camera_{view}.mat" for view in range(VIEWS)),
    ]
)


def is_complete(files: Mapping[str, bytes]) -> bool:
    """Whether a model's folder has all that is needed."""
    return len(_NAMES & files.keys()) == len(_NAMES)


def to_object_axes(volume: Array) -> Array:
    """The file's axes to the object's: Volume[i, j, k] is (x, y, -z).

    Example:
        >>> cells = np.zeros((32, 32, 32), bool)
        >>> cells[1, 2, 3] = True
        >>> np.argwhere(to_object_axes(cells)).tolist()
        [[1, 2, 28]]
    """
    return np.ascontiguousarray(volume[:, :, ::-1])


def read_volume(data: bytes, name: str, resolution: int) -> Array:
    """The cells of a .mat file of voxels: (R, R, R) bool, object axes.

    Raises:
        InputError: It has no such `Volume`, one of other values than 0 and 1, or an empty one.
    """
    found = read_mat(data, name, _MAT_BYTES).get("Volume")
    if not isinstance(found, np.ndarray):
        raise InputError(f"'{name}' has no array 'Volume'")
    return cells_of(found, name, resolution)


def cells_of(volume: Array, name: str, resolution: int = 32) -> Array:
    """Checked cells of a volume in the file's axes: (R, R, R) bool, object axes.

    Raises:
        InputError: Another shape, other values than 0 and 1, or no occupied cell.
    """
    if volume.shape != (resolution,) * 3 or volume.dtype.kind not in "biuf":
        raise InputError(f"'{name}' has cells {volume.shape} {volume.dtype}, {resolution}^3 belong")
    cells = volume.view(np.uint8) if volume.dtype == bool else volume
    if not np.isin(cells, (0, 1)).all():
        raise InputError(f"'{name}' has cells that are neither 0 nor 1")
    if not cells.any():
        raise InputError(f"'{name}' holds no occupied cell")
    return to_object_axes(cells != 0)


def pack_volume(cells: Array) -> Array:
    """Cells (R, R, R) as rows (R, R * R / 8) uint8, undone by `unpack_volume`."""
    return np.packbits(cells.reshape(len(cells), -1), axis=1)


def unpack_volume(rows: Array) -> Array:
    """The grid of a "volume64" table: (64, 64, 64) bool, [x, y, z] of the object frame.

    Example:
        >>> cells = np.zeros((64, 64, 64), bool)
        >>> cells[1, 2, 3] = True
        >>> np.argwhere(unpack_volume(pack_volume(cells))).tolist()
        [[1, 2, 3]]
    """
    return np.unpackbits(rows, axis=1).reshape((len(rows),) * 3).astype(bool)


def read_views(data: bytes, name: str) -> Array:
    """`view.txt`: (20, 4) azimuth, elevation, tilt (degrees), distance.

    Raises:
        InputError: Not 20 lines of four finite numbers, or an impossible distance.
    """
    try:
        lines = data.decode("ascii").split("\n")
        rows = [[float(word) for word in line.split()] for line in lines]
    except (UnicodeDecodeError, ValueError) as error:
        raise InputError(f"'{name}' holds something else than numbers") from error
    table = [row for row in rows if row]
    if len(table) != VIEWS or any(len(row) != len(VIEW_COLUMNS) for row in table):
        raise InputError(f"'{name}' does not hold {VIEWS} lines of {len(VIEW_COLUMNS)} numbers")
    values = np.array(table, np.float64)
    if not np.isfinite(values).all() or (values[:, 3] <= 0).any() or np.abs(values).max() > 1e4:
        raise InputError(f"'{name}' holds numbers that are no camera")
    return values


def read_camera(data: bytes, name: str) -> tuple[Array, Array, Array]:
    """A `camera_<view>.mat`: intrinsics (3, 3), world to camera (4, 4), quaternion (4,).

    Raises:
        InputError: One is missing, of another shape, not finite, or no camera.
    """
    values = read_mat(data, name, 1 << 16)
    matrix = np.eye(4)
    matrix[:3] = _numbers(values, "extrinsic", ((4, 4), (3, 4)), name)[:3]
    intrinsics = _numbers(values, "K", ((3, 3),), name)
    rotation = matrix[:3, :3]
    if not is_orthonormal(rotation) or np.linalg.det(rotation) < 0:
        raise InputError(f"'{name}' has an extrinsic matrix that is no turn and shift")
    if not (np.diag(intrinsics)[:2] > 0).all() or intrinsics[2].tolist() != [0, 0, 1]:
        raise InputError(f"'{name}' has a matrix K that is no camera's")
    return intrinsics, matrix, _numbers(values, "quat", ((1, 4), (4, 1)), name).reshape(4)


def _numbers(
    values: Mapping[str, Any], key: str, shapes: tuple[tuple[int, ...], ...], name: str
) -> Array:
    found = values.get(key)
    if not isinstance(found, np.ndarray) or found.shape not in shapes:
        raise InputError(f"'{name}' has no '{key}' of {' or '.join(map(str, shapes))}")
    if not np.isfinite(found).all():
        raise InputError(f"'{name}' has a '{key}' that is not finite")
    return found.astype(np.float64)


def hidden_colours(pictures: Array) -> tuple[Array, Array, bool]:
    """What a store drops of pictures: the colours of pixels whose alpha is 0.

    learn3D reads pictures without their alpha, so they count there.

    Args:
        pictures: (K, H, W, 4) uint8.

    Returns:
        The colour of most such pixels of each view (K, 3) uint8; view, row, column, R, G, B of the
        others (n, 6) uint8; and whether that is all of it (else there are no rows).
    """
    common = np.zeros((len(pictures), 3), np.uint8)
    others = []
    packed = np.ascontiguousarray(pictures).view(np.uint32)[..., 0]  # a colour is one number
    for view, picture in enumerate(pictures):
        hidden = picture[..., 3] == 0
        colours = packed[view][hidden]
        if not len(colours):
            continue
        usual = colours[0]
        if (colours != usual).any():
            kinds, counts = np.unique(colours, return_counts=True)
            usual = kinds[np.argmax(counts)]
            places = np.argwhere(hidden & (packed[view] != usual))
            table = np.empty((len(places), 6), np.uint8)
            table[:, 0], table[:, 1:3] = view, places
            table[:, 3:] = picture[tuple(places.T)][:, :3]
            others.append(table)
        common[view] = np.array([usual]).view(np.uint8)[:3]
    table = np.concatenate([np.zeros((0, 6), np.uint8), *others])
    whole = len(table) <= _MOST_HIDDEN
    return common, table if whole else table[:0], whole


def read_depth(data: bytes, name: str) -> tuple[Array, int]:
    """A depth map in 65535ths of `DEPTH_RANGE`, and the bits it had in the file.

    Returns:
        (224, 224) uint16, 0 where nothing is (full scale in the file); 8 or 16.
    """
    counts = decode_grey_png(data, name, (SIZE, SIZE))
    bits = 8 * counts.dtype.itemsize
    if bits == 8:
        counts = counts.astype(np.uint16) * 257  # exact: 255 * 257 is 65535
    counts[counts == 65535] = 0
    return counts, bits


def convert(
    synset: str, model: str, files: Mapping[str, bytes], bits: bytes, bits64: bytes | None
) -> ObjectRecord:
    """Decode and check one object.

    Args:
        synset: Its class.
        model: Its id within the class.
        files: The content of its folder below `renders`.
        bits: `pack_volume` of its 32^3 cells, deflated.
        bits64: The same of its 64^3 cells, or None.

    Raises:
        InputError: A file is missing or broken, or the cameras contradict each other.
    """
    label = f"{synset}/{model}"
    for kind in ("render_{}.png", "depth_{}.png", "camera_{}.mat"):
        missing = [name for n in range(VIEWS) if (name := kind.format(n)) not in files]
        if missing:
            have = VIEWS - len(missing)
            raise InputError(
                f"'{label}' has {have} of {VIEWS} {kind.format('*')}; missing: {', '.join(missing)}"
            )
    if VIEW_FILE not in files:
        raise InputError(f"'{label}' has no {VIEW_FILE}")
    views = read_views(files[VIEW_FILE], f"{label}/{VIEW_FILE}")
    names = [f"camera_{view}.mat" for view in range(VIEWS)]
    parts = zip(*(read_camera(files[name], f"{label}/{name}") for name in names), strict=True)
    intrinsics, matrices, quaternions = (np.array(part) for part in parts)
    try:
        axes = world_to_object(matrices, view_cameras(views[:, 0], views[:, 1], views[:, 3]))
    except InputError as error:
        raise InputError(f"'{label}': {error}") from error
    names = [f"render_{view}.png" for view in range(VIEWS)]
    size = (SIZE, SIZE)
    pictures = np.stack([decode_png(files[name], f"{label}/{name}", size) for name in names])
    names = [f"depth_{view}.png" for view in range(VIEWS)]
    depths, depth_bits = zip(
        *(read_depth(files[name], f"{label}/{name}") for name in names), strict=True
    )
    common, hidden, whole = hidden_colours(pictures)
    source_to_object = np.eye(4)
    source_to_object[:3, :3] = axes
    cells = unpack_volume(_inflate(bits, 32))
    volume64 = np.zeros((0, 512), np.uint8) if bits64 is None else _inflate(bits64, 64)
    corners = np.argwhere(cells)
    return ObjectRecord(
        id=label,
        synset=synset,
        images={"lsm": pictures, "lsm-depth": np.stack(depths)},
        cameras={
            "lsm": Cameras(matrices, intrinsics, np.concatenate([views, quaternions], axis=1)),
            "lsm-depth": Cameras(matrices, intrinsics, views),
        },
        voxels={"lsm": cells},
        arrays={"volume64": volume64, "hidden_colour": common, "hidden_pixels": hidden},
        parameters={
            "alpha": bool((pictures[..., 3] < 255).any()),
            "depth_bits": sorted(set(depth_bits)),
            "hidden_colours_kept": whole,
            "occupied_cells": (np.ptp(corners, axis=0) + 1).tolist(),
        },
        source_to_object=source_to_object,
    )


def deflate(cells: Array) -> bytes:
    """Cells as they are held while pictures stream by: some hundred bytes an object."""
    return zlib.compress(pack_volume(cells).tobytes(), 1)


def _inflate(bits: bytes, resolution: int) -> Array:
    return np.frombuffer(zlib.decompress(bits), np.uint8).reshape(resolution, -1)
