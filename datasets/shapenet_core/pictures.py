"""Pictures of ShapeNetCore meshes from the field's cameras, by this project's rasteriser.

ShapeNet's faces look either way, so both sides of a face are drawn, each in its own light. Colours
are the materials'; textures and transparency are not drawn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.keyed import keyed_rng
from benchbench.core.types import Mesh
from benchbench.datasets.cameras import (
    CHOY_PARAMETERS,
    KATO_PARAMETERS,
    Cameras,
    choy_cameras,
    kato_cameras,
    random_choy_rows,
    scaled,
)
from benchbench.datasets.drawing import draw, lit
from benchbench.datasets.records import Rendering
from benchbench.datasets.shapenet_lsm.cameras import SIZE as LSM_SIZE
from benchbench.datasets.shapenet_lsm.cameras import VIEWS as LSM_VIEWS
from benchbench.datasets.shapenet_lsm.cameras import view_cameras, view_intrinsics

Array = npt.NDArray[Any]

KATO_SIZE, CHOY_SIZE = 64, 137
LSM_DISTANCE = 2.0
_FACES_AT_ONCE = 1 << 20  # times views: 36 bytes each, and as many again within the rasteriser

RENDERINGS = {
    "kato": Rendering(
        KATO_SIZE, KATO_SIZE, KATO_PARAMETERS, "24 views with Kato's cameras, own rasteriser"
    ),
    "choy": Rendering(
        CHOY_SIZE, CHOY_SIZE, CHOY_PARAMETERS, "24 random views as in 3D-R2N2, own rasteriser"
    ),
    "lsm": Rendering(
        LSM_SIZE, LSM_SIZE, KATO_PARAMETERS, "20 random views as in LSM, own rasteriser"
    ),
}


def picture(kind: str, mesh: Mesh, colours: Array, seed: int, id: str) -> tuple[Array, Cameras]:
    """All views of one rendering.

    Args:
        kind: One of `RENDERINGS`.
        mesh: Object frame.
        colours: (F, 3) in [0, 1].
        seed: Seed of the random cameras.
        id: Names the object, so that two objects get different cameras.

    Returns:
        (K, H, W, 4) uint8 straight alpha, and the cameras; their world is the object frame.
    """
    cameras = _cameras(kind, mesh, seed, id)
    faces = np.asarray(mesh.faces)
    both = Mesh(mesh.vertices, np.concatenate([faces, faces[:, ::-1]]))
    shown = lit(both, np.concatenate([colours, colours]))
    size, step = RENDERINGS[kind].height, max(1, _FACES_AT_ONCE // len(both.faces))
    parts = [
        draw(both, shown, _some(cameras, slice(k, k + step)), size, size)
        for k in range(0, len(cameras.parameters), step)
    ]
    return np.concatenate(parts), cameras


def _cameras(kind: str, mesh: Mesh, seed: int, id: str) -> Cameras:
    rng = keyed_rng(seed, "shapenet-core", kind, id)
    if kind == "kato":
        return kato_cameras(KATO_SIZE)
    if kind == "choy":
        vertices = np.asarray(mesh.vertices, np.float64)
        diagonal = float(np.linalg.norm(vertices.max(0) - vertices.min(0)))
        return scaled(choy_cameras(random_choy_rows(rng), CHOY_SIZE, CHOY_SIZE), diagonal)
    azimuth = np.round(rng.uniform(-180, 180, LSM_VIEWS), 6)
    elevation = np.round(rng.uniform(-20, 40, LSM_VIEWS), 6)
    distance = np.full(LSM_VIEWS, LSM_DISTANCE)
    matrices = view_cameras(azimuth, elevation, distance)
    return Cameras(matrices, view_intrinsics(), np.stack([azimuth, elevation, distance], -1))


def _some(cameras: Cameras, views: slice) -> Cameras:
    return Cameras(
        cameras.world_to_camera[views], cameras.intrinsics[views], cameras.parameters[views]
    )
