"""Aeroplanes: nose to +x, wings along z."""

from __future__ import annotations

from types import SimpleNamespace

from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.parts import (
    blade,
    box,
    circle,
    cylinder,
    ellipsoid,
    loft,
    place,
    tube,
)

CONTINUOUS = {
    "radius": (0.035, 0.085),
    "flatness": (0.8, 1.3),
    "nose": (0.06, 0.25),
    "tail_rise": (0.0, 0.8),
    "wing_x": (-0.12, 0.16),
    "span": (0.55, 1.5),
    "chord": (0.12, 0.3),
    "taper": (0.25, 1.0),
    "sweep": (-0.05, 0.35),
    "dihedral": (-0.06, 0.14),
    "thickness": (0.008, 0.02),
    "tail_size": (0.7, 1.35),
    "engine_size": (0.7, 1.3),
    "engine_z": (0.28, 0.5),
}
CHOICES = {
    "wing": ("low", "middle", "high", "delta", "biplane"),
    "tail": ("plain", "plain", "t", "v", "twin", "canard"),
    "engine": ("none", "two", "four", "rear", "nose", "wing propellers"),
    "gear": ("none", "none", "wheels", "floats"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """Fuselage of length 1 along x, then wings, tail, engines and gear."""
    r, h = p.radius, p.radius * p.flatness
    end = 0.62 * h * p.tail_rise
    sections = [
        (0.5, 0.12, -0.2 * h),
        (0.5 - 0.35 * p.nose, 0.6, -0.1 * h),
        (0.5 - p.nose, 1.0, 0.0),
        (-0.15, 1.0, 0.0),
        (-0.36, 0.6, 0.5 * end),
        (-0.5, 0.18, end),
    ]
    a.add("body", loft([place(circle(h * s, r * s, 12), 0, x, (0, y, 0)) for x, s, y in sections]))
    a.add("glass", ellipsoid((0.5 - 1.15 * p.nose, 0.55 * h, 0), (0.09, 0.75 * h, 0.6 * r)))
    _wings(p, c, a, r, h)
    _tail(p, c, a, r, h, end)
    _engines(p, c, a, r, h)
    _gear(p, c, a, r, h)


def _wing_level(c: SimpleNamespace, h: float) -> float:
    return {"low": -0.6, "middle": 0.0, "high": 0.8, "delta": -0.3, "biplane": -0.7}[c.wing] * h


def _wings(p: SimpleNamespace, c: SimpleNamespace, a: Assembly, r: float, h: float) -> None:
    level, half = _wing_level(c, h), p.span / 2
    front = p.wing_x + p.chord / 2
    if c.wing == "delta":
        half *= 0.75
        root = (0.28, level, 0.0)
        a.both("wing", blade(root, 0.72, (-0.3, level, half), 0.14, 1.4 * p.thickness))
        return
    tip = (front - p.sweep, level + p.dihedral, half)
    wing = blade((front, level, 0.0), p.chord, tip, p.chord * p.taper, 1.6 * p.thickness)
    a.both("wing", wing)
    if c.wing == "biplane":
        top = level + 3.2 * h + 0.05
        over = (tip[0], top + p.dihedral, half)
        a.both(
            "wing", blade((front, top, 0.0), p.chord, over, p.chord * p.taper, 1.6 * p.thickness)
        )
        for s in (0.25, 0.75):
            x = front - p.sweep * s - 0.4 * p.chord * (1 - s + s * p.taper)
            y = p.dihedral * s
            a.both("dark", tube([(x, level + y, s * half), (x, top + y, s * half)], 0.011, 6))
        a.both(
            "dark",
            tube(
                [(front - 0.4 * p.chord, 0.5 * h, 0.5 * r), (front - 0.4 * p.chord, top, 0.5 * r)],
                0.011,
                6,
            ),
        )


def _tail(
    p: SimpleNamespace, c: SimpleNamespace, a: Assembly, r: float, h: float, end: float
) -> None:
    size, thin = 0.15 * p.tail_size, 1.2 * p.thickness
    height = end + 0.05 * h
    if c.tail == "v":
        a.both("accent", blade((-0.34, height, 0), 0.14, (-0.42, height + size, size), 0.07, 0.016))
        return
    if c.tail == "twin":
        fin = blade((-0.34, height, 0.09), 0.14, (-0.43, height + size, 0.11), 0.07, 0.014, 2)
        a.both("accent", fin)
        a.add("body", box((-0.48, height - 0.008, -0.1), (-0.36, height + 0.008, 0.1)))
    else:
        tip = (-0.43, height + 1.25 * size, 0)
        a.add("accent", blade((-0.32, height, 0), 0.16, tip, 0.08, 0.016, 2))
    level = height + (1.15 * size if c.tail == "t" else 0.0)
    x = 0.3 if c.tail == "canard" else (-0.42 if c.tail == "t" else -0.36)
    width = 1.25 * size
    a.both("wing", blade((x, level, 0), 0.11, (x - 0.08, level, width + r), 0.06, thin))


def _engines(p: SimpleNamespace, c: SimpleNamespace, a: Assembly, r: float, h: float) -> None:
    level, size = _wing_level(c, h), 0.034 * p.engine_size
    if c.engine in ("two", "four") and c.wing != "delta":
        for s in (p.engine_z,) if c.engine == "two" else (0.8 * p.engine_z, 1.6 * p.engine_z):
            z = min(0.8, s) * p.span / 2 + r * 0.5
            k = z / (p.span / 2)
            x = p.wing_x + p.chord / 2 - k * p.sweep + 0.03
            y = level + k * p.dihedral - 0.8 * size
            a.both("metal", cylinder((x, y, z), (x - 0.13, y, z), size, 0.75 * size, 10))
    elif c.engine == "rear" or (c.wing == "delta" and c.engine != "nose"):
        z = r + 0.5 * size
        a.both("metal", cylinder((-0.16, 0.4 * h, z), (-0.34, 0.5 * h, z), size, 0.7 * size, 10))
    elif c.engine == "nose":
        blade_half = 2.4 * r + 0.05
        a.add("dark", cylinder((0.46, -0.2 * h, 0), (0.54, -0.2 * h, 0), 0.4 * r, 0.1 * r, 8))
        a.add(
            "dark",
            box((0.505, -0.2 * h - 0.012, -blade_half), (0.517, -0.2 * h + 0.012, blade_half)),
        )
        a.add(
            "dark",
            box((0.505, -0.2 * h - blade_half, -0.012), (0.517, blade_half - 0.2 * h, 0.012)),
        )
    elif c.engine == "wing propellers":
        k = p.engine_z
        z = k * p.span / 2 + r
        k = z / (p.span / 2)
        x = p.wing_x + p.chord / 2 - k * p.sweep
        y = level + k * p.dihedral
        a.both("metal", cylinder((x + 0.06, y, z), (x - 0.12, y, z), 0.8 * size, 0.4 * size, 10))
        a.both("dark", cylinder((x + 0.04, y, z), (x + 0.055, y, z), 2.4 * size, sides=12))


def _gear(p: SimpleNamespace, c: SimpleNamespace, a: Assembly, r: float, h: float) -> None:
    low = -h - 0.05
    if c.gear == "wheels":
        for x, z in ((p.wing_x - 0.05, 0.07 + 0.4 * r), (0.34 - 0.5 * p.nose, 0.0)):
            for side in (1, -1) if z else (1,):
                a.add("dark", tube([(x, -0.4 * h, side * 0.5 * r), (x, low, side * z)], 0.012, 6))
                wheel = [(x, low, side * z - 0.013), (x, low, side * z + 0.013)]
                a.add("dark", cylinder(wheel[0], wheel[1], 0.024, sides=10))
    elif c.gear == "floats":
        z = 0.12 + 0.3 * r
        rings = [(0.34, 0.012, 0.03), (0.24, 0.03, 0.0), (-0.1, 0.03, 0.0), (-0.26, 0.01, 0.03)]
        a.both("accent", loft([place(circle(s, s, 8), 0, x, (0, low + y, z)) for x, s, y in rings]))
        for x in (0.15, -0.05):
            a.both("dark", tube([(x, -0.4 * h, 0.3 * r), (x, low, z)], 0.012, 6))
