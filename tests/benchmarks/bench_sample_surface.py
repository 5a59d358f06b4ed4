"""100,000 points on 10,000 faces, areas included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from benchbench.cuda_ops import sample_surface

COUNT = 100_000
FACES = 10_000


@pytest.fixture(scope="module")
def mesh() -> tuple[np.ndarray, np.ndarray]:
    """A crumpled sheet: vertices (V, 3) float32, faces (10000, 3) int64."""
    rng = np.random.default_rng(0)
    cells_x, cells_y = 100, FACES // 200
    x, y = np.meshgrid(np.arange(cells_x + 1), np.arange(cells_y + 1), indexing="ij")
    vertices = np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3) / cells_x
    vertices = vertices + rng.normal(0, 0.003, vertices.shape)
    corner = (np.arange(cells_x)[:, None] * (cells_y + 1) + np.arange(cells_y)).reshape(-1, 1)
    row = cells_y + 1
    faces = np.concatenate([corner + [0, row, 1], corner + [row, row + 1, 1]])
    assert faces.shape == (FACES, 3)
    return vertices.astype(np.float32), faces


def by_searchsorted(
    vertices: np.ndarray, faces: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The few lines of numpy that most evaluation scripts hold."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    ends = np.cumsum(np.linalg.norm(np.cross(b - a, c - a), axis=1))
    face = np.searchsorted(ends, rng.random(COUNT) * ends[-1])
    s, r = np.sqrt(rng.random((COUNT, 1))), rng.random((COUNT, 1))
    return (1 - s) * a[face] + s * (1 - r) * b[face] + s * r * c[face], face


def test_sample_surface(race, mesh) -> None:  # type: ignore[no-untyped-def]
    o3d = pytest.importorskip("open3d", reason="not installed (extra 'peers')")
    pcu = pytest.importorskip("point_cloud_utils", reason="not installed (extra 'peers')")
    vertices, faces = mesh
    ours = torch.from_numpy(vertices), torch.from_numpy(faces)
    wide, rng = vertices.astype(np.float64), np.random.default_rng(1)
    solid = trimesh.Trimesh(vertices, faces, process=False)
    shape = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(wide), o3d.utility.Vector3iVector(faces.astype(np.int32))
    )
    race(
        f"sample_surface, {COUNT} points on {FACES} faces",
        {
            "ours": lambda: sample_surface(*ours, COUNT, 0, "bench"),
            "numpy searchsorted": lambda: by_searchsorted(wide, faces, rng),
            "Open3D": lambda: shape.sample_points_uniformly(COUNT),
            "point-cloud-utils": lambda: pcu.sample_mesh_random(vertices, faces, COUNT),
            "trimesh": lambda: trimesh.sample.sample_surface(solid, COUNT, seed=1),
        },
    )
