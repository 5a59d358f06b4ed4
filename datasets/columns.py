"""The columns of a store: which there are for a layout, their types and the shape of a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchbench.datasets.records import Layout

_FIXED: dict[str, tuple[tuple[int, ...], Any]] = {
    "objects/source_to_object": ((4, 4), np.float64),
    "objects/identity": ((32,), np.uint8),
    "objects/parameters": ((), np.uint8),
    "objects/shared_mesh": ((), np.uint8),
    "meshes/vertices": ((3,), np.float32),
    "meshes/faces": ((3,), np.int32),
}
_VIEWS: dict[str, tuple[tuple[int, ...], Any]] = {
    "box": ((4,), np.uint16),
    "view_bytes": ((), np.int64),
    "world_to_camera": ((4, 4), np.float64),
    "intrinsics": ((3, 3), np.float64),
    "parameters": ((), np.float64),
    "pixels": ((), np.uint8),
}


def columns(layout: Layout) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Name of every column to the shape of a row and its type, in the order of the file.

    Example:
        >>> found = columns(Layout({}, {}))
        >>> list(found)[0], found["meshes/vertices"][0]
        ('objects/source_to_object', (3,))
    """
    found = dict(_FIXED)
    for name, kind in layout.voxel_kinds.items():
        found[f"voxels/{name}/bits"] = (((kind.resolution**3 + 7) // 8,), np.uint8)
    for name, array in layout.array_kinds.items():
        found[f"arrays/{name}/values"] = (array.shape, np.dtype(array.dtype).newbyteorder("<"))
    for name, rendering in layout.renderings.items():
        for part, (shape, dtype) in _VIEWS.items():
            row = (len(rendering.parameters),) if part == "parameters" else shape
            found[f"renderings/{name}/{part}"] = (row, dtype)
    return found
