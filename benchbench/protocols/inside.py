"""parity-v1: Occupancy Networks' rule for which points a mesh contains.

A vertical ray through a point hits a triangle if the point lies strictly inside its projection;
the point is inside if the hits above and the hits below are both odd in number. A ray through an
edge or a corner hits nothing, so that a point on it is outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh

Array = npt.NDArray[Any]
_SIDE = 512  # the mesh's box becomes [0.5, 511.5]^3 before anything is decided
_BUCKETS = 128  # per side of the plane, for finding candidates; decides nothing
_CHUNK = 1 << 20  # candidates looked at together


def contains(mesh: Mesh, points: Array) -> npt.NDArray[np.bool_]:
    """Which points a mesh contains.

    Args:
        mesh: Finite; need not be closed, but then parity means little.
        points: (N, 3), in the mesh's frame.

    Returns:
        (N,) bool. A mesh whose box is flat contains nothing.

    Example:
        >>> from benchbench.evaluation.selftest import box
        >>> points = np.array([[0.1, 0.2, 0.3], [1.1, 0.2, 0.3]])
        >>> contains(box((0, 0, 0), (1, 1, 1)), points).tolist()
        [True, False]
    """
    triangles = mesh.vertices.astype(np.float64)[mesh.faces]
    low, high = triangles.min((0, 1)), triangles.max((0, 1))
    found = np.zeros(len(points), np.bool_)
    if not (high > low).all():
        return found
    scale = (_SIDE - 1) / (high - low)
    shift = 0.5 - scale * low
    triangles = scale * triangles + shift
    scaled = scale * points.astype(np.float64) + shift
    possible = np.flatnonzero(((scaled >= 0) & (scaled <= _SIDE)).all(1))
    if len(possible):
        below, above = _hits(triangles, scaled[possible])
        found[possible] = (below % 2 == 1) & (above % 2 == 1)
    return found


def _hits(triangles: Array, points: Array) -> tuple[Array, Array]:
    """(N,) numbers of triangles at or above and below each point, on the vertical through it."""
    cell = np.minimum(_bucket(points[:, :2]), _BUCKETS - 1)
    cell = cell[:, 0] * _BUCKETS + cell[:, 1]
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(_BUCKETS**2 + 1))
    low = _bucket(triangles[:, :, :2].min(1))
    high = np.minimum(_bucket(triangles[:, :, :2].max(1)), _BUCKETS - 1)
    sides = high - low + 1
    # Points in the buckets of each face, by a table of sums over rectangles.
    table = np.zeros((_BUCKETS + 1, _BUCKETS + 1), np.int64)
    table[1:, 1:] = np.diff(starts).reshape(_BUCKETS, _BUCKETS).cumsum(0).cumsum(1)
    (x0, y0), (x1, y1) = low.T, high.T + 1
    load = table[x1, y1] - table[x0, y1] - table[x1, y0] + table[x0, y0]
    cost = np.cumsum(load + sides.prod(1))
    faces, columns = _Faces.of(triangles), np.ascontiguousarray(points.T)
    counts = np.zeros((2, len(points)), np.int64)
    first = 0
    while first < len(triangles):
        before = cost[first - 1] if first else 0
        last = max(int(np.searchsorted(cost, before + _CHUNK, side="right")), first + 1)
        face, point = _candidates(low[first:last], sides[first:last], starts, order)
        at_or_above, below = _cross(faces, face + first, columns, point)
        counts[0] += np.bincount(point[at_or_above], minlength=len(points))
        counts[1] += np.bincount(point[below], minlength=len(points))
        first = last
    return counts[0], counts[1]


def _bucket(plane: Array) -> Array:
    return np.floor(plane * (_BUCKETS / _SIDE)).astype(np.int64)


def _candidates(low: Array, sides: Array, starts: Array, order: Array) -> tuple[Array, Array]:
    """Pairs of face and point that share a bucket."""
    area = sides.prod(1)
    face = np.repeat(np.arange(len(low)), area)
    within = np.arange(len(face)) - np.repeat(np.cumsum(area) - area, area)
    x, y = np.divmod(within, sides[face, 1])
    bucket = (low[face, 0] + x) * _BUCKETS + low[face, 1] + y
    count = starts[bucket + 1] - starts[bucket]
    pair_face = np.repeat(face, count)
    offset = np.arange(len(pair_face)) - np.repeat(np.cumsum(count) - count, count)
    return pair_face, order[np.repeat(starts[bucket], count) + offset]


@dataclass(frozen=True)
class _Faces:
    """What a crossing needs of each of F faces, a row a number: gathered one by one, that is fast.

    Attributes:
        plane: (6, F) the last corner's x and y, and the ways from it to the first and second.
        size: (F,) twice the area of the projection.
        sign: (F,) its orientation.
        first: (3, F) the first corner.
        normal: (3, F).
    """

    plane: Array
    size: Array
    sign: Array
    first: Array
    normal: Array

    @classmethod
    def of(cls, triangles: Array) -> _Faces:
        a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
        p, q = (a - c)[:, :2], (b - c)[:, :2]
        area = p[:, 0] * q[:, 1] - q[:, 0] * p[:, 1]
        plane = np.concatenate([c[:, :2], p, q], 1).T
        first, normal = (np.ascontiguousarray(x.T) for x in (a, np.cross(c - a, b - a)))
        return cls(np.ascontiguousarray(plane), np.abs(area), np.sign(area), first, normal)


def _cross(faces: _Faces, face: Array, points: Array, point: Array) -> tuple[Array, Array]:
    """Which of the pairs cross: the vertical meets the face at or above the point, or below it."""
    cx, cy, px, py, qx, qy = (row[face] for row in faces.plane)
    x, y = points[0][point] - cx, points[1][point] - cy
    sign = faces.sign[face]
    u = (qy * x - qx * y) * sign
    v = (px * y - py * x) * sign
    hit = np.flatnonzero((u > 0) & (v > 0) & (u + v < faces.size[face]))
    face, point = face[hit], point[hit]
    (ax, ay, az), (nx, ny, nz) = (rows[:, face] for rows in (faces.first, faces.normal))
    ahead = (ax - points[0][point]) * nx + (ay - points[1][point]) * ny
    upright = np.abs(nz)
    depth = az * upright + ahead * np.sign(nz)
    above = depth >= points[2][point] * upright
    return hit[above], hit[~above]
