"""Ships and boats: bow to +x."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.parts import (
    Raw,
    bar,
    blade,
    box,
    circle,
    cylinder,
    ellipsoid,
    loft,
    place,
    prism,
    slab,
    tube,
)

CONTINUOUS = {
    "beam": (0.13, 0.4),
    "hull": (0.06, 0.17),
    "bow": (0.12, 0.42),
    "bow_rise": (0.0, 0.1),
    "stern": (0.5, 1.0),
    "keel": (0.25, 0.85),
    "house_x": (-0.36, 0.16),
    "house": (0.12, 0.34),
    "house_height": (0.06, 0.24),
    "mast": (0.4, 1.15),
    "mast_x": (-0.05, 0.2),
    "boom": (0.25, 0.46),
    "load": (0.03, 0.14),
    "funnel": (0.05, 0.16),
    "gap": (0.2, 0.5),
}
CHOICES = {
    "kind": (
        "sail",
        "cargo",
        "ferry",
        "motor",
        "rowing",
        "catamaran",
        "submarine",
        "warship",
        "junk",
    ),
    "top": ("none", "mast", "funnel", "crane"),
    "house": ("aft", "middle", "two decks"),
    "extra": ("none", "awning", "outriggers", "boats"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """Length 1 along x, the deck at y = 0."""
    {
        "sail": _sail,
        "cargo": _cargo,
        "ferry": _ferry,
        "motor": _motor,
        "rowing": _rowing,
        "catamaran": _catamaran,
        "submarine": _submarine,
        "warship": _warship,
        "junk": _junk,
    }[c.kind](p, c, a)
    if c.extra == "awning" and c.kind in ("cargo", "motor", "junk", "catamaran", "warship"):
        x, half, y = -0.4, 0.3 * p.beam, 0.07 + 0.4 * p.load
        for dx in (-0.06, 0.1):
            for z in (half * 0.6, -half * 0.6):
                a.add("metal", cylinder((x + dx, -0.035, z), (x + dx, y, z), 0.012, sides=6))
        a.add("sail", box((x - 0.09, y - 0.004, -half), (x + 0.13, y + 0.004, half)))
    elif c.extra == "boats" and c.kind in ("cargo", "ferry", "warship", "junk"):
        for x in (-0.2, 0.05):
            z, y = 0.52 * p.beam + 0.02, 0.05
            a.both("accent", ellipsoid((x, y, z), (0.08, 0.028, 0.03), 8, 5))
            a.add("metal", bar((x, y, -z), (x, y, z), 0.016))
            a.add("metal", bar((x, -0.04, 0), (x, y, 0), 0.02))
    if c.extra == "outriggers" and c.kind in ("sail", "rowing", "motor", "junk"):
        z = p.beam / 2 + 0.12 + 0.4 * p.gap
        rings = [(0.34, 0.008), (0.2, 0.025), (-0.2, 0.025), (-0.34, 0.008)]
        hull = loft([place(circle(r, r, 8), 0, x, (0, -0.6 * p.hull, z)) for x, r in rings])
        a.both("accent", hull)
        for x in (0.13, -0.15):
            points = [(x, -0.012, -0.0), (x, 0.0, z * 0.6), (x, -0.6 * p.hull, z)]
            a.both("wood", tube(points, 0.014, 6))


def _hull(p: SimpleNamespace, beam: float, deep: float, rise: float, thin: float = 1.0) -> Raw:
    """Cross sections from stern to bow: flat deck, V or U bottom."""
    rings = []
    stations = [
        (-0.5, p.stern),
        (-0.25, 1.0),
        (0.5 - p.bow, 1.0),
        (0.5 - 0.45 * p.bow, 0.68),
        (0.5, 0.03),
    ]
    for x, s in stations:
        t = max(0.0, (x - 0.1) / 0.4)
        deck = rise * t * t
        half, bottom = (
            beam / 2 * s * thin,
            -deep * (0.9 if x < -0.4 else (0.55 if x > 0.45 else 1.0)),
        )
        keel = half * p.keel
        rings.append(
            [
                (x, deck, -half),
                (x, 0.45 * bottom, -half * 0.96),
                (x, bottom, -keel),
                (x, bottom, keel),
                (x, 0.45 * bottom, half * 0.96),
                (x, deck, half),
            ]
        )
    return loft(np.array(rings))


def _deck(p: SimpleNamespace, x: float, rise: float) -> float:
    """Height of the deck edge at a station."""
    t = max(0.0, (x - 0.1) / 0.4)
    return rise * t * t


def _half_at(p: SimpleNamespace, x: float, beam: float) -> float:
    """Half the width of the deck at a station."""
    xs = [-0.5, -0.25, 0.5 - p.bow, 0.5 - 0.45 * p.bow, 0.5]
    return beam / 2 * float(np.interp(x, xs, [p.stern, 1.0, 1.0, 0.68, 0.03]))


def _hollow(p: SimpleNamespace, beam: float, deep: float, rise: float, wall: float) -> Raw:
    """What to cut from a hull for an open boat."""
    vertices, faces = _hull(p, beam - 2 * wall, deep, rise)
    vertices = vertices * [0.94, 1.0, 1.0]
    low = vertices[:, 1].min()
    vertices[:, 1] += wall * 0.7
    top = vertices[:, 1] > low * 0.3
    vertices[top, 1] = np.maximum(vertices[top, 1] + 0.02, 0.02) + rise
    return vertices, faces


def _mast(p: SimpleNamespace, a: Assembly, x: float, height: float, radius: float = 0.016) -> None:
    a.add("wood", cylinder((x, -0.4 * p.hull, 0), (x, height, 0), radius, 0.7 * radius, 6))


def _sail(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A yacht: mast, main sail, fore sail, keel fin."""
    a.add("body", _hull(p, p.beam * 0.8, 0.8 * p.hull, p.bow_rise))
    x, top = p.mast_x, p.mast
    _mast(p, a, x, top)
    thin = 0.006
    swing = 0.5 * p.gap * p.boom
    main = [(x, 0.08, 0), (x - p.boom, 0.08, swing), (x - 0.01, 0.97 * top, 0)]
    a.add("sail", _sheet(main, thin))
    a.add("wood", bar((x, 0.08, 0), (x - p.boom, 0.08, swing), 0.018))
    if c.house != "aft":
        fore = [(0.47, p.bow_rise + 0.0, 0), (x + 0.02, 0.1, swing * 0.7), (x, 0.85 * top, 0)]
        a.add("sail", _sheet(fore, thin))
    fin = blade(
        (0.08, -0.5 * p.hull, 0), 0.22, (0.0, -0.8 * p.hull - 0.7 * p.house, 0), 0.14, 0.018, 2
    )
    a.add("dark", fin)
    a.add("dark", blade((-0.36, -0.3 * p.hull, 0), 0.1, (-0.4, -p.hull - 0.08, 0), 0.08, 0.016, 2))
    if c.house == "two decks":
        a.add("light", slab((-0.05, 0.02, 0), (0.3, 0.07, p.beam * 0.4)))


def _sheet(corners: list[tuple[float, float, float]], thickness: float) -> Raw:
    """A triangle with a thickness."""
    points = np.asarray(corners, float)
    normal = np.cross(points[1] - points[0], points[2] - points[0])
    normal *= thickness / np.linalg.norm(normal)
    return loft([points - normal, points + normal])


def _cargo(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A freighter: containers or holds, bridge at one end."""
    b, deep = 0.75 * p.beam, p.hull
    a.add("body", _hull(p, b, deep, p.bow_rise))
    x = -0.38 if c.house != "middle" else -0.02
    a.add("light", box((x - 0.06, -0.02, -0.42 * b), (x + 0.06, 0.08 + p.house_height, 0.42 * b)))
    a.add(
        "light",
        box(
            (x - 0.03, p.house_height + 0.03, -0.55 * b), (x + 0.05, p.house_height + 0.1, 0.55 * b)
        ),
    )
    spots = [s for s in np.linspace(-0.26, 0.26, 5) if abs(s - x) > 0.13]
    for k, s in enumerate(spots):
        if c.top == "none":
            high = p.load * (1.4, 0.6, 1.1, 0.35, 0.9)[k % 5] + 0.02
            a.add(
                ("accent", "dark", "wood")[k % 3],
                box((s - 0.055, -0.01, -0.42 * b), (s + 0.055, high, 0.42 * b)),
            )
        elif c.top == "crane":
            if k % 2 == 0:
                a.add("metal", cylinder((s, -0.02, 0), (s, 0.1 + 0.9 * p.load, 0), 0.018, sides=6))
                a.add("metal", bar((s, 0.06, 0), (s + 0.16, 0.16 + p.load, 0.3 * b), 0.022))
            else:
                a.add("accent", box((s - 0.05, -0.02, -0.3 * b), (s + 0.05, 0.025, 0.3 * b)))
        else:
            a.cut(
                box(
                    (s - 0.05, -0.7 * deep, -0.36 * b * p.keel), (s + 0.05, 0.5, 0.36 * b * p.keel)
                ),
                colour="dark",
            )
    if c.top in ("mast", "funnel"):
        a.add(
            "dark",
            cylinder(
                (x - 0.02, p.house_height, 0),
                (x - 0.02, p.house_height + 0.1 + p.funnel, 0),
                0.03 if c.top == "funnel" else 0.013,
                sides=8,
            ),
        )
    if c.house == "two decks":
        a.add("light", box((0.3, -0.02, -0.3 * b), (0.36, 0.5 * p.house_height, 0.3 * b)))


def _ferry(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A liner: stepped decks on posts and funnels."""
    b = 0.8 * p.beam
    a.add("body", _hull(p, b, 0.8 * p.hull, p.bow_rise))
    y, x0, x1 = -0.01, -0.46, 0.5 - 0.9 * p.bow
    decks = {"aft": 1, "middle": 2, "two decks": 3}[c.house]
    step = 0.05 + 0.3 * p.house_height
    for _ in range(decks):
        a.add("light", box((x0 + 0.04, y - 0.01, -0.3 * b), (x1 - 0.03, y + step, 0.3 * b)))
        a.add("light", box((x0, y + step - 0.012, -0.48 * b), (x1, y + step + 0.002, 0.48 * b)))
        for x in np.linspace(x0 + 0.02, x1 - 0.02, 4):
            for z in (0.45 * b, -0.45 * b):
                a.add(
                    "metal", box((x - 0.009, y - 0.02, z - 0.009), (x + 0.009, y + step, z + 0.009))
                )
        y, x0, x1 = y + step, x0 + 0.07, x1 - 0.1
    for k in range({"none": 0, "mast": 1, "funnel": 2, "crane": 3}[c.top]):
        x = (x0 + x1) / 2 + 0.14 * (k - 1)
        a.add("dark", cylinder((x, y - 0.02, 0), (x - 0.03, y + p.funnel, 0), 0.032, sides=10))


def _motor(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A motor boat: open cockpit, screen, cabin or canopy."""
    b = p.beam * 1.15
    a.add("body", _hull(p, b, 1.15 * p.hull, 1.3 * p.bow_rise))
    x0 = -0.44
    x1 = x0 + 0.25 + p.house
    a.cut(box((x0, -0.75 * p.hull, -0.36 * b), (x1, 0.5, 0.36 * b)), colour="light")
    top = 0.06 + p.house_height
    if c.house == "aft":
        for z in (0.4 * b, -0.4 * b):
            for x in (x0 + 0.05, x1 - 0.02):
                a.add("metal", cylinder((x, -0.03, z), (x, top, z * 0.9), 0.013, sides=6))
        a.add("sail", box((x0, top - 0.01, -0.42 * b), (x1 + 0.02, top + 0.004, 0.42 * b)))
    elif c.house == "middle":
        cabin = [(x1 - 0.02, -0.02), (x1 + 0.24, -0.02), (x1 + 0.12, top * 0.8), (x1 - 0.02, top)]
        a.add("glass", prism(cabin, 2, -0.36 * b, 0.36 * b))
    else:
        screen = [
            (x1 - 0.01, -0.02),
            (x1 + 0.02, -0.02),
            (x1 - 0.06, top * 0.8),
            (x1 - 0.08, top * 0.8),
        ]
        a.add("glass", prism(screen, 2, -0.4 * b, 0.4 * b))
        a.add("accent", slab((x1 - 0.18, -0.4 * p.hull, 0), (0.08, 0.6 * p.hull + 0.04, 0.6 * b)))
    if c.top in ("mast", "crane"):
        a.add("dark", slab((-0.52, -0.02, 0), (0.07, 0.16, 0.09)))
        a.add("dark", box((-0.54, -1.3 * p.hull - 0.03, -0.015), (-0.5, 0, 0.015)))


def _rowing(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """An open boat with thwarts and oars."""
    b = p.beam * 0.95
    a.add("wood", _hull(p, b, p.hull, p.bow_rise))
    a.cut(_hollow(p, b, p.hull, p.bow_rise, 0.016), colour="light")
    for x in (-0.3, -0.05, 0.18)[: 2 + (c.house != "aft")]:
        a.add(
            "wood",
            slab(
                (x, -0.028, 0), (0.07, 0.014, 1.94 * _half_at(p, abs(x) + 0.035 if x > 0 else x, b))
            ),
        )
    if c.top != "none":
        reach = 0.5 * b + 0.1 + 0.5 * p.boom
        for side in (1, -1):
            a.add(
                "wood", tube([(-0.1, 0.05, side * 0.22 * b), (-0.22, -0.1, side * reach)], 0.013, 6)
            )
            a.add(
                "wood",
                tube([(-0.12, -0.03, side * 0.3 * b), (-0.12, 0.045, side * 0.3 * b)], 0.016, 6),
            )
            a.add("wood", slab((-0.22, -0.1, side * reach), (0.06, 0.014, 0.12)))
            a.add(
                "wood", box((-0.14, -0.035, 0), (-0.1, -0.015, side * 0.97 * _half_at(p, -0.12, b)))
            )
    if c.top in ("crane", "mast"):
        _mast(p, a, 0.18 if c.house != "aft" else -0.05, 0.8 * p.mast)
        x = 0.18 if c.house != "aft" else -0.05
        a.add(
            "sail",
            _sheet([(x, 0.1, 0), (x - 0.9 * p.boom, 0.14, 0.1), (x, 0.75 * p.mast, 0)], 0.006),
        )


def _catamaran(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """Two hulls, a deck between, perhaps a mast or a cabin."""
    z = 0.5 * p.gap * 0.75 + 0.02
    slim = 0.35 * p.beam
    vertices, faces = _hull(p, slim, 0.9 * p.hull, p.bow_rise)
    a.add("body", (vertices + [0, 0, z], faces), (vertices - [0, 0, z], faces))
    x0, x1 = -0.42, 0.12 + 0.3 * p.house
    a.add("light", box((x0, -0.03, -z), (x1, -0.012, z)))
    a.add("metal", bar((0.3, -0.02, -z), (0.3, -0.02, z), 0.025))
    if c.house != "aft":
        cabin = [(-0.3, -0.02), (0.1, -0.02), (0.0, p.house_height), (-0.26, p.house_height)]
        a.add("glass", prism(cabin, 2, -0.75 * z, 0.75 * z))
    if c.top in ("mast", "crane", "none"):
        x, top = p.mast_x - 0.06, p.mast
        _mast(p, a, x, top)
        a.add(
            "sail",
            _sheet([(x, 0.14, 0), (x - 0.8 * p.boom, 0.14, 0.4 * z), (x, 0.96 * top, 0)], 0.006),
        )
        if c.house == "two decks":
            a.add(
                "sail",
                _sheet([(0.3, -0.01, 0), (x + 0.02, 0.14, 0.2 * z), (x, 0.8 * top, 0)], 0.006),
            )


def _submarine(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    r = 0.3 * p.beam + 0.02
    nose = 0.4 * p.bow
    stations = [
        (-0.5, 0.12),
        (-0.5 + 0.8 * p.gap * 0.6, 0.9),
        (-0.05, 1.0),
        (0.5 - nose, 0.95),
        (0.5 - 0.3 * nose, 0.62),
        (0.5, 0.15),
    ]
    a.add("dark", loft([place(circle(r * s, r * s, 12), 0, x) for x, s in stations]))
    x = 0.4 * p.house_x + 0.12
    tower = [
        (x - 0.4 * p.house, 0),
        (x + 0.3 * p.house, 0),
        (x + 0.25 * p.house, r + 0.6 * p.house_height),
        (x - 0.3 * p.house, r + 0.6 * p.house_height),
    ]
    a.add("dark", prism(tower, 2, -0.28 * r - 0.008, 0.28 * r + 0.008))
    fins = blade((-0.36, 0, 0), 0.1, (-0.42, 0, r + 0.06 + 0.1 * p.keel), 0.07, 0.02)
    a.both("dark", fins)
    for up in (1, -1):
        a.add("dark", blade((-0.37, 0, 0), 0.1, (-0.43, up * (r + 0.07), 0), 0.06, 0.02, 2))
    if c.house != "aft":
        level = r + 0.3 * p.house_height if c.house == "middle" else 0.3 * r
        front = x if c.house == "middle" else 0.36
        wide = 0.1 + (r if c.house == "two decks" else 0)
        a.both("metal", blade((front + 0.04, level, 0), 0.08, (front, level, wide), 0.06, 0.018))
    if c.top != "none":
        for k, s in enumerate((-0.1, 0.1)):
            high = r + 0.6 * p.house_height + p.funnel * (1.0 - 0.4 * k)
            a.add(
                "metal",
                cylinder((x + s * p.house, r, 0), (x + s * p.house, high, 0), 0.012, sides=6),
            )


def _warship(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    b = 0.55 * p.beam + 0.02
    a.add("metal", _hull(p, b, 0.7 * p.hull, p.bow_rise))
    if c.house == "two decks":  # a carrier
        deck = [
            (-0.5, -0.9 * b),
            (0.42, -0.7 * b),
            (0.5, -0.2 * b),
            (0.5, 0.5 * b),
            (-0.5, 0.7 * b),
        ]
        a.add("dark", prism(deck, 1, -0.005 + 0.8 * p.bow_rise, 0.012 + 0.8 * p.bow_rise))
        a.add("metal", box((-0.4, -0.02, -0.35 * b), (0.32, 0.8 * p.bow_rise, 0.35 * b)))
        x, y = p.house_x * 0.5, 0.8 * p.bow_rise
        a.add("metal", box((x - 0.09, y, 0.4 * b), (x + 0.07, y + 0.5 * p.house_height, 0.65 * b)))
        a.add(
            "metal",
            cylinder(
                (x, y + 0.02, 0.52 * b),
                (x, y + 0.6 * p.house_height + p.funnel, 0.52 * b),
                0.014,
                sides=6,
            ),
        )
        return
    x = p.house_x * 0.35
    tower = [
        (x - 0.16, -0.02),
        (x + 0.12, -0.02),
        (x + 0.06, 0.05 + 0.5 * p.house_height),
        (x - 0.1, 0.05 + 0.5 * p.house_height),
    ]
    a.add("metal", prism(tower, 2, -0.32 * b, 0.32 * b))
    top = 0.05 + 0.5 * p.house_height
    a.add("metal", cylinder((x, top - 0.03, 0), (x, top + 0.12 + p.funnel, 0), 0.014, sides=6))
    a.add(
        "metal",
        bar(
            (x, top + 0.06 + 0.5 * p.funnel, -0.3 * b - 0.03),
            (x, top + 0.06 + 0.5 * p.funnel, 0.3 * b + 0.03),
            0.02,
        ),
    )
    guns = [(0.26, 0.16, 1), (-0.3, 0.14, -1)] if c.house == "middle" else [(0.3, 0.12, 1)]
    for gx, length, sign in guns:
        y = _deck(p, gx - 0.03, p.bow_rise)
        a.add("metal", slab((gx, y + 0.02, 0), (0.09, 0.07, 0.4 * b)))
        for z in (0.08 * b, -0.08 * b):
            a.add(
                "metal",
                cylinder((gx, y + 0.03, z), (gx + sign * length, y + 0.07, z), 0.012, sides=6),
            )
    if c.top == "funnel":
        a.add("dark", slab((x - 0.22, 0.05, 0), (0.07, 0.14 + p.funnel, 0.25 * b)))
    elif c.top == "crane":
        a.add("dark", slab((-0.42, 0.0, 0), (0.14, 0.016, 1.15 * b)))


def _junk(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A square-rigger: two or three masts with yards and square sails, raised stern."""
    b = 0.75 * p.beam
    a.add("wood", _hull(p, b, 1.2 * p.hull, p.bow_rise + 0.03))
    a.add("wood", _after_castle(p, b))
    a.add("wood", tube([(0.42, 0.02, 0), (0.62, 0.08 + p.bow_rise, 0)], 0.014, 6))
    spots = [(0.22, 0.75), (-0.12, 1.0), (-0.36, 0.65)][: 3 if c.house != "aft" else 2]
    for x, s in spots:
        top = 0.15 + 0.7 * p.mast * s
        _mast(p, a, x, top, 0.015)
        rows = 2 if c.top in ("mast", "crane") else 1
        for k in range(rows):
            y0 = 0.08 + (top - 0.1) * k / rows
            y1 = 0.08 + (top - 0.1) * (k + 0.85) / rows
            w0 = (0.1 + 0.45 * p.boom) * s
            w1 = w0 * (0.75 if rows == 1 else 0.9 - 0.2 * k)
            belly = 0.05
            rings = []
            for t in (0.0, 0.5, 1.0):
                y, w, x_t = (
                    y0 + (y1 - y0) * t,
                    w0 + (w1 - w0) * t,
                    x + 0.01 + belly * 4 * t * (1 - t),
                )
                rings.append(
                    [
                        (x_t - 0.006, y, -w),
                        (x_t + 0.006, y, -w),
                        (x_t + 0.006, y, w),
                        (x_t - 0.006, y, w),
                    ]
                )
            a.add("sail", loft(np.array(rings)))
            a.add("wood", bar((x + 0.008, y1, -w1), (x + 0.008, y1, w1), 0.02))
            a.add("wood", bar((x + 0.008, y0, -w0), (x + 0.008, y0, w0), 0.02))


def _after_castle(p: SimpleNamespace, beam: float) -> Raw:
    """The raised after-castle."""
    half = beam / 2 * p.stern
    high = 0.03 + 0.4 * p.house_height
    return prism(
        [(-0.5, -0.03), (-0.25, -0.03), (-0.27, high), (-0.54, high * 1.2)],
        2,
        -half * 0.95,
        half * 0.95,
    )
