"""Loudspeakers: the membranes face +x."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.parts import (
    Raw,
    bar,
    box,
    cylinder,
    ellipsoid,
    frustum,
    loft,
    revolve,
    slab,
    tube,
)

CONTINUOUS = {
    "width": (0.25, 0.6),
    "height": (0.4, 1.5),
    "depth": (0.25, 0.7),
    "taper": (0.5, 1.15),
    "lean": (-0.15, 0.15),
    "driver": (0.6, 0.92),
    "cone": (0.03, 0.14),
    "lift": (0.1, 0.75),
    "base": (0.9, 1.7),
    "wall": (0.008, 0.018),
    "horn": (0.35, 0.75),
    "spread": (0.25, 0.7),
    "tweeter": (0.35, 0.6),
}
CHOICES = {
    "body": ("box", "tower", "round", "horn", "open back", "bar", "stack", "panel"),
    "base": ("none", "stand", "legs", "spikes", "frame"),
    "drivers": ("one", "two", "three"),
    "extra": ("none", "satellites", "handle", "amplifier"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """The body stands on its base, which stands on y = 0."""
    lift = {"none": 0.0, "spikes": 0.07, "legs": 0.4 * p.lift, "frame": 0.3 * p.lift + 0.06}.get(
        c.base, p.lift
    )
    w, h, d = p.width, p.height, p.depth
    if c.body == "tower":
        w, d, h = 0.75 * w, 0.75 * d, max(h, 0.9)
    elif c.body == "bar":
        w, h, d = 0.7 + p.spread, 0.4 * w + 0.03, 0.5 * d
    elif c.body == "stack":
        h *= 0.6
    elif c.body == "panel":
        d, h = 0.01 + p.cone * 0.15, max(0.7, h)
        w += 0.15
    _body(p, c, a, w, h, d, lift)
    _base(p, c, a, w, d, lift)
    top = lift + h
    if c.extra == "satellites":
        z = w / 2 + 0.12 + 0.5 * p.spread
        for side in (1, -1):
            size = (0.14, 0.2, 0.13)
            y = 0.6 * h if c.body != "bar" else 0.5
            a.add("body", slab((0, y, side * z), size))
            a.add("dark", _driver((0.07, y, side * z), 0.055, 0.02))
            a.add("metal", cylinder((0, 0, side * z), (0, y, side * z), 0.018, sides=6))
            a.add("metal", slab((0, 0.01, side * z), (0.16, 0.02, 0.16)))
            a.add("dark", bar((0, 0.012, 0), (0, 0.012, side * z), 0.03, 0.024))
        if c.body == "horn":
            a.add("dark", bar((-0.46 * (d + 0.2), 0.012, 0), (0.02, 0.012, 0), 0.03, 0.024))
        elif lift > 0:
            a.add("dark", cylinder((0, 0, 0), (0, lift + 0.02, 0), 0.02, sides=6))
    elif c.extra == "handle" and c.body in ("box", "stack", "open back", "bar"):
        r, y = 0.35 * w, top - (0.02 if p.taper <= 1.5 else 0)
        path = [(0, y, -r), (0, y + 0.1, -r), (0, y + 0.1, r), (0, y, r)]
        a.add("metal", tube(path, 0.018, 6))
    elif c.extra == "amplifier" and c.body in ("box", "stack"):
        a.add("accent", slab((-0.02, top + 0.05, 0), (d * 0.6, 0.11, w * 0.8 * min(1.0, p.taper))))


def _driver(at: tuple[float, float, float], radius: float, deep: float) -> Raw:
    """A raised ring with a dome, so that it shows in a picture without hollowing the box."""
    x, y, z = at
    profile = [(radius, -0.02), (radius, 0.012), (0.85 * radius, 0.02), (0.45 * radius, deep)]
    return revolve(profile, (x, y, z), 12, axis=0)


def _body(
    p: SimpleNamespace, c: SimpleNamespace, a: Assembly, w: float, h: float, d: float, lift: float
) -> None:
    top, half = lift + h, w / 2
    r = 0.5 * p.driver * min(w, h) * min(1.0, p.taper)
    if c.body == "round":
        r_body = 0.5 * w + 0.05
        kind = c.drivers
        if kind == "one":
            a.add(
                "body", ellipsoid((0, lift + 0.5 * h, 0), (r_body, 0.5 * h + 0.01, r_body), 16, 9)
            )
        elif kind == "two":
            a.add("body", cylinder((0, lift, 0), (0, top, 0), r_body, r_body * p.taper, 16))
        else:
            a.add(
                "body",
                revolve(
                    [(0.5 * r_body, lift), (r_body, lift + p.tweeter * h), (0.25 * r_body, top)],
                    sides=16,
                ),
            )
        y = lift + 0.5 * h
        a.add("dark", cylinder((0, y, 0), (r_body + 0.02, y, 0), 0.5 * min(h, w), sides=12))
        return
    if c.body == "horn":
        y, r1 = lift + 0.25 * h, p.horn * 0.5
        length = d + 0.2
        flare = [
            (0.05, -length),
            (0.09, -0.55 * length),
            (0.2 * r1 + 0.1, -0.25 * length),
            (r1 + 0.06, 0.0),
        ]
        hollow = [
            (0.03, -0.9 * length),
            (0.07, -0.55 * length),
            (0.2 * r1 + 0.075, -0.25 * length),
            (r1 + 0.045, 0.01),
        ]
        a.add(
            "metal",
            revolve(flare, (0.5 * length, y, 0), 16, axis=0),
            minus=[revolve(hollow, (0.5 * length, y, 0), 16, axis=0)],
        )
        a.add("dark", cylinder((-0.75 * length, y, 0), (-0.42 * length, y, 0), 0.11, sides=12))
        if lift > 0:
            a.add("dark", box((-0.5 * length, lift - 0.02, -0.03), (-0.42 * length, y, 0.03)))
        else:
            a.add("dark", box((-0.6 * length, y - r1 - 0.06, -0.1), (-0.45 * length, y, 0.1)))
        return
    if c.body == "open back":
        t = p.wall
        inside = box((-d, lift + t, -half + t), (d / 2 - t, top - t, half - t))
        a.add("body", box((-d / 2, lift, -half), (d / 2, top, half)), minus=[inside])
        a.add(
            "accent",
            box((-d / 2, lift + 0.75 * h, -half), (d / 2 - 0.03, lift + 0.75 * h + t, half)),
        )
    elif c.body == "stack":
        x = 0.0
        y = lift
        for k, s in enumerate((1.0, 0.8, 0.55)):
            tall = h * (1.0, 0.75, 0.5)[k]
            x += p.lean * 0.3
            a.add(
                "body",
                box(
                    (x - d * s / 2, y - 0.01 * (k > 0), -half * s),
                    (x + d * s / 2, y + tall, half * s),
                ),
            )
            a.add(
                "dark", _driver((x + d * s / 2, y + tall / 2, 0), 0.42 * min(w * s, tall), p.cone)
            )
            y += tall
        return
    else:
        t = p.taper if c.body != "bar" else 1.0
        a.add(
            "body",
            frustum((0, lift, 0), (d, w), (p.lean * (h if h < 1 else 1), top, 0), (d * t, w * t)),
        )
    count = {"one": 1, "two": 2, "three": 3}[c.drivers]
    for k in range(count):
        share = (k + 0.5) / count
        if c.body == "bar":
            z, y, size = w * (share - 0.5) * 0.9, lift + h / 2, 0.4 * h
        else:
            z, y = 0.0, lift + h * share
            size = min(r, 0.42 * h / count) * (
                p.tweeter + 0.2 if k == count - 1 and count > 1 else 1.0
            )
        s = share if c.body != "bar" else 0.0
        t = p.taper if c.body in ("box", "tower", "panel") else 1.0
        x = (
            p.lean * (h if h < 1 else 1) * s if c.body in ("box", "tower", "panel") else 0.0
        ) + d / 2 * (1 + (t - 1) * s)
        a.add("dark", _driver((x - 0.004, y, z), size, p.cone))


def _base(
    p: SimpleNamespace, c: SimpleNamespace, a: Assembly, w: float, d: float, lift: float
) -> None:
    if c.base == "none":
        return
    half_w, half_d = w / 2 * p.base, d / 2 * p.base
    if c.body == "horn":
        a.add(
            "metal",
            cylinder((-0.46 * (d + 0.2), 0, 0), (-0.46 * (d + 0.2), lift, 0), 0.03, sides=8),
        )
        a.add("metal", slab((-0.46 * (d + 0.2), 0.012, 0), (0.3, 0.024, 0.3)))
        return
    if c.base == "stand":
        a.add("metal", slab((0, 0.007, 0), (2 * half_d * 0.8, 0.014, 2 * half_w * 0.8)))
        a.add("metal", cylinder((0, 0, 0), (0, lift + 0.03, 0), 0.03 + 0.2 * p.cone, sides=8))
        a.add("metal", slab((0, lift, 0), (d * 0.7, 0.02, w * 0.7)))
    elif c.base in ("legs", "spikes"):
        thick = 0.04 if c.base == "legs" else 0.025
        x, z = d * 0.36, w * 0.36
        if c.body == "round":
            x = z = 0.3 * w
            a.add("metal", slab((0, lift, 0), (0.7 * w, 0.03, 0.7 * w)))
        for sx in (1, -1):
            for sz in (1, -1):
                foot = np.array([sx * x * (0.6 + 0.5 * p.base), 0.0, sz * z * (0.6 + 0.5 * p.base)])
                a.add("wood", bar(foot, (sx * x, lift + 0.01, sz * z), thick))
    else:
        for side in (1, -1):
            z = side * min(0.42 * w, half_w)
            ring = [
                (d * 0.3, lift + 0.012, z),
                (half_d, 0.02, z),
                (-half_d, 0.02, z),
                (-d * 0.3, lift + 0.012, z),
            ]
            a.add("metal", tube(ring, 0.02, 6))
        a.add("metal", slab((0, lift, 0), (d * 0.75, 0.03, 2 * min(0.42 * w, half_w))))
        rings = [
            np.array(
                [
                    (-half_d, 0.0, -0.4 * w),
                    (-half_d + 0.04, 0.0, -0.4 * w),
                    (-half_d + 0.04, 0.04, -0.4 * w),
                    (-half_d, 0.04, -0.4 * w),
                ]
            )
        ]
        rings.append(rings[0] * (1, 1, -1))
        a.add("metal", loft(rings))
