"""Clouds of points on objects' surfaces, in the sets that have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.datasets.store import Store

Array = npt.NDArray[Any]


def has_points(store: Store) -> bool:
    """Whether the set holds a cloud of points on every object's surface."""
    return "points" in store.array_kinds


def surface_points(store: Store, index: int) -> Array | None:
    """The cloud of object `index`.

    Sets that keep 16 bits where nothing is lost have a second table for the other objects.

    Args:
        store: A prepared data set.
        index: Row of the object.

    Returns:
        (N, 3) float32 in the object frame, or None where the set has no clouds.
    """
    if not has_points(store):
        return None
    found = store.array(index, "points")
    if len(found) == 0 and "points_float32" in store.array_kinds:
        found = store.array(index, "points_float32")
    return found.astype(np.float32)
