"""Plain twin of `points_in_mesh` in numpy, bit for bit: every face against every point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SIDE = 512  # the mesh's box becomes [0.5, 511.5]^3
BUCKETS = 128  # per side of the plane


def points_in_mesh(
    points: NDArray[np.floating], vertices: NDArray[np.floating], faces: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Which points a mesh contains; see `benchbench.cuda_ops.points_in_mesh`.

    Args:
        points: (N, 3).
        vertices: (V, 3), same units.
        faces: (F, 3). An index outside [0, V) counts as a corner of NaN.

    Returns:
        (N,) bool.
    """
    found = np.zeros(len(points), np.bool_)
    if len(points) == 0 or len(faces) == 0:
        return found
    known = (faces >= 0) & (faces < len(vertices))
    corners = vertices.astype(np.float64)[faces.clip(0, len(vertices) - 1)]
    triangles = np.where(known[..., None], corners, np.nan)  # (F, corner, axis)
    low, high = triangles.min((0, 1)), triangles.max((0, 1))
    if not (high > low).all():
        return found
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite meets nothing
        scale = (SIDE - 1) / (high - low)
        shift = 0.5 - scale * low
        triangles = scale * triangles + shift
        scaled = scale * points.astype(np.float64) + shift
        possible = np.flatnonzero(((scaled >= 0) & (scaled <= SIDE)).all(1))
        scaled = scaled[possible]
        cells = _buckets(scaled[:, :2])
        above, below = np.zeros((2, len(possible)), np.int64)
        for triangle in triangles:
            # Beside a face that is almost a line, rounding can say that it is met.
            first, last = _buckets(triangle[:, :2].min(0)), _buckets(triangle[:, :2].max(0))
            near = np.flatnonzero(((cells >= first) & (cells <= last)).all(1))
            met, at_or_above = _cross(triangle, scaled[near])
            above[near] += met & at_or_above
            below[near] += met & ~at_or_above
    found[possible] = (above % 2 == 1) & (below % 2 == 1)
    return found


def _buckets(plane: Floats) -> NDArray[np.float64]:
    return np.floor(plane * (BUCKETS / SIDE)).clip(0, BUCKETS - 1)


def _cross(triangle: Floats, points: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the vertical through each point (N, 3) meets a face (corner, axis), and if it does
    so at or above the point."""
    a, b, c = triangle
    p, q = (a - c)[:2], (b - c)[:2]
    area = p[0] * q[1] - q[0] * p[1]
    x, y = (points[:, :2] - c[:2]).T
    u = (q[1] * x - q[0] * y) * np.sign(area)
    v = (p[0] * y - p[1] * x) * np.sign(area)
    met = (u > 0) & (v > 0) & (u + v < np.abs(area))
    normal = np.cross(c - a, b - a)
    ahead = (a[0] - points[:, 0]) * normal[0] + (a[1] - points[:, 1]) * normal[1]
    depth = a[2] * np.abs(normal[2]) + ahead * np.sign(normal[2])
    return met, depth >= points[:, 2] * np.abs(normal[2])
