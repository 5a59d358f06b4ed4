"""The sphere of 642 vertices that Kato's network deforms, generated and put into his order.

Kato's template is an icosphere that Blender wrote to a text file with six decimals. It is made
here the way Blender makes it: the rounded table of the icosahedron's corners, every edge cut
into eight equal parts, rows of points between the cut edges, everything pushed to the unit
sphere and rounded to six decimals. What cannot be derived is stored in `sphere.npz` (4 kB): the
order of vertices, the order and first corner of faces, and 44 last decimals that Blender's
single precision rounded the other way. Those decimals matter: nine coordinates are 1e-6 instead
of 0, and the network takes the logarithm of every coordinate.
"""

from __future__ import annotations

import functools
from importlib import resources

import numpy as np
from numpy.typing import NDArray

_PARTS = 8
# Blender's table of icosahedron corners, three decimals, radius 200.
_CORNERS = np.array(
    [
        [0.0, 0.0, -200.0],
        [144.72, -105.144, -89.443],
        [-55.277, -170.128, -89.443],
        [-178.885, 0.0, -89.443],
        [-55.277, 170.128, -89.443],
        [144.72, 105.144, -89.443],
        [55.277, -170.128, 89.443],
        [-144.72, -105.144, 89.443],
        [-144.72, 105.144, 89.443],
        [55.277, 170.128, 89.443],
        [178.885, 0.0, 89.443],
        [0.0, 0.0, 200.0],
    ]
)
# Counter-clockwise from outside; rows of points run parallel to the side opposite the first
# corner, which is visible in the seventh decimal.
_TRIANGLES = (
    (2, 0, 1),
    (3, 0, 2),
    (4, 0, 3),
    (5, 0, 4),
    (5, 1, 0),
    (6, 1, 10),
    (6, 2, 1),
    (7, 2, 6),
    (7, 3, 2),
    (8, 3, 7),
    (8, 4, 3),
    (9, 4, 8),
    (9, 5, 4),
    (10, 1, 5),
    (10, 5, 9),
    (11, 6, 10),
    (11, 7, 6),
    (11, 8, 7),
    (11, 9, 8),
    (11, 10, 9),
)


@functools.cache
def sphere_642() -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Kato's template: unit sphere of 642 vertices and 1280 triangles in his order.

    Source: mesh_reconstruction `data/obj/sphere_642.obj` as read by neural_renderer's `load_obj`
    with normalisation (longest side of the bounding box 2, centred).

    Returns:
        vertices (642, 3) float32 and faces (1280, 3) int32, counter-clockwise from outside;
        read-only, shared by all callers.

    Example:
        >>> vertices, faces = sphere_642()
        >>> vertices.shape, faces.shape, bool(abs((vertices**2).sum(1) - 1).max() < 2e-6)
        ((642, 3), (1280, 3), True)
    """
    points, triangles = icosphere()
    with (resources.files(__package__) / "sphere.npz").open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        order = stored["vertex_order"].astype(np.int64)
        face_order, first = stored["face_order"].astype(np.int64), stored["first_corner"]
        decimals = np.round(points[order] * 1e6) + stored["last_decimal"]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    corners = (first[:, None].astype(np.int64) + np.arange(3)) % 3
    faces = np.take_along_axis(rank[triangles[face_order]], corners, axis=1).astype(np.int32)
    vertices = _normalised((decimals / 1e6).astype(np.float32))
    vertices.setflags(write=False)
    faces.setflags(write=False)
    return vertices, faces


def icosphere() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Blender's icosphere of four levels in the order of generation, y up.

    Returns:
        points (642, 3) float64 on the unit sphere and triangles (1280, 3) int64,
        counter-clockwise from outside.
    """
    corners = _CORNERS / 200.0
    index: dict[tuple[tuple[int, int], ...], int] = {}
    points: list[NDArray[np.float64]] = []
    triangles: list[tuple[int, int, int]] = []
    for a, b, c in _TRIANGLES:
        rows = [
            [_add(index, points, (a, b, c), (_PARTS - i, i - j, j), corners) for j in range(i + 1)]
            for i in range(_PARTS + 1)
        ]
        for i in range(_PARTS):
            for j in range(i + 1):
                triangles.append((rows[i][j], rows[i + 1][j], rows[i + 1][j + 1]))
                if j < i:
                    triangles.append((rows[i][j], rows[i + 1][j + 1], rows[i][j + 1]))
    # Blender is z up; its exporter writes (x, z, -y).
    swapped = np.stack(points)[:, [0, 2, 1]] * np.array([1.0, 1.0, -1.0])
    return swapped, np.array(triangles)


def _add(
    index: dict[tuple[tuple[int, int], ...], int],
    points: list[NDArray[np.float64]],
    triangle: tuple[int, int, int],
    weights: tuple[int, int, int],
    corners: NDArray[np.float64],
) -> int:
    """Number of the point with these integer weights (of eight); shared along the edges."""
    key = tuple(sorted((t, w) for t, w in zip(triangle, weights, strict=True) if w))
    if key not in index:
        index[key] = len(points)
        if len(key) < 3:
            point = _unit(np.stack([corners[t] * (w / _PARTS) for t, w in key]).sum(0))
        else:
            a, b, c = (corners[t] for t in triangle)
            i, j = _PARTS - weights[0], weights[2]
            left = _unit(a + (b - a) * (i / _PARTS))
            right = _unit(a + (c - a) * (i / _PARTS))
            point = _unit(left + (right - left) * (j / i))
        points.append(point)
    return index[key]


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.sqrt((vector * vector).sum())


def _normalised(vertices: NDArray[np.float32]) -> NDArray[np.float32]:
    """neural_renderer's `load_obj` normalisation, in its order and single precision."""
    vertices = vertices - vertices.min(0)
    vertices /= np.abs(vertices).max()
    vertices *= 2
    return vertices - vertices.max(0) / 2
