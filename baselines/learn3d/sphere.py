"""learn3D's template spheres and the subdivision that makes them.

They are icospheres of their own orientation and order, not Kato's: mirror symmetric in x, y and z,
rounded to five decimals, vertices and faces sorted. (With which corner a face of the original
begins is not reproduced, nor its place in the list: nothing depends on them.)
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import UsageError

_A, _B = 0.5257311, 0.8506508  # corners of the icosahedron, as the original rounds them
LEVELS = {42: 1, 162: 2, 642: 3}
"""Vertices of the templates, and how often an icosahedron is subdivided for them."""


@functools.cache
def sphere(vertices: int = 642) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """A template: unit icosphere with outward winding.

    Source: learn3D's sphere_642.obj and sphere_42.obj; the one of 162 vertices, which its
    repository lacks, is made by the same rule.

    Args:
        vertices: 42, 162 or 642.

    Returns:
        vertices (V, 3) float32 and faces (2V - 4, 3) int32; read-only, shared by all callers.

    Raises:
        UsageError: Another number.

    Example:
        >>> corners, faces = sphere(42)
        >>> corners.shape, faces.shape, bool(abs((corners**2).sum(1) - 1).max() < 2e-5)
        ((42, 3), (80, 3), True)
    """
    if vertices not in LEVELS:
        raise UsageError(f"no template of {vertices} vertices", hint="use 42, 162 or 642")
    points, faces = _icosahedron()
    for _ in range(LEVELS[vertices]):
        points, faces = divide(points, faces)
        points = points / np.linalg.norm(points, axis=1, keepdims=True)
    points = np.round(points, 5) + 0.0  # no -0.0
    order = np.lexsort(points.T[::-1])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    faces = rank[faces]
    first = faces.argmin(1)[:, None]
    faces = np.take_along_axis(faces, (first + np.arange(3)) % 3, axis=1)
    triangles = faces[np.lexsort(faces.T[::-1])].astype(np.int32)
    result = normalised(points[order].astype(np.float32))
    result.setflags(write=False)
    triangles.setflags(write=False)
    return result, triangles


def normalised(vertices: NDArray[np.float32]) -> NDArray[np.float32]:
    """neural_renderer's `load_obj` normalisation: longest side 2, centred; its order of rounding.

    Args:
        vertices: (V, 3).
    """
    vertices = vertices - vertices.min(0)
    vertices /= np.abs(vertices).max()
    vertices *= 2
    return vertices - vertices.max(0) / 2


def divide(
    points: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Cuts every triangle into four at the middles of its edges.

    Args:
        points: (V, 3).
        faces: (F, 3).

    Returns:
        points (V + E, 3), the old ones first, and faces (4F, 3).

    Example:
        >>> points, faces = divide(np.eye(3), np.array([[0, 1, 2]]))
        >>> points[3].tolist(), faces.tolist()
        ([0.5, 0.5, 0.0], [[0, 3, 5], [3, 1, 4], [5, 4, 2], [3, 4, 5]])
    """
    ends, faces = divide_faces(faces, len(points))
    return np.concatenate([points, points[ends].mean(1, dtype=points.dtype)]), faces


def divide_faces(
    faces: NDArray[np.integer], vertices: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which edge every new vertex halves, and the faces after a subdivision.

    A face (a, b, c) with the middles p of ab, q of bc and r of ca becomes (a, p, r), (p, b, q),
    (r, q, c), (p, q, r); new vertices are numbered as they first appear.

    Args:
        faces: (F, 3).
        vertices: Number of old vertices.

    Returns:
        ends (E, 2) old vertices of each halved edge, smaller first, and faces (4F, 3).
    """
    number: dict[tuple[int, int], int] = {}
    result = []
    for a, b, c in faces.tolist():
        p, q, r = (
            number.setdefault((min(edge), max(edge)), vertices + len(number))
            for edge in ((a, b), (b, c), (c, a))
        )
        result += [(a, p, r), (p, b, q), (r, q, c), (p, q, r)]
    return np.array(list(number), np.int64), np.array(result, np.int64)


def mirror_pairs(
    vertices: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Which vertices lie on the plane z = 0, which before it, and the latter's mirror images.

    Source: learn3D's symmetry_idx.npz.

    Args:
        vertices: (V, 3) of a mesh that is its own mirror image.

    Returns:
        on (A,), front (B,) ascending and back (B,): back[k] mirrors front[k].

    Example:
        >>> on, front, back = mirror_pairs(sphere(642)[0])
        >>> len(on), len(front), len(back)
        (32, 305, 305)
    """
    # Five decimals were rounded once more, so mirror images differ in the last bit.
    near = np.rint(vertices * 1e5).astype(np.int64)
    row = {point: n for n, point in enumerate(map(tuple, near.tolist()))}
    on, front = np.flatnonzero(vertices[:, 2] == 0), np.flatnonzero(vertices[:, 2] > 0)
    back = [row[x, y, z] for x, y, z in (near[front] * [1, 1, -1]).tolist()]
    return on, front, np.array(back, np.int64)


def _icosahedron() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    signs = list(itertools.product((-1, 1), repeat=2))
    corners = [(0.0, s * _A, t * _B) for s, t in signs]
    corners += [(s * _A, t * _B, 0.0) for s, t in signs]
    corners += [(s * _B, 0.0, t * _A) for s, t in signs]
    points = np.array(corners)
    faces = []
    for one in itertools.combinations(range(12), 3):
        a, b, c = points[list(one)]
        if max(np.linalg.norm(a - b), np.linalg.norm(b - c), np.linalg.norm(c - a)) < 1.2:
            outward = np.dot(np.cross(b - a, c - a), a + b + c) > 0
            faces.append(one if outward else one[::-1])
    return points, np.array(faces, np.int64)
