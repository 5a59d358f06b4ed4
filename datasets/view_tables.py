"""The small tables of one rendering: where each picture lies, and what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import BenchError
from benchbench.datasets.picture_coding import MODES
from benchbench.datasets.store_tables import Tables

Array = npt.NDArray[Any]


class Views(NamedTuple):
    """One rendering of N objects with K views in all.

    Attributes:
        name: The rendering.
        group: Where its tables are.
        height: Rows, pixels.
        width: Columns, pixels.
        mode: What a picture is.
        depth_unit: World units of one count of a "depth" picture.
        columns: Names of the cameras' parameters.
        view_offset: (N+1,) int64: views of object n are [n] .. [n+1].
        byte_offset: (K+1,) int64 into the pixels.
        box: (K, 4) uint16 of the stored parts.
    """

    name: str
    group: str
    height: int
    width: int
    mode: str
    depth_unit: float
    columns: tuple[str, ...]
    view_offset: Array
    byte_offset: Array
    box: Array


def read_views(
    tables: Tables, name: str, objects: int, damaged: Callable[[object], BenchError]
) -> Views:
    """Reads and checks the tables of a rendering.

    Args:
        tables: Of the store.
        name: The rendering.
        objects: N.
        damaged: Makes the error to be raised from a reason.

    Raises:
        BenchError: From `damaged`: they do not fit each other.
    """
    group = f"renderings/{name}"
    try:
        attributes = tables.attributes[group]
        height, width = int(attributes["height"]), int(attributes["width"])
        mode, unit = attribute_text(attributes, "mode"), float(attributes["depth_unit"])
        columns = tuple(json.loads(attribute_text(attributes, "parameters")))
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise damaged(f"{group}: {error}") from error
    if not (0 < height < 1 << 16 and 0 < width < 1 << 16 and mode in MODES):
        raise damaged(f"{group} holds {mode} pictures of {height}x{width}")

    def offsets(part: str, count: int, last: int | None = None) -> Array:
        tables.expect(f"{group}/{part}", np.int64, (), count + 1)
        found = tables.all(f"{group}/{part}")
        if found[0] != 0 or (np.diff(found) < 0).any() or last not in (None, int(found[-1])):
            raise damaged(f"{group}/{part} does not ascend from 0 to {last}")
        return found

    view_offset = offsets("view_offset", objects)
    views = int(view_offset[-1])
    tables.expect(f"{group}/pixels", np.uint8, ())
    byte_offset = offsets("byte_offset", views, tables.table(f"{group}/pixels").shape[0])
    for part, dtype, row in (
        ("box", np.uint16, (4,)),
        ("world_to_camera", np.float64, (4, 4)),
        ("intrinsics", np.float64, (3, 3)),
        ("parameters", np.float64, (len(columns),)),
    ):
        tables.expect(f"{group}/{part}", dtype, row, views)
    box = tables.all(f"{group}/box")
    return Views(
        name, group, height, width, mode, unit, columns, view_offset, byte_offset, box
    )  # fmt: skip


def attribute_text(attributes: dict[str, Any], name: str) -> str:
    """A fixed-length text attribute (no variable-length strings are written)."""
    value = attributes[name]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
