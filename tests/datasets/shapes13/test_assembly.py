"""Unions: volumes known by hand, holes counted, colours kept, one canonical order."""

from __future__ import annotations

import numpy as np
import pytest

from benchbench.core.errors import BenchError
from benchbench.datasets.shapes13.assembly import (
    VERTEX_STEP,
    Assembly,
    balanced,
    canonical,
    normalise,
)
from benchbench.datasets.shapes13.parts import box, ellipsoid, scaled


def volume(solid: object) -> float:
    corners = solid.vertices[solid.faces]  # type: ignore[attr-defined]
    return float(np.linalg.det(corners).sum() / 6)


def test_union_of_two_boxes() -> None:
    assembly = Assembly()
    assembly.add("red", box((0, 0, 0), (2, 1, 1)))
    assembly.add("blue", box((1, 0.25, 0.25), (4, 0.75, 0.75)))
    solid = assembly.finish()
    # 2 + 3 * 0.25 - 1 * 0.25 = 2.5, and the longest side 4 becomes 1.
    assert volume(solid) == pytest.approx(2.5 / 64, rel=1e-3)
    assert (solid.genus, solid.pieces) == (0, 1)
    assert balanced(solid.faces)
    np.testing.assert_array_equal(np.ptp(solid.vertices, axis=0), [1.0, 0.25, 0.25])
    np.testing.assert_array_equal(solid.vertices.max(0) + solid.vertices.min(0), [0, 0, 0])


def test_colours_stay_with_their_part() -> None:
    assembly = Assembly()
    assembly.add("red", box((0, 0, 0), (1, 1, 1)))
    assembly.add("blue", box((0.9, 0.2, 0.2), (2, 0.8, 0.8)))
    solid = assembly.finish()
    middle = solid.vertices[solid.faces].mean(1)
    blue = solid.colours == solid.palette.index("blue")
    assert solid.palette == ("red", "blue")
    # The box from 0 to 2 is halved and centred: red ends at x = 0.
    assert (middle[blue][:, 0] > 0).all()
    assert (middle[~blue][:, 0] <= 0).all()


def test_cut_makes_a_hole_with_its_colour() -> None:
    assembly = Assembly()
    assembly.add("wood", box((0, 0, 0), (1, 1, 1)))
    assembly.cut(box((0.25, 0.25, -1), (0.75, 0.75, 2)), colour="dark")
    solid = assembly.finish()
    assert (solid.genus, solid.pieces) == (1, 1)
    assert volume(solid) == pytest.approx(0.75, rel=1e-3)
    dark = solid.vertices[solid.faces[solid.colours == 1]]
    assert abs(dark[..., :2]).max() == 0.25


def test_enclosed_cavity_is_no_part_of_the_outer_surface() -> None:
    assembly = Assembly()
    inner = box((0.25, 0.25, 0.25), (0.75, 0.75, 0.75))
    assembly.add("wood", box((0, 0, 0), (1, 1, 1)), minus=[inner])
    solid = assembly.finish()
    assert len(solid.vertices) == 8
    assert volume(solid) == 1.0


def test_both_mirrors() -> None:
    assembly = Assembly()
    assembly.both("wood", box((0, 0, 1), (1, 1, 2)))
    solid = assembly.finish()
    assert solid.pieces == 2
    assert np.ptp(solid.vertices[:, 2]) == 1.0


def test_order_of_parts_changes_nothing_but_colours() -> None:
    parts = [box((0, 0, 0), (1, 1, 1)), ellipsoid((1, 1, 1), (0.5, 0.6, 0.7))]
    results = []
    for order in (parts, parts[::-1]):
        assembly = Assembly()
        for part in order:
            assembly.add("wood", part)
        results.append(assembly.finish())
    np.testing.assert_array_equal(results[0].vertices, results[1].vertices)


def test_vertices_are_on_the_grid() -> None:
    assembly = Assembly()
    assembly.add("wood", ellipsoid((0.1, 0.2, 0.3), (0.31, 0.2, 0.17)))
    steps = assembly.finish().vertices / VERTEX_STEP
    np.testing.assert_array_equal(steps, np.rint(steps))


def test_normalise_touches_exactly_one_half() -> None:
    points = np.random.default_rng(0).random((50, 3)) * [3, 1, 1] + 7
    unit = normalise(points)
    assert unit[:, 0].min() == -0.5
    assert unit[:, 0].max() == 0.5


def test_canonical_merges_equal_points_and_drops_needles() -> None:
    # A tetrahedron whose first corner is given twice, and a face between the two copies.
    points = np.array([[0, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    faces = np.array([[0, 3, 2], [1, 2, 4], [0, 4, 3], [2, 3, 4], [0, 1, 2]])
    solid = canonical(points, faces, np.zeros(5, np.int16), ("wood",), 0, 1)
    assert solid.vertices.shape == (4, 3)
    assert solid.faces.shape == (4, 3)


def test_open_surface_is_refused() -> None:
    with pytest.raises(BenchError, match="not closed"):
        canonical(np.eye(3), np.array([[0, 1, 2]]), np.zeros(1, np.int16), ("wood",), 0, 1)


def test_broken_part_is_refused() -> None:
    vertices, faces = box((0, 0, 0), (1, 1, 1))
    with pytest.raises(BenchError, match="not a closed solid"):
        Assembly().add("wood", (vertices, faces[:-1]))
    flat = scaled((vertices, faces), (1, 0, 1))
    with pytest.raises(BenchError, match="not a closed solid"):
        Assembly().add("wood", flat)
