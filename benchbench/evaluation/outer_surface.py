"""outer-surface-v1: the part of a mesh that can be reached from outside.

The mesh's box is laid into a grid of 256 cells a side, the longest edge 251 cells, and Kato's
voxeliser says which cells are outside: those that can be reached from the border without crossing a
marked cell. A piece of surface is outer if the cell of its centre, or one of the 26 around it, is
outside. What lies deeper, behind a wall, is interior. An opening wider than about a cell lets the
outside in, so that the inside of a cup is outer; walls thinner than about a cell (0.4 % of the
longest edge) keep both of their sides.

A triangle is looked at in equal pieces of edges of at most 4 cells (larger where that would be
more than two million pieces). Triangles whose pieces are all outer stay as they are, of others the
outer pieces stay. A mesh of which at most 1 % of the area is interior stays as it is, face for
face: as much may lie in creases that are narrower than a cell.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.types import Mesh
from benchbench.protocols.convert import tensor
from benchbench.protocols.surface import with_area
from benchbench.protocols.truth import Unscorable

CELLS = 256
INNER_CELLS = 251
PIECE = 4.0  # cells
MOST_PIECES = 2_000_000
SHARE = 0.01  # of the area; what is less is no interior surface

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Outer:
    """What is left of a mesh.

    Attributes:
        mesh: The outer surface.
        interior: Share of the area that is not outer, in [0, 1].
    """

    mesh: Mesh
    interior: float

    @property
    def has_interior(self) -> bool:
        """More than creases lies inside."""
        return self.interior > SHARE


def outer_surface(mesh: Mesh) -> Outer:
    """Keeps what can be reached from outside.

    Args:
        mesh: Finite, with faces in range.

    Raises:
        Unscorable: No triangle has an area, or nothing is outer.

    Example:
        >>> from benchbench.evaluation.selftest_case import box
        >>> outer = outer_surface(box((0, 0, 0), (1, 1, 1)))
        >>> len(outer.mesh.faces), outer.interior
        (12, 0.0)
    """
    faces, _ = with_area(mesh)
    triangles = mesh.vertices.astype(np.float64)[faces]
    low, high = triangles.min((0, 1)), triangles.max((0, 1))
    cells = (triangles - (low + high) / 2) * (INNER_CELLS / (high - low).max()) + CELLS / 2
    outside = _outside(cells)
    sides = _pieces_a_side(cells)
    # Of each triangle: how many of its pieces are outer. Only those cut in two are cut indeed.
    outer = np.zeros(len(faces), np.int64)
    for side in np.unique(sides):
        which = np.flatnonzero(sides == side)
        outer[which] = _is_outer(cells[which], side, outside).sum(1)
    whole = outer == sides**2
    areas = _areas(triangles)
    interior = float((areas * (1 - outer / sides**2)).sum() / areas.sum())
    if interior <= SHARE:
        return Outer(Mesh(mesh.vertices, faces), interior)
    kept, owner = [triangles[whole]], [np.flatnonzero(whole)]
    for side in np.unique(sides[~whole & (outer > 0)]):
        which = np.flatnonzero((sides == side) & ~whole & (outer > 0))
        chosen = _is_outer(cells[which], side, outside)
        kept.append(_pieces(triangles[which], side)[chosen])
        owner.append(np.repeat(which, chosen.sum(1)))
    order = np.argsort(np.concatenate(owner), kind="stable")
    corners = np.concatenate(kept)[order]
    if not len(corners):
        raise Unscorable("empty", "nothing of the mesh can be reached from outside")
    left = Mesh(
        corners.reshape(-1, 3).astype(np.float32),
        np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3),
    )
    return Outer(left, interior)


def _outside(cells: Array) -> Array:
    """(256^3,) bool: the cells that can be reached from the border."""
    from benchbench.cuda_ops import voxelize

    corners = tensor((cells.reshape(1, -1, 3) / CELLS).astype(np.float32), np.float32)
    faces = tensor(np.arange(3 * len(cells)).reshape(-1, 3), np.int32)
    inside: Array = voxelize(corners, faces, resolution=CELLS)[0].numpy()
    return ~inside.reshape(-1)


def _pieces_a_side(cells: Array) -> Array:
    """(F,) int64: in how many parts the edges of each triangle are cut."""
    longest = np.linalg.norm(cells - np.roll(cells, 1, axis=1), axis=2).max(1)
    piece = PIECE
    while True:
        sides = np.maximum(np.ceil(longest / piece), 1).astype(np.int64)
        if (sides**2).sum() <= max(MOST_PIECES, len(cells)):
            return sides
        piece *= 1.5


def _corners(side: int) -> Array:
    """(side^2, 3, 3) barycentric coordinates of the corners of the pieces of a triangle."""
    i, j = (axis.ravel() for axis in np.indices((side, side)))
    here = np.stack([i, j], 1)[i + j < side]
    both = here[here.sum(1) < side - 1]  # where a piece of the other way up fits as well
    upright = here[:, None] + np.array([[0, 0], [1, 0], [0, 1]])
    steps = np.concatenate([upright, both[:, None] + np.array([[1, 0], [1, 1], [0, 1]])]) / side
    return np.concatenate([1 - steps.sum(2, keepdims=True), steps], axis=2)


def _pieces(triangles: Array, side: int) -> Array:
    """(F, side^2, 3, 3) corners."""
    return np.einsum("pkb,fbx->fpkx", _corners(side), triangles)


def _is_outer(cells: Array, side: int, outside: Array) -> Array:
    """(F, side^2) bool: a cell that is outside, or next to one in any of 26 directions."""
    centres = np.einsum("pb,fbx->fpx", _corners(side).mean(1), cells)
    place = np.floor(centres).astype(np.int64) @ [CELLS**2, CELLS, 1]
    found = np.zeros(place.shape, np.bool_)
    left = np.arange(place.size)
    for step in itertools.product((0, -1, 1), repeat=3):  # the margin keeps all within the grid
        hit = outside[place.reshape(-1)[left] + np.dot(step, [CELLS**2, CELLS, 1])]
        found.reshape(-1)[left[hit]] = True
        left = left[~hit]
    return found


def _areas(triangles: Array) -> Array:
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return np.linalg.norm(cross, axis=1)
