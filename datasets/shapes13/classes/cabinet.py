"""Cabinets, dressers and bookcases: doors and drawers face +x."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.parts import box, cylinder, frustum, slab

CONTINUOUS = {
    "width": (0.45, 1.6),
    "height": (0.55, 1.8),
    "depth": (0.25, 0.75),
    "wall": (0.008, 0.018),
    "leg_height": (0.06, 0.4),
    "leg_width": (0.03, 0.06),
    "open_share": (0.35, 0.8),
    "overhang": (0.0, 0.06),
    "upper_depth": (0.35, 0.7),
    "upper_height": (0.35, 0.9),
    "lower_height": (0.35, 0.6),
    "divider": (0.35, 0.65),
}
CHOICES = {
    "body": ("shelves", "shelves", "half", "hutch", "steps", "desk", "chest", "columns"),
    "back": ("open", "open", "closed"),
    "base": ("none", "legs", "tapered legs", "plinth"),
    "front": ("plain", "drawers", "doors", "ajar"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """The case stands on y = 0 or on its legs."""
    lift = {"none": 0.0, "plinth": 0.05}.get(c.base, p.leg_height)
    w, d, y0 = p.width / 2, p.depth / 2, lift
    y1 = y0 + p.height
    edge = -w + p.width * p.divider * 0.7  # of the drawers under a desk
    if c.body == "shelves":
        _frame(p, c, a, (-w, w), (y0, y1), round(p.height / 0.32), round(p.width / 0.55))
    elif c.body == "half":
        middle = y0 + p.height * (1 - p.open_share)
        _closed(p, c, a, (-w, w), (y0, middle), d)
        _frame(p, c, a, (-w, w), (middle - p.wall, y1), round((y1 - middle) / 0.3), 1)
    elif c.body == "hutch":
        low = y0 + p.height * p.lower_height
        _closed(p, c, a, (-w, w), (y0, low), d)
        back = -d + p.depth * p.upper_depth
        _frame(p, c, a, (-w, w), (low - p.wall, low + p.upper_height), 2, 1, x=(-d, back))
    elif c.body == "steps":
        count = 3 if p.width > 0.9 else 2
        edges = np.linspace(-w, w, count + 1)
        for k in range(count):
            top = y0 + p.height * (k + 1) / count
            cells = max(1, round((top - y0) / 0.35))
            _frame(p, c, a, (edges[k] - p.wall / 2, edges[k + 1] + p.wall / 2), (y0, top), cells, 1)
    elif c.body == "desk":
        a.add("wood", box((-d, y1 - 0.018, -w), (d, y1, w)))
        _closed(p, c, a, (-w, edge), (y0, y1 - 0.01), d)
        a.add("wood", box((-d, 0, w - p.wall), (d, y1 - 0.01, w)))
    elif c.body == "columns":
        inner = -w + p.width * p.divider
        low = y0 + p.height * (1 - 0.6 * p.open_share)
        _closed(p, c, a, (-w, inner), (y0, y1), d)
        _frame(p, c, a, (inner - p.wall, w), (y0, low), max(1, round(p.height / 0.5)), 1)
    else:
        _closed(p, c, a, (-w, w), (y0, y1), d)
        a.add(
            "accent",
            slab((0, y1, 0), (p.depth + p.overhang + 0.02, 0.02, p.width + p.overhang + 0.02)),
        )
    _base(p, c, a, lift, edge if c.body == "desk" else w)


def _frame(
    p: SimpleNamespace,
    c: SimpleNamespace,
    a: Assembly,
    z: tuple[float, float],
    y: tuple[float, float],
    rows: int,
    columns: int,
    x: tuple[float, float] | None = None,
) -> None:
    """An open case: side walls, shelves, dividers and perhaps a back."""
    x0, x1 = x or (-p.depth / 2, p.depth / 2)
    t = p.wall
    for side in (z[0], z[1] - t):
        a.add("wood", box((x0, y[0], side), (x1, y[1], side + t)))
    for level in np.linspace(y[0], y[1] - t, max(1, rows) + 1):
        a.add("wood", box((x0, level, z[0]), (x1, level + t, z[1])))
    for middle in np.linspace(z[0], z[1] - t, max(1, columns) + 1)[1:-1]:
        a.add("wood", box((x0, y[0], middle), (x1, y[1], middle + t)))
    if c.back == "closed":
        a.add("accent", box((x0, y[0], z[0]), (x0 + 0.008, y[1], z[1])))


def _closed(
    p: SimpleNamespace,
    c: SimpleNamespace,
    a: Assembly,
    z: tuple[float, float],
    y: tuple[float, float],
    front: float,
) -> None:
    """A closed block whose front shows drawers, doors or a door standing open."""
    back = -p.depth / 2
    wide, high = z[1] - z[0], y[1] - y[0]
    face, gap = front + 0.012, 0.02
    if c.front == "ajar":
        t = p.wall
        hollow = box((back + t, y[0] + t, z[0] + t), (front + 1, y[1] - t, z[1] - t))
        a.add("wood", box((back, y[0], z[0]), (front, y[1], z[1])), minus=[hollow])
        for level in np.linspace(y[0], y[1] - t, max(1, round(high / 0.35)) + 1)[1:-1]:
            a.add("wood", box((back, level, z[0]), (front - 0.05, level + t, z[1])))
        reach = min(wide, 0.6)
        a.add(
            "accent", box((front - 0.01, y[0] + 0.01, z[0]), (front + reach, y[1] - 0.01, z[0] + t))
        )
        return
    a.add("wood", box((back, y[0], z[0]), (front, y[1], z[1])))
    if c.front == "drawers":
        rows = max(1, round(high / 0.25))
        step = high / rows
        for k in range(rows):
            low = y[0] + k * step
            a.add(
                "accent",
                box((front - 0.01, low + gap, z[0] + gap), (face, low + step - gap, z[1] - gap)),
            )
            middle = (z[0] + z[1]) / 2
            knob = (face - 0.005, low + step / 2, middle)
            a.add("metal", cylinder(knob, (face + 0.035, low + step / 2, middle), 0.018, sides=8))
    elif c.front == "doors":
        middle = (z[0] + z[1]) / 2
        for left, right, handle in ((z[0], middle, middle - 0.05), (middle, z[1], middle + 0.05)):
            a.add(
                "accent",
                box(
                    (front - 0.01, y[0] + gap, left + gap / 2), (face, y[1] - gap, right - gap / 2)
                ),
            )
            y_knob = y[0] + 0.55 * high
            a.add(
                "metal",
                box(
                    (face - 0.005, y_knob - 0.05, handle - 0.01),
                    (face + 0.03, y_knob + 0.05, handle + 0.01),
                ),
            )


def _base(p: SimpleNamespace, c: SimpleNamespace, a: Assembly, lift: float, edge: float) -> None:
    """What carries the case between z = -width / 2 and `edge`."""
    w, d, t = p.width / 2, p.depth / 2, p.leg_width
    if c.base == "plinth":
        a.add("dark", box((-d + 0.03, 0, -w + 0.03), (d - 0.03, lift + p.wall / 2, edge - 0.03)))
    elif c.base == "legs":
        for z in (edge - t / 2, -w + t / 2):
            for x in (d - t / 2, -d + t / 2):
                a.add(
                    "dark",
                    box((x - t / 2, 0, z - t / 2), (x + t / 2, lift + p.wall / 2, z + t / 2)),
                )
    elif c.base == "tapered legs":
        for z in (edge - t, -w + t):
            for x in (d - t, -d + t):
                a.add(
                    "metal",
                    frustum(
                        (x * 1.05, 0, z),
                        (t * 0.6, t * 0.6),
                        (x, lift + p.wall / 2, z),
                        (t * 1.4, t * 1.4),
                    ),
                )
