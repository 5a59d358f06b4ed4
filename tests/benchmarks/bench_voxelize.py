"""Voxelising batches of meshes with 1,280 faces: surface and fill, against surface alone.

point-cloud-utils marks the surface cells of one mesh a call and fills nothing; it is the fastest
of what can be installed by name. Its calls run in turn and, as another entry, on two threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import trimesh

from benchbench.cuda_ops import voxel_iou, voxelize

BATCH = 64


def ball(radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Kato's template: 642 vertices, 1,280 faces, in unit-cube coordinates."""
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    return np.asarray(mesh.vertices * 31 / 32 + 0.5), np.asarray(mesh.faces, dtype=np.int32)


@pytest.mark.parametrize(("radius", "resolution"), [(0.5, 32), (0.25, 32), (0.5, 64)])
def test_voxelize(race, radius: float, resolution: int) -> None:  # type: ignore[no-untyped-def]
    pcu = pytest.importorskip("point_cloud_utils", reason="not installed (extra 'peers')")
    vertices, faces = ball(radius)
    batch = torch.from_numpy(vertices).float().repeat(BATCH, 1, 1)
    index = torch.from_numpy(faces)
    single = vertices.astype(np.float32)
    pool = ThreadPoolExecutor(2)

    def mark(_: int) -> int:
        return len(pcu.voxelize_triangle_mesh(single, faces, 1 / resolution, [0.0, 0.0, 0.0]))

    race(
        f"voxelize {BATCH} balls of radius {radius} at {resolution}^3, per mesh",
        {
            "ours": lambda: voxelize(batch, index, resolution),
            "point-cloud-utils (surface only)": lambda: [mark(i) for i in range(BATCH)],
            "point-cloud-utils (surface only, two threads)": lambda: list(
                pool.map(mark, range(BATCH))
            ),
        },
        per=BATCH,
    )
    pool.shutdown()


def test_voxelize_against_filled_peers(race) -> None:  # type: ignore[no-untyped-def]
    o3d = pytest.importorskip("open3d", reason="not installed (extra 'peers')")
    vertices, faces = ball(0.5)
    single = torch.from_numpy(vertices).float()[None]
    index = torch.from_numpy(faces)
    centres = np.stack(np.meshgrid(*[(np.arange(32) + 0.5) / 32] * 3, indexing="ij"), -1)
    queries = o3d.core.Tensor(centres.astype(np.float32))
    corners = o3d.core.Tensor(vertices.astype(np.float32))
    triangles = o3d.core.Tensor(faces.astype(np.uint32))

    def occupancy() -> object:
        scene = o3d.t.geometry.RaycastingScene(nthreads=2)
        scene.add_triangles(corners, triangles)
        return scene.compute_occupancy(queries, nthreads=2)

    def fill() -> object:
        return trimesh.Trimesh(vertices, faces, process=False).voxelized(1 / 32).fill()

    race(
        "voxelize one ball at 32^3",
        {
            "ours": lambda: voxelize(single, index, 32),
            "Open3D occupancy of cell centres": occupancy,
            "trimesh voxelized and filled": fill,
        },
        rounds=5,
    )


def test_voxel_iou(race) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    preds, target = torch.from_numpy(rng.uniform(size=(2, BATCH, 32, 32, 32)) < 0.3)
    p, t = preds.numpy(), target.numpy()

    def numpy_iou() -> object:
        return (p & t).sum(axis=(1, 2, 3)) / (p | t).sum(axis=(1, 2, 3))

    race(
        f"voxel_iou of {BATCH} pairs at 32^3",
        {
            "ours": lambda: voxel_iou(preds, target),
            "numpy": numpy_iou,
            "torch": lambda: (preds & target).sum((1, 2, 3)) / (preds | target).sum((1, 2, 3)),
        },
    )
