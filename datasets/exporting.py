"""Writing objects in the raw layout of a published data set, to be prepared like the real one.

Each set that is made from archives has an exporter beside its reader (`DatasetSpec.export`). The
objects are solids of our own; pictures are drawn with the layout's cameras, voxels are made on its
grid. That is how every reader is tested without the data, and how one's own shapes are given to
programs that read these layouts.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import UsageError
from benchbench.core.names import require
from benchbench.core.types import Mesh
from benchbench.datasets.registry import dataset_names, dataset_spec

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Solid:
    """One object to be exported.

    Attributes:
        id: "synset/model"; the synset is one of the layout's.
        part: "train", "val" or "test".
        mesh: Closed surface in the object frame (longest side 1, centred).
        colours: (F, 3) in [0, 1], of the faces, without light.
        seed: For what the layout draws at random (cameras).
    """

    id: str
    part: str
    mesh: Mesh
    colours: Array
    seed: int = 0

    @property
    def synset(self) -> str:
        """The class."""
        return self.id.split("/", 1)[0]

    @property
    def model(self) -> str:
        """The id within the class."""
        return self.id.split("/", 1)[1]


def layouts() -> tuple[str, ...]:
    """Names of the data sets whose raw layout can be written."""
    return tuple(name for name in dataset_names() if dataset_spec(name).export)


def export(layout: str, solids: Iterable[Solid], folder: Path) -> Path:
    """Write objects as the raw files of a data set.

    Args:
        layout: Id of the data set.
        solids: The objects.
        folder: New or empty.

    Returns:
        The folder to give to `bench prepare <layout> --from`.

    Raises:
        UsageError: No such layout, or the folder is not empty.
    """
    require(layout, layouts(), "layout")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"'{folder}' is not empty; nothing was written", hint="name a new or empty folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    module, function = dataset_spec(layout).export.split(":")
    write: Callable[[Iterable[Solid], Path], None] = getattr(
        importlib.import_module(module), function
    )
    write(solids, folder)
    return folder


def asymmetric_solid(id: str, part: str = "test", seed: int = 0) -> Solid:
    """An object that no rotation or mirror image maps onto itself, with cells known by hand.

    Four boxes on the 32^3 grid of the object frame's unit cube (cell n spans n/32 - 1/2 ..
    (n + 1)/32 - 1/2): an arm along x over the whole cube, one up at the low-x end, a short one
    towards +z there, a long one towards +z at the high-x end. `asymmetric_cells` lists them.

    Example:
        >>> solid = asymmetric_solid("03001627/a")
        >>> solid.mesh.vertices.shape, solid.mesh.vertices.min(0).tolist()
        ((32, 3), [-0.5, -0.3125, -0.28125])
    """
    boxes = [(np.array(low), np.array(high)) for low, high in _ARMS]
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    sides = np.array(
        [
            [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
            [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
        ]
    )  # fmt: skip
    vertices = np.concatenate([low + corners * (high - low) for low, high in boxes]) / 32 - 0.5
    faces = np.concatenate([sides + 8 * n for n in range(len(boxes))])
    colours = np.repeat(np.eye(4, 3) * 0.6 + 0.3, len(sides), axis=0)
    mesh = Mesh(vertices.astype(np.float32), faces.astype(np.int32))
    return Solid(id, part, mesh, colours, seed)


def snug_solid(id: str, part: str = "test", seed: int = 0) -> Solid:
    """`asymmetric_solid` with every inner side a quarter of a cell within its cells.

    A conservative voxeliser marks every cell that a surface touches; here it touches none but
    those of `asymmetric_cells`.

    Example:
        >>> (snug_solid("03001627/a").mesh.vertices.min(0) * 32 + 16).tolist()
        [0.0, 6.25, 7.25]
    """
    solid = asymmetric_solid(id, part, seed)
    cells = (np.asarray(solid.mesh.vertices, np.float64) + 0.5) * 32
    for box in cells.reshape(len(_ARMS), 8, 3):
        low, high = box.min(0), box.max(0)
        box += (box == low) * (low > 0) * 0.25 - (box == high) * (high < 32) * 0.25
    mesh = Mesh((cells / 32 - 0.5).astype(np.float32), solid.mesh.faces)
    return replace(solid, mesh=mesh)


def asymmetric_cells() -> Array:
    """(32, 32, 32) bool: the cells of `asymmetric_solid`, [x, y, z] in the object frame.

    Example:
        >>> int(asymmetric_cells().sum())
        1056
    """
    cells = np.zeros((32, 32, 32), bool)
    for low, high in _ARMS:
        cells[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return cells


_ARMS = (
    ((0, 6, 7), (32, 10, 11)),
    ((0, 6, 7), (4, 26, 11)),
    ((0, 6, 7), (4, 10, 15)),
    ((28, 6, 7), (32, 10, 25)),
)
