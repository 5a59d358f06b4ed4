"""One object of View Prior Learning's pickles to one stored object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.datasets.cameras import Cameras
from benchbench.datasets.pictures import decode_png
from benchbench.datasets.records import Layout, ObjectRecord, Rendering, VoxelKind
from benchbench.datasets.shapenet_lsm.cameras import SIZE, VIEWS, view_cameras, view_intrinsics
from benchbench.datasets.shapenet_lsm.convert import cells_of, grid_to_object

Array = npt.NDArray[Any]

PARAMETERS = ("distance", "elevation", "azimuth_pkl")
LAYOUT = Layout(
    {"vpl": Rendering(SIZE, SIZE, PARAMETERS, "View Prior Learning, LSM's 20 random views")},
    {"vpl": VoxelKind(32, grid_to_object(32), "View Prior Learning, as LSM's modelVoxels32")},
)


def read_viewpoint(value: Any, name: str) -> tuple[float, float, float]:
    """Distance, elevation and azimuth (degrees) of a view.

    Args:
        value: What the file holds: a list, tuple or array of three numbers.
        name: What to call it in errors.

    Raises:
        InputError: It is something else, or no camera.

    Example:
        >>> read_viewpoint([2.0, 30.0, -45.0], "x")
        (2.0, 30.0, -45.0)
    """
    if isinstance(value, np.ndarray):
        value = value.tolist() if value.shape == (3,) and value.dtype.kind in "iuf" else None
    kinds = (int, float, np.integer, np.floating)
    fits = isinstance(value, (list, tuple)) and len(value) == 3
    if not fits or not all(isinstance(number, kinds) for number in value):
        raise InputError(f"'{name}' has a viewpoint that is not three numbers")
    try:
        distance, elevation, azimuth = (float(number) for number in value)
    except OverflowError as error:
        raise InputError(f"'{name}' has a viewpoint that is no camera") from error
    if not (0 < distance < 1e4 and abs(elevation) <= 360 and abs(azimuth) <= 1e4):
        raise InputError(f"'{name}' has a viewpoint that is no camera")
    return distance, elevation, azimuth


def convert(
    name: str, pictures: Sequence[bytes], viewpoints: Sequence[Any], volume: Array
) -> ObjectRecord:
    """Decode and check one object.

    Args:
        name: "synset/model".
        pictures: The PNG files of its 20 views.
        viewpoints: What the file holds for each: distance, elevation, minus LSM's azimuth.
        volume: (32, 32, 32), in LSM's axes.

    Raises:
        InputError: A picture, viewpoint or cell is broken.
    """
    labels = [f"{name}, view {view}" for view in range(VIEWS)]
    rows = np.array([read_viewpoint(v, n) for v, n in zip(viewpoints, labels, strict=True)])
    matrices = view_cameras(-rows[:, 2], rows[:, 1], rows[:, 0])
    if not np.isfinite(matrices).all():
        raise InputError(f"'{name}' has a viewpoint that is no camera")
    size = (SIZE, SIZE)
    images = np.stack([decode_png(p, n, size) for p, n in zip(pictures, labels, strict=True)])
    cells = cells_of(volume, name)
    corners = np.argwhere(cells)
    return ObjectRecord(
        id=name,
        synset=name.split("/", 1)[0],
        images={"vpl": images},
        cameras={"vpl": Cameras(matrices, view_intrinsics(VIEWS), rows)},
        voxels={"vpl": cells},
        parameters={"occupied_cells": (np.ptp(corners, axis=0) + 1).tolist()},
    )
