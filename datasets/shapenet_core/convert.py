"""One model of ShapeNetCore to one stored object: its frame, its truth, its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError, ShapeError
from benchbench.core.types import Mesh
from benchbench.datasets.obj_files import ObjMesh, read_colours, read_obj
from benchbench.datasets.records import ArrayKind, Layout, ObjectRecord
from benchbench.datasets.shapenet_core.occupancy import COUNT, HALF, occupancy
from benchbench.datasets.shapenet_core.pictures import RENDERINGS, picture
from benchbench.datasets.shapes13.points import surface_points
from benchbench.datasets.shapes13.voxels import VOXEL_KINDS, kato_grid, unit_grid

Array = npt.NDArray[Any]

SEED = 0
POINTS = 100_000
GREY = 0.6

# Files of a model folder: its mesh and its materials.
RELEASES = {
    "v1": ("model.obj", "model.mtl"),
    "v2": ("models/model_normalized.obj", "models/model_normalized.mtl"),
}

# From a release's axes to the object frame's. v1: x front, y up. v2: -z front, y up (its notes).
TURNS = {
    "v1": np.eye(3),
    "v2": np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
}

ARRAYS = {
    "surface_points": ArrayKind((3,), "float16", f"{POINTS} points on the surface, even by area"),
    "surface_normals": ArrayKind(
        (3,), "float16", "unit normals of their faces; which side is outside is not reliable"
    ),
    "occupancy_points": ArrayKind(
        (3,), "uint16", f"{COUNT} points of a cube: (2 q + 1 - 65536) * {HALF} / 65536"
    ),
    "occupancy": ArrayKind((), "uint8", "whether they lie inside: bits, lowest first"),
}


def layout(pictures: Sequence[str]) -> Layout:
    """What every object has, with these renderings."""
    return Layout({name: RENDERINGS[name] for name in pictures}, VOXEL_KINDS, ARRAYS)


def convert(
    synset: str,
    model: str,
    release: str,
    obj: bytes,
    mtl: bytes | None,
    pictures: Sequence[str],
) -> ObjectRecord:
    """Read and check one model, and make all that is stored of it.

    Args:
        synset: Its class.
        model: Its id within the class.
        release: "v1" or "v2".
        obj: Its OBJ file.
        mtl: Its MTL file, or None.
        pictures: Names of `RENDERINGS` to be drawn.

    Raises:
        InputError: The mesh is broken, has no extent or no area; the message names it.
    """
    name = f"{synset}/{model}"
    source = read_obj(obj, f"{name}/{RELEASES[release][0]}")
    mesh, centre, longest = to_object_frame(source, TURNS[release], name)
    colours, uncoloured = face_colours(source, mtl, f"{name}/{RELEASES[release][1]}")
    try:
        points = surface_points(mesh, POINTS, SEED, name)
    except ShapeError as error:
        raise InputError(f"'{name}' has no surface to draw points from: {error}") from error
    inside = occupancy(mesh, SEED, name)
    drawn = {kind: picture(kind, mesh, colours, SEED, name) for kind in pictures}
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    assert points.normals is not None
    return ObjectRecord(
        id=name,
        synset=synset,
        images={kind: images for kind, (images, _) in drawn.items()},
        cameras={kind: cameras for kind, (_, cameras) in drawn.items()},
        voxels={"kato": kato_grid(vertices, faces), "binvox": unit_grid(vertices, faces)},
        mesh=mesh,
        parameters={
            "release": release,
            "source_centre": centre.tolist(),
            "source_longest_side": longest,
            "watertight": inside.watertight,
            "occupancy": inside.method,
            "occupancy_voxels_agree": round(inside.agreement, 6),
            "faces_without_colour": uncoloured,
        },
        arrays={
            "surface_points": points.points.astype(np.float16),
            "surface_normals": points.normals.astype(np.float16),
            "occupancy_points": inside.points,
            "occupancy": inside.bits,
        },
    )


def to_object_frame(source: ObjMesh, turn: Array, name: str) -> tuple[Mesh, Array, float]:
    """The mesh turned, centred by its box, longest side 1; vertices of no face are left out.

    Args:
        source: As read.
        turn: (3, 3) from the source's axes to the object frame's.
        name: What to call it in errors.

    Returns:
        The mesh, float32; the box's centre (3,) in the source's coordinates; its longest side.

    Raises:
        InputError: All its vertices are one point, or so far apart that a number overflows.
    """
    used, faces = np.unique(source.faces, return_inverse=True)
    vertices = source.vertices[used]
    low, high = vertices.min(0), vertices.max(0)
    with np.errstate(over="ignore"):
        longest = float((high - low).max())
        centre = low / 2 + high / 2
    if not 1e-100 < longest < 1e100:
        raise InputError(f"'{name}' is {longest:g} long; nothing can be made of that")
    turned = ((vertices - centre) / longest) @ turn.T
    found = Mesh(turned.astype(np.float32), faces.reshape(-1, 3).astype(np.int32))
    return found, centre, longest


def face_colours(source: ObjMesh, mtl: bytes | None, name: str) -> tuple[Array, int]:
    """(F, 3) float64 in [0, 1]: `Kd` of each face's material, grey where there is none.

    Args:
        source: As read.
        mtl: The MTL file, or None.
        name: What to call it in errors.

    Returns:
        The colours, and how many faces are grey for want of one.
    """
    known = read_colours(mtl, name) if mtl is not None else {}
    table = np.array([known.get(material, (GREY,) * 3) for material in source.names])
    unknown = np.array([material not in known for material in source.names])
    return table[source.material], int(unknown[source.material].sum())
