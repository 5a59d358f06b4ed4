"""Points: on the surface, normals outward, labels exact."""

from __future__ import annotations

import numpy as np
import pytest

from benchbench.core.errors import ShapeError
from benchbench.core.types import Mesh
from benchbench.datasets.shapes13.generate import generate
from benchbench.datasets.shapes13.parts import box
from benchbench.datasets.shapes13.points import QUERY_STEP, inside, query_points, surface_points


def solid_angle_sum(point: np.ndarray, corners: np.ndarray) -> float:
    """Winding number in floats (Van Oosterom and Strackee 1983)."""
    a, b, c = (corners - point).transpose(1, 0, 2)
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    top = np.einsum("ij,ij->i", a, np.cross(b, c))
    dots = [np.einsum("ij,ij->i", u, v) for u, v in ((a, b), (b, c), (c, a))]
    bottom = la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb
    return float(np.arctan2(top, bottom).sum() / (2 * np.pi))


@pytest.mark.parametrize("name", ["chair", "lamp", "airplane"])
def test_labels_equal_the_winding_number(name: str) -> None:
    mesh = generate(name, 1).mesh
    points, labels = query_points(mesh, 400, 0, name)
    corners = mesh.vertices[mesh.faces].astype(float)
    expected = [solid_angle_sum(point, corners) > 0.5 for point in points.astype(float)]
    np.testing.assert_array_equal(labels, expected)
    assert labels.any()
    assert not labels.all()


def test_labels_of_a_box_by_comparison() -> None:
    low, high = np.array([-0.5, -0.25, -0.125]), np.array([0.5, 0.25, 0.125])
    vertices, faces = box(low, high)
    mesh = Mesh(vertices.astype(np.float32), faces.astype(np.int32))
    points, labels = query_points(mesh, 2000, 3, "box")
    np.testing.assert_array_equal(labels, ((points > low) & (points < high)).all(1))
    # Points straight over the diagonal of a face: the ray meets the shared edge of two faces.
    along = (2 * np.arange(-2000, 2000, 37) + 1) * QUERY_STEP
    diagonal = np.stack([along, np.full_like(along, 0.3 + QUERY_STEP / 2), along / 4], -1)
    diagonal = (2 * np.floor(diagonal / QUERY_STEP / 2) + 1) * QUERY_STEP
    expected = ((diagonal > low) & (diagonal < high)).all(1)
    np.testing.assert_array_equal(inside(diagonal, mesh), expected)


def test_even_and_near_points() -> None:
    mesh = generate("sofa", 2).mesh
    points, _ = query_points(mesh, 1000, 0, "a", near_share=0.25, noise=0.01, margin=0.1)
    assert points.shape == (1000, 3)
    assert abs(points[:750]).max() <= 0.6
    assert abs(points[:750]).max() > 0.55
    steps = points.astype(float) / QUERY_STEP
    assert (np.rint(steps) == steps).all()
    assert (steps % 2 == 1).all()


def test_functions_of_seed_and_id() -> None:
    mesh = generate("table", 2).mesh
    first, labels = query_points(mesh, 500, 1, "a")
    again, labels_again = query_points(mesh, 500, 1, "a")
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(labels, labels_again)
    for seed, name in ((2, "a"), (1, "b")):
        assert (query_points(mesh, 500, seed, name)[0] != first).any()


def test_surface_points_and_normals() -> None:
    shape = generate("car", 3)
    points = surface_points(shape.mesh, 300, 0, shape.id)
    assert points.normals is not None
    np.testing.assert_allclose(np.linalg.norm(points.normals, axis=1), 1, atol=1e-6)
    corners = shape.mesh.vertices[shape.mesh.faces].astype(float)
    step = 1e-4
    outside = inner = 0
    for point, normal in zip(
        points.points.astype(float), points.normals.astype(float), strict=True
    ):
        outside += solid_angle_sum(point + step * normal, corners) < 0.5
        inner += solid_angle_sum(point - step * normal, corners) > 0.5
    # A few points lie within a step of an edge.
    assert outside >= 297
    assert inner >= 297
    # The first points of a longer list are the short list.
    longer = surface_points(shape.mesh, 900, 0, shape.id)
    np.testing.assert_array_equal(longer.points[:300], points.points)


def test_points_off_the_grid_are_refused() -> None:
    with pytest.raises(ShapeError, match="odd multiples"):
        inside(np.array([[0.0, 0.1, 0.2]]), generate("table", 2).mesh)
