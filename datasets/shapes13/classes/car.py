"""Cars: bonnet to +x, wheels on y = 0."""

from __future__ import annotations

from types import SimpleNamespace

from benchbench.datasets.shapes13.assembly import Assembly
from benchbench.datasets.shapes13.parts import bar, box, cylinder, prism, slab, tube

CONTINUOUS = {
    "width": (0.3, 0.52),
    "clearance": (0.05, 0.17),
    "belt": (0.1, 0.2),
    "roof": (0.1, 0.24),
    "bonnet": (0.16, 0.36),
    "boot": (0.0, 0.24),
    "screen": (0.04, 0.16),
    "rear_slope": (0.01, 0.14),
    "cabin_inset": (0.01, 0.06),
    "wheel": (0.07, 0.13),
    "wheel_width": (0.05, 0.1),
    "front_axle": (0.28, 0.36),
    "rear_axle": (0.24, 0.36),
    "wing_height": (0.05, 0.14),
    "nose_drop": (0.0, 0.05),
}
CHOICES = {
    "body": ("saloon", "estate", "pickup", "open", "buggy", "racer", "lorry", "van"),
    "wheels": ("covered", "free"),
    "roof_load": ("none", "none", "rack", "board"),
    "rear": ("none", "none", "wing", "spare wheel"),
    "front": ("plain", "bull bar", "bumper"),
}


def build(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """Length 1 along x; the body's side view is pulled across, then wheels and extras."""
    half, low = p.width / 2, p.clearance
    belt = low + p.belt
    roof = belt + p.roof
    front, back = 0.5 - p.bonnet, -0.5 + p.boot
    {"racer": _racer, "buggy": _buggy, "lorry": _lorry}.get(c.body, _body)(p, c, a)
    if c.body not in ("racer",):
        _wheels(p, c, a, half)
    closed = c.body in ("saloon", "estate", "van")
    if c.roof_load != "none" and closed:
        x0, x1 = (-0.44 if c.body != "saloon" else back + p.rear_slope), front - p.screen
        y = roof + 0.045
        for z in (half - p.cabin_inset - 0.03, -half + p.cabin_inset + 0.03):
            for x in (x0 + 0.06, x1 - 0.03):
                a.add("metal", bar((x, roof - 0.02, z), (x, y, z), 0.02))
            a.add("metal", bar((x0 + 0.03, y, z), (x1, y, z), 0.02))
        if c.roof_load == "board":
            a.add("accent", box((x0, y - 0.005, -half * 0.5), (x1 + 0.08, y + 0.012, half * 0.95)))
    if c.rear == "wing" and c.body in ("saloon", "open"):
        y = belt + p.wing_height
        a.add("dark", box((-0.49, y - 0.006, -half), (-0.37, y + 0.01, half)))
        for z in (half * 0.7, -half * 0.7):
            a.add("dark", box((-0.44, belt - 0.02, z - 0.01), (-0.41, y, z + 0.01)))
    elif c.rear == "spare wheel" and c.body in ("estate", "van", "buggy"):
        y = low + 0.6 * p.belt + 0.05
        a.add("dark", cylinder((-0.49, y, 0.04), (-0.54, y, 0.04), p.wheel * 0.85, sides=14))
    if c.front == "bull bar" and c.body != "racer":
        y0, y1 = low + 0.02, belt
        points = [(0.48, y0, -half * 0.8), (0.55, y0, -half * 0.8), (0.55, y1, -half * 0.8)]
        points += [(x, y, -z) for x, y, z in points[::-1]]
        a.add("metal", tube(points, 0.014, 6))
    elif c.front == "bumper" and c.body != "racer":
        a.add("dark", box((0.46, low - 0.01, -half), (0.53, low + 0.045, half)))


def _body(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    half, low = p.width / 2, p.clearance
    belt, roof = low + p.belt, low + p.belt + p.roof
    front, back = 0.5 - p.bonnet, -0.5 + (max(p.boot, 0.11) if c.body == "open" else p.boot)
    if c.body == "van":
        front, back = 0.5 - 0.35 * p.bonnet, -0.49
        roof += 0.08
    elif c.body == "estate":
        back = -0.48
    nose = belt - p.nose_drop
    lower = [(-0.5, low), (0.5, low), (0.5, nose), (front, belt), (-0.5, belt - 0.3 * p.nose_drop)]
    side = half - p.cabin_inset
    a.add("body", prism(lower, 2, -half, half))
    if c.body in ("saloon", "estate", "van"):
        slope = p.rear_slope if c.body == "saloon" else 0.02
        cabin = [
            (back, belt - 0.01),
            (front, belt - 0.01),
            (front - p.screen, roof),
            (back + slope, roof),
        ]
        a.add("glass", prism(cabin, 2, -side, side))
        a.add(
            "body", box((back + slope, roof - 0.012, -side), (front - p.screen, roof + 0.008, side))
        )
        return
    middle = (front + back) / 2
    deep = low + 0.014
    if c.body == "pickup":
        middle = front - p.screen - 0.2
        cabin = [
            (middle, belt - 0.01),
            (front, belt - 0.01),
            (front - p.screen, roof),
            (middle, roof),
        ]
        a.add("glass", prism(cabin, 2, -side, side))
        a.add("body", box((middle, roof - 0.012, -side), (front - p.screen, roof + 0.008, side)))
        a.cut(box((-0.488, deep, -half + 0.012), (middle - 0.03, 1, half - 0.012)), colour="dark")
        return
    # An open car: a tub with two seats, a windscreen and perhaps a roll bar.
    a.cut(box((back + 0.02, deep, -side), (front - 0.02, 1, side)), colour="dark")
    top = belt + 0.6 * p.roof
    screen = [
        (front - 0.03, belt - 0.03),
        (front, belt - 0.03),
        (front - p.screen, top),
        (front - p.screen - 0.016, top),
    ]
    a.add("glass", prism(screen, 2, -side, side))
    for z in (side * 0.5, -side * 0.5):
        a.add("accent", slab((middle - 0.02, deep + 0.03, z), (0.13, 0.08, side * 0.75)))
        a.add(
            "accent",
            box(
                (middle - 0.11, deep - 0.01, z - side * 0.36),
                (middle - 0.07, belt + 0.05, z + side * 0.36),
            ),
        )
    a.add(
        "metal",
        tube(
            [
                (back + 0.01, low + 0.02, -side * 0.8),
                (back + 0.01, top, -side * 0.7),
                (back + 0.01, top, side * 0.7),
                (back + 0.01, low + 0.02, side * 0.8),
            ],
            0.013,
            6,
        ),
    )


def _buggy(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A flat floor with bonnet, seats and a roll cage."""
    half, low = p.width / 2, p.clearance
    belt, roof = low + p.belt, low + p.belt + p.roof
    front, back, side = 0.5 - p.bonnet, -0.5 + 0.5 * p.boot + 0.08, half - 0.02
    a.add("body", box((-0.5, low, -half), (0.5, low + 0.014, half)))
    bonnet = [(front, low + 0.02), (0.5, low + 0.02), (0.5, belt - p.nose_drop), (front, belt)]
    a.add("body", prism(bonnet, 2, -half, half))
    a.add("body", box((-0.5, low, -half), (-0.45, belt * 0.8, half)))
    x1 = front - p.screen
    for z in (side, -side):
        a.add(
            "metal",
            tube(
                [
                    (front, belt - 0.03, z),
                    (x1, roof, z),
                    (back, roof, z),
                    (back - 0.03, low + 0.004, z),
                ],
                0.015,
                6,
            ),
        )
    for x in (x1, back):
        a.add("metal", tube([(x, roof, -side), (x, roof, side)], 0.015, 6))
    for z in (side * 0.5, -side * 0.5):
        middle = (front + back) / 2
        a.add(
            "accent",
            box(
                (middle - 0.07, low + 0.005, z - side * 0.4),
                (middle + 0.07, low + 0.09, z + side * 0.4),
            ),
        )
        a.add(
            "accent",
            box(
                (middle - 0.1, low + 0.005, z - side * 0.4),
                (middle - 0.05, belt + 0.06, z + side * 0.4),
            ),
        )


def _racer(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A single-seater: narrow tub, free wheels, wings at both ends."""
    half, low = p.width / 2 + 0.03, p.clearance * 0.5
    tub = 0.3 * half
    top = low + p.belt
    outline = [
        (-0.45, low),
        (0.46, low),
        (0.47, low + 0.03),
        (0.12, top),
        (-0.1, top),
        (-0.45, low + 0.07),
    ]
    a.add("body", prism(outline, 2, -tub, tub))
    a.add("accent", box((-0.25, low, -0.65 * half), (0.05, low + 0.6 * p.belt, 0.65 * half)))
    a.cut(box((-0.02, low + 0.03, -0.75 * tub), (0.1, 1, 0.75 * tub)), colour="dark")
    fin = [
        (-0.4, low + 0.05),
        (-0.05, low + 0.05),
        (-0.06, top + 0.4 * p.roof),
        (-0.12, top + 0.4 * p.roof),
    ]
    a.add("body", prism(fin, 2, -0.5 * tub, 0.5 * tub))
    y = top + p.wing_height
    a.add("dark", box((-0.5, y, -0.8 * half), (-0.37, y + 0.015, 0.8 * half)))
    for z in (-0.8 * half, 0.8 * half - 0.012):
        a.add("dark", box((-0.5, y - 0.06, z), (-0.36, y + 0.03, z + 0.012)))
    a.add("dark", box((-0.45, low + 0.03, -0.015), (-0.41, y + 0.005, 0.015)))
    a.add("dark", box((0.4, low + 0.005, -half), (0.5, low + 0.02, half)))
    for x in (p.front_axle, -p.rear_axle):
        a.add("metal", tube([(x, p.wheel, -half), (x, p.wheel, half)], 0.014, 6))
        a.add("metal", box((x - 0.03, low, -tub * 0.8), (x + 0.03, p.wheel + 0.02, tub * 0.8)))
        a.both(
            "dark",
            cylinder((x, p.wheel, half - p.wheel_width), (x, p.wheel, half), p.wheel, sides=14),
        )


def _lorry(p: SimpleNamespace, c: SimpleNamespace, a: Assembly) -> None:
    """A cab, a chassis and a flat bed, a tank or a tipper behind."""
    half, low = p.width / 2, p.clearance + 0.03
    cab_back, roof = 0.5 - 0.12 - 0.5 * p.bonnet, low + p.belt + p.roof
    a.add("dark", box((-0.5, low, -half * 0.5), (0.5, low + 0.04, half * 0.5)))
    cab = [
        (cab_back, low),
        (0.5, low),
        (0.5, low + p.belt),
        (0.5 - 0.4 * p.screen, roof),
        (cab_back, roof),
    ]
    a.add("body", prism(cab, 2, -half, half))
    a.add("glass", box((0.4, low + p.belt * 0.9, -half - 0.004), (0.46, roof - 0.04, half + 0.004)))
    bed = low + 0.06
    load = cab_back - 0.03
    if c.rear == "wing":
        y = bed + 0.5 * p.roof
        a.add("accent", cylinder((-0.5, y, 0), (load, y, 0), half * 0.85, sides=14))
        a.add("dark", box((-0.45, low, -half * 0.6), (load - 0.05, y, half * 0.6)))
    else:
        wall = 0.02 + 0.6 * p.wing_height if c.rear == "none" else p.roof + 0.05
        hollow = box((-0.49, bed - 0.015, -half + 0.01), (load - 0.01, 2, half - 0.01))
        a.add("accent", box((-0.5, bed - 0.03, -half), (load, bed + wall, half)), minus=[hollow])


def _wheels(p: SimpleNamespace, c: SimpleNamespace, a: Assembly, half: float) -> None:
    """Free wheels stand out sideways; covered ones sit in arches cut from the body."""
    low = p.clearance + (0.034 if c.body == "lorry" else 0.004)
    out = half + (0.6 * p.wheel_width if c.wheels == "free" else 0.004)
    for x in (p.front_axle, -p.rear_axle):
        if c.wheels == "covered" and c.body in ("saloon", "estate", "van", "pickup", "open"):
            depth = p.wheel_width + 0.02
            for z0, z1 in ((half - depth, half + 0.1), (-half - 0.1, -half + depth)):
                arch = cylinder((x, p.wheel, z0), (x, p.wheel, z1), p.wheel + 0.02, sides=14)
                a.cut(arch, colour="dark")
        a.add("dark", tube([(x, p.wheel, -half), (x, p.wheel, half)], 0.02, 6))
        a.add(
            "dark",
            box(
                (x - 0.02, min(p.wheel - 0.02, low), -half * 0.5),
                (x + 0.02, max(p.wheel, low) + 0.015, half * 0.5),
            ),
        )
        a.both(
            "dark",
            cylinder((x, p.wheel, out - p.wheel_width), (x, p.wheel, out), p.wheel, sides=14),
        )
        a.both(
            "metal",
            cylinder((x, p.wheel, out - 0.02), (x, p.wheel, out + 0.006), p.wheel * 0.5, sides=10),
        )
