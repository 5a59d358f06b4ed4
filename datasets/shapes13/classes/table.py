"""Tables: long along z; drawers open to +x."""

from __future__ import annotations

from types import SimpleNamespace

from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.parts import (
    bar,
    box,
    circle,
    frustum,
    loft,
    place,
    prism,
    revolve,
    slab,
)

CONTINUOUS = {
    "length": (0.7, 1.55),
    "width": (0.48, 0.88),
    "height": (0.36, 0.8),
    "top": (0.007, 0.022),
    "leg": (0.03, 0.08),
    "inset": (0.0, 0.25),
    "splay": (-0.05, 0.15),
    "shelf_height": (0.12, 0.6),
    "apron": (0.04, 0.12),
    "drawer_share": (0.22, 0.42),
    "foot": (0.45, 0.85),
    "screen": (0.15, 0.5),
}
CHOICES = {
    "top": ("rectangle", "rectangle", "rectangle", "round", "oval", "l shape", "hexagon"),
    "legs": ("posts", "tapered", "panels", "pedestal", "two columns", "x", "block"),
    "below": ("none", "none", "shelf", "stretchers"),
    "side": ("none", "drawers left", "drawers right", "apron"),
    "above": ("none", "none", "none", "screen", "rack"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A plate whose top is at `height`, then what carries it."""
    half, deep, y = p.length / 2, p.width / 2, p.height
    low = y - p.top
    squared = c.top in ("rectangle", "l shape")
    if c.top == "rectangle":
        a.add("wood", box((-deep, low, -half), (deep, y, half)))
    elif c.top == "l shape":
        x = deep + 0.4 + p.screen * 0.6
        z = -half + 0.4 * p.length
        a.add(
            "wood",
            prism(
                [(-deep, -half), (x, -half), (x, z), (deep, z), (deep, half), (-deep, half)],
                1,
                low,
                y,
            ),
        )
        a.add(
            "metal",
            bar((x - 0.05, 0, -half + 0.05), (x - 0.05, low + 0.5 * p.top, -half + 0.05), p.leg),
        )
        a.add("metal", bar((x - 0.05, 0, z - 0.05), (x - 0.05, low + 0.5 * p.top, z - 0.05), p.leg))
    else:
        sides = {"round": 20, "oval": 20, "hexagon": 6}[c.top]
        wide = half if c.top != "round" else (half + deep) / 2
        deep_r = deep if c.top != "round" else wide
        flat = circle(deep_r, wide, sides, 2.0 if c.top != "oval" else 2.6, 0.5)
        a.add("wood", loft([place(flat, 1, low), place(flat, 1, y)]))
        half, deep = wide * 0.72, deep_r * 0.72
    _legs(p, c, a, half, deep, low, squared)
    _side(p, c, a, half, deep, low)
    if c.above == "screen":
        a.add("accent", box((-deep, y - 0.01, -half), (-deep + 0.012, y + p.screen, half)))
    elif c.above == "rack":
        h = p.screen
        for z in (half - 0.03, -half + 0.03, 0.0):
            a.add("wood", box((-deep, y - 0.01, z - 0.011), (-deep + 0.22, y + h, z + 0.011)))
        a.add("wood", box((-deep, y + h - 0.022, -half), (-deep + 0.22, y + h, half)))


def _legs(
    p: SimpleNamespace,
    c: SimpleNamespace,
    a: Assembly,
    half: float,
    deep: float,
    low: float,
    squared: bool,
) -> None:
    w, up = p.leg, low + 0.5 * p.top
    x, z = deep - w, (half - w) * (1 - p.inset)
    shelf = p.shelf_height * p.height
    if c.legs in ("posts", "tapered"):
        for sx in (1, -1):
            for sz in (1, -1):
                foot = (sx * (x + p.splay * 0.5), 0.0, sz * (z + p.splay))
                head = (sx * x, up, sz * z)
                if c.legs == "posts":
                    a.add("wood", bar(foot, head, w))
                else:
                    a.add("wood", frustum(foot, (0.5 * w, 0.5 * w), head, (1.3 * w, 1.3 * w)))
    elif c.legs == "panels":
        for sz in (1, -1):
            a.add("wood", box((-x, 0, sz * z - 0.008), (x, up, sz * z + 0.008)))
    elif c.legs == "pedestal":
        r = p.foot * min(half, deep)
        profile = [
            (r, 0),
            (r, 0.02),
            (0.3 * r, 0.06),
            (0.6 * w + 0.01, 0.14),
            (0.6 * w + 0.01, 0.85 * low),
            (0.45 * r, up),
        ]
        a.add("metal", revolve(profile, sides=14))
    elif c.legs == "two columns":
        for sz in (1, -1):
            zz = sz * max(z, 0.1)
            a.add("wood", box((-0.35 * x, 0, zz - 0.02), (0.35 * x, up, zz + 0.02)))
            a.add("wood", box((-x, 0, zz - 0.03), (x, 0.045, zz + 0.03)))
            a.add("wood", box((-x * 0.9, low - 0.04, zz - 0.025), (x * 0.9, up, zz + 0.025)))
        a.add("wood", box((-0.02, 0.4 * low, -z), (0.02, 0.4 * low + 0.06, z)))
    elif c.legs == "x":
        for sz in (1, -1):
            a.add(
                "wood",
                bar((-x, 0, sz * z), (x, up, sz * z), w),
                bar((x, 0, sz * z), (-x, up, sz * z), w),
            )
        a.add("wood", bar((0, low / 2, -z), (0, low / 2, z), 0.75 * w))
    else:
        a.add("stone", box((-p.foot * x, 0, -p.foot * z), (p.foot * x, up, p.foot * z)))
    if c.below == "shelf" and c.legs in ("posts", "tapered", "panels", "two columns"):
        a.add("wood", slab((0, shelf, 0), (2 * x * 0.98, 0.012, 2 * z)))
        if c.legs == "tapered" or p.splay > 0.02:
            for sz in (1, -1):
                a.add(
                    "wood",
                    bar(
                        (-x - p.splay * 0.5, shelf, sz * z),
                        (x + p.splay * 0.5, shelf, sz * z),
                        0.03,
                        0.02,
                    ),
                )
                a.add(
                    "wood",
                    bar((sz * x, shelf, -z - p.splay), (sz * x, shelf, z + p.splay), 0.03, 0.02),
                )
    elif c.below == "stretchers" and c.legs in ("posts", "tapered"):
        k = 1 - shelf / up
        xs, zs = x + p.splay * 0.5 * k, z + p.splay * k
        for s in (1, -1):
            a.add("wood", bar((-xs, shelf, s * zs), (xs, shelf, s * zs), 0.032))
            a.add("wood", bar((s * xs, shelf, -zs), (s * xs, shelf, zs), 0.032))


def _side(
    p: SimpleNamespace, c: SimpleNamespace, a: Assembly, half: float, deep: float, low: float
) -> None:
    if c.side.startswith("drawers"):
        s = 1 if c.side.endswith("right") else -1
        inner, outer = s * (half * (1 - 2 * p.drawer_share)), s * half * 0.98
        bottom = max(0.05, low - 0.62 * p.height - p.apron)
        a.add("accent", box((-deep * 0.92, bottom, inner), (deep * 0.92, low + 0.5 * p.top, outer)))
        rows = max(1, round((low - bottom) / 0.2))
        for k in range(rows):
            y = bottom + (low - bottom) * (k + 0.5) / rows
            m = (inner + outer) / 2
            a.add(
                "metal",
                box((deep * 0.9, y - 0.012, m - 0.06), (deep * 0.92 + 0.03, y + 0.012, m + 0.06)),
            )
    elif c.side == "apron":
        t = 0.02
        x, z = (deep - p.leg) * 0.98, (half - p.leg) * (1 - p.inset)
        for s in (1, -1):
            a.add(
                "wood",
                box((s * x - t / 2, low - p.apron, -z), (s * x + t / 2, low + 0.4 * p.top, z)),
            )
            a.add(
                "wood",
                box((-x, low - p.apron, s * z - t / 2), (x, low + 0.4 * p.top, s * z + t / 2)),
            )
