"""Objects as a tree of ShapeNetCore: OBJ and MTL files, a box of diagonal 1 around the origin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchbench.core.classes import SYNSETS
from benchbench.core.names import require
from benchbench.datasets.exporting import Solid
from benchbench.datasets.shapenet_core.convert import RELEASES, TURNS


def export(solids: Iterable[Solid], folder: Path, release: str = "v1") -> None:
    """Write `ShapeNetCore.<release>/<class>/<model>/...`. Memory holds one object.

    Args:
        solids: The objects; the tree knows no parts.
        folder: Where to write.
        release: "v1" or "v2", which differ in axes and names.

    Raises:
        UsageError: A class is none of the 13, or there is no such release.
    """
    require(release, RELEASES, "release")
    obj, mtl = RELEASES[release]
    for solid in solids:
        require(solid.synset, SYNSETS, "class")
        model = folder / f"ShapeNetCore.{release}" / solid.id
        text, materials = obj_files(solid, release, Path(mtl).name)
        (model / obj).parent.mkdir(parents=True, exist_ok=True)
        (model / obj).write_text(text, encoding="ascii")
        (model / mtl).write_text(materials, encoding="ascii")


def obj_files(solid: Solid, release: str, library: str) -> tuple[str, str]:
    """An object's OBJ and MTL file.

    Args:
        solid: The object.
        release: Whose axes.
        library: Name of the MTL file.
    """
    vertices = np.asarray(solid.mesh.vertices, np.float64) @ TURNS[release]  # the turn back
    vertices = vertices / np.linalg.norm(vertices.max(0) - vertices.min(0))
    colours, material = np.unique(np.asarray(solid.colours), axis=0, return_inverse=True)
    lines = [f"mtllib {library}"]
    lines += [f"v {x!r} {y!r} {z!r}" for x, y, z in vertices.tolist()]
    faces = np.asarray(solid.mesh.faces) + 1
    for number in range(len(colours)):
        lines.append(f"usemtl material_{number}")
        lines += [f"f {a} {b} {c}" for a, b, c in faces[material.reshape(-1) == number].tolist()]
    materials = [
        f"newmtl material_{number}\nKd {red!r} {green!r} {blue!r}"
        for number, (red, green, blue) in enumerate(colours.tolist())
    ]
    return "\n".join(lines) + "\n", "\n".join(materials) + "\n"
