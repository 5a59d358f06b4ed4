"""Objects as NMR_Dataset: Kato's cameras, a white background, points on the surface."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchbench.core.classes import SYNSETS
from benchbench.core.keyed import keyed_rng
from benchbench.core.names import require
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import Cameras, kato_cameras
from benchbench.datasets.drawing import draw, lit
from benchbench.datasets.exporting import Solid
from benchbench.datasets.npz_writing import NpzWriter
from benchbench.datasets.shapenet_dvr.convert import SIZE, VIEWS, picture_names
from benchbench.datasets.store_format import SPLITS

Array = npt.NDArray[Any]

COUNT = 100_000  # points, as published


def export(solids: Iterable[Solid], folder: Path, points: int = COUNT) -> None:
    """Write `NMR_Dataset/`; memory holds one object.

    metadata.yaml is written as other loaders read it; the visual hulls' depth maps are left out.

    Raises:
        UsageError: A class is none of the 13.
    """
    base = folder / "NMR_Dataset"
    lists: dict[str, dict[str, list[str]]] = {}
    for solid in solids:
        require(solid.synset, SYNSETS, "class")
        lists.setdefault(solid.synset, {part: [] for part in SPLITS})[solid.part].append(
            solid.model
        )
        for name, data in model_files(solid, points).items():
            path = base / solid.id / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    for synset, parts in lists.items():
        for part, models in parts.items():
            text = "".join(f"{model}\n" for model in models)
            (base / synset / f"softras_{part}.lst").write_text(text, encoding="ascii")
    entries = [f"'{s}':\n  id: '{s}'\n  name: {SYNSETS[s]}\n" for s in sorted(lists)]
    (base / "metadata.yaml").write_text("".join(entries), encoding="ascii")


def model_files(solid: Solid, points: int = COUNT) -> dict[str, bytes]:
    """The files of a model's folder: path to bytes."""
    cameras = kato_cameras(SIZE)
    drawn = draw(solid.mesh, lit(solid.mesh, solid.colours), cameras, SIZE, SIZE)
    files: dict[str, bytes] = {}
    for view in range(VIEWS):
        alpha = drawn[view, ..., 3:].astype(np.uint16)
        white = (drawn[view, ..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
        mask = np.where(drawn[view, ..., 3] >= 128, 255, 0)
        for name, picture in zip(picture_names(view), (white, mask), strict=True):
            files[name] = _png(picture.astype(np.uint8))
    files["cameras.npz"] = _npz(**_matrices(cameras))
    where, normals = surface_points(solid.mesh, points, solid.id)
    files["pointcloud.npz"] = _npz(
        points=where.astype(np.float16),
        normals=normals.astype(np.float16),
        loc=np.zeros(3),
        scale=np.array(1.0),
    )
    return files


def surface_points(mesh: Mesh, count: int, key: str) -> tuple[Array, Array]:
    """Points spread evenly over a surface, and the normals of their faces.

    Args:
        mesh: The surface.
        count: Number of points N.
        key: Of the draw.

    Returns:
        (N, 3) and (N, 3) float64.
    """
    corners = np.asarray(mesh.vertices, np.float64)[np.asarray(mesh.faces)]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normals = np.cross(first, second)
    double = np.linalg.norm(normals, axis=1)
    rng = keyed_rng("shapenet-dvr points", key)
    face = rng.choice(len(double), count, p=double / double.sum())
    along, across = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    where = corners[face, 0] + along * ((1 - across) * first[face] + across * second[face])
    return where, normals[face] / double[face, None]


def _matrices(cameras: Cameras) -> dict[str, Array]:
    """cameras.npz: the matrices and their inverses; the picture is [-1, 1] wide and high."""
    lens = np.eye(4)
    lens[0, 0] = lens[1, 1] = cameras.intrinsics[0, 0, 0] / (SIZE / 2)
    arrays = {}
    for view in range(VIEWS):
        world = cameras.world_to_camera[view]
        arrays[f"world_mat_{view}"] = world
        arrays[f"world_mat_inv_{view}"] = np.linalg.inv(world)
        arrays[f"camera_mat_{view}"] = lens
        arrays[f"camera_mat_inv_{view}"] = np.linalg.inv(lens)
    return arrays


def _png(picture: Array) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def _npz(**arrays: Array) -> bytes:
    stream = io.BytesIO()
    with NpzWriter(stream) as file:
        for name, array in arrays.items():
            file.add(name, array)
    return stream.getvalue()
