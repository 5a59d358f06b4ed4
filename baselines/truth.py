"""An object's own shape and grid, as the methods take them that hand on or average true shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import MissingError, UsageError
from benchbench.core.names import require
from benchbench.core.types import Mesh, Points, Voxels
from benchbench.cuda_ops.house_voxels import house_voxels, unit_cube_grid
from benchbench.datasets.clouds import surface_points

HOUSE = "house"


def true_shape(store: Any, index: int, kind: str | None = None) -> Mesh | Voxels | Points:
    """The shape of one object: its mesh, else voxels ("binvox" or the first), else its points.

    Args:
        store: The data set.
        index: Row of the object.
        kind: This grid, even where there is a mesh.

    Raises:
        UsageError: The set has no such grid, or no shape at all.
    """
    if kind is not None:
        require(kind, store.voxel_kinds, "voxel kind")
    else:
        mesh: Mesh | None = store.mesh(index)
        if mesh is not None:
            return mesh
        if not store.voxel_kinds:
            points = surface_points(store, index)
            if points is None:
                raise UsageError(f"'{store.id}' holds neither meshes, voxels nor points")
            return Points(points)
        kind = "binvox" if "binvox" in store.voxel_kinds else store.voxel_kinds[0]
    return Voxels(store.voxels(index, kind).astype(np.float32), store.grid_to_object(kind))


def choose_grid(store: Any, wanted: str | None, method: str) -> str:
    """Which grid a method works on: the wanted one, else the meshes', else "binvox", else any.

    Args:
        store: The data set.
        wanted: A kind of voxels, or "house" for grids made of the meshes.
        method: Baseline id, for the message.

    Raises:
        UsageError: The set has no such grid, or neither meshes nor voxels.
    """
    kinds = tuple(store.voxel_kinds)
    first = store.indices("all", limit=1)
    has_mesh = len(first) > 0 and store.mesh(int(first[0])) is not None
    if wanted is not None:
        return require(wanted, (*kinds, HOUSE) if has_mesh else kinds, "voxel kind")
    if has_mesh:
        return HOUSE
    if not kinds:
        raise UsageError(
            f"data set '{store.id}' holds neither meshes nor voxels, which '{method}' needs",
            hint=f"another method: bench run --baseline kato --dataset {store.id} --split test",
        )
    return "binvox" if "binvox" in kinds else str(kinds[0])


def grid_of(store: Any, index: int, kind: str) -> NDArray[np.bool_]:
    """One object's grid [x, y, z]: the stored one, or "house" made from its mesh."""
    if kind != HOUSE:
        grid: NDArray[np.bool_] = store.voxels(index, kind)
        return grid
    mesh = store.mesh(index)
    if mesh is None:
        raise UsageError(f"object '{store.object_ids[index]}' has no mesh", hint="--set kind=...")
    return house_voxels(mesh, unit_cube_grid())


def grid_matrix(store: Any, kind: str) -> NDArray[np.float64]:
    """(4, 4) from the cells of a grid to the object frame."""
    matrix: NDArray[np.float64] = unit_cube_grid() if kind == HOUSE else store.grid_to_object(kind)
    return matrix


def training_rows(store: Any, method: str) -> list[int]:
    """Rows of the training objects.

    Args:
        store: The data set.
        method: Baseline id, for the message.

    Raises:
        MissingError: There are none.
    """
    rows: list[int] = store.indices("train").tolist()
    if not rows:
        raise MissingError(
            f"'{method}' needs the training objects of '{store.id}', and split "
            f"'{store.split_name}' has none",
            hint=f"bench prepare {store.id}",
        )
    return rows


def no_weights(method: str, checkpoint: object) -> None:
    """Refuses a checkpoint for a method that has nothing to load.

    Raises:
        UsageError: One was named.
    """
    if checkpoint is not None:
        raise UsageError(
            f"'{method}' has no weights, so '{checkpoint}' cannot be loaded",
            hint="leave --checkpoint out",
        )
