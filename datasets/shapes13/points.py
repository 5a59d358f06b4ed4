"""Points of an object, made when asked for: functions of (mesh, seed, object id)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import ShapeError
from benchbench.core.keyed import keyed_rng
from benchbench.core.types import Mesh, Points
from benchbench.datasets.winding import winding_numbers

Array = npt.NDArray[Any]

# Query points lie at odd multiples of this, vertices at even ones: no query point shares a
# coordinate with a vertex, so the crossing test below never meets an undecidable case.
QUERY_STEP = 2.0**-17


def surface_points(mesh: Mesh, count: int, seed: int, object_id: str) -> Points:
    """Area-weighted points on the surface with the normals of their faces.

    Args:
        mesh: Closed mesh, object frame.
        count: Number of points N.
        seed: Seed of the sampling.
        object_id: Names the object, so that two objects get different numbers.

    Returns:
        Points (N, 3) float32 with unit normals (N, 3) float32, outward.

    Example:
        >>> from benchbench.datasets.shapes13.generate import generate
        >>> points = surface_points(generate("lamp", 0).mesh, 100, 0, "a lamp")
        >>> points.points.shape, points.normals.shape
        ((100, 3), (100, 3))
    """
    import torch

    from benchbench.cuda_ops.sample_surface import sample_surface

    vertices = np.ascontiguousarray(mesh.vertices, np.float32)
    faces = np.ascontiguousarray(mesh.faces, np.int64)
    points, face = sample_surface(
        torch.from_numpy(vertices), torch.from_numpy(faces), count, seed, object_id
    )
    corners = vertices[faces[face.numpy()]].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Points(points.numpy(), normals.astype(np.float32))


def query_points(
    mesh: Mesh,
    count: int,
    seed: int,
    object_id: str,
    near_share: float = 0.5,
    noise: float = 0.02,
    margin: float = 0.05,
) -> tuple[Array, Array]:
    """Points in and around the object with the exact answer whether they lie inside.

    Args:
        mesh: Closed mesh whose vertices are multiples of 2^-16 (every object of shapes13).
        count: Number of points N.
        seed: Seed of the sampling.
        object_id: Names the object.
        near_share: Share of points near the surface; the others fill the unit cube evenly.
        noise: Standard deviation of the distance of near points along each axis.
        margin: How far the even points reach beyond the unit cube.

    Returns:
        points (N, 3) float32 (even ones first) and inside (N,) bool.

    Example:
        >>> from benchbench.datasets.shapes13.generate import generate
        >>> points, inside = query_points(generate("sofa", 0).mesh, 1000, 0, "a sofa")
        >>> points.shape, bool(inside.any()), bool(inside.all())
        ((1000, 3), True, False)
    """
    near = round(count * near_share)
    rng = keyed_rng(seed, "shapes13", "query", object_id)
    reach = 0.5 + margin
    even = reach * (2 * rng.random((count - near, 3)) - 1)
    parts = [even]
    if near:
        base = surface_points(mesh, near, seed, object_id).points.astype(np.float64)
        parts.append(base + noise * rng.standard_normal((near, 3)))
    grid = 2 * np.floor(np.concatenate(parts) / (2 * QUERY_STEP)).astype(np.int64) + 1
    points = grid * QUERY_STEP
    return points.astype(np.float32), _inside(grid, mesh)


def inside(points: Array, mesh: Mesh) -> Array:
    """Whether points lie inside a closed mesh with vertices on the 2^-16 grid; exact.

    Args:
        points: (N, 3), odd multiples of 2^-17 (as `query_points` gives).
        mesh: The mesh.

    Returns:
        (N,) bool.
    """
    grid = np.rint(np.asarray(points, np.float64) / QUERY_STEP).astype(np.int64)
    if not (grid % 2 == 1).all() or not np.array_equal(grid * QUERY_STEP, points):
        raise ShapeError("inside", "points", "odd multiples of 2^-17", "other numbers")
    return _inside(grid, mesh)


def _inside(grid: Array, mesh: Mesh) -> Array:
    corners = np.rint(mesh.vertices[mesh.faces].astype(np.float64) / QUERY_STEP).astype(np.int64)
    return winding_numbers(grid, corners) > 0
