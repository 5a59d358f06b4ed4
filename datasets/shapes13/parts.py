"""Primitives the objects are made of: every one is a closed, outward-wound triangle mesh.

A primitive is a `Raw` pair (vertices (V, 3) float64, faces (F, 3) int64). All of them are lofts:
rings of the same number of points, joined by quads and closed by fans. Nothing here knows of
booleans; `assembly` puts primitives together.

Axes are those of the object frame: x to the front, y up, z to the object's right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Raw = tuple[np.ndarray, np.ndarray]
Vector = Sequence[float] | np.ndarray

# Part vertices are rounded to this step before any boolean, so that the last bit of a sine or a
# square root, which differs between mathematical libraries, cannot reach the result.
PART_STEP = 2.0**-18


def loft(rings: Sequence[np.ndarray] | np.ndarray, closed: bool = False) -> Raw:
    """Joins rings of points into a solid.

    Args:
        rings: (K, N, 3): K rings of N points each, in order. Rings at the two ends are closed by
            a fan, so they should be convex or star-shaped from their first point.
        closed: Joins the last ring to the first one (a torus) instead of closing the ends.

    Returns:
        The mesh, wound outward whatever the sense of the rings.

    Example:
        >>> square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
        >>> vertices, faces = loft([square, square + [0, 0, 1]])
        >>> vertices.shape, faces.shape
        ((8, 3), (12, 3))
    """
    points = np.asarray(rings, dtype=np.float64)
    k, n = points.shape[:2]
    index = np.arange(k * n).reshape(k, n)
    below = index if closed else index[:-1]
    above = np.roll(index, -1, axis=0) if closed else index[1:]
    a, b = below, np.roll(below, -1, axis=1)
    c, d = np.roll(above, -1, axis=1), above
    faces = [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    if not closed:
        fan = np.arange(1, n - 1)
        first, last = index[0], index[-1]
        faces.append(np.stack([np.full(n - 2, first[0]), first[fan + 1], first[fan]], -1))
        faces.append(np.stack([np.full(n - 2, last[0]), last[fan], last[fan + 1]], -1))
    return outward((points.reshape(-1, 3), np.concatenate(faces)))


def outward(raw: Raw) -> Raw:
    """The same mesh with positive volume."""
    vertices, faces = raw
    corners = vertices[faces]
    volume = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    return (vertices, faces[:, ::-1].copy()) if volume < 0 else raw


def box(low: Vector, high: Vector) -> Raw:
    """The axis-parallel box between two corners."""
    x0, y0, z0 = (min(a, b) for a, b in zip(low, high, strict=True))
    x1, y1, z1 = (max(a, b) for a, b in zip(low, high, strict=True))
    ring = [(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)]
    return loft([np.array(ring), np.array([(x, y1, z) for x, _, z in ring])])


def slab(centre: Vector, size: Vector) -> Raw:
    """The axis-parallel box with a centre and three side lengths."""
    c, half = np.asarray(centre, float), np.asarray(size, float) / 2
    return box(list(c - half), list(c + half))


def frustum(low: Vector, size_low: Vector, high: Vector, size_high: Vector) -> Raw:
    """A box that tapers upwards.

    Args:
        low, high: Centres (x, y, z) of the bottom and the top rectangle.
        size_low, size_high: Their sides along x and z.
    """
    rings = []
    for (x, y, z), (sx, sz) in ((low, size_low), (high, size_high)):
        hx, hz = sx / 2, sz / 2
        rings.append(
            [(x - hx, y, z - hz), (x + hx, y, z - hz), (x + hx, y, z + hz), (x - hx, y, z + hz)]
        )
    return loft(np.array(rings))


def circle(
    radius_a: float, radius_b: float, sides: int, power: float = 2.0, turn: float = 0.0
) -> np.ndarray:
    """(sides, 2) points of a superellipse; power 2 is an ellipse, larger is boxier."""
    angle = 2 * np.pi * (np.arange(sides) + turn) / sides
    c, s = np.cos(angle), np.sin(angle)
    # Cosines that should be 0 come out as 1e-17 and a root would blow them up.
    c, s = np.where(abs(c) < 1e-9, 0.0, c), np.where(abs(s) < 1e-9, 0.0, s)
    return np.stack(
        [
            radius_a * np.sign(c) * abs(c) ** (2 / power),
            radius_b * np.sign(s) * abs(s) ** (2 / power),
        ],
        -1,
    )


def place(
    flat: np.ndarray, axis: int, level: float, centre: Vector = (0.0, 0.0, 0.0)
) -> np.ndarray:
    """Puts 2-D points into the plane normal to `axis`, `level` along it."""
    out = np.empty((len(flat), 3))
    first, second = (i for i in range(3) if i != axis)
    out[:, first], out[:, second], out[:, axis] = flat[:, 0], flat[:, 1], level
    return out + np.asarray(centre, float)


def cylinder(
    start: Vector, end: Vector, radius: float, radius_end: float | None = None, sides: int = 12
) -> Raw:
    """A (tapered) cylinder between two points."""
    return tube([start, end], [radius, radius if radius_end is None else radius_end], sides)


def tube(path: Sequence[Vector], radius: float | Sequence[float], sides: int = 8) -> Raw:
    """A round bar along a polyline, mitred at its bends."""
    points = np.asarray(path, dtype=np.float64)
    radii = np.broadcast_to(np.asarray(radius, float), (len(points),))
    legs = np.diff(points, axis=0)
    legs /= np.linalg.norm(legs, axis=1, keepdims=True)
    tangents = np.concatenate([legs[:1], legs[:-1] + legs[1:], legs[-1:]])
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    helper = np.eye(3)[np.argmin(abs(tangents[0]))]
    side = np.cross(tangents[0], helper)
    rings = []
    for k, (point, tangent) in enumerate(zip(points, tangents, strict=True)):
        side = side - tangent * (side @ tangent)
        side /= np.linalg.norm(side)
        up = np.cross(tangent, side)
        # A mitred ring is longer in the plane of the bend; a mild bend does not show it.
        stretch = 1.0
        if 0 < k < len(points) - 1:
            stretch = min(1.5, 1 / max(0.5, float(tangent @ legs[k])))
        flat = circle(radii[k], radii[k], sides, turn=0.5) * stretch
        rings.append(point + flat[:, :1] * side + flat[:, 1:] * up)
    return loft(rings)


def bar(start: Vector, end: Vector, width: float, depth: float | None = None) -> Raw:
    """A square bar between two points: `width` is horizontal, `depth` across it."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    along = (b - a) / np.linalg.norm(b - a)
    helper = np.array([0.0, 1.0, 0.0]) if abs(along[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    side = np.cross(along, helper)
    side /= np.linalg.norm(side)
    up = np.cross(side, along)
    u, v = side * width / 2, up * (width if depth is None else depth) / 2
    ring = np.array([-u - v, u - v, u + v, -u + v])
    return loft([a + ring, b + ring])


def revolve(
    profile: Sequence[tuple[float, float]],
    centre: Vector = (0.0, 0.0, 0.0),
    sides: int = 16,
    axis: int = 1,
) -> Raw:
    """A turned solid.

    Args:
        profile: (radius, level) pairs along the axis; radii must be positive.
        centre: Point the levels are counted from.
        sides: Corners of each circle.
        axis: 0, 1 or 2, the axis of revolution.
    """
    return loft([place(circle(r, r, sides, turn=0.5), axis, h, centre) for r, h in profile])


def ring(
    profile: Sequence[tuple[float, float]],
    centre: Vector = (0.0, 0.0, 0.0),
    sides: int = 16,
    axis: int = 1,
) -> Raw:
    """A turned solid with a hole: `profile` is a closed convex polygon of (radius, level)."""
    flat = np.asarray(profile, float)
    rings = []
    for direction in circle(1.0, 1.0, sides, turn=0.5):
        points = np.empty((len(flat), 3))
        first, second = (i for i in range(3) if i != axis)
        points[:, first] = flat[:, 0] * direction[0]
        points[:, second] = flat[:, 0] * direction[1]
        points[:, axis] = flat[:, 1]
        rings.append(points + np.asarray(centre, float))
    return loft(rings, closed=True)


def ellipsoid(centre: Vector, radii: Vector, sides: int = 12, levels: int = 7) -> Raw:
    """An ellipsoid with its poles along y."""
    angle = np.pi * (np.arange(levels) + 0.35) / (levels - 0.3) - np.pi / 2
    c = np.asarray(centre, float)
    rings = [
        place(circle(radii[0] * np.cos(a), radii[2] * np.cos(a), sides), 1, radii[1] * np.sin(a), c)
        for a in angle
    ]
    return loft(rings)


def prism(
    outline: Sequence[tuple[float, float]], axis: int, low: float, high: float, inset: float = 1.0
) -> Raw:
    """A simple polygon (any shape without crossings) pulled along an axis.

    Args:
        outline: Corners in the two other axes, in ascending axis order.
        axis: 0, 1 or 2.
        low, high: Extent along the axis.
        inset: Scale of the `high` end's outline about its mean.
    """
    import manifold3d

    flat = np.asarray(outline, dtype=np.float64)
    area = np.roll(flat, -1, 0)
    if float(np.sum(flat[:, 0] * area[:, 1] - flat[:, 1] * area[:, 0])) < 0:
        flat = flat[::-1].copy()
    n = len(flat)
    cap = np.asarray(manifold3d.triangulate([flat]), dtype=np.int64)
    far = (flat - flat.mean(0)) * inset + flat.mean(0)
    points = np.concatenate([place(flat, axis, low), place(far, axis, high)])
    here = np.arange(n)
    there = np.roll(here, -1)
    faces = np.concatenate(
        [
            cap[:, ::-1],
            cap + n,
            np.stack([here, there, there + n], -1),
            np.stack([here, there + n, here + n], -1),
        ]
    )
    return outward((points, faces))


def blade(
    root: Vector, chord: float, tip: Vector, tip_chord: float, thickness: float, normal: int = 1
) -> Raw:
    """A thin flat surface such as a wing or a fin; chords run backwards (-x) from the two points.

    Args:
        root, tip: Leading-edge points.
        chord, tip_chord: Lengths along x.
        thickness: Greatest thickness at the root, along axis `normal`; 0.6 of it at the tip.
        normal: 1 for a wing, 2 for a fin.
    """
    rings = []
    for point, length, thick in ((root, chord, thickness), (tip, tip_chord, 0.6 * thickness)):
        start = np.asarray(point, float)
        back = np.array([-length, 0.0, 0.0])
        up = np.zeros(3)
        up[normal] = thick / 2
        rings.append([start, start + 0.35 * back + up, start + back, start + 0.35 * back - up])
    return loft(np.array(rings))


def moved(raw: Raw, by: Vector) -> Raw:
    """The same mesh, shifted."""
    return raw[0] + np.asarray(by, float), raw[1]


def scaled(raw: Raw, by: Vector) -> Raw:
    """The same mesh, stretched along the axes (negative values mirror)."""
    return outward((raw[0] * np.asarray(by, float), raw[1]))


def turned(raw: Raw, axis: int, degrees: float, about: Vector = (0.0, 0.0, 0.0)) -> Raw:
    """The same mesh, turned right-handed about an axis through `about`."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    centre = np.asarray(about, float)
    local = raw[0] - centre
    out = local.copy()
    out[:, first] = c * local[:, first] - s * local[:, second]
    out[:, second] = s * local[:, first] + c * local[:, second]
    return out + centre, raw[1]


def mirrored(raw: Raw) -> tuple[Raw, Raw]:
    """A part and its mirror image on the other side (z -> -z)."""
    return raw, scaled(raw, (1, 1, -1))
