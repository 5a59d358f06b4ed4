"""Inside and outside of meshes that are closed, inside out, overlapping and open."""

from __future__ import annotations

import numpy as np
import pytest

from benchbench.core.types import Mesh
from benchbench.datasets.shapenet_core import occupancy as module
from benchbench.datasets.shapenet_core.occupancy import (
    decode_inside,
    decode_points,
    is_closed,
    occupancy,
)
from benchbench.datasets.shapes13.parts import box

LOW, HIGH = np.array([-0.5, -0.25, -0.125]), np.array([0.5, 0.25, 0.125])


def mesh_of(*parts: tuple[np.ndarray, np.ndarray]) -> Mesh:
    vertices, faces, first = [], [], 0
    for corners, triangles in parts:
        vertices.append(corners)
        faces.append(np.asarray(triangles) + first)
        first += len(corners)
    return Mesh(np.concatenate(vertices).astype(np.float32), np.concatenate(faces).astype(np.int32))


def answers(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, module.Occupancy]:
    found = occupancy(mesh, 0, "thing")
    return decode_points(found.points).astype(np.float64), decode_inside(found.bits), found


def within(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return ((points > low) & (points < high)).all(1)


def test_points_fill_the_cube() -> None:
    points, _, found = answers(mesh_of(box(LOW, HIGH)))
    assert found.points.shape == (100_000, 3) and found.bits.shape == (12_500,)
    assert np.abs(points).max() < 0.55
    counts = np.histogramdd(points, bins=4, range=[(-0.55, 0.55)] * 3)[0]
    assert abs(counts - 100_000 / 64).max() < 5 * (100_000 / 64) ** 0.5
    # A stored point is the middle of its cell: q = 0 lies half a cell from the cube's side.
    assert decode_points(np.uint16([[0, 32767, 32768]])) == pytest.approx(
        np.array([[-0.55 + 0.55 / 65536, -0.55 / 65536, 0.55 / 65536]]), abs=1e-7
    )


def test_a_closed_box_is_exact() -> None:
    points, inside, found = answers(mesh_of(box(LOW, HIGH)))
    assert (found.watertight, found.method) == (True, "winding")
    step = 2e-5  # corners are rounded to 1.7e-5
    sure = ~within(points, LOW - step, HIGH + step) | within(points, LOW + step, HIGH - step)
    assert sure.mean() > 0.999
    np.testing.assert_array_equal(inside[sure], within(points, LOW, HIGH)[sure])
    assert 0.97 < found.agreement < 1  # voxels are thicker by up to a cell each side


def test_inside_out_and_overlapping_parts_are_solid() -> None:
    vertices, faces = box(LOW, HIGH)
    _, expected, _ = answers(mesh_of((vertices, faces)))
    _, inside, found = answers(mesh_of((vertices, faces[:, ::-1])))
    assert found.method == "winding"
    np.testing.assert_array_equal(inside, expected)
    middle = box((-0.2, -0.4, -0.1), (0.2, 0.4, 0.1))
    points, inside, found = answers(mesh_of((vertices, faces), middle))
    assert found.method == "winding"
    np.testing.assert_array_equal(
        inside, expected | within(points, [-0.2, -0.4, -0.1], [0.2, 0.4, 0.1])
    )


def test_vertices_of_a_closed_mesh_may_be_split() -> None:
    vertices, faces = box(LOW, HIGH)
    soup = Mesh(vertices[faces].reshape(-1, 3).astype(np.float32), np.arange(36).reshape(-1, 3))
    _, _, found = answers(soup)
    assert (found.watertight, found.method) == (True, "winding")


@pytest.mark.parametrize("fault", ["a face missing", "a face turned", "a face twice"])
def test_what_is_not_closed_is_asked_of_voxels(fault: str) -> None:
    vertices, faces = box(LOW, HIGH)
    changed = {
        "a face missing": faces[1:],
        "a face turned": np.concatenate([faces[:1, ::-1], faces[1:]]),
        "a face twice": np.concatenate([faces[:1], faces]),
    }[fault]
    points, inside, found = answers(mesh_of((vertices, changed)))
    assert (found.watertight, found.method, found.agreement) == (False, "voxels", 1.0)
    cell = 1.1 / 256
    assert not inside[~within(points, LOW - cell, HIGH + cell)].any()
    middle = within(points, LOW + cell, HIGH - cell)
    if fault == "a face missing":  # a wide gap: outside reaches in, a shell of cells is left
        assert not inside[middle].any() and inside.any()
    else:
        assert inside[middle].all()


def test_narrow_gaps_are_closed_by_voxels() -> None:
    vertices, faces = box(LOW, HIGH)
    split = vertices[faces].copy()
    split[:2, :, 0] -= 0.001  # one side moves out by less than a cell
    mesh = Mesh(split.reshape(-1, 3).astype(np.float32), np.arange(36).reshape(-1, 3))
    points, inside, found = answers(mesh)
    assert found.method == "voxels"
    assert inside[within(points, LOW + 0.005, HIGH - 0.005)].all()


def test_a_sheet_is_two_cells_thick_at_most() -> None:
    corners = np.float32([[-0.5, 0.01, -0.5], [0.5, 0.01, -0.5], [0.5, 0.01, 0.5]])
    points, inside, found = answers(Mesh(corners, np.int32([[0, 1, 2]])))
    assert found.method == "voxels" and inside.any()
    assert np.abs(points[inside][:, 1] - 0.01).max() < 2 * 1.1 / 256


def test_too_many_faces_over_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_PAIRS", 100)
    _, inside, found = answers(mesh_of(box(LOW, HIGH)))
    assert (found.watertight, found.method) == (True, "voxels") and inside.any()


def test_closed() -> None:
    vertices, faces = box((0, 0, 0), (8, 8, 8))
    corners = np.rint(vertices).astype(np.int64)[faces]
    assert is_closed(corners)
    assert is_closed(np.concatenate([corners, corners[:1, [0, 0, 1]]]))  # a face without area
    assert is_closed(np.concatenate([corners, corners[:1], corners[:1, ::-1]]))  # both sides
    assert not is_closed(corners[1:])
    assert not is_closed(np.concatenate([corners, corners[:1]]))


def test_points_are_a_function_of_seed_and_id() -> None:
    mesh = mesh_of(box(LOW, HIGH))
    first = occupancy(mesh, 0, "a").points
    np.testing.assert_array_equal(first, occupancy(mesh, 0, "a").points)
    assert (first != occupancy(mesh, 1, "a").points).any()
    assert (first != occupancy(mesh, 0, "b").points).any()
