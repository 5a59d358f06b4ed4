"""Distance of 30,000 points to a mesh of 1,280 faces, building the tree included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from benchbench.cuda_ops import point_to_mesh

POINTS = 30_000


def mesh(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """A smooth ball, or a crumpled one with long faces that fold over each other."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    vertices = np.asarray(ball.vertices)
    if kind == "crumpled":
        vertices = vertices * np.random.default_rng(0).uniform(0.3, 1, (len(vertices), 1))
    return vertices.astype(np.float32), np.asarray(ball.faces, dtype=np.int64)


def queries(vertices: np.ndarray, faces: np.ndarray, where: str) -> np.ndarray:
    rng = np.random.default_rng(1)
    if where == "in the box":
        return rng.uniform(-0.5, 0.5, (POINTS, 3)).astype(np.float32)
    surface = trimesh.Trimesh(vertices, faces, process=False)
    near, _ = trimesh.sample.sample_surface(surface, POINTS, seed=1)
    return (near + rng.normal(0, 0.02, near.shape)).astype(np.float32)


@pytest.mark.parametrize("where", ["near the surface", "in the box"])
@pytest.mark.parametrize("kind", ["smooth", "crumpled"])
def test_point_to_mesh(race, kind: str, where: str) -> None:  # type: ignore[no-untyped-def]
    o3d = pytest.importorskip("open3d", reason="not installed (extra 'peers')")
    pcu = pytest.importorskip("point_cloud_utils", reason="not installed (extra 'peers')")
    vertices, faces = mesh(kind)
    points = queries(vertices, faces, where)
    ours = [torch.from_numpy(x) for x in (points, vertices, faces)]
    faces32 = faces.astype(np.int32)
    theirs = [o3d.core.Tensor(x) for x in (points, vertices, faces.astype(np.uint32))]

    def open3d() -> object:
        scene = o3d.t.geometry.RaycastingScene(nthreads=2)
        scene.add_triangles(theirs[1], theirs[2])
        return scene.compute_closest_points(theirs[0], nthreads=2)

    race(
        f"point_to_mesh, {POINTS} points {where} of a {kind} ball with {len(faces)} faces",
        {
            "ours": lambda: point_to_mesh(*ours),
            "Open3D": open3d,
            "point-cloud-utils": lambda: pcu.closest_points_on_mesh(points, vertices, faces32),
        },
    )


def test_point_to_mesh_against_trimesh(race) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("rtree", reason="not installed (extra 'peers'); trimesh needs it")
    vertices, faces = mesh("smooth")
    points = queries(vertices, faces, "near the surface")
    ours = [torch.from_numpy(x) for x in (points, vertices, faces)]

    def closest() -> object:
        surface = trimesh.Trimesh(vertices, faces, process=False)
        return trimesh.proximity.closest_point(surface, points)

    race(
        f"point_to_mesh, {POINTS} points near the surface of a smooth ball with {len(faces)} faces",
        {"ours": lambda: point_to_mesh(*ours), "trimesh": closest},
        rounds=1,
    )
