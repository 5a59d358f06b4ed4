"""Objects as LSM's release: 20 random views with depth and matrices, voxels of 32^3 and 64^3."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.io

from benchbench.core.classes import SYNSETS
from benchbench.core.keyed import keyed_rng
from benchbench.core.names import require
from benchbench.datasets.cameras import Cameras
from benchbench.datasets.drawing import draw, draw_depth, lit
from benchbench.datasets.exporting import Solid
from benchbench.datasets.pictures import encode_png
from benchbench.datasets.shapenet_lsm.cameras import (
    SIZE,
    VIEWS,
    WORLD_TO_OBJECT,
    quaternion,
    view_cameras,
    view_intrinsics,
)
from benchbench.datasets.shapenet_lsm.convert import DEPTH_RANGE, VIEW_FILE
from benchbench.datasets.shapenet_lsm.release import RELEASE, RENDERS, VOXELS
from benchbench.datasets.shapes13.voxels import unit_grid
from benchbench.datasets.store_format import SPLITS

Array = npt.NDArray[Any]

_DISTANCE = 2.0
_HEADER = b"MATLAB 5.0 MAT-file, written without a date".ljust(116) + bytes(8)


def export(solids: Iterable[Solid], folder: Path) -> None:
    """Write `shapenet_release`, unpacked, and `splits.json` with the objects' parts.

    Memory holds one object; equal objects give equal bytes.

    Raises:
        UsageError: A class is none of the 13.
    """
    root = folder / RELEASE
    lists: dict[str, dict[str, Any]] = {}
    for solid in solids:
        require(solid.synset, SYNSETS, "class")
        for name, data in render_files(solid).items():
            _write(root / RENDERS / solid.id / name, data)
        for resolution in (32, 64):
            volume = _mat({"Volume": volume_of(solid, resolution)})
            _write(root / VOXELS / f"modelVoxels{resolution}" / f"{solid.id}.mat", volume)
        empty = {"name": SYNSETS[solid.synset], **{part: [] for part in SPLITS}}
        lists.setdefault(solid.synset, empty)[solid.part].append(solid.model)
    _write(folder / "splits.json", json.dumps(lists, indent=1).encode())


def random_views(solid: Solid) -> Array:
    """(20, 4) azimuth in -180 to 180, elevation in -20 to 40, tilt 0 (degrees), distance 2."""
    rng = keyed_rng("shapenet-lsm", solid.seed, solid.id)
    rows = np.zeros((VIEWS, 4))
    for row in rows:
        row[:] = 360 * rng.random() - 180, 60 * rng.random() - 20, 0, _DISTANCE
    return np.round(rows, 6)


def draw_views(solid: Solid, views: Array) -> tuple[Array, Cameras]:
    """(K, 224, 224, 4) uint8 from rows of azimuth, elevation, tilt, distance, and the cameras."""
    matrices = view_cameras(views[:, 0], views[:, 1], views[:, 3])
    cameras = Cameras(matrices, view_intrinsics(len(views)), views)
    return draw(solid.mesh, lit(solid.mesh, solid.colours), cameras, SIZE, SIZE), cameras


def render_files(solid: Solid) -> dict[str, bytes]:
    """The content of an object's folder below `renders`."""
    views = random_views(solid)
    pictures, cameras = draw_views(solid, views)
    depth = draw_depth(solid.mesh, cameras, SIZE, SIZE)
    counts = np.rint(np.minimum(depth / DEPTH_RANGE, 1) * 65535).astype(np.uint16)
    files = {VIEW_FILE: "".join(f"{a!r} {e!r} {t!r} {d!r}\n" for a, e, t, d in views.tolist())}
    packed = {name: text.encode() for name, text in files.items()}
    for view in range(VIEWS):
        packed[f"render_{view}.png"] = encode_png(pictures[view])
        packed[f"depth_{view}.png"] = encode_png(counts[view])
        matrix = cameras.world_to_camera[view].copy()
        matrix[:3, :3] = matrix[:3, :3] @ WORLD_TO_OBJECT
        packed[f"camera_{view}.mat"] = _mat(
            {
                "K": cameras.intrinsics[view],
                "extrinsic": matrix,
                "quat": quaternion(matrix[:3, :3])[None],
            }
        )
    return packed


def volume_of(solid: Solid, resolution: int) -> Array:
    """`Volume`: (R, R, R) bool, [x, y, -z] of the object frame."""
    vertices, faces = np.asarray(solid.mesh.vertices), np.asarray(solid.mesh.faces)
    return np.ascontiguousarray(unit_grid(vertices, faces, resolution)[:, :, ::-1])


def _mat(variables: dict[str, Array]) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables, do_compression=True)
    data = stream.getvalue()
    return _HEADER + data[len(_HEADER) :]  # without the date


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
