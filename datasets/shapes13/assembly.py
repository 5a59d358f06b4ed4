"""Puts coloured parts together into one closed mesh of the outer surface."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchbench.core.errors import BenchError
from benchbench.datasets.shapes13.parts import PART_STEP, Raw

# Vertices of a finished object lie on this grid, and the identity hash covers them as integers.
VERTEX_STEP = 2.0**-16


@dataclass(frozen=True)
class Solid:
    """A finished object in the object frame.

    Attributes:
        vertices: (V, 3) float64, multiples of `VERTEX_STEP`, longest box side 1, centred.
        faces: (F, 3) int32, wound outward.
        colours: (F,) int16, index into `palette` of the part each face came from.
        palette: Names of the colours.
        genus: Number of handles over all connected pieces.
        pieces: Connected pieces of the surface.
    """

    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray
    palette: tuple[str, ...]
    genus: int
    pieces: int


class Assembly:
    """Collects parts in order; `cut` removes a shape from everything added before it.

    Example:
        >>> from benchbench.datasets.shapes13.parts import box
        >>> assembly = Assembly()
        >>> assembly.add("wood", box((0, 0, 0), (1, 1, 1)))
        >>> assembly.cut(box((0.2, 0.2, -1), (0.8, 0.8, 2)))
        >>> assembly.finish().genus
        1
    """

    def __init__(self) -> None:
        self.palette: list[str] = []
        self._pending: list[Any] = []
        self._colour_of: dict[int, int] = {}

    def add(self, colour: str, *raws: Raw | Iterable[Raw], minus: Iterable[Raw] = ()) -> None:
        """Adds parts of one colour, each less the shapes in `minus`."""
        if colour not in self.palette:
            self.palette.append(colour)
        holes = [self._solid(raw, colour) for raw in minus]
        for raw in _flatten(raws):
            part = self._solid(raw, colour)
            if holes:
                part = _boolean([part, *holes], "Subtract")
            self._pending.append(part)

    def both(self, colour: str, *raws: Raw | Iterable[Raw], minus: Iterable[Raw] = ()) -> None:
        """Adds parts and their mirror images (z -> -z)."""
        from benchbench.datasets.shapes13.parts import scaled

        minus = list(minus)
        parts = list(_flatten(raws))
        self.add(colour, *parts, minus=minus)
        flip = (1, 1, -1)
        self.add(colour, *(scaled(p, flip) for p in parts), minus=[scaled(m, flip) for m in minus])

    def cut(self, *raws: Raw | Iterable[Raw], colour: str | None = None) -> None:
        """Removes shapes from everything added so far; the new faces get `colour`."""
        colour = colour or self.palette[0]
        if colour not in self.palette:
            self.palette.append(colour)
        holes = [self._solid(raw, colour) for raw in _flatten(raws)]
        self._pending = [_boolean([_boolean(self._pending, "Add"), *holes], "Subtract")]

    def finish(self) -> Solid:
        """The union of everything, normalised and rounded.

        Raises:
            BenchError: The parts leave nothing, or their union is not closed.
        """
        return _finish(_boolean(self._pending, "Add"), self._colour_of, tuple(self.palette))

    def _solid(self, raw: Raw, colour: str) -> Any:
        import manifold3d

        vertices = np.rint(np.asarray(raw[0]) / PART_STEP) * PART_STEP
        solid = manifold3d.Manifold(
            manifold3d.Mesh64(
                np.ascontiguousarray(vertices, np.float64), np.ascontiguousarray(raw[1], np.uint64)
            )
        )
        if solid.status() != manifold3d.Error.NoError or solid.volume() <= 0:
            raise BenchError(
                f"A part of {len(raw[1])} faces is not a closed solid ({solid.status()}).",
                hint="report this with the object's id; it is a fault of shapes13",
            )
        solid = solid.as_original()
        self._colour_of[solid.original_id()] = self.palette.index(colour)
        return solid


def _flatten(raws: Iterable[Raw | Iterable[Raw]]) -> Iterable[Raw]:
    for raw in raws:
        if isinstance(raw, tuple) and len(raw) == 2 and isinstance(raw[0], np.ndarray):
            yield raw
        else:
            yield from _flatten(raw)  # type: ignore[arg-type]


def _boolean(solids: list[Any], kind: str) -> Any:
    import manifold3d

    if len(solids) == 1:
        return solids[0]
    return manifold3d.Manifold.batch_boolean(solids, getattr(manifold3d.OpType, kind))


def _finish(union: Any, colour_of: dict[int, int], palette: tuple[str, ...]) -> Solid:
    if union.is_empty():
        raise BenchError("The parts leave nothing.", hint="report this; a fault of shapes13")
    # An enclosed cavity is a piece of negative volume: it is no part of the outer surface.
    pieces = [piece for piece in union.decompose() if piece.volume() > 0]
    genus = sum(piece.genus() for piece in pieces)
    vertices, faces, colours = [], [], []
    offset = 0
    for piece in pieces:
        mesh = piece.to_mesh64()
        points = np.asarray(mesh.vert_properties)[:, :3]
        triangles = np.asarray(mesh.tri_verts).astype(np.int64)
        merged = np.arange(len(points))
        merged[np.asarray(mesh.merge_from_vert, np.int64)] = np.asarray(
            mesh.merge_to_vert, np.int64
        )
        origin = np.empty(len(triangles), np.int16)
        starts = np.asarray(mesh.run_index, np.int64) // 3
        for run, identity in enumerate(np.asarray(mesh.run_original_id)):
            origin[starts[run] : starts[run + 1]] = colour_of[int(identity)]
        vertices.append(points)
        faces.append(merged[triangles] + offset)
        colours.append(origin)
        offset += len(points)
    points = normalise(np.concatenate(vertices))
    return canonical(
        points, np.concatenate(faces), np.concatenate(colours), palette, genus, len(pieces)
    )


def normalise(points: np.ndarray) -> np.ndarray:
    """Centres points, makes the longest box side 1 and rounds to multiples of `VERTEX_STEP`."""
    low, high = points.min(0), points.max(0)
    unit = (points - (low + high) / 2) / (high - low).max()
    return np.clip(np.rint(unit / VERTEX_STEP), -(2**15), 2**15) * VERTEX_STEP


def canonical(
    points: np.ndarray,
    faces: np.ndarray,
    colours: np.ndarray,
    palette: tuple[str, ...],
    genus: int,
    pieces: int,
) -> Solid:
    """Sorted vertices and faces, so that the order the library gives them in has no effect."""
    points, inverse = np.unique(points + 0.0, axis=0, return_inverse=True)
    faces = inverse.reshape(-1)[faces]
    keep = (
        (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    )
    faces, colours = faces[keep], colours[keep]
    first = faces.argmin(1)
    faces = np.take_along_axis(faces, (first[:, None] + np.arange(3)) % 3, 1)
    order = np.lexsort((colours, faces[:, 2], faces[:, 1], faces[:, 0]))
    faces, colours = faces[order], colours[order]
    used = np.unique(faces)
    table = np.zeros(len(points), np.int64)
    table[used] = np.arange(len(used))
    if not balanced(faces):
        raise BenchError("A union of parts is not closed.", hint="a fault of shapes13; report it")
    return Solid(points[used], table[faces].astype(np.int32), colours, palette, genus, pieces)


def balanced(faces: np.ndarray) -> bool:
    """Whether every directed edge has as many twins in the other direction (a closed mesh)."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    size = int(edges.max()) + 1
    forward = np.sort(edges[:, 0] * size + edges[:, 1])
    backward = np.sort(edges[:, 1] * size + edges[:, 0])
    return bool(np.array_equal(forward, backward))
