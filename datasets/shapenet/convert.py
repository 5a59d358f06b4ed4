"""One model folder of 3D-R2N2's archives to one stored object."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.datasets.binvox import Binvox, read_binvox
from benchbench.datasets.cameras import CHOY_PARAMETERS, choy_cameras
from benchbench.datasets.pictures import decode_png
from benchbench.datasets.records import Layout, ObjectRecord, Rendering, VoxelKind

Array = npt.NDArray[Any]

VIEWS = 24
SIZE = 137
RESOLUTION = 32
METADATA = "rendering_metadata.txt"


def grid_to_object(resolution: int = RESOLUTION) -> Array:
    """binvox cells to the object frame: cell n of an axis spans [-0.5 + n/R, -0.5 + (n+1)/R]."""
    matrix = np.diag([1 / resolution] * 3 + [1.0])
    matrix[:3, 3] = -0.5
    return matrix


LAYOUT = Layout(
    {"choy": Rendering(SIZE, SIZE, CHOY_PARAMETERS, "3D-R2N2, 24 random views, Blender 2.7")},
    {"binvox": VoxelKind(RESOLUTION, grid_to_object(), "binvox, solid, 32^3")},
)


def read_voxels(data: bytes, name: str) -> Binvox:
    """The ground truth of one object.

    Raises:
        InputError: Broken, not 32^3, or empty (nothing can be scored against it).
    """
    grid = read_binvox(data, name)
    if grid.occupied.shape != (RESOLUTION,) * 3:
        raise InputError(f"'{name}' has {grid.occupied.shape} cells, 32x32x32 belong")
    if not grid.occupied.any():
        raise InputError(f"'{name}' holds no occupied cell")
    return grid


def source_to_object(grid: Binvox) -> tuple[Array, str]:
    """From the cameras' world to the object frame.

    The cameras see the raw OBJ of ShapeNetCore v1: bounding-box diagonal 1, centred. The object
    frame has longest side 1, so only the longest raw side s is missing: object = raw / s. Genuine
    binvox headers hold it: `scale` is s, and `translate` the low corner of the raw box, whose
    sides -2 * translate then have diagonal 1. Where a header does not pass that test, s is
    estimated from the occupied box.

    Args:
        grid: The object's voxels.

    Returns:
        (4, 4) float64, and where s came from: "binvox header" or "estimated".

    Example:
        >>> cells = np.zeros((32, 32, 32), bool)
        >>> cells[:, 8:24, 8:24] = True
        >>> matrix, how = source_to_object(Binvox(cells, (0.0, 0.0, 0.0), 1.0))
        >>> how, round(1 / matrix[0, 0].item(), 2)
        ('estimated', 0.82)
    """
    cells = np.argwhere(grid.occupied)
    sides = cells.max(axis=0) - cells.min(axis=0) + 1
    # A solid of n cells is between n - 2 and n cells long; the longest one is known to be 1.
    share = np.minimum((sides - 0.5) / (sides.max() - 0.5), 1.0)
    longest, how = 1 / float(np.linalg.norm(share)), "estimated"
    raw = [-2 * value for value in grid.translate]
    fits = abs(math.dist(raw, (0, 0, 0)) - 1) < 1e-3 and abs(max(raw) - grid.scale) < 1e-3
    if fits and bool(np.all(np.abs(np.array(raw) / grid.scale - sides / RESOLUTION) < 0.1)):
        longest, how = grid.scale, "binvox header"
    return np.diag([1 / longest] * 3 + [1.0]), how


def read_metadata(data: bytes, name: str) -> Array:
    """`rendering_metadata.txt`: (24, 5) float64.

    Raises:
        InputError: Not 24 lines of five finite numbers, or an impossible distance.
    """
    try:
        rows = [[float(word) for word in line.split()] for line in data.decode("ascii").split("\n")]
    except (UnicodeDecodeError, ValueError) as error:
        raise InputError(f"'{name}' holds something else than numbers") from error
    table = [row for row in rows if row]
    if len(table) != VIEWS or any(len(row) != len(CHOY_PARAMETERS) for row in table):
        raise InputError(f"'{name}' does not hold {VIEWS} lines of {len(CHOY_PARAMETERS)} numbers")
    values = np.array(table, np.float64)
    if not np.isfinite(values).all() or (values[:, 3] <= 0).any():
        raise InputError(f"'{name}' holds numbers that are no camera")
    return values


def is_complete(files: Mapping[str, bytes]) -> bool:
    """Whether a model's rendering folder has all that is needed."""
    return METADATA in files and all(f"{view:02d}.png" in files for view in range(VIEWS))


def convert(synset: str, model: str, files: Mapping[str, bytes], grid: Binvox) -> ObjectRecord:
    """Decode and check one object.

    Args:
        synset: Its class.
        model: Its id within the class.
        files: The content of its rendering folder.
        grid: Its voxels.

    Raises:
        InputError: A view is missing or broken; the message names it.
    """
    label = f"{synset}/{model}"
    names = [f"{view:02d}.png" for view in range(VIEWS)]
    missing = [name for name in names if name not in files]
    if missing:
        have = VIEWS - len(missing)
        raise InputError(f"'{label}' has {have} of {VIEWS} views; missing: {', '.join(missing)}")
    if METADATA not in files:
        raise InputError(f"'{label}' has no {METADATA}")
    cameras = choy_cameras(read_metadata(files[METADATA], f"{label}/{METADATA}"))
    pictures = [decode_png(files[name], f"{label}/{name}", (SIZE, SIZE)) for name in names]
    matrix, how = source_to_object(grid)
    return ObjectRecord(
        id=label,
        synset=synset,
        images={"choy": np.stack(pictures)},
        cameras={"choy": cameras},
        voxels={"binvox": grid.occupied},
        parameters={
            "scale_from": how,
            "binvox_scale": grid.scale,
            "binvox_translate": list(grid.translate),
        },
        source_to_object=matrix,
    )
