"""Ground truth of a prepared data set, object by object."""

from __future__ import annotations

import functools
from collections import OrderedDict

import numpy as np

from benchbench.core.types import Voxels
from benchbench.datasets.clouds import surface_points
from benchbench.datasets.store import Store
from benchbench.protocols.truth import Truth

_KEEP = 4  # objects; items come object by object, so the last one is nearly always enough


class TruthSource:
    """Reads truths and keeps the last few, with what scorers derived from them.

    Args:
        store: The prepared data set.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[int, Truth] = OrderedDict()

    def __getitem__(self, index: int) -> Truth:
        """The truth of the object in row `index`."""
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        store = self._store
        voxels = {
            kind: Voxels(
                store.voxels(index, kind).astype(np.float32),
                np.asarray(store.grid_to_object(kind), dtype=np.float64),
            )
            for kind in store.voxel_kinds
        }
        truth = Truth(
            store.mesh(index),
            voxels,
            store.object_ids[index],
            surface_points(store, index),
            _normals(store, index),
            functools.partial(_turn, store, index) if store.renderings else None,
        )
        self._kept[index] = truth
        while len(self._kept) > _KEEP:
            self._kept.popitem(last=False)
        return truth


def _normals(store: Store, index: int) -> np.ndarray | None:
    """Normals of the set's cloud, in the table that belongs to its points."""
    for kind in ("normals", "normals_float32"):
        if kind in store.array_kinds and len(found := store.array(index, kind)):
            return found.astype(np.float32)
    return None


def _turn(store: Store, index: int, view: int) -> np.ndarray:
    """(3, 3) from the object frame to the axes of a view's camera, without the source's scale."""
    to_object = np.asarray(store.source_to_object(index), dtype=np.float64)
    matrix = store.camera(index, view).world_to_camera[:3, :3] @ np.linalg.inv(to_object[:3, :3])
    turn: np.ndarray = matrix / np.cbrt(abs(np.linalg.det(matrix)))
    return turn


def has_mesh(store: Store) -> bool:
    """True if the set's truth is meshes: its first object has one.

    A set is one or the other as a whole; `prepare` excludes an object that lacks what the others
    have.
    """
    return len(store.object_ids) > 0 and store.mesh(0) is not None


def truth_grid(store: Store) -> str | None:
    """The kind of voxel grid that stands for the truth where there are no meshes.

    3D-R2N2's grid, which lies in the unit cube, before Kato's; else the first.
    """
    for kind in ("binvox", *store.voxel_kinds):
        if kind in store.voxel_kinds:
            return kind
    return None
