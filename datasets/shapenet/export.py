"""Objects as 3D-R2N2's two archives: 24 random views from Choy's cameras, and binvox grids."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.classes import SYNSETS
from benchbench.core.keyed import keyed_rng
from benchbench.core.names import require
from benchbench.core.types import Mesh
from benchbench.datasets.archive_writing import TgzWriter
from benchbench.datasets.binvox import write_binvox
from benchbench.datasets.cameras import choy_cameras, random_choy_rows
from benchbench.datasets.drawing import draw, lit
from benchbench.datasets.exporting import Solid
from benchbench.datasets.pictures import encode_png
from benchbench.datasets.shapenet.convert import METADATA, SIZE, VIEWS
from benchbench.datasets.shapes13.voxels import unit_grid

Array = npt.NDArray[Any]


def export(solids: Iterable[Solid], folder: Path) -> None:
    """Write `ShapeNetRendering.tgz` and `ShapeNetVox32.tgz`, objects in the given order.

    The archives know no parts: their splits are a rule on the ids, and lists. Memory holds one
    object; equal objects give equal bytes.

    Raises:
        UsageError: A class is none of the 13.
    """
    with (
        TgzWriter(folder / "ShapeNetRendering.tgz") as pictures,
        TgzWriter(folder / "ShapeNetVox32.tgz") as truth,
    ):
        for solid in solids:
            require(solid.synset, SYNSETS, "class")
            for name, data in rendering_files(solid).items():
                pictures.add(f"ShapeNetRendering/{solid.id}/rendering/{name}", data)
            truth.add(f"ShapeNetVox32/{solid.id}/model.binvox", binvox_file(solid))


def rendering_files(solid: Solid) -> dict[str, bytes]:
    """The content of an object's folder `rendering`: 24 pictures, their names, their cameras."""
    rows = random_choy_rows(keyed_rng("shapenet", solid.seed, solid.id), VIEWS)
    raw, _ = _raw(solid)
    pictures = draw(raw, lit(solid.mesh, solid.colours), choy_cameras(rows), SIZE, SIZE)
    names = [f"{view:02d}.png" for view in range(VIEWS)]
    files = {name: encode_png(image) for name, image in zip(names, pictures, strict=True)}
    files["renderings.txt"] = "".join(f"{name}\n" for name in names).encode()
    lines = (f"{azimuth!r} {up!r} 0 {ratio!r} 25\n" for azimuth, up, _, ratio, _ in rows.tolist())
    files[METADATA] = "".join(lines).encode()
    return files


def binvox_file(solid: Solid) -> bytes:
    """`model.binvox`: cells of the unit cube; the header holds the box of the raw model."""
    _, sides = _raw(solid)
    cells = unit_grid(np.asarray(solid.mesh.vertices), np.asarray(solid.mesh.faces))
    return write_binvox(cells, None, (-sides / 2).tolist(), float(sides.max()))


def _raw(solid: Solid) -> tuple[Mesh, Array]:
    """The model as ShapeNetCore v1 holds it, with a box of diagonal 1, and the box's sides."""
    vertices = np.asarray(solid.mesh.vertices, np.float64)
    sides = vertices.max(0) - vertices.min(0)
    diagonal = float(np.linalg.norm(sides))
    scaled: Array = vertices / diagonal
    return Mesh(scaled, solid.mesh.faces), sides / diagonal
