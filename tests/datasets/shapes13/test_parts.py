"""Primitives: closed, wound outward, and with the volume that school geometry gives."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchbench.datasets.shapes13 import parts
from benchbench.datasets.shapes13.assembly import balanced


def volume(raw: parts.Raw) -> float:
    """Sum of signed tetrahedra, face by face."""
    vertices, faces = raw
    total = 0.0
    for a, b, c in faces:
        total += float(np.linalg.det(vertices[[a, b, c]])) / 6
    return total


def polygon_area(radius: float, sides: int) -> float:
    return 0.5 * sides * radius**2 * math.sin(2 * math.pi / sides)


CASES = {
    "box": (parts.box((0, 0, 0), (1, 2, 3)), 6.0),
    "box with swapped corners": (parts.box((1, 0, 3), (0, 2, 0)), 6.0),
    "slab": (parts.slab((1, 1, 1), (0.5, 0.5, 2)), 0.5),
    # Prismatoid: (A0 + 4 A_half + A1) h / 6 = (4 + 4 * 2.25 + 1) * 3 / 6.
    "frustum": (parts.frustum((0, 0, 0), (2, 2), (0, 3, 0), (1, 1)), 7.0),
    "cylinder": (parts.cylinder((0, 0, 0), (0, 2, 0), 0.5, sides=12), 2 * polygon_area(0.5, 12)),
    "slanted cylinder": (
        parts.cylinder((0, 0, 0), (1, 2, 2), 0.1, sides=8),
        3 * polygon_area(0.1, 8),
    ),
    "square bar": (parts.bar((0, 0, 0), (3, 4, 0), 0.1, 0.2), 5 * 0.02),
    "revolve": (parts.revolve([(1, 0), (1, 2)], sides=16), 2 * polygon_area(1, 16)),
    "ring": (
        parts.ring([(1, 0), (0.5, 0), (0.5, 1), (1, 1)], sides=16),
        polygon_area(1, 16) - polygon_area(0.5, 16),
    ),
    "prism, not convex": (
        parts.prism([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)], 1, 0.5, 1.0),
        1.5,
    ),
    "prism, clockwise": (parts.prism([(0, 1), (1, 1), (1, 0), (0, 0)], 2, 0, 1), 1.0),
    # A wing: diamond of chord 1 and thickness 0.2 (area 0.1) to a line-thin one of half each.
    "blade": (
        parts.blade((0, 0, 0), 1.0, (0, 0, 2), 1.0, 0.2),
        2 * 0.1 * (1 + 0.6) / 2,
    ),
    "mirrored box": (parts.scaled(parts.box((0, 0, 0), (1, 1, 1)), (1, 1, -1)), 1.0),
}


@pytest.mark.parametrize("name", CASES)
def test_volume_and_winding(name: str) -> None:
    raw, expected = CASES[name]
    assert balanced(raw[1])
    assert volume(raw) == pytest.approx(expected, rel=1e-9)


def test_ellipsoid_is_a_little_smaller_than_the_round_one() -> None:
    raw = parts.ellipsoid((1, 2, 3), (0.5, 1, 0.25), sides=32, levels=21)
    ideal = 4 / 3 * math.pi * 0.5 * 1 * 0.25
    assert balanced(raw[1])
    assert 0.93 * ideal < volume(raw) < ideal


def test_tube_follows_its_path() -> None:
    raw = parts.tube([(0, 0, 0), (2, 0, 0), (2, 2, 0)], 0.1, 8)
    assert balanced(raw[1])
    straight = 4 * polygon_area(0.1, 8)
    assert straight <= volume(raw) <= 1.4 * straight  # the mitred joint is a little thicker
    assert raw[0].max(0)[0] == pytest.approx(2.1, abs=0.06)


@pytest.mark.parametrize(
    ("axis", "start", "end"),
    [(0, (0, 1, 0), (0, 0, 1)), (1, (0, 0, 1), (1, 0, 0)), (2, (1, 0, 0), (0, 1, 0))],
)
def test_turns_are_right_handed(
    axis: int, start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    raw = (np.array([start], float) + 5, np.zeros((0, 3), int))
    turned = parts.turned(raw, axis, 90, (5, 5, 5))
    np.testing.assert_allclose(turned[0], np.array([end]) + 5, atol=1e-12)


def test_superellipse_has_exact_axis_points() -> None:
    flat = parts.circle(2, 1, 8, power=6)
    np.testing.assert_allclose(flat[[0, 2, 4, 6]], [(2, 0), (0, 1), (-2, 0), (0, -1)], atol=1e-12)
