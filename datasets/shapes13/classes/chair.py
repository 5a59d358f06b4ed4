"""Chairs: the sitter looks to +x, the back rises at -x."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.parts import (
    bar,
    box,
    circle,
    cylinder,
    loft,
    place,
    prism,
    revolve,
    tube,
)

CONTINUOUS = {
    "width": (0.38, 0.6),
    "depth": (0.36, 0.54),
    "height": (0.34, 0.54),
    "seat": (0.01, 0.045),
    "back_height": (0.32, 0.68),
    "back_width": (0.6, 1.0),
    "back_plate": (0.007, 0.022),
    "lean": (0.0, 0.18),
    "leg": (0.02, 0.05),
    "splay": (-0.02, 0.08),
    "stretcher": (0.15, 0.55),
    "arm_height": (0.14, 0.28),
    "roundness": (2.0, 8.0),
}
CHOICES = {
    "legs": ("posts", "posts", "posts", "star", "disc", "sled", "cantilever", "panels", "x"),
    "back": ("plate", "plate", "rails", "slats", "frame", "low", "none"),
    "arms": ("none", "none", "open", "closed"),
    "stretchers": ("none", "sides", "all"),
    "seat_form": ("board", "board", "cushion"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """Seat with its top at `height` over the floor, then legs, back and arms."""
    half, deep, top = p.width / 2, p.depth / 2, p.height
    outline = circle(deep, half, 16, p.roundness, 0.5)
    if c.seat_form == "cushion":
        levels = [(0.94, -1.0), (1.0, -0.6), (1.0, -0.3), (0.9, 0.0)]
        thick = p.seat + 0.03
        rings = [place(outline * s, 1, top + y * thick) for s, y in levels]
    else:
        rings = [place(outline, 1, top - p.seat), place(outline, 1, top)]
    a.add("cloth", loft(rings))
    _legs(p, c, a, half, deep, top)
    _back(p, c, a, half, deep, top)
    if c.arms == "none":
        return
    y, x0, x1 = top + p.arm_height, -deep * 0.85, deep * 0.7
    for side in (1, -1):
        z = side * half
        if c.arms == "closed":
            thick = 0.004 + 0.15 * p.leg
            a.add("cloth", box((x0, top - p.seat, z - thick), (x1, y, z + thick)))
        else:
            path = [
                (x1, top - 0.4 * p.seat, z * 0.9),
                (x1, y, z),
                (x0, y, z),
                (x0, top - 0.4 * p.seat, z * 0.9),
            ]
            a.add("metal", tube(path, 0.016, 6))
            a.add("wood", box((x0, y - 0.008, z - 0.03), (x1 + 0.02, y + 0.012, z + 0.03)))
            a.add(
                "metal", bar((x1, top - 0.5 * p.seat, 0), (x1, top - 0.5 * p.seat, z), 0.025, 0.018)
            )
            a.add(
                "metal", bar((x0, top - 0.5 * p.seat, 0), (x0, top - 0.5 * p.seat, z), 0.025, 0.018)
            )


def _legs(
    p: SimpleNamespace, c: SimpleNamespace, a: Assembly, half: float, deep: float, top: float
) -> None:
    w, under = p.leg, top - 0.7 * p.seat
    # Round seats have no corners: bring the legs in so that they end in the seat.
    x, z = deep * 0.66, half * 0.66
    if c.legs in ("posts", "x"):
        feet = {}
        for sx in (1, -1):
            for sz in (1, -1):
                foot = (sx * (x + p.splay), 0.0, sz * (z + p.splay))
                feet[sx, sz] = foot
                if c.legs == "posts":
                    a.add("wood", bar(foot, (sx * x, under, sz * z), w))
        if c.legs == "x":
            for sz in (1, -1):
                a.add("metal", bar(feet[1, sz], (-x, under, sz * z), w))
                a.add("metal", bar(feet[-1, sz], (x, under, sz * z), w))
            t = (x + p.splay) / (2 * x + p.splay)
            wide = z + p.splay * (1 - t)
            a.add("metal", bar((0, under * t, -wide), (0, under * t, wide), w))
        elif c.stretchers != "none":
            k = p.stretcher
            at = {
                key: (f[0] + (key[0] * x - f[0]) * k, under * k, f[2] + (key[1] * z - f[2]) * k)
                for key, f in feet.items()
            }
            t = max(0.022, 0.7 * w)
            for side in (1, -1):
                a.add("wood", bar(at[1, side], at[-1, side], t))
                if c.stretchers == "all":
                    a.add("wood", bar(at[side, 1], at[side, -1], t))
    elif c.legs == "star":
        a.add("metal", cylinder((0, 0.05, 0), (0, under, 0), 0.022 + 0.3 * w, sides=10))
        reach = 0.9 * max(half, deep)
        for k in range(5):
            angle = 2 * np.pi * (k + 0.5) / 5
            end = (reach * np.cos(angle), 0.025, reach * np.sin(angle))
            a.add("metal", bar((0, 0.07, 0), end, 0.035, 0.025))
            a.add("dark", cylinder((end[0], 0.0, end[2]), (end[0], 0.045, end[2]), 0.025, sides=8))
    elif c.legs == "disc":
        r = 0.75 * max(half, deep)
        profile = [(r, 0.0), (r, 0.012), (0.05, 0.04), (0.025, 0.07), (0.025, under)]
        a.add("metal", revolve(profile, sides=16))
    elif c.legs in ("sled", "cantilever"):
        r = max(0.014, 0.45 * w)
        for side in (1, -1):
            zz = side * half * 0.8
            path = [(x, under, zz), (x, r, zz), (-x, r, zz)]
            if c.legs == "sled":
                path.append((-x, under, zz))
            a.add("metal", tube(path, r, 6))
            a.add("metal", bar((x, under, 0), (x, under, zz), 2 * r, 0.02))
        a.add("metal", tube([(-x, r, -half * 0.8), (-x, r, half * 0.8)], r, 6))
        if c.legs == "sled":
            a.add("metal", bar((-x, under, -half * 0.8), (-x, under, half * 0.8), 2 * r, 0.02))
    else:
        t = 0.004 + 0.15 * w
        for middle in (z, -z):
            low, high = (-deep * 0.75, 0.0, middle - t), (deep * 0.75, under, middle + t)
            a.add("wood", box(low, high))
        a.add("wood", box((-t, 0.3 * under, -z), (t, under, z)))


def _back(
    p: SimpleNamespace, c: SimpleNamespace, a: Assembly, half: float, deep: float, top: float
) -> None:
    if c.back == "none":
        return
    high = p.back_height * (0.5 if c.back == "low" else 1.0)
    wide = half * p.back_width
    foot, head = -deep * 0.88, -deep * 0.88 - p.lean * high / 0.75
    base = top - 0.6 * p.seat

    def point(y: float, z: float) -> tuple[float, float, float]:
        return (foot + (head - foot) * y / high, top + y, z)

    if c.back in ("plate", "low"):
        t = p.back_plate
        outline = [(foot, base), (foot + t, base), (head + t, top + high), (head, top + high)]
        a.add("cloth", prism(outline, 2, -wide, wide))
        for side in (1, -1):
            a.add(
                "metal",
                bar(
                    (-deep * 0.6, base, side * wide * 0.7),
                    (foot + 0.01, base, side * wide * 0.7),
                    0.03,
                ),
            )
        return
    w = 0.03
    zs = wide - w / 2
    for side in (1, -1):
        a.add("wood", bar((-deep * 0.6, base, side * zs * 0.8), (foot, base, side * zs), w))
        a.add("wood", bar((foot, base - w / 2, side * zs), point(high, side * zs), w))
    a.add("wood", bar(point(high - 0.03, -zs), point(high - 0.03, zs), w, 0.05))
    if c.back == "rails":
        for k in range(3):
            y = high * (0.2 + 0.25 * k)
            a.add("wood", bar(point(y, -zs), point(y, zs), 0.02, 0.045))
    elif c.back == "slats":
        a.add("wood", bar(point(0.15 * high, -zs), point(0.15 * high, zs), w, 0.03))
        for z in np.linspace(-zs, zs, 6)[1:-1]:
            a.add("wood", bar(point(0.15 * high, z), point(high - 0.03, z), 0.025, 0.025))
