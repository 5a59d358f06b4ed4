"""Benches: long along z, sitter looks to +x."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.parts import bar, box, prism, slab, tube

CONTINUOUS = {
    "length": (1.0, 1.75),
    "depth": (0.32, 0.62),
    "height": (0.32, 0.52),
    "plate": (0.008, 0.024),
    "back_height": (0.28, 0.58),
    "lean": (0.0, 0.15),
    "leg_width": (0.03, 0.075),
    "leg_inset": (0.02, 0.3),
    "splay": (-0.08, 0.12),
    "arm_height": (0.13, 0.26),
    "slat_share": (0.45, 0.75),
    "low_bar": (0.15, 0.5),
}
CHOICES = {
    "seat": ("plate", "slats along", "slats across", "curved"),
    "back": ("none", "none", "plate", "rails", "slats", "frame"),
    "legs": ("posts", "panels", "x", "loop", "block"),
    "arms": ("none", "none", "both", "left"),
    "extra": ("none", "none", "bar", "shelf", "table"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """Seat at its height over y = 0, then legs, back, arms and what lies below."""
    half, deep, top = p.length / 2, p.depth / 2, p.height
    _seat(p, c, a, half, deep, top)
    _legs(p, c, a, half, deep, top)
    _back(p, c, a, half, deep, top)
    z_leg = half * (1 - p.leg_inset)
    if c.arms != "none":
        for side in (1, -1) if c.arms == "both" else (1,):
            z, y, w = side * (half - 0.03), top + p.arm_height, 0.03
            a.add("metal", bar((deep - w, top - 0.02, z), (deep - w, y, z), w, w))
            a.add("metal", bar((-deep + w, top - 0.02, z), (-deep + w, y, z), w, w))
            a.add("wood", box((-deep, y - 0.008, z - 0.03), (deep, y + 0.008, z + 0.03)))
    if c.extra == "bar" and c.legs in ("posts", "panels", "loop", "block"):
        y = p.low_bar * top
        if c.legs in ("posts", "loop"):
            out = z_leg + (0.5 * p.splay * (1 - y / top) if c.legs == "posts" else 0.0)
            a.add("metal", bar((0, y, -out), (0, y, out), p.leg_width))
            x = deep - p.leg_width + max(0.0, 2 * (out - z_leg))
            for z in (out, -out):
                a.add("metal", bar((-x, y, z), (x, y, z), p.leg_width))
    elif c.extra == "shelf" and c.legs in ("posts", "panels", "block"):
        y = p.low_bar * top
        out = p.splay * (1 - y / top) if c.legs == "posts" else 0.0
        x = deep - p.leg_width + out if c.legs == "posts" else 0.9 * deep
        a.add("wood", slab((0, y, 0), (2 * x, 0.012, 2 * z_leg + out)))
    elif c.extra == "table":
        y = top + 0.24
        a.add("wood", slab((deep + 0.2, y, 0), (0.3, 0.014, p.length * 0.9)))
        for side in (1, -1):
            z = side * z_leg * 0.85
            a.add("metal", bar((deep - 0.05, top - 0.02, z), (deep + 0.2, y, z), 0.04))


def _seat(
    p: SimpleNamespace, c: SimpleNamespace, a: Assembly, half: float, deep: float, top: float
) -> None:
    low = top - p.plate
    if c.seat == "plate":
        a.add("wood", box((-deep, low, -half), (deep, top, half)))
        return
    if c.seat == "curved":
        x = np.linspace(-deep, deep, 7)
        sag = 0.12 * p.depth * (1 - (x / deep) ** 2)
        outline = [(u, top - s) for u, s in zip(x, sag, strict=True)]
        outline += [(u, low - s - 0.01) for u, s in zip(x[::-1], sag[::-1], strict=True)]
        a.add("wood", prism(outline, 2, -half, half))
        return
    if c.seat == "slats along":
        count = 4
        pitch = p.depth / count
        for k in range(count):
            middle = -deep + (k + 0.5) * pitch
            a.add(
                "wood",
                slab((middle, top - p.plate / 2, 0), (pitch * p.slat_share, p.plate, p.length)),
            )
    else:
        count = max(5, round(p.length / 0.17))
        pitch = p.length / count
        for k in range(count):
            z = -half + (k + 0.5) * pitch
            a.add("wood", slab((0, top - p.plate / 2, z), (p.depth, p.plate, pitch * p.slat_share)))
        for middle in (-0.8 * deep, 0.8 * deep):
            start, end = (middle - 0.02, low - 0.02, -half), (middle + 0.02, low + 0.01, half)
            a.add("metal", box(start, end))
    z = half * (1 - p.leg_inset)
    for side in (1, -1):
        a.add(
            "metal", box((-deep, low - 0.03, side * z - 0.02), (deep, low + 0.01, side * z + 0.02))
        )


def _legs(
    p: SimpleNamespace, c: SimpleNamespace, a: Assembly, half: float, deep: float, top: float
) -> None:
    z, w, under = (
        half * (1 - p.leg_inset),
        p.leg_width,
        top - p.plate - (0.12 * p.depth if c.seat == "curved" else 0),
    )
    reach = top - 0.5 * p.plate
    if c.seat == "curved":
        inner = w / deep
        reach -= 0.12 * p.depth * (1 - (1 - inner) ** 2) + 0.003
    for side in (1, -1):
        if c.legs == "posts":
            for x in (deep - w, -deep + w):
                foot = (x + np.sign(x) * p.splay, 0.0, side * (z + 0.5 * p.splay))
                a.add("metal", bar(foot, (x, reach, side * z), w))
        elif c.legs == "panels":
            a.add(
                "wood",
                box((-deep * 0.95, 0, side * z - w / 2), (deep * 0.95, reach, side * z + w / 2)),
            )
            if c.seat == "curved":
                a.add(
                    "wood",
                    box(
                        (-deep * 0.95, under - 0.05, side * z - w),
                        (deep * 0.95, under, side * z + w),
                    ),
                )
        elif c.legs == "x":
            a.add("metal", bar((-deep, 0, side * z), (deep * 0.9, reach, side * z), w))
            a.add("metal", bar((deep, 0, side * z), (-deep * 0.9, reach, side * z), w))
        elif c.legs == "loop":
            r = w / 2
            path = [(-deep + r, reach, side * z), (-deep - p.splay, r, side * z)]
            path += [(deep + p.splay, r, side * z), (deep - r, reach, side * z)]
            a.add("metal", tube(path, r, 6))
        else:
            wide = 0.14 + p.leg_width
            a.add(
                "stone",
                box((-deep * 0.8, 0, side * z - wide), (deep * 0.8, reach, side * z + wide)),
            )


def _back(
    p: SimpleNamespace, c: SimpleNamespace, a: Assembly, half: float, deep: float, top: float
) -> None:
    if c.back == "none":
        return
    high, thick = p.back_height, 0.012
    foot, head = -deep + 0.03, -deep + 0.03 - p.lean
    z_post = half * (1 - p.leg_inset)

    def x_at(y: float) -> float:
        return foot + (head - foot) * y / high

    if c.back != "plate":
        for side in (1, -1):
            start, end = (foot, top - 0.03, side * z_post), (head, top + high, side * z_post)
            a.add("metal", bar(start, end, 0.035))
    if c.back == "plate":
        base = top - p.plate
        outline = [
            (foot, base),
            (foot + thick, base),
            (head + thick, top + high),
            (head, top + high),
        ]
        a.add("wood", prism(outline, 2, -half, half))
    elif c.back == "rails":
        for k in range(3):
            y = high * (0.35 + 0.27 * k)
            a.add("wood", slab((x_at(y) + 0.01, top + y, 0), (thick, 0.17 * high, p.length)))
    else:
        rail_high = 0.95 * high
        a.add("wood", slab((x_at(rail_high), top + rail_high, 0), (0.03, 0.06, p.length)))
        low_y = 0.22 * high if c.back == "slats" else 0.3 * high
        a.add("wood", slab((x_at(low_y), top + low_y, 0), (0.03, 0.05, p.length)))
        if c.back == "slats":
            count = max(4, round(p.length / 0.2))
            for z in np.linspace(-half + 0.05, half - 0.05, count):
                a.add(
                    "wood",
                    bar(
                        (x_at(low_y), top + low_y, z),
                        (x_at(rail_high), top + rail_high, z),
                        0.05,
                        0.014,
                    ),
                )
        else:
            for z in (-half + 0.02, half - 0.02):
                a.add(
                    "wood",
                    bar(
                        (x_at(low_y), top + low_y, z),
                        (x_at(rail_high), top + rail_high, z),
                        0.04,
                        0.03,
                    ),
                )
