"""Winding numbers of points in whole numbers: exact, and fast enough for whole data sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError

Array = npt.NDArray[Any]

_BLOCK = 1 << 18  # point-face pairs at a time: some 40 MB
_MOST_CELLS = 256  # per side of the plane


def winding_numbers(points: Array, corners: Array, most_pairs: int = 1 << 40) -> Array:
    """How often a closed mesh winds around each point, by signed crossings of the ray towards +y.

    Points are odd numbers and corners even ones, so that no point shares a coordinate with a
    corner; a ray that meets an edge belongs to exactly one of the edge's two faces. Only pairs of
    a point and a face that share a cell of the (z, x) plane are looked at.

    Args:
        points: (N, 3) int64, odd, within +-2^18.
        corners: (F, 3, 3) int64, even, within +-2^18.
        most_pairs: How many pairs of a point and a face are worth the time.

    Returns:
        (N,) int64: 1 inside a mesh whose faces look outward, 0 outside. Of a mesh that is not
        closed the numbers mean nothing.

    Raises:
        InputError: There are more pairs: faces lie over each other by the thousand.

    Example:
        >>> tetrahedron = np.array([[0, 0, 0], [8, 0, 0], [0, 8, 0], [0, 0, 8]])
        >>> faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
        >>> winding_numbers(np.array([[1, 1, 1], [5, 5, 5]]), tetrahedron[faces]).tolist()
        [1, 0]
    """
    if not len(points) or not len(corners):
        return np.zeros(len(points), np.int64)
    plane = points[:, [2, 0]]
    low, high = plane.min(0), plane.max(0)
    side = int(min(_MOST_CELLS, max(1, 4 * len(points) ** 0.25)))
    width = (high - low) // side + 1
    order = np.argsort(_cell(plane, low, width, side), kind="stable")
    sorted_cells = _cell(plane, low, width, side)[order]
    starts = np.searchsorted(sorted_cells, np.arange(side * side + 1))
    first = np.clip((corners[:, :, [2, 0]].min(1) - low) // width, 0, side)
    last = np.clip((corners[:, :, [2, 0]].max(1) - low) // width, -1, side - 1)
    rows = np.where((first <= last).all(1), last[:, 0] - first[:, 0] + 1, 0)
    winding = np.zeros(len(points), np.int64)
    pairs = 0
    for some in _pieces(rows, _BLOCK):
        # One span for every face and row of cells: its points lie side by side in `order`.
        face = np.repeat(some, rows[some])
        row = _counted(rows[some]) + first[face, 0]
        start = starts[row * side + first[face, 1]]
        count = starts[row * side + last[face, 1] + 1] - start
        pairs += int(count.sum())
        if pairs > most_pairs:
            raise InputError(f"{len(corners)} faces lie too often over each other")
        for spans in _pieces(count, _BLOCK):
            place = np.repeat(start[spans], count[spans]) + _counted(count[spans])
            point = order[place]
            crossing = _crossings(points[point], corners[np.repeat(face[spans], count[spans])])
            winding += np.bincount(point[crossing > 0], minlength=len(points))
            winding -= np.bincount(point[crossing < 0], minlength=len(points))
    return winding


def _cell(plane: Array, low: Array, width: Array, side: int) -> Array:
    found: Array = (plane - low) // width @ np.array([side, 1])
    return found


def _counted(counts: Array) -> Array:
    """0 .. n - 1 for each n of `counts`, one after the other."""
    ends = np.cumsum(counts)
    found: Array = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    return found


def _pieces(counts: Array, most: int) -> list[Array]:
    """Indices of the counts above 0, cut so that a piece adds up to `most` or holds one."""
    index = np.flatnonzero(counts)
    if not len(index):
        return []
    number = (np.cumsum(counts[index]) - 1) // most
    return np.split(index, np.flatnonzero(np.diff(number)) + 1)


def _crossings(p: Array, corners: Array) -> Array:
    """+1 or -1 where the ray from p (N, 3) towards +y leaves or enters through its face, else 0."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    # Edge functions in the (z, x) plane; a ray passes through a face where all agree in sign.
    ab, bc, ca = _edge(a, b, p), _edge(b, c, p), _edge(c, a, p)
    # Height of the face over the point, times the face's doubled area in the plane.
    height = sum(f * (v[:, 1] - p[:, 1]) for f, v in ((ab, c), (bc, a), (ca, b)))
    ab, bc, ca = _broken(ab, a, b), _broken(bc, b, c), _broken(ca, c, a)
    up = (ab > 0) & (bc > 0) & (ca > 0) & (height > 0)
    down = (ab < 0) & (bc < 0) & (ca < 0) & (height < 0)
    return up.astype(np.int8) - down.astype(np.int8)


def _edge(a: Array, b: Array, p: Array) -> Array:
    found: Array = (b[:, 2] - a[:, 2]) * (p[:, 0] - a[:, 0])
    found -= (b[:, 0] - a[:, 0]) * (p[:, 2] - a[:, 2])
    return found


def _broken(value: Array, a: Array, b: Array) -> Array:
    """Replaces 0 (the ray meets an edge) by +1 or -1, opposite for its two directions.

    So an edge belongs to exactly one of the two faces that share it.
    """
    forward = (b[:, 2] > a[:, 2]) | ((b[:, 2] == a[:, 2]) & (b[:, 0] > a[:, 0]))
    return np.where(value == 0, np.where(forward, 1, -1), value)
