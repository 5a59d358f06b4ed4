"""How a mesh hangs together: its parts and its open edges.

Corners at exactly the same place are one, because files split them where a texture has a seam.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Topology:
    """What was counted.

    Attributes:
        parts: Pieces that share no corner.
        open_edges: Edges of an odd number of triangles; a surface without any has an inside.
    """

    parts: int
    open_edges: int


def topology(mesh: Mesh) -> Topology:
    """Counts parts and open edges; triangles of which two corners are one do not count.

    Args:
        mesh: Finite, faces within range.

    Example:
        >>> from benchbench.evaluation.selftest_case import box, square
        >>> topology(box((0, 0, 0), (1, 1, 1))), topology(square(2, 0.0))
        (Topology(parts=1, open_edges=0), Topology(parts=1, open_edges=4))
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    faces = _places(mesh.vertices)[mesh.faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    if not len(faces):
        return Topology(0, 0)
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    count = int(faces.max()) + 1
    _, uses = np.unique(edges[:, 0] * count + edges[:, 1], return_counts=True)
    links = coo_matrix((np.ones(len(edges), np.bool_), tuple(edges.T)), shape=(count, count))
    _, part = connected_components(links, directed=False)
    return Topology(len(np.unique(part[faces[:, 0]])), int(np.count_nonzero(uses % 2)))


def _places(vertices: Array) -> Array:
    """(V,) int64: the same number for corners at the same place."""
    points = vertices.astype(np.float64) + 0.0  # -0 and 0 are one place
    order = np.lexsort(points.T)
    new = (np.diff(points[order], axis=0) != 0).any(1)
    numbers = np.empty(len(points), np.int64)
    numbers[order] = np.concatenate([[0], np.cumsum(new)])
    return numbers
