"""Lamps: upright along y; jointed arms reach to +x."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.parts import (
    Raw,
    box,
    circle,
    cylinder,
    ellipsoid,
    loft,
    place,
    prism,
    revolve,
    ring,
    slab,
    tube,
    turned,
)

CONTINUOUS = {
    "height": (0.85, 1.4),
    "base": (0.1, 0.28),
    "base_height": (0.015, 0.08),
    "pole": (0.012, 0.035),
    "shade": (0.2, 0.36),
    "shade_height": (0.16, 0.42),
    "shade_taper": (0.35, 1.1),
    "shell": (0.006, 0.014),
    "reach": (0.25, 0.85),
    "elbow": (0.35, 0.75),
    "head_tilt": (-50.0, 30.0),
    "body_bulge": (1.5, 5.0),
    "spread": (0.25, 0.6),
}
CHOICES = {
    "kind": (
        "pole",
        "pole",
        "vase",
        "vase",
        "jointed",
        "arc",
        "pendant",
        "chandelier",
        "wall",
        "lantern",
    ),
    "shade_form": ("cone", "drum", "square", "globe", "bell", "panel"),
    "foot": ("disc", "square", "tripod", "ring"),
    "extra": ("none", "second light", "table"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """Standing kinds rise from y = 0; hanging ones end in a ceiling plate."""
    {
        "pole": _pole,
        "vase": _vase,
        "jointed": _jointed,
        "arc": _arc,
        "pendant": _pendant,
        "chandelier": _chandelier,
        "wall": _wall,
        "lantern": _lantern,
    }[c.kind](p, c, a)


def _shade(
    p: SimpleNamespace, c: SimpleNamespace, at: tuple[float, float, float], size: float = 1.0
) -> list[Raw]:
    """A shade hanging around `at`, with a cross of spokes that reaches its axis."""
    r, h, t = p.shade * size, p.shade_height * size, p.shell
    top = r * p.shade_taper
    sides = 16 if size > 0.6 else 10
    x, y, z = at
    spoke = 0.02
    if c.shade_form == "globe":
        return [ellipsoid(at, (r * 0.8, min(h, 1.6 * r) * 0.6, r * 0.8), 14, 9)]
    if c.shade_form == "panel":
        return [box((x - 0.011, y - h / 2, z - r), (x + 0.011, y + h / 2, z + r))]
    if c.shade_form == "square":
        walls = []
        low = [(r, r), (-r, r), (-r, -r), (r, -r)]
        for k in range(4):
            (x0, z0), (x1, z1) = low[k], low[(k + 1) % 4]
            q = top / r
            inner = 1 - t / r
            rings = []
            for (u0, w0), (u1, w1) in (
                ((x0, z0), (x1, z1)),
                ((x0 * inner, z0 * inner), (x1 * inner, z1 * inner)),
            ):
                rings.append(
                    [
                        (x + u0, y - h / 2, z + w0),
                        (x + u1, y - h / 2, z + w1),
                        (x + u1 * q, y + h / 2, z + w1 * q),
                        (x + u0 * q, y + h / 2, z + w0 * q),
                    ]
                )
            walls.append(loft(np.array(rings)))
        middle = (r + top) / 2
        return [*walls, slab(at, (2 * middle, spoke, spoke)), slab(at, (spoke, spoke, 2 * middle))]
    if c.shade_form == "drum":
        top = r
    profile = [(r, -h / 2), (r - t, -h / 2), (top - t, h / 2), (top, h / 2)]
    middle = (r + top) / 2 - t / 2
    shells = [ring(profile, at, sides)]
    if c.shade_form == "bell":
        bend = top * 0.75
        shells = [
            ring(
                [
                    (r * 1.1, -h / 2),
                    (r * 1.1 - t, -h / 2),
                    (bend - t, 0.0),
                    (0.5 * bend - t, h / 2),
                    (0.5 * bend, h / 2),
                    (bend, 0.0),
                ],
                at,
                sides,
            )
        ]
        middle = bend
    return [*shells, slab(at, (2 * middle, spoke, spoke)), slab(at, (spoke, spoke, 2 * middle))]


def _foot(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    r, t = p.base, p.base_height
    if c.foot == "disc":
        a.add("metal", revolve([(r, 0), (r, 0.5 * t), (0.5 * r, t), (0.3 * r, t)], sides=16))
    elif c.foot == "square":
        a.add("metal", slab((0, t / 2, 0), (2 * r, t, 2 * r)))
    elif c.foot == "tripod":
        for k in range(3):
            angle = 2 * np.pi * k / 3
            a.add(
                "wood",
                tube(
                    [(0, 0.4 * p.height, 0), (1.4 * r * np.cos(angle), 0, 1.4 * r * np.sin(angle))],
                    0.018,
                    6,
                ),
            )
        a.add("metal", cylinder((0, 0.36 * p.height, 0), (0, 0.42 * p.height, 0), 0.04, sides=8))
    else:
        a.add("metal", ring([(r, 0), (r - 0.04, 0), (r - 0.04, t), (r, t)], sides=16))
        a.add("metal", slab((0, t / 2, 0), (2 * r - 0.03, 0.03, 0.04)))


def _stand(p: SimpleNamespace, c: SimpleNamespace, a: Assembly, height: float) -> None:
    low = 0.38 * p.height if c.foot == "tripod" else 0.3 * p.base_height
    if c.foot == "ring":
        low = 0.5 * p.base_height
    a.add("metal", cylinder((0, low, 0), (0, height, 0), p.pole, sides=8))


def _pole(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    _foot(p, c, a)
    _stand(p, c, a, p.height)
    a.add("shade", _shade(p, c, (0, p.height, 0)))
    if c.extra == "table":
        a.add(
            "wood",
            cylinder(
                (0, 0.45 * p.height, 0),
                (0, 0.45 * p.height + 0.02, 0),
                0.2 + p.base * 0.3,
                sides=16,
            ),
        )
    elif c.extra == "second light":
        y = 0.5 * p.height
        a.add("metal", tube([(0, y - 0.1, 0), (0.6 * p.reach, y, 0)], 0.016, 6))
        a.add("shade", _shade(p, c, (0.6 * p.reach, y, 0), 0.45))


def _vase(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A turned body carries the shade."""
    h, r = 0.55 * p.height, p.base
    bulge = min(p.body_bulge * 0.05, 0.9 * r + 0.08)
    profile = [
        (0.8 * r, 0),
        (0.8 * r, 0.03),
        (0.3 * r, 0.1 * h),
        (bulge, p.elbow * h),
        (0.25 * r, 0.92 * h),
        (0.25 * r, h),
    ]
    a.add("stone", revolve(profile, sides=14))
    y = h + 0.3 * p.shade_height + 0.03
    a.add("metal", cylinder((0, 0.9 * h, 0), (0, y + 0.02, 0), 0.018, sides=8))
    a.add("shade", _shade(p, c, (0, y, 0)))


def _jointed(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A desk lamp: two arms and a tilted head."""
    _foot(p, c, a)
    low = 0.38 * p.height if c.foot == "tripod" else 0.5 * p.base_height
    elbow = (-0.35 * p.reach, low + p.elbow * 0.7 * p.height, 0)
    head = (0.75 * p.reach, elbow[1] + 0.3 * p.height * p.elbow, 0)
    a.add("metal", tube([(0, low, 0), elbow], p.pole, 8), tube([elbow, head], p.pole, 8))
    a.add(
        "metal", cylinder((elbow[0], elbow[1], -0.03), (elbow[0], elbow[1], 0.03), 0.035, sides=8)
    )
    r, h = 0.2 + 0.25 * p.shade, 0.14 + 0.2 * p.shade_height
    profile = [(r * 0.6, -h), (r * 0.6 - p.shell, -h), (0.04 - p.shell, 0.0), (0.04, 0.0)]
    cap = cylinder((head[0], head[1] - 0.08 * h, 0), (head[0], head[1] + 0.05, 0), 0.045, sides=8)
    hat = ring(profile, head, 14)
    for colour, part in (("metal", cap), ("shade", hat)):
        a.add(colour, turned(part, 2, -p.head_tilt, head))


def _arc(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A long bow over a heavy foot."""
    _foot(p, c, a)
    low = 0.4 * p.height if c.foot == "tripod" else 0.5 * p.base_height
    angle = np.linspace(0, np.radians(150), 8)
    rise = p.height - low
    path = [(p.reach * (1 - np.cos(t)) / 1.2, low + rise * np.sin(t), 0) for t in angle]
    a.add("metal", tube(path, p.pole, 6))
    end = path[-1]
    drop = (end[0], end[1] - 0.08, 0)
    a.add("metal", cylinder((end[0], end[1] + 0.01, 0), drop, 0.015, sides=6))
    a.add("shade", _shade(p, c, (end[0], end[1] - 0.08, 0), 0.7))


def _pendant(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """One to three shades under a ceiling plate."""
    top = p.height
    if c.extra == "none":
        spots = [0.0]
    else:
        spots = [-p.spread, p.spread] if c.extra == "table" else [-p.spread, 0.0, p.spread]
    wide = max(abs(s) for s in spots) + 0.08
    a.add("metal", box((-0.08, top - 0.03, -wide), (0.08, top, wide)))
    for k, z in enumerate(spots):
        y = 0.5 * p.shade_height + (0.25 * p.elbow * top if k == 1 else 0.0)
        a.add("dark", cylinder((0, y, z), (0, top - 0.01, z), 0.014, sides=6))
        a.add("shade", _shade(p, c, (0, y, z), 1.0 if len(spots) == 1 else 0.6))


def _chandelier(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """Arms with candles around a turned middle."""
    count = {"disc": 5, "square": 4, "tripod": 3, "ring": 6}[c.foot]
    top, r = 0.45 * p.height + 0.25, p.spread
    a.add(
        "metal",
        revolve([(0.03, -0.1), (0.07, -0.02), (0.03, 0.1), (0.016, 0.16), (0.016, top)], sides=10),
    )
    a.add("metal", revolve([(0.1, top - 0.03), (0.04, top)], sides=12))
    for k in range(count):
        angle = 2 * np.pi * (k + 0.25) / count
        u, v = np.cos(angle), np.sin(angle)
        path = [
            (0, 0.02, 0),
            (0.5 * r * u, -0.1 * p.elbow, 0.5 * r * v),
            (r * u, 0.05, r * v),
            (r * u, 0.14, r * v),
        ]
        a.add("metal", tube(path, 0.018, 6))
        at = (r * u, 0.14 + 0.25 * p.shade_height, r * v)
        a.add("metal", cylinder((at[0], 0.1, at[2]), (at[0], at[1], at[2]), 0.016, sides=6))
        a.add("shade", _shade(p, c, at, 0.4))


def _wall(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A plate at -x and a bracket that carries the shade forward."""
    h = 0.25 * p.height
    a.add("metal", box((-0.02, -h, -p.base * 0.5), (0.02, h, p.base * 0.5)))
    x = p.shade + 0.15 * p.reach + 0.06
    y = 0.3 * h
    spots = [0.0] if c.extra == "none" else [-0.6 * p.spread, 0.6 * p.spread]
    for z in spots:
        a.add(
            "metal",
            tube(
                [(0, -0.4 * h, 0), (0.7 * x, -0.6 * h, z), (x, y - 0.05, z), (x, y + 0.03, z)],
                0.018,
                6,
            ),
        )
        a.add("shade", _shade(p, c, (x, y, z), 1.0 if len(spots) == 1 else 0.6))


def _lantern(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """An open cage with a roof, on a post or with a handle."""
    post = 0.0 if c.extra == "none" else 0.8 * p.height
    sides = {"disc": 8, "square": 4, "tripod": 3, "ring": 6}[c.foot]
    r, h = p.base + 0.05, 0.25 + 0.35 * p.shade_height
    if post:
        a.add("metal", cylinder((0, 0, 0), (0, post + 0.02, 0), 0.02 + p.pole, sides=8))
        a.add("metal", revolve([(r * 0.8, 0), (r * 0.5, 0.06)], sides=12))
    flat = circle(r, r, sides, turn=0.5)
    a.add("metal", loft([place(flat, 1, post), place(flat, 1, post + 0.03)]))
    for x, z in flat * 0.88:
        a.add("metal", cylinder((x, post, z), (x, post + h, z), 0.017, sides=6))
    roof = [
        place(flat * 1.15, 1, post + h),
        place(flat * 1.15, 1, post + h + 0.02),
        place(flat * 0.2, 1, post + h + 0.16),
    ]
    a.add("dark", loft(roof))
    a.add("glass", ellipsoid((0, post + 0.1, 0), (0.4 * r, 0.11, 0.4 * r)))
    if not post:
        y = post + h + 0.12
        arch = [
            (0, y, 0.08),
            (0, y + 0.1, 0.1),
            (0, y + 0.18, 0),
            (0, y + 0.1, -0.1),
            (0, y, -0.08),
        ]
        a.add("metal", tube(arch, 0.016, 6))
        a.add(
            "dark",
            prism(
                [(-0.05, y - 0.08), (0.05, y - 0.08), (0.05, y + 0.02), (-0.05, y + 0.02)],
                2,
                -0.1,
                0.1,
            ),
        )
