"""One model folder of NMR_Dataset to one stored object (dibr.md 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.datasets.archives import Limits, read_npz
from benchbench.datasets.cameras import Cameras, is_orthonormal
from benchbench.datasets.pictures import decode_png
from benchbench.datasets.records import ArrayKind, Layout, ObjectRecord, Rendering

Array = npt.NDArray[Any]

VIEWS = 24
SIZE = 64
CAMERAS, POINTS = "cameras.npz", "pointcloud.npz"
PARAMETERS = ("focal_x", "focal_y", "centre_x", "centre_y")  # camera_mat's, in [-1, 1] units
_MOST_POINTS = 1_000_000  # the published clouds have 100,000
_NPZ = Limits(members=200, member_bytes=1 << 25, total_bytes=1 << 27, ratio=1100.0)

LAYOUT = Layout(
    {
        "dvr": Rendering(
            SIZE, SIZE, PARAMETERS, "Kato et al., 24 views around, as DVR repackaged them",
            "rgb+mask",
        )
    },
    {},
    {
        # One of the two pairs is empty: what is exact in 16 bits is stored in 16.
        "points": ArrayKind((3,), "float16", "points on the surface, object frame"),
        "normals": ArrayKind((3,), "float16", "their normals"),
        "points_float32": ArrayKind((3,), "float32", "the same where 16 bits are too few"),
        "normals_float32": ArrayKind((3,), "float32", "the same where 16 bits are too few"),
        "loc": ArrayKind((3,), "float64", "centre of the raw model, subtracted from the points"),
        "scale": ArrayKind((), "float64", "longest side of the raw model, divided out"),
    },
)  # fmt: skip


def picture_names(view: int) -> tuple[str, str]:
    """Colour and mask of a view.

    Example:
        >>> picture_names(3)
        ('image/0003.png', 'mask/0003.png')
    """
    return f"image/{view:04d}.png", f"mask/{view:04d}.png"


NAMES = frozenset([CAMERAS, POINTS, *(name for v in range(VIEWS) for name in picture_names(v))])


def is_complete(files: Mapping[str, bytes]) -> bool:
    """Whether a model's folder has all that is needed."""
    return len(files) == len(NAMES)


def convert(synset: str, model: str, files: Mapping[str, bytes]) -> ObjectRecord:
    """Decode and check one object.

    Args:
        synset: Its class.
        model: Its id within the class.
        files: Path within its folder to bytes, of `NAMES`.

    Raises:
        InputError: Something is missing or broken; the message names it.
    """
    label = f"{synset}/{model}"
    missing = sorted(NAMES - set(files))
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise InputError(f"'{label}' lacks {', '.join(missing[:3])}{more}")
    pictures = [_picture(files, view, label) for view in range(VIEWS)]
    return ObjectRecord(
        id=label,
        synset=synset,
        images={"dvr": np.stack(pictures)},
        cameras={"dvr": read_cameras(files[CAMERAS], f"{label}/{CAMERAS}")},
        voxels={},
        arrays=read_points(files[POINTS], f"{label}/{POINTS}"),
    )


def _picture(files: Mapping[str, bytes], view: int, label: str) -> Array:
    """Colours as they are, background included, and the mask as fourth channel."""
    image, mask = picture_names(view)
    colour = decode_png(files[image], f"{label}/{image}", (SIZE, SIZE))
    grey = decode_png(files[mask], f"{label}/{mask}", (SIZE, SIZE))[..., :3]
    if (grey != grey[..., :1]).any():
        raise InputError(f"'{label}/{mask}' is a mask with colours")
    return np.concatenate([colour[..., :3], grey[..., :1]], axis=-1)


def read_cameras(data: bytes, name: str) -> Cameras:
    """`world_mat_i` and `camera_mat_i` of the 24 views, intrinsics in pixels.

    camera_mat leads to [-1, 1] over the picture, (-1, -1) its upper left corner; so the pixel of x
    is 32 (x + 1).

    Raises:
        InputError: A matrix is missing, not 4x4, no rotation, no pinhole, or the world is scaled.
    """
    arrays = _arrays(data, name)
    to_pixels = np.array([[SIZE / 2, 0, SIZE / 2], [0, SIZE / 2, SIZE / 2], [0, 0, 1.0]])
    worlds, lenses = [], []
    for view in range(VIEWS):
        world = _matrix(arrays, f"world_mat_{view}", name)
        lens = _matrix(arrays, f"camera_mat_{view}", name)
        turn = world[:3, :3]
        if not is_orthonormal(turn) or np.linalg.det(turn) < 0:
            raise InputError(f"'{name}': world_mat_{view} is no rotation and shift")
        if not np.array_equal(lens[2:], np.eye(4)[2:]) or lens[0, 0] == 0 or lens[1, 1] == 0:
            raise InputError(f"'{name}': camera_mat_{view} is no pinhole camera")
        if lens[0, 1] or lens[1, 0] or lens[:2, 3].any():
            raise InputError(f"'{name}': camera_mat_{view} is skewed")
        if f"scale_mat_{view}" in arrays and not np.array_equal(
            _matrix(arrays, f"scale_mat_{view}", name), np.eye(4)
        ):
            raise InputError(f"'{name}': scale_mat_{view} scales the world; this set's do not")
        worlds.append(world)
        lenses.append(lens)
    lens_table = np.array(lenses)
    parameters = lens_table[:, (0, 1, 0, 1), (0, 1, 2, 2)]
    return Cameras(np.array(worlds), to_pixels @ lens_table[:, :3, :3], parameters)


def _arrays(data: bytes, name: str) -> dict[str, Array]:
    try:
        return read_npz(data, _NPZ)
    except InputError as error:
        raise InputError(f"'{name}': {error}") from error


def _matrix(arrays: dict[str, Array], key: str, name: str) -> Array:
    matrix = arrays.get(key)
    if matrix is None:
        raise InputError(f"'{name}' lacks {key}")
    if matrix.shape != (4, 4) or matrix.dtype.kind not in "fiu":
        raise InputError(f"'{name}': {key} is {matrix.shape} {matrix.dtype}, (4, 4) floats belong")
    matrix = matrix.astype(np.float64)
    if not np.isfinite(matrix).all() or matrix[3].tolist() != [0, 0, 0, 1]:
        raise InputError(f"'{name}': {key} is no finite affine matrix")
    return matrix


def read_points(data: bytes, name: str) -> dict[str, Array]:
    """The tables of `LAYOUT` from a `pointcloud.npz`.

    Raises:
        InputError: A table is missing, of another shape, not finite or empty, or a number is no
            scale.
    """
    arrays = _arrays(data, name)
    tables: dict[str, Array] = {}
    for key in ("points", "normals"):
        values = _floats(arrays, key, name)
        if values.ndim != 2 or values.shape[1] != 3 or not 0 < len(values) <= _MOST_POINTS:
            raise InputError(f"'{name}': {key} are {values.shape}, (N, 3) belong")
        tables |= _narrow(key, values, name)
    if _rows(tables, "points") != _rows(tables, "normals"):
        raise InputError(f"'{name}' has {len(arrays['points'])} points, another count of normals")
    loc, scale = _floats(arrays, "loc", name), _floats(arrays, "scale", name)
    if loc.shape != (3,) or scale.size != 1 or not scale.min() > 0:
        raise InputError(f"'{name}': loc is {loc.shape}, scale {scale.tolist()}; 3 and 1 belong")
    return tables | {"loc": loc.astype(np.float64)[None], "scale": scale.astype(float).reshape(1)}


def _floats(arrays: dict[str, Array], key: str, name: str) -> Array:
    values = arrays.get(key)
    if values is None:
        raise InputError(f"'{name}' lacks {key}")
    if values.dtype.kind not in "fiu" or values.dtype.itemsize > 8 or not np.isfinite(values).all():
        raise InputError(f"'{name}': {key} are no finite numbers")
    return values


def _narrow(key: str, values: Array, name: str) -> dict[str, Array]:
    """One of the two tables of `key`, whichever loses nothing."""
    with np.errstate(over="ignore"):
        half, single = values.astype(np.float16), values.astype(np.float32)
    none = np.zeros((0, 3))
    if np.array_equal(half.astype(values.dtype), values):
        return {key: half, f"{key}_float32": none.astype(np.float32)}
    if not np.isfinite(single).all():
        raise InputError(f"'{name}': {key} are beyond all bounds")
    return {key: none.astype(np.float16), f"{key}_float32": single}


def _rows(tables: dict[str, Array], key: str) -> int:
    return len(tables[key]) + len(tables[f"{key}_float32"])
