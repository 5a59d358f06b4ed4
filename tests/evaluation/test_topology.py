"""Parts and open edges, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchbench.core.types import Mesh
from benchbench.evaluation.selftest_case import box, square
from benchbench.evaluation.topology import Topology, topology

CUBE = box((0, 0, 0), (1, 1, 1))


def together(*meshes: Mesh) -> Mesh:
    """Meshes in one, no corner shared."""
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    faces = [m.faces + n for m, n in zip(meshes, starts, strict=False)]
    return Mesh(np.concatenate([m.vertices for m in meshes]), np.concatenate(faces).astype("i4"))


def split(mesh: Mesh) -> Mesh:
    """Three corners of its own for every triangle, as at a texture's seams."""
    corners = mesh.vertices[mesh.faces].reshape(-1, 3)
    return Mesh(corners, np.arange(len(corners), dtype=np.int32).reshape(-1, 3))


@pytest.mark.parametrize(
    ("mesh", "parts", "open_edges"),
    [
        (CUBE, 1, 0),
        (split(CUBE), 1, 0),
        # A side is two triangles; without it four edges have one triangle, without both halves'
        # neighbour three.
        (Mesh(CUBE.vertices, CUBE.faces[2:]), 1, 4),
        (Mesh(CUBE.vertices, CUBE.faces[1:]), 1, 3),
        (together(CUBE, box((2, 0, 0), (3, 1, 1))), 2, 0),
        # Cubes that share an edge have four triangles there, and are one part.
        (split(together(CUBE, box((1, 1, 0), (2, 2, 1)))), 1, 0),
        (together(CUBE, square(2, 5.0), square(2, 6.0)), 3, 8),
        (Mesh(CUBE.vertices, np.concatenate([CUBE.faces, [[0, 0, 1], [3, 3, 3]]])), 1, 0),
        (Mesh(CUBE.vertices, np.array([[0, 0, 1]], np.int32)), 0, 0),
        (Mesh(CUBE.vertices, np.zeros((0, 3), np.int32)), 0, 0),
    ],
)
def test_by_hand(mesh: Mesh, parts: int, open_edges: int) -> None:
    assert topology(mesh) == Topology(parts, open_edges)


def test_zero_has_no_sign() -> None:
    """A square of two triangles, the diagonal's corners at 0 in one and at -0 in the other."""
    plus = square(0, 0.0, shift=0.5)
    corners = plus.vertices[plus.faces]
    corners[1][corners[1] == 0] = -0.0
    mesh = Mesh(corners.reshape(-1, 3), np.arange(6, dtype=np.int32).reshape(2, 3))
    assert topology(mesh) == Topology(1, 4)
