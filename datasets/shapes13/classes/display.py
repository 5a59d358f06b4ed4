"""Displays: the screen faces +x."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np

from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.parts import (
    Raw,
    bar,
    box,
    cylinder,
    frustum,
    loft,
    moved,
    revolve,
    slab,
    tube,
    turned,
)

CONTINUOUS = {
    "width": (0.82, 1.18),
    "height": (0.5, 0.76),
    "panel": (0.008, 0.024),
    "rim": (0.02, 0.06),
    "neck": (0.08, 0.32),
    "neck_width": (0.04, 0.16),
    "foot_width": (0.25, 0.85),
    "foot_depth": (0.2, 0.6),
    "tilt": (-2.0, 8.0),
    "swivel": (-8.0, 8.0),
    "tube_depth": (0.3, 0.85),
    "tube_taper": (0.35, 0.75),
    "foot_plate": (0.01, 0.022),
}
CHOICES = {
    "body": ("flat", "flat", "flat", "tube", "laptop", "pair", "all in one", "curved"),
    "foot": ("plate", "disc", "v", "two legs", "arm", "frame"),
    "turned": ("no", "no", "no", "portrait"),
    "extra": ("none", "none", "speakers", "keyboard", "camera"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """The foot stands on y = 0; the screen is tilted and swivelled over it."""
    w, h = p.width, p.height
    if c.turned == "portrait" and c.body in ("flat", "curved", "pair"):
        w, h = h * 0.95, w
    if c.body == "laptop":
        _laptop(p, a)
        return
    lift = p.neck + (0.12 if c.foot == "arm" else 0.0)
    middle = lift + h / 2

    def aim(part: Raw) -> Raw:
        return turned(moved(turned(part, 2, p.tilt), (0, middle, 0)), 1, p.swivel)

    if c.body == "tube":
        _tube(p, a, w, h, aim)
    elif c.body == "pair":
        for side in (1, -1):
            for colour, part in _panel(p, w * 0.8, h * 0.8):
                a.add(
                    colour,
                    turned(
                        moved(turned(part, 1, side * 14), (0, lift + 0.4 * h, side * w * 0.4)),
                        1,
                        p.swivel * 0.4,
                    ),
                )
        a.add(
            "dark", bar((-0.05, lift + 0.4 * h, -w * 0.4), (-0.05, lift + 0.4 * h, w * 0.4), 0.05)
        )
        a.add("dark", slab((-0.05, lift + 0.4 * h, 0), (0.12, 0.06, 0.3)))
    elif c.body == "curved":
        for k in range(-2, 3):
            for colour, part in _panel(p, w / 5 + 0.012, h, 0.0):
                a.add(colour, aim(turned(part, 1, k * 9.0, (1.15 * w, 0, 0))))
    else:
        for colour, part in _panel(p, w, h):
            a.add(colour, aim(part))
        if c.body == "all in one":
            a.add(
                "body",
                aim(
                    box((-p.panel / 2, -h / 2 - 0.14, -w / 2), (p.panel / 2, -h / 2 + 0.02, w / 2))
                ),
            )
    if c.extra == "speakers" and c.body in ("flat", "tube"):
        for side in (1, -1):
            z = side * (w / 2 + 0.05)
            a.add("accent", aim(slab((0.0, -0.1 * h, z), (p.panel + 0.05, 0.7 * h, 0.11))))
    elif c.extra == "camera" and c.body != "pair":
        a.add("dark", aim(box((-0.03, h / 2 - 0.02, -0.05), (0.03, h / 2 + 0.05, 0.05))))
    _foot(p, c, a, w, middle)
    if c.extra == "keyboard" and c.foot != "two legs":
        x = p.foot_depth / 2 + 0.12
        a.add("dark", frustum((x, 0, 0), (0.24, 0.7), (x, 0.03, 0), (0.22, 0.68)))
        start = (
            -0.4 if c.foot == "arm" else -0.03 - (0.12 * p.tube_depth if c.body == "tube" else 0.0)
        )
        a.add("dark", box((start, 0.0, -0.012), (x, 0.02, 0.012)))


def _panel(
    p: SimpleNamespace, w: float, h: float, edge: float | None = None
) -> Iterator[tuple[str, Raw]]:
    """A thin screen, front at x = panel / 2, with a raised picture area and a back bulge."""
    t, edge = p.panel / 2, p.rim if edge is None else edge
    yield "body", box((-t, -h / 2, -w / 2), (t, h / 2, w / 2))
    yield "glass", box((0, -h / 2 + p.rim, -w / 2 + edge), (t + 0.003, h / 2 - p.rim, w / 2 - edge))
    yield (
        "dark",
        box((-t - 0.03, -0.15 * h, -min(0.2 * w, 0.13)), (0, 0.15 * h, min(0.2 * w, 0.13))),
    )


def _tube(
    p: SimpleNamespace,
    a: Assembly,
    w: float,
    h: float,
    aim: Callable[[Raw], Raw],
) -> None:
    """A picture-tube set: deep box that narrows backwards."""
    rings = []
    for x, s in (
        (0.04, 1.0),
        (-0.12, 1.0),
        (-0.5 * p.tube_depth, 0.5 + 0.5 * p.tube_taper),
        (-p.tube_depth, p.tube_taper),
    ):
        y, z = h / 2 * s, w / 2 * s
        drop = -h / 2 * (1 - s)
        rings.append(
            [
                (x, -y + drop * 0.6, -z),
                (x, y + drop * 0.6, -z),
                (x, y + drop * 0.6, z),
                (x, -y + drop * 0.6, z),
            ]
        )
    a.add("body", aim(loft(np.array(rings))))
    r = p.rim + 0.03
    a.add("glass", aim(box((0.0, -h / 2 + r, -w / 2 + r), (0.055, h / 2 - r, w / 2 - r))))


def _laptop(p: SimpleNamespace, a: Assembly) -> None:
    """A hinged pair of plates."""
    w, d, t = p.width, p.foot_depth + 0.25, 0.012 + 0.3 * p.panel
    a.add("body", box((-d / 2, 0, -w / 2), (d / 2, t, w / 2)))
    a.add("dark", box((-d / 2 + 0.08, t - 0.01, -w / 2 + 0.06), (d * 0.1, t + 0.006, w / 2 - 0.06)))
    lid = box((-0.02 - 0.3 * p.panel, -0.02, -w / 2), (0, p.height * 0.85, w / 2))
    picture = box((-0.01, p.rim, -w / 2 + p.rim), (0.005, p.height * 0.85 - p.rim, w / 2 - p.rim))
    for colour, part in (("body", lid), ("glass", picture)):
        a.add(colour, moved(turned(part, 2, 1.6 * p.tilt), (-d / 2 + 0.015, t, 0)))


def _foot(p: SimpleNamespace, c: SimpleNamespace, a: Assembly, w: float, middle: float) -> None:
    fw, fd, t = p.foot_width / 2, p.foot_depth / 2, p.foot_plate
    x = -0.03 - (0.12 * p.tube_depth if c.body == "tube" else 0.0)
    if c.foot == "two legs" and c.body != "pair":
        for side in (1, -1):
            z = side * min(0.36 * w, fw)
            a.add("metal", bar((fd, t / 2, z), (-fd, t / 2, z), 0.035, t + 0.012))
            a.add("metal", bar((x, 0, z), (x, middle + 0.017, z), 0.035, 0.035))
            a.add("metal", bar((x, middle, z), (x, middle, 0), 0.035, 0.035))
        return
    if c.foot == "frame":
        path = [
            (x, middle * 0.9, fw * 0.8),
            (fd, 0.015, fw),
            (fd, 0.015, -fw),
            (x, middle * 0.9, -fw * 0.8),
        ]
        a.add("metal", tube(path, 0.016, 6))
        a.add("metal", bar((x, middle * 0.9, 0), (-fd - 0.1, 0, 0), 0.04))
        a.add("metal", bar((x, middle * 0.9, -fw * 0.8), (x, middle * 0.9, fw * 0.8), 0.03))
        return
    neck = p.neck_width / 2
    a.add("dark", frustum((x, 0, 0), (0.05, 2 * neck), (x, middle, 0), (0.04, 1.6 * neck)))
    if c.foot == "disc":
        a.add("dark", revolve([(fw, 0), (fw, t), (0.5 * fw, t + 0.015)], (x, 0, 0), 16))
    elif c.foot == "v":
        for side in (1, -1):
            a.add("metal", bar((x, 0.02, 0), (x + 2 * fd * 0.8, 0.02, side * fw), 0.04, 0.03))
    elif c.foot == "arm":
        a.add("metal", slab((-0.35, 0.02, 0), (0.16, 0.04, 0.2)))
        a.add("metal", cylinder((-0.35, 0, 0), (-0.35, middle, 0), 0.025, sides=8))
        a.add("metal", bar((-0.35, middle - 0.02, 0), (x, middle - 0.02, 0), 0.04))
    else:
        a.add("dark", slab((x + 0.1 * fd, t / 2, 0), (2 * fd, t, 2 * fw)))
