"""The sphere that DIB-R's network deforms: an icosahedron subdivided, in the authors' order."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

_SCALE = 0.35 / 0.45 * 0.5  # the authors' `prepare_template`

_GOLDEN = (1 + math.sqrt(5)) / 2
_CORNERS = np.array(
    [
        (0, _GOLDEN, 1), (0, _GOLDEN, -1), (0, -_GOLDEN, 1), (0, -_GOLDEN, -1),
        (_GOLDEN, 1, 0), (_GOLDEN, -1, 0), (-_GOLDEN, 1, 0), (-_GOLDEN, -1, 0),
        (1, 0, _GOLDEN), (-1, 0, _GOLDEN), (1, 0, -_GOLDEN), (-1, 0, -_GOLDEN),
    ]
)  # fmt: skip
# Counter-clockwise from outside.
_TRIANGLES = (
    (1, 0, 4), (0, 1, 6), (2, 3, 5), (3, 2, 7), (4, 5, 10), (5, 4, 8), (6, 7, 9), (7, 6, 11),
    (8, 9, 2), (9, 8, 0), (10, 11, 1), (11, 10, 3), (0, 8, 4), (0, 6, 9), (1, 4, 10), (1, 11, 6),
    (2, 5, 8), (2, 9, 7), (3, 10, 5), (3, 7, 11),
)  # fmt: skip


@functools.cache
def sphere(level: int = 3) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The template; level 3 is the published one (the authors' `sphere_3.obj`, prepared).

    Args:
        level: How often every triangle is cut into four.

    Returns:
        vertices (10 * 4^level + 2, 3) float32 at radius 0.19444 and faces (20 * 4^level, 3) int32,
        counter-clockwise from outside; read-only, shared by all callers.

    Example:
        >>> vertices, faces = sphere()
        >>> vertices.shape, faces.shape, round(float(np.abs(vertices).max()), 4)
        ((642, 3), (1280, 3), 0.1944)
    """
    points = [corner / np.linalg.norm(corner) / 2 for corner in _CORNERS]
    triangles: list[tuple[int, int, int]] = list(_TRIANGLES)
    for _ in range(level):
        triangles = _subdivide(points, triangles)
    # The authors' file has six decimals.
    vertices = np.round(np.stack(points), 6).astype(np.float32)
    low, high = vertices.min(0), vertices.max(0)
    vertices = (vertices - (low + high) / 2) * np.float32(_SCALE)
    faces = np.array(triangles, np.int32)
    vertices.setflags(write=False)
    faces.setflags(write=False)
    return vertices, faces


def _subdivide(
    points: list[NDArray[np.float64]], triangles: list[tuple[int, int, int]]
) -> list[tuple[int, int, int]]:
    """Cuts every triangle into four; new points are appended to `points`."""
    middles: dict[tuple[int, int], int] = {}
    centres, corners = [], []
    for a, b, c in triangles:
        m = []
        for start, end in ((a, b), (b, c), (c, a)):
            edge = (min(start, end), max(start, end))
            if edge not in middles:
                middle = points[start] + points[end]
                middles[edge] = len(points)
                points.append(middle / np.linalg.norm(middle) / 2)
            m.append(middles[edge])
        centres.append((m[0], m[1], m[2]))
        corners += [(a, m[0], m[2]), (m[0], b, m[1]), (m[2], m[1], c)]
    return centres + corners


def edge_faces(faces: NDArray[np.int32]) -> NDArray[np.int64]:
    """The two faces at every edge of a closed mesh.

    Args:
        faces: (F, 3), every edge in exactly two of them.

    Returns:
        (3F/2, 2) face numbers, the lower first, by edge in order of its sorted ends.

    Example:
        >>> tetrahedron = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]], np.int32)
        >>> edge_faces(tetrahedron).tolist()
        [[0, 1], [0, 2], [1, 2], [0, 3], [1, 3], [2, 3]]
    """
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends = np.sort(ends.astype(np.int64), axis=1)
    face = np.tile(np.arange(len(faces)), 3)
    order = np.lexsort((face, ends[:, 1], ends[:, 0]))
    return face[order].reshape(-1, 2)


def neighbour_means(faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """The matrix that puts in place of every vertex the mean of its neighbours.

    Args:
        faces: (F, 3) of a mesh that uses all of its vertices.

    Returns:
        (V, V) float32, rows that sum to 1.

    Example:
        >>> tetrahedron = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]], np.int32)
        >>> (3 * neighbour_means(tetrahedron)[3]).tolist()
        [1.0, 1.0, 1.0, 0.0]
    """
    count = int(faces.max()) + 1
    matrix = np.zeros((count, count), np.float32)
    for start, end in ((0, 1), (1, 2), (2, 0)):
        matrix[faces[:, start], faces[:, end]] = 1
        matrix[faces[:, end], faces[:, start]] = 1
    return matrix / matrix.sum(1, keepdims=True)
