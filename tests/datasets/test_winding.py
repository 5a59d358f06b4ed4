"""Winding numbers against one ray at a time in plain Python, and against shapes known by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from benchbench.core.errors import InputError
from benchbench.datasets.winding import winding_numbers


def box(low: tuple[int, ...], high: tuple[int, ...]) -> np.ndarray:
    """(12, 3, 3): a box whose faces look outward."""
    points = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    corners = np.array(low) + points * (np.array(high) - np.array(low))
    faces = [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]  # fmt: skip
    return corners[np.array(faces)]


def slow(points: np.ndarray, corners: np.ndarray) -> list[int]:
    """The ray is moved aside by an infinitely small step: sums of (a, b) compare like a + b eps.

    Along +x by eps and along +z by eps squared, so no edge is ever met.
    """

    def sign(*terms: int) -> int:
        return next((1 if term > 0 else -1 for term in terms if term), 0)

    found = []
    for px, py, pz in points.tolist():
        total = 0
        for face in corners.tolist():
            sides = []
            for (ax, _, az), (bx, _, bz) in zip(face, face[1:] + face[:1], strict=True):
                value = (bz - az) * (px - ax) - (bx - ax) * (pz - az)
                sides.append(sign(value, bz - az, -(bx - ax)))
            if abs(sum(sides)) != 3:
                continue
            a, b, c = (np.array(corner, object) for corner in face)
            normal = np.cross(b - a, c - a)
            height = a[1] - Fraction(
                int(normal[0] * (px - a[0]) + normal[2] * (pz - a[2])), int(normal[1])
            )
            if height > py:
                total += sides[0]
        found.append(total)
    return found


def random_points(count: int, reach: int, seed: int) -> np.ndarray:
    return 2 * np.random.default_rng(seed).integers(-reach, reach, (count, 3)) + 1


def test_soups_against_the_slow_twin() -> None:
    rng = np.random.default_rng(1)
    for reach in (4, 40, 60000):  # the small ones meet edges and corners' lines all the time
        corners = 2 * rng.integers(-reach, reach, (40, 3, 3))
        points = random_points(300, reach, reach)
        assert winding_numbers(points, corners).tolist() == slow(points, corners)


def test_boxes_by_comparison() -> None:
    low, high = (-40, -20, -10), (40, 20, 10)
    points = random_points(20000, 30, 0)
    inside = ((points > low) & (points < high)).all(1)
    corners = box(low, high)
    np.testing.assert_array_equal(winding_numbers(points, corners), inside)
    np.testing.assert_array_equal(winding_numbers(points, corners[:, ::-1]), -inside.astype(int))
    both = np.concatenate([corners, box((0, -30, -30), (50, 30, 30))])
    second = ((points > (0, -30, -30)) & (points < (50, 30, 30))).all(1)
    np.testing.assert_array_equal(winding_numbers(points, both), inside.astype(int) + second)
    hollow = np.concatenate([corners, box((-4, -4, -4), (4, 4, 4))[:, ::-1]])
    cavity = ((points > -4) & (points < 4)).all(1)
    np.testing.assert_array_equal(winding_numbers(points, hollow), inside.astype(int) - cavity)


def test_diagonals_of_faces_are_met_once() -> None:
    along = 2 * np.arange(-19, 19) + 1
    points = np.stack([along, np.full_like(along, -39), along], -1)  # straight under the diagonal
    assert winding_numbers(points, box((-40, -20, -40), (40, 20, 40))).tolist() == [0] * 38
    points[:, 1] = 1
    assert winding_numbers(points, box((-40, -20, -40), (40, 20, 40))).tolist() == [1] * 38


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_points_and_no_faces(count: int) -> None:
    points = random_points(count, 5, 0)
    none = np.zeros((0, 3, 3), np.int64)
    assert winding_numbers(points, none).tolist() == [0] * count
    assert winding_numbers(points, box((-90, -90, -90), (90, 90, 90))).tolist() == [1] * count


def test_faces_beside_all_points() -> None:
    points = random_points(50, 5, 0)
    far = box((1000, -10, 1000), (2000, 10, 2000))
    assert not winding_numbers(points, far).any()
    assert not winding_numbers(points, -far).any()


def test_large_numbers_do_not_overflow() -> None:
    reach = 1 << 17
    corners = box((-2 * reach, -2 * reach, -2 * reach), (2 * reach, 2 * reach, 2 * reach))
    assert (winding_numbers(random_points(1000, reach, 2), corners) == 1).all()


def test_too_much_work_is_refused() -> None:
    points = random_points(1000, 100, 0)
    piled = np.repeat(box((-200, -2, -200), (200, 2, 200)), 20, axis=0)
    assert set(winding_numbers(points, piled).tolist()) == {0, 20}
    with pytest.raises(InputError, match="240 faces"):
        winding_numbers(points, piled, most_pairs=10_000)
