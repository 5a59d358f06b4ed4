"""One object of Kato's arrays to one stored object."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.datasets.cameras import KATO_PARAMETERS, KATO_VIEWS, kato_cameras
from benchbench.datasets.records import ArrayKind, Layout, ObjectRecord, Rendering, VoxelKind

Array = npt.NDArray[Any]

SIZE = 64
RESOLUTION = 32
IMAGES = (KATO_VIEWS, 4, SIZE, SIZE)  # one object's row of an images file, uint8
VOXELS = (RESOLUTION,) * 3  # one object's row of a voxels file, bool


def grid_to_object() -> Array:
    """Cell n of an axis spans [(n - 16)/31, (n - 15)/31] in the object frame (kato.md 1.5)."""
    matrix = np.diag([1 / 31] * 3 + [1.0])
    matrix[:3, 3] = -16 / 31
    return matrix


LAYOUT = Layout(
    {
        "kato": Rendering(
            SIZE,
            SIZE,
            KATO_PARAMETERS,
            "Kato et al., 24 views around, Blender",
            colours="inverted",
        )
    },
    {"kato": VoxelKind(RESOLUTION, grid_to_object(), "Kato et al., solid, 32^3 (31 c + 16)")},
    {
        "hidden_pixels": ArrayKind(
            (6,), "uint8", "view, row, column, R, G, B of pixels with a colour under alpha 0"
        )
    },
)


def to_object_axes(stored: Array) -> Array:
    """The file's axes to the object's: [Y, reversed Z, X] becomes [x, y, z].

    Example:
        >>> cells = np.zeros((32, 32, 32), bool)
        >>> cells[1, 2, 3] = True
        >>> np.argwhere(to_object_axes(cells)).tolist()
        [[3, 1, 29]]
    """
    return np.ascontiguousarray(stored.transpose(2, 0, 1)[:, :, ::-1])


def to_file_axes(cells: Array) -> Array:
    """Undo `to_object_axes`."""
    return np.ascontiguousarray(cells[:, :, ::-1].transpose(1, 2, 0))


def hidden_pixels(pictures: Array) -> Array:
    """Pixels whose colour a store would drop: alpha is 0 and RGB is not.

    By the authors' script there are none (0 coverage times anything), but the script is younger
    than the file. They are kept beside the pictures, so that nothing of the file is lost.

    Args:
        pictures: (K, H, W, 4) uint8.

    Returns:
        (n, 6) uint8: view, row, column, R, G, B.
    """
    places = np.argwhere((pictures[..., 3] == 0) & pictures[..., :3].any(axis=-1))
    colours = pictures[tuple(places.T)][:, :3]
    return np.concatenate([places.astype(np.uint8), colours], axis=1)


def convert(name: str, images: Array, voxels: Array, place: dict[str, Any]) -> ObjectRecord:
    """One object.

    Args:
        name: Its id.
        images: (24, 4, 64, 64) uint8: view, channel, row, column.
        voxels: (32, 32, 32) bool or uint8, in the file's axes.
        place: Where it was found, for its notes.

    Raises:
        InputError: Cells that are neither 0 nor 1, or none occupied.
    """
    cells = voxels.view(np.uint8)  # a byte 2 in a bool array would be taken for True
    if cells.max() > 1:
        raise InputError(f"'{name}' has a cell of {cells.max()}, 0 or 1 belong")
    if not cells.any():
        raise InputError(f"'{name}' holds no occupied cell")
    pictures = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    if not pictures[..., 3].any():
        raise InputError(f"'{name}' has nothing but empty pictures")
    return ObjectRecord(
        id=name,
        synset=name.split("/", 1)[0],
        images={"kato": pictures},
        cameras={"kato": kato_cameras(SIZE)},
        voxels={"kato": to_object_axes(cells.astype(bool))},
        parameters=place,
        arrays={"hidden_pixels": hidden_pixels(pictures)},
    )
