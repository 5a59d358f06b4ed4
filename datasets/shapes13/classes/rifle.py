"""Rifles: muzzle to +x, sights up."""

from __future__ import annotations

from types import SimpleNamespace

from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.parts import bar, box, cylinder, prism, revolve, tube, turned

CONTINUOUS = {
    "barrel": (0.22, 0.55),
    "bore": (0.011, 0.022),
    "receiver": (0.16, 0.34),
    "receiver_height": (0.045, 0.11),
    "stock": (0.16, 0.36),
    "stock_height": (0.08, 0.2),
    "stock_drop": (-0.01, 0.12),
    "grip": (0.09, 0.18),
    "grip_rake": (5.0, 40.0),
    "magazine": (0.08, 0.26),
    "magazine_rake": (-28.0, 12.0),
    "magazine_x": (0.15, 0.75),
    "fore_end": (0.3, 0.85),
    "scope": (0.14, 0.32),
    "scope_height": (0.03, 0.075),
    "width": (0.03, 0.06),
}
CHOICES = {
    "stock": ("solid", "skeleton", "wire", "pistol", "bullpup"),
    "magazine": ("none", "box", "curved", "drum", "long box"),
    "sight": ("none", "iron", "scope", "handle", "rail"),
    "front": ("plain", "brake", "silencer", "bipod", "launcher"),
    "hand": ("fore end", "vertical grip", "tube"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """The receiver runs from x = 0 to its length, the bore along y = 0."""
    length, high, w = p.receiver, p.receiver_height, p.width / 2
    top, low = 0.35 * high, -0.65 * high
    a.add("dark", box((0, low, -w), (length, top, w)))
    end = length + p.barrel
    a.add("metal", cylinder((0.5 * length, 0, 0), (end, 0, 0), p.bore, sides=10))
    fore = p.fore_end * p.barrel
    if c.hand == "tube":
        a.add(
            "metal",
            cylinder((length - 0.02, -0.045, 0), (length + fore, -0.045, 0), 0.019, sides=8),
        )
        a.add(
            "wood",
            cylinder(
                (length + 0.3 * fore, -0.045, 0), (length + 0.8 * fore, -0.045, 0), 0.03, sides=10
            ),
        )
        a.add("metal", box((length + 0.9 * fore, -0.05, -0.01), (length + 0.96 * fore, 0, 0.01)))
    else:
        wood = [
            (length - 0.01, low),
            (length + fore, -0.4 * high),
            (length + fore, 0.25 * high),
            (length - 0.01, top),
        ]
        a.add("wood", prism(wood, 2, -w * 0.85, w * 0.85))
        if c.hand == "vertical grip":
            x = length + 0.55 * fore
            a.add(
                "dark",
                cylinder((x, -0.3 * high, 0), (x - 0.01, low - 0.8 * p.grip, 0), 0.022, sides=8),
            )
    _stock(p, c, a, top, low, w)
    _magazine(p, c, a, low, w)
    _sight(p, c, a, top, end)
    _front(p, c, a, end)


def _stock(
    p: SimpleNamespace, c: SimpleNamespace, a: Assembly, top: float, low: float, w: float
) -> None:
    s, tall, drop = p.stock, p.stock_height, p.stock_drop
    bottom = -drop - tall + top
    grip_x = 0.05 if c.stock != "bullpup" else 0.6 * p.receiver
    grip = box((-0.025, -p.grip, -w * 0.75), (0.025, 0.02, w * 0.75))
    grip = (grip[0] + [grip_x, low, 0.0], grip[1])
    a.add("dark", turned(grip, 2, -p.grip_rake, (grip_x, low, 0)))
    guard = grip_x + 0.04
    path = [
        (guard - 0.03, low + 0.01, 0),
        (guard, low - 0.055, 0),
        (guard + 0.07, low - 0.055, 0),
        (guard + 0.085, low + 0.01, 0),
    ]
    a.add("metal", tube(path, 0.011, 6))
    if c.stock in ("solid", "bullpup"):
        k = 0.55 if c.stock == "bullpup" else 1.0
        neck = [
            (0.02, top * 0.9),
            (0.02, low),
            (-0.35 * s * k, low * 0.9 - 0.3 * drop),
            (-s * k, bottom),
            (-s * k, top - drop),
            (-0.3 * s * k, top * 0.6 - 0.3 * drop),
        ]
        a.add("wood", prism(neck, 2, -w * 0.8, w * 0.8))
    elif c.stock == "skeleton":
        outer = [(0.02, top * 0.8), (0.02, low), (-s, bottom), (-s, top - drop)]
        hole = [
            (-0.3 * s, 0.4 * low - 0.3 * drop),
            (-0.3 * s, 0.75 * low - 0.35 * drop),
            (-s + 0.03, bottom + 0.035),
            (-s + 0.03, top - drop - 0.03),
        ]
        a.add("dark", prism(outer, 2, -w * 0.7, w * 0.7), minus=[prism(hole, 2, -1, 1)])
    elif c.stock == "wire":
        for z in (0.7 * w, -0.7 * w):
            a.add(
                "metal",
                tube(
                    [(0.02, 0.3 * low, z), (-s, 0.3 * low - 0.5 * drop, z), (-s - 0.01, bottom, z)],
                    0.011,
                    6,
                ),
            )
        a.add("metal", box((-s - 0.02, bottom, -w), (-s, bottom + 0.03, w)))
        a.add(
            "metal",
            box(
                (-s - 0.012, 0.3 * low - 0.5 * drop - 0.012, -w),
                (-s + 0.012, 0.3 * low - 0.5 * drop + 0.012, w),
            ),
        )
    else:
        a.add("dark", box((-0.04, low * 0.8, -w * 0.8), (0.02, top * 0.9, w * 0.8)))


def _magazine(p: SimpleNamespace, c: SimpleNamespace, a: Assembly, low: float, w: float) -> None:
    x = p.receiver * p.magazine_x + (0.1 if c.stock != "bullpup" else -0.02)
    x = min(x, p.receiver - 0.02) if c.stock != "bullpup" else 0.2 * p.receiver
    size = p.magazine * (1.5 if c.magazine == "long box" else 1.0)
    if c.magazine in ("box", "long box"):
        part = box((x - 0.03, low - size, -w * 0.6), (x + 0.03, low + 0.02, w * 0.6))
        a.add("metal", turned(part, 2, p.magazine_rake * 0.5, (x, low, 0)))
    elif c.magazine == "curved":
        points = [(x + 0.25 * size * t * t, low + 0.015 - size * t) for t in (0, 0.35, 0.7, 1.0)]
        outline = [(u - 0.03, v) for u, v in points] + [
            (u + 0.03, v + 0.01) for u, v in points[::-1]
        ]
        a.add("metal", prism(outline, 2, -w * 0.6, w * 0.6))
    elif c.magazine == "drum":
        r = 0.35 * size + 0.03
        a.add(
            "metal",
            cylinder((x, low - r + 0.015, -w * 1.3), (x, low - r + 0.015, w * 1.3), r, sides=14),
        )


def _sight(p: SimpleNamespace, c: SimpleNamespace, a: Assembly, top: float, end: float) -> None:
    middle, y = 0.55 * p.receiver, top + p.scope_height
    if c.sight == "scope":
        s = p.scope / 2
        profile = [
            (0.03, -s),
            (0.028, -0.65 * s),
            (0.018, -0.45 * s),
            (0.018, 0.4 * s),
            (0.034, 0.65 * s),
            (0.034, s),
        ]
        a.add("dark", revolve(profile, (middle, y + 0.01, 0), 10, axis=0))
        for x in (middle - 0.3 * s, middle + 0.25 * s):
            a.add("metal", box((x - 0.012, top - 0.01, -0.012), (x + 0.012, y + 0.01, 0.012)))
    elif c.sight == "handle":
        path = [
            (0.1 * p.receiver, top - 0.01, 0),
            (0.2 * p.receiver, y + 0.03, 0),
            (0.85 * p.receiver, y + 0.03, 0),
            (0.95 * p.receiver, top - 0.01, 0),
        ]
        a.add("dark", tube(path, 0.014, 6))
    elif c.sight == "rail":
        a.add(
            "dark",
            box((0.02, top - 0.01, -0.015), (p.receiver + 0.3 * p.barrel, top + 0.02, 0.015)),
        )
    if c.sight in ("iron", "handle", "rail"):
        x = end - 0.04
        a.add("metal", box((x - 0.01, 0, -0.01), (x + 0.01, top + 0.6 * p.scope_height, 0.01)))
        if c.sight == "iron":
            a.add(
                "metal",
                box(
                    (0.15 * p.receiver, top - 0.01, -0.015),
                    (0.22 * p.receiver, top + 0.6 * p.scope_height, 0.015),
                ),
            )


def _front(p: SimpleNamespace, c: SimpleNamespace, a: Assembly, end: float) -> None:
    if c.front == "brake":
        a.add("dark", cylinder((end - 0.05, 0, 0), (end + 0.03, 0, 0), 1.6 * p.bore, sides=8))
    elif c.front == "silencer":
        a.add("dark", cylinder((end - 0.03, 0, 0), (end + 0.2, 0, 0), 2.0 * p.bore, sides=10))
    elif c.front == "bipod":
        x = end - 0.3 * p.barrel
        for side in (1, -1):
            a.add("metal", bar((x, 0, 0), (x + 0.03, -0.24, side * 0.11), 0.02))
    elif c.front == "launcher":
        x0 = p.receiver + 0.1 * p.barrel
        y = -p.bore - 0.03 - 0.5 * p.receiver_height
        a.add("dark", cylinder((x0, y, 0), (end - 0.15 * p.barrel, y, 0), 0.036, sides=10))
        a.add("metal", box((x0 + 0.02, y, -0.012), (x0 + 0.06, 0, 0.012)))
