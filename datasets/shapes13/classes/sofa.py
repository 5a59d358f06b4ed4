"""Sofas: long along z, the sitter looks to +x."""

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
    slab,
    tube,
)

CONTINUOUS = {
    "length": (1.1, 2.3),
    "depth": (0.55, 0.9),
    "seat_height": (0.22, 0.45),
    "seat": (0.07, 0.2),
    "back_height": (0.22, 0.6),
    "back": (0.06, 0.2),
    "lean": (0.0, 0.18),
    "arm": (0.04, 0.22),
    "arm_height": (0.08, 0.32),
    "chaise": (0.3, 0.8),
    "chaise_share": (0.28, 0.45),
    "leg": (0.03, 0.06),
    "leg_share": (0.25, 0.75),
}
CHOICES = {
    "form": ("straight", "straight", "chaise left", "chaise right", "corner", "daybed"),
    "arms": ("box", "round", "thin", "one", "frame", "none"),
    "back": ("full", "cushions", "low", "rolled", "rails"),
    "base": ("legs", "legs", "skirt", "sled", "plate"),
    "extra": ("none", "cushions", "canopy", "foot stool"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """Cushioned seat whose top is at `seat_height`, then back, arms, base."""
    half, deep = p.length / 2, p.depth / 2
    top = p.seat_height
    low = top - p.seat
    lift = max(0.05, low) if c.base != "skirt" else 0.0
    a.add("cloth", box((-deep, lift, -half), (deep, top, half)))
    feet = [(deep, half), (deep, -half), (-deep, half), (-deep, -half)]
    z0, z1 = -half, -half + p.length * p.chaise_share
    if c.form == "chaise right":
        z0, z1 = -z1, half
    reach = deep + p.chaise
    if c.form.startswith("chaise") or c.form == "corner":
        a.add("cloth", box((deep - 0.05, lift, z0), (reach, top, z1)))
        feet += [(reach, z0 + 2 * p.leg), (reach, z1 - 2 * p.leg)] if z0 > 0 or z1 < 0 else []
    _back(p, c, a, half, deep, top, lift)
    if c.form == "corner":
        high = top + p.back_height * (0.55 if c.back == "low" else 1.0)
        a.add("cloth", box((-deep, lift, z0), (reach, high, z0 + max(0.05, p.back))))
    _arms(p, c, a, half, deep, top, lift)
    _base(p, c, a, feet, lift, half, deep)
    _extra(p, c, a, half, deep, top)


def _back(
    p: SimpleNamespace,
    c: SimpleNamespace,
    a: Assembly,
    half: float,
    deep: float,
    top: float,
    lift: float,
) -> None:
    high = p.back_height * (0.5 if c.back == "low" else 1.0)
    wide = half if c.form != "daybed" else half * 0.25
    z0 = -half if c.form != "daybed" else half * 0.5
    z1 = wide if c.form != "daybed" else half
    head = -deep - p.lean
    if c.back in ("full", "low"):
        outline = [
            (-deep, lift),
            (-deep + p.back, lift),
            (head + p.back, top + high),
            (head, top + high),
        ]
        a.add("cloth", prism(outline, 2, z0, z1))
    elif c.back == "rolled":
        outline = [
            (-deep, lift),
            (-deep + 0.06, lift),
            (head + 0.06, top + high),
            (head, top + high),
        ]
        a.add("cloth", prism(outline, 2, z0, z1))
        r = 0.05 + 0.35 * p.back
        a.add(
            "cloth",
            cylinder((head + 0.02, top + high, z0), (head + 0.02, top + high, z1), r, sides=12),
        )
    elif c.back == "cushions":
        a.add("cloth", box((-deep, lift, z0), (-deep + 0.05, top + 0.4 * high, z1)))
        count = max(1, round((z1 - z0) / 0.6))
        step = (z1 - z0) / count
        for k in range(count):
            a0, a1 = z0 + k * step + 0.03, z0 + (k + 1) * step - 0.03
            x = -deep + 0.03
            outline = [
                (x, top - 0.02),
                (x + p.back, top - 0.02),
                (x + p.back - p.lean * 0.6 - 0.02, top + high),
                (x - p.lean * 0.6, top + high),
            ]
            a.add("accent", prism(outline, 2, a0, a1))
    else:
        for y in (0.45 * high, high - 0.03):
            x = -deep + 0.02 + (head + deep) * y / high
            a.add("wood", slab((x, top + y, (z0 + z1) / 2), (0.035, 0.06, z1 - z0)))
        for z in np.linspace(z0 + 0.03, z1 - 0.03, max(2, round((z1 - z0) / 0.35) + 1)):
            a.add("wood", bar((-deep + 0.02, top - 0.03, z), (head + 0.02, top + high, z), 0.035))


def _arms(
    p: SimpleNamespace,
    c: SimpleNamespace,
    a: Assembly,
    half: float,
    deep: float,
    top: float,
    lift: float,
) -> None:
    if c.arms == "none" or c.form == "daybed":
        return
    y = top + p.arm_height
    sides = (1,) if c.arms == "one" or c.form in ("corner",) else (1, -1)
    for side in sides:
        if c.arms in ("box", "one"):
            a.add(
                "cloth", box((-deep, lift, side * (half - 0.01)), (deep, y, side * (half + p.arm)))
            )
        elif c.arms == "round":
            r = 0.05 + 0.35 * p.arm
            z = side * (half + r - 0.02)
            a.add(
                "cloth", box((-deep, lift, side * (half - 0.01)), (deep, y, side * (half + 0.06)))
            )
            a.add("cloth", cylinder((-deep, y, z), (deep + 0.02, y, z), r, sides=12))
        elif c.arms == "thin":
            a.add(
                "wood",
                box((-deep, 0.0, side * (half - 0.01)), (deep * 0.95, y, side * (half + 0.006))),
            )
        else:
            z = side * (half + 0.02)
            path = [
                (deep * 0.9, 0.0, z),
                (deep * 0.85, y, z),
                (-deep, y, z),
                (-deep * 1.02, 0.0, z),
            ]
            a.add("wood", tube(path, 0.024, 6))
            a.add(
                "wood",
                bar((deep * 0.87, top - 0.04, z - side * 0.06), (deep * 0.87, top - 0.04, z), 0.04),
            )
            a.add("wood", bar((-deep, top - 0.04, z - side * 0.06), (-deep, top - 0.04, z), 0.04))


def _base(
    p: SimpleNamespace,
    c: SimpleNamespace,
    a: Assembly,
    feet: list,
    lift: float,
    half: float,
    deep: float,
) -> None:
    if c.base == "legs":
        for x, z in feet:
            x, z = x - np.sign(x) * p.leg, z - (np.sign(z) * p.leg if x < deep + 0.01 else 0.0)
            a.add("wood", cylinder((x, 0, z), (x, lift + 0.02, z), 0.5 * p.leg, 0.7 * p.leg, 8))
    elif c.base == "sled":
        for z in (half * p.leg_share, -half * p.leg_share):
            path = [
                (deep * 0.8, lift + 0.02, z),
                (deep * 0.8, 0.02, z),
                (-deep * 0.8, 0.02, z),
                (-deep * 0.8, lift + 0.02, z),
            ]
            a.add("metal", tube(path, 0.02, 6))
    elif c.base == "plate":
        a.add(
            "dark",
            box(
                (-deep * 0.75, 0, -half * p.leg_share),
                (deep * 0.6, lift + 0.01, half * p.leg_share),
            ),
        )


def _extra(
    p: SimpleNamespace, c: SimpleNamespace, a: Assembly, half: float, deep: float, top: float
) -> None:
    if c.extra == "cushions":
        flat = circle(0.19, 0.19, 12, 4.0)
        for z, lean in ((half - 0.22, 0.10), (-half + 0.24, 0.16)):
            x = -deep + p.back + 0.02
            rings = [
                place(flat * s, 0, u, (x + lean * 0.3, top + 0.16, z))
                for s, u in ((0.75, -0.06), (1.0, 0.0), (0.75, 0.06))
            ]
            a.add("accent", loft(rings))
    elif c.extra == "canopy" and c.form in ("straight", "daybed"):
        y = top + p.back_height + 0.45
        for side in (1, -1):
            z = side * (half - 0.03)
            a.add("wood", bar((-deep + 0.03, top - 0.03, z), (-deep + 0.03, y, z), 0.04))
            a.add("wood", bar((-deep + 0.03, y - 0.02, z), (deep * 0.6, y + 0.02, z), 0.03))
        a.add("accent", box((-deep, y - 0.02, -half), (deep * 0.7, y + 0.004, half)))
    elif c.extra == "foot stool" and c.form == "straight":
        x = deep + 0.35
        a.add("accent", box((x - 0.18, 0.6 * top, -0.3), (x + 0.2, top * 0.92, 0.3)))
        a.add("wood", box((deep - 0.1, 0.0, -0.03), (x, 0.03, 0.03)))
        a.add("wood", box((x - 0.03, 0.0, -0.03), (x + 0.03, 0.62 * top, 0.03)))
        a.add("wood", box((deep - 0.12, 0.0, -0.03), (deep - 0.06, top * 0.9, 0.03)))
