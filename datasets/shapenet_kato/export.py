"""Objects as Kato's npz files: pictures from his cameras, voxels by his voxeliser on his grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.classes import SYNSETS
from benchbench.core.names import require
from benchbench.datasets.cameras import kato_cameras
from benchbench.datasets.drawing import draw, lit
from benchbench.datasets.exporting import Solid
from benchbench.datasets.inverted_colours import invert_colours
from benchbench.datasets.npz_writing import NpzWriter
from benchbench.datasets.shapenet_kato.convert import IMAGES, SIZE, VOXELS, to_file_axes
from benchbench.datasets.shapes13.voxels import kato_grid

Array = npt.NDArray[Any]


def export(solids: Iterable[Solid], folder: Path) -> None:
    """Write `<class>_<split>_{images,voxels}.npz`, rows in the order of the objects.

    Memory holds the solids and one object's arrays.

    Raises:
        UsageError: A class is none of the 13.
    """
    groups: dict[tuple[str, str], list[Solid]] = {}
    for solid in solids:
        require(solid.synset, SYNSETS, "class")
        groups.setdefault((solid.synset, solid.part), []).append(solid)
    for (synset, part), members in groups.items():
        start = folder / f"{synset}_{part}"
        _write(Path(f"{start}_images.npz"), members, pictures, np.dtype(np.uint8), IMAGES)
        _write(Path(f"{start}_voxels.npz"), members, voxels, np.dtype(np.bool_), VOXELS)


def pictures(solid: Solid) -> Array:
    """(24, 4, 64, 64) uint8, as in an images file."""
    drawn = draw(solid.mesh, lit(solid.mesh, solid.colours), kato_cameras(SIZE), SIZE, SIZE)
    colour = drawn[..., :3].astype(np.float32) / np.float32(255)
    stored = invert_colours(colour, drawn[..., 3].astype(np.float32))
    return np.ascontiguousarray(stored.transpose(0, 3, 1, 2))


def voxels(solid: Solid) -> Array:
    """(32, 32, 32) bool, as in a voxels file."""
    return to_file_axes(kato_grid(np.asarray(solid.mesh.vertices), np.asarray(solid.mesh.faces)))


def _write(
    path: Path,
    members: list[Solid],
    make: Callable[[Solid], Array],
    dtype: np.dtype[Any],
    row: tuple[int, ...],
) -> None:
    with NpzWriter(path, compress=True) as file:
        file.add_rows("arr_0", dtype, (len(members), *row), map(make, members))
