"""Telephones: the keys or the screen face +x, or up where the phone lies."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.parts import (
    Raw,
    box,
    circle,
    cylinder,
    frustum,
    loft,
    moved,
    place,
    prism,
    slab,
    tube,
    turned,
)

CONTINUOUS = {
    "width": (0.32, 0.66),
    "thick": (0.03, 0.13),
    "corner": (2.5, 9.0),
    "screen_share": (0.3, 0.85),
    "fold": (112.0, 170.0),
    "slide": (0.3, 0.7),
    "antenna": (0.15, 0.6),
    "swivel": (-10.0, 10.0),
    "stand_depth": (0.2, 0.55),
    "lean": (5.0, 38.0),
    "desk_depth": (0.5, 0.95),
    "desk_rise": (0.08, 0.4),
    "key": (0.04, 0.075),
}
CHOICES = {
    "kind": ("slab", "flip", "slide", "brick", "desk", "cordless", "handset", "wall"),
    "screen": ("small", "large"),
    "stand": ("none", "dock", "easel", "ring"),
    "extra": ("none", "antenna", "loop", "camera"),
    "pose": ("upright", "upright", "upright", "sideways", "lying"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """The phone itself is made upright with its back at x = 0, then put into its pose."""
    if c.kind == "desk":
        _desk(p, c, a)
        return
    if c.kind == "wall":
        _wall(p, c, a)
        return
    parts = {
        "slab": _slab,
        "flip": _flip,
        "slide": _slide,
        "brick": _brick,
        "cordless": _brick,
        "handset": _handset,
    }[c.kind](p, c)
    high = max(float(part[0][:, 1].max()) for _, part in parts)
    low = min(float(part[0][:, 1].min()) for _, part in parts)
    pose = c.pose if c.stand in ("none", "ring") or c.pose != "lying" else "upright"
    for colour, part in parts:
        part = moved(part, (0, -(high + low) / 2, 0))
        if pose == "sideways":
            part = turned(part, 0, 90)
        tilt = {"upright": 0.0, "sideways": 0.0, "lying": 90.0}[pose]
        if c.stand in ("dock", "easel"):
            tilt = p.lean
        part = turned(turned(part, 2, tilt), 1, p.swivel)
        a.add(colour, part)
    if c.stand in ("dock", "easel"):
        wide = max(float(abs(part[0][:, 2]).max()) for _, part in parts)
        reach = (high - low) / 2 if pose == "upright" else wide
        _stand(p, c, a, reach)


def _plate(w: float, low: float, high: float, x0: float, x1: float, power: float) -> Raw:
    """A rounded upright plate."""
    flat = circle((high - low) / 2, w / 2, 16, power, 0.5)
    middle = (0, (low + high) / 2, 0)
    return loft([place(flat, 0, x0, middle), place(flat, 0, x1, middle)])


def _keys(p: SimpleNamespace, w: float, low: float, high: float, x: float) -> list[tuple[str, Raw]]:
    out = []
    for row in np.linspace(low, high, 4):
        for z in (-0.28 * w, 0.0, 0.28 * w):
            out.append(("light", slab((x, row, z), (0.024, p.key * 0.8, min(p.key, 0.22 * w)))))
    return out


def _extras(
    p: SimpleNamespace, c: SimpleNamespace, w: float, high: float, x: float
) -> list[tuple[str, Raw]]:
    if c.extra == "antenna":
        z = 0.33 * w
        rod = cylinder((x, high - 0.1, z), (x, high + p.antenna, z), 0.022, 0.016, 8)
        return [
            ("dark", rod),
            (
                "dark",
                cylinder((x, high + p.antenna - 0.04, z), (x, high + p.antenna, z), 0.026, sides=8),
            ),
        ]
    if c.extra == "loop":
        path = [
            (x, high - 0.04, -0.1),
            (x, high + 0.12, -0.16),
            (x, high + 0.3, 0),
            (x, high + 0.12, 0.16),
            (x, high - 0.04, 0.1),
        ]
        return [("accent", tube(path, 0.018, 6))]
    if c.extra == "camera":
        lens = cylinder((x, high - 0.17, 0.2 * w), (-0.05, high - 0.17, 0.2 * w), 0.09, sides=12)
        return [("dark", lens)]
    return []


def _slab(p: SimpleNamespace, c: SimpleNamespace) -> list[tuple[str, Raw]]:
    w, t = p.width, 0.35 * p.thick + 0.004
    parts = [("body", _plate(w, 0, 1, 0, t, p.corner))]
    bottom = 0.12 if c.screen == "large" else 1 - 0.25 - 0.45 * p.screen_share
    parts.append(("glass", box((0.5 * t, bottom, -0.42 * w), (t + 0.004, 0.88, 0.42 * w))))
    if c.screen == "small":
        parts += _keys(p, w, 0.1, bottom - 0.08, t)
    if c.stand == "ring":
        parts.append(
            (
                "metal",
                tube(
                    [(0.01, 0.4, -0.1), (-0.16, 0.38, -0.1), (-0.16, 0.38, 0.1), (0.01, 0.4, 0.1)],
                    0.018,
                    6,
                ),
            )
        )
    return parts + _extras(p, c, w, 1, t / 2)


def _flip(p: SimpleNamespace, c: SimpleNamespace) -> list[tuple[str, Raw]]:
    w, t, h = p.width, 0.3 * p.thick + 0.008, 0.62
    parts: list[tuple[str, Raw]] = [("body", _plate(w, 0, h, 0, t, p.corner))]
    parts += _keys(p, w, 0.1, 0.45, t)
    lid: list[tuple[str, Raw]] = [("body", _plate(w, 0, h * 0.95, 0, 0.75 * t, p.corner))]
    lid.append(
        ("glass", box((0.3 * t, 0.12, -0.38 * w), (0.8 * t, 0.12 + 0.5 * p.screen_share, 0.38 * w)))
    )
    if c.extra != "loop":
        lid += _extras(p, c, w, h * 0.95, 0.4 * t)
    angle = p.fold - 180
    hinge = (0.5 * t, h, 0)
    parts.append(
        (
            "dark",
            cylinder(
                (hinge[0], h - 0.01, -0.42 * w),
                (hinge[0], h - 0.01, 0.42 * w),
                0.035 + 0.3 * t,
                sides=10,
            ),
        )
    )
    parts += [
        (colour, turned(moved(part, (0, h - 0.02, 0)), 2, angle, hinge)) for colour, part in lid
    ]
    return parts


def _slide(p: SimpleNamespace, c: SimpleNamespace) -> list[tuple[str, Raw]]:
    w, t, h = p.width, 0.3 * p.thick + 0.01, 0.7
    up = p.slide * h
    parts: list[tuple[str, Raw]] = [("body", _plate(w, 0, h, 0, t, p.corner))]
    parts += _keys(p, w, 0.06, max(0.2, up - 0.06), t)
    parts.append(("accent", _plate(w, up, up + h, t - 0.008, 2 * t, p.corner)))
    parts.append(
        ("glass", box((1.5 * t, up + 0.1, -0.4 * w), (2 * t + 0.004, up + h - 0.1, 0.4 * w)))
    )
    return parts + _extras(p, c, w, up + h, 1.4 * t)


def _brick(p: SimpleNamespace, c: SimpleNamespace) -> list[tuple[str, Raw]]:
    w, t = 0.75 * p.width, p.thick + 0.1
    if c.kind == "cordless":
        outline = [
            (0.0, 0.0),
            (0.5 * t, 0.0),
            (0.65 * t, 0.3),
            (0.5 * t, 0.6),
            (t, 1.0),
            (0.35 * t, 1.05),
            (0.0, 0.7),
        ]
        parts: list[tuple[str, Raw]] = [("body", prism(outline, 2, -0.4 * w, 0.4 * w))]
        x = 0.55 * t
    else:
        parts = [
            (
                "body",
                frustum(
                    (t / 2, 0, 0),
                    (t, w),
                    (t / 2, 1.0, 0),
                    (0.7 * t, w * (0.6 + 0.4 * p.screen_share)),
                ),
            )
        ]
        x = t * 0.95
    parts += _keys(p, w * 0.9, 0.15, 0.45, x)
    parts.append(
        (
            "glass",
            box((0.4 * t, 0.58, -0.28 * w), (x + 0.01, 0.62 + 0.2 * p.screen_share, 0.28 * w)),
        )
    )
    return parts + _extras(p, c, w, 0.97, 0.4 * t)


def _handset(p: SimpleNamespace, c: SimpleNamespace) -> list[tuple[str, Raw]]:
    """An old receiver: a bow with two cups."""
    r = 0.08 + 0.25 * p.thick
    bow = [
        (-0.02, 0.06, 0),
        (-0.04 - r, 0.25, 0),
        (-0.06 - r, 0.5, 0),
        (-0.04 - r, 0.75, 0),
        (-0.02, 0.94, 0),
    ]
    parts: list[tuple[str, Raw]] = [("body", tube(bow, 0.035 + 0.25 * p.thick, 8))]
    for y in (0.08, 0.92):
        parts.append(
            (
                "dark",
                cylinder(
                    (-0.05, y, 0),
                    (0.1 + p.thick, y, 0),
                    0.08 + 0.1 * p.width,
                    0.1 + 0.16 * p.width,
                    12,
                ),
            )
        )
    if c.extra != "none":
        path = [
            (0, 0.03, 0),
            (-0.1, -0.15 * p.screen_share - 0.1, 0.05),
            (-0.05, -0.3 - 0.2 * p.antenna, -0.12),
        ]
        parts.append(("dark", tube(path, 0.022, 6)))
    return parts


def _stand(p: SimpleNamespace, c: SimpleNamespace, a: Assembly, reach: float) -> None:
    """What holds a leaning phone whose middle is at the origin."""
    s, k = np.sin(np.radians(p.lean)), np.cos(np.radians(p.lean))
    foot = (s * reach, -k * reach)
    d, w = p.stand_depth, p.width

    def add(colour: str, part: Raw) -> None:
        a.add(colour, turned(part, 1, p.swivel))

    if c.stand == "dock":
        x, y = foot
        add(
            "dark",
            frustum((x - 0.05, y - 0.06, 0), (d, w * 1.1), (x, y + 0.14, 0), (0.45 * d, w * 0.9)),
        )
        return
    x, y = foot
    add("metal", box((x - d, y - 0.02, -0.12), (x + 0.1, y + 0.005, 0.12)))
    add("metal", box((x + 0.06, y - 0.02, -0.12), (x + 0.085, y + 0.08, 0.12)))
    brace = tube(
        [(x - d + 0.02, y - 0.01, 0), (-0.35 * reach * s + 0.01, 0.35 * reach * k, 0)], 0.022, 6
    )
    add("metal", brace)


def _desk(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A desk phone: wedge with keys and a receiver on its rest."""
    w, d = 0.45 + 0.9 * p.width, p.desk_depth
    rise = p.desk_rise
    outline = [(-d / 2, 0), (d / 2, 0), (d / 2, 0.05), (-0.25 * d, rise), (-d / 2, rise)]
    a.add("body", prism(outline, 2, -w / 2, w / 2))
    slope = (rise - 0.05) / (0.75 * d)
    side = 1 if c.pose == "sideways" else 0
    for row in range(4):
        for k in range(3):
            x = d / 2 - 0.1 - row * 0.11 * d
            z = (k - 1) * 0.1 + (0.12 * w if side else 0.0)
            y = 0.05 + slope * (d / 2 - x)
            a.add("light", slab((x, y, z), (p.key, 0.04, p.key * 1.1)))
    if c.screen == "large":
        part = box(
            (-0.16 * d - 0.02, rise - 0.05, -0.3 * w),
            (-0.16 * d + 0.01, rise + 0.28 * p.screen_share, 0.3 * w),
        )
        a.add("glass", part)
    _receiver(p, c, a, w, d, rise, side)
    if c.extra == "antenna":
        a.add(
            "dark",
            cylinder(
                (-0.44 * d, rise - 0.02, 0.42 * w),
                (-0.44 * d, rise + p.antenna, 0.42 * w),
                0.022,
                sides=6,
            ),
        )
    elif c.extra == "loop":
        path = [
            (-0.3 * d, 0.05, -w / 2 + 0.02),
            (0, 0.03, -w / 2 - 0.18),
            (0.4 * d, 0.03, -w / 2 - 0.14),
            (0.35 * d, 0.03, -w / 2 + 0.02),
        ]
        a.add("dark", tube(path, 0.026, 6))


def _receiver(
    p: SimpleNamespace, c: SimpleNamespace, a: Assembly, w: float, d: float, rise: float, side: int
) -> None:
    half = 0.36 if side else 0.5 * w
    y = rise + 0.05
    bow = [(0, y, -half), (0, y + 0.08, -0.55 * half), (0, y + 0.08, 0.55 * half), (0, y, half)]
    parts = [tube(bow, 0.04, 8)]
    for s in (1, -1):
        parts.append(
            cylinder(
                (0, rise - 0.03, s * half * 0.9), (0, y + 0.05, s * half * 0.9), 0.085, sides=10
            )
        )
    for part in parts:
        if side:
            part = moved(turned(part, 1, 90), (-0.08 * d, -0.35 * rise, -0.34 * w))
        else:
            part = moved(part, (-0.36 * d, 0, 0))
        a.add("dark", part)
    if side:
        a.add("dark", box((-0.3 * d, 0.02, -0.44 * w), (0.1 * d, 0.9 * rise, -0.24 * w)))


def _wall(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A pay phone: plate, box, receiver at the side, perhaps a hood."""
    w, t = 0.35 + 0.5 * p.width, 0.1 + 1.4 * p.thick
    h = 0.7 + 0.5 * p.screen_share
    a.add("body", box((0, 0, -w / 2), (t, h, w / 2)))
    a.add("glass", box((0.5 * t, 0.72 * h, -0.3 * w), (t + 0.02, 0.9 * h, 0.4 * w)))
    for row in range(4):
        for k in range(3):
            a.add(
                "light", slab((t, 0.25 * h + 0.09 * row, 0.08 * w + k * 0.09), (0.04, p.key, p.key))
            )
    z = -w / 2 - 0.02
    a.add(
        "dark",
        tube(
            [
                (t + 0.02, 0.3 * h, z),
                (t + 0.1, 0.42 * h, z),
                (t + 0.1, 0.72 * h, z),
                (t + 0.02, 0.84 * h, z),
            ],
            0.035,
            8,
        ),
    )
    for y in (0.3 * h, 0.84 * h):
        a.add("dark", cylinder((0.5 * t, y, z), (t + 0.05, y, z), 0.06, sides=10))
    if c.stand in ("dock", "easel"):
        reach = p.desk_depth
        for s in (1, -1):
            zz = s * (w / 2 + 0.12)
            a.add("metal", box((-0.02, 0, zz - 0.011), (reach * 0.8, h + 0.1, zz + 0.011)))
        a.add("metal", box((-0.03, 0, -w / 2 - 0.13), (0.0, h + 0.1, w / 2 + 0.13)))
        a.add("metal", box((-0.03, h + 0.08, -w / 2 - 0.13), (reach * 0.8, h + 0.1, w / 2 + 0.13)))
        a.add("metal", box((-0.01, 0.1, -w / 2), (0.02, 0.3, w / 2)))
    if c.extra in ("antenna", "loop"):
        path = [(t, 0.28 * h, z), (t + 0.06, -0.1 - 0.2 * p.antenna, z + 0.08), (0.5 * t, 0.02, 0)]
        a.add("metal", tube(path, 0.02, 6))
