"""The outer surface: shapes whose inside is known, a slow twin of the pieces, and the limits."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from benchbench.core.types import Mesh
from benchbench.evaluation import outer_surface as module
from benchbench.evaluation.outer_surface import outer_surface
from benchbench.evaluation.selftest_case import box, square
from benchbench.protocols.truth import Unscorable


def ball(radius: float) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    return Mesh(np.asarray(made.vertices, np.float32), np.asarray(made.faces, np.int32))


def together(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    faces = [m.faces + n for m, n in zip(meshes, starts, strict=False)]
    return Mesh(np.concatenate([m.vertices for m in meshes]), np.concatenate(faces).astype("i4"))


def corners(mesh: Mesh) -> np.ndarray:
    return mesh.vertices[mesh.faces]


CUBE = box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize("mesh", [CUBE, ball(1.0), square(1, 0.3), box((0, 0, 0), (1, 5, 0.02))])
def test_without_an_inside_nothing_changes(mesh: Mesh) -> None:
    found = outer_surface(mesh)
    assert np.array_equal(corners(found.mesh), corners(mesh))
    assert found.interior == 0 and not found.has_interior


def test_of_two_nested_balls_the_outer_is_left() -> None:
    """Areas 1 and 0.64 parts: 0.64 / 1.64 is interior. The order of the parts plays no role."""
    for parts in ((ball(1.0), ball(0.8)), (ball(0.8), ball(1.0))):
        found = outer_surface(together(*parts))
        assert np.array_equal(corners(found.mesh), corners(ball(1.0)))
        assert found.interior == pytest.approx(0.64 / 1.64, abs=1e-3) and found.has_interior


def test_the_part_of_a_bar_within_a_cube() -> None:
    """A bar of 2 x 0.5 x 0.5 through a unit cube: 4 x 0.5 of the bar's 4.5 lie inside, and a
    square of 0.25 on two of the cube's sides: 2.5 of 10.5. A cell is 0.008 wide."""
    bar = box((-1, -0.25, -0.25), (1, 0.25, 0.25))
    found = outer_surface(together(CUBE, bar))
    assert found.interior == pytest.approx(2.5 / 10.5, abs=0.01)
    within = np.abs(corners(found.mesh)).max(2) < 0.5 - 0.1
    assert not within.all(1).any()  # no piece lies whole inside the cube
    left = float(trimesh.Trimesh(found.mesh.vertices, found.mesh.faces, process=False).area)
    assert left == pytest.approx(8.0, abs=0.1)


def test_a_cup_is_outer_inside() -> None:
    """A box within a box, both without a lid: the outside comes in."""
    cup = [Mesh(b.vertices, b.faces[2:]) for b in (CUBE, box((-0.4,) * 3, (0.4,) * 3))]
    assert outer_surface(together(*cup)).interior == 0
    lid = together(*cup, square(2, -0.5))
    found = outer_surface(lid)  # now only the inner box, of five sides of 0.64, is interior
    assert found.interior == pytest.approx(5 * 0.64 / (6 + 5 * 0.64), abs=0.01)


def test_an_opening_narrower_than_a_cell_is_closed() -> None:
    """A ball of radius 0.2 in a cube that lacks a strip beside its side's edge."""
    interior = {}
    for gap in (0.0015, 0.05):
        side = square(2, -0.5)
        side.vertices[side.vertices[:, 1] < 0, 1] += gap
        mesh = together(Mesh(CUBE.vertices, CUBE.faces[2:]), side, ball(0.2))
        interior[gap] = outer_surface(mesh).interior
    area = 4 * np.pi * 0.04
    assert interior[0.05] == 0
    assert interior[0.0015] == pytest.approx(area / (6 + area), abs=0.01)


def test_a_thin_wall_keeps_both_sides() -> None:
    """0.1 % of the longest edge is a quarter of a cell; 4 % is ten."""
    for wall, share in ((0.001, 0.0), (0.04, 0.92**2 / (1 + 0.92**2))):
        inner = box((-0.5 + wall,) * 3, (0.5 - wall,) * 3)
        assert outer_surface(together(CUBE, inner)).interior == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(("side", "stays"), [(0.07, True), (0.15, False)])
def test_a_hundredth_inside_changes_nothing(side: float, stays: bool) -> None:
    """A cube in the middle of one of side 1 has the share s^2 / (1 + s^2): 0.5 % and 2.2 %."""
    mesh = together(CUBE, box((-side / 2,) * 3, (side / 2,) * 3))
    found = outer_surface(mesh)
    assert found.interior == pytest.approx(side**2 / (1 + side**2), rel=1e-3)
    assert found.has_interior != stays
    left = mesh if stays else CUBE
    assert np.array_equal(corners(found.mesh), corners(left))


def test_scale_and_place_do_not_matter() -> None:
    mesh = together(ball(1.0), ball(0.5))
    far = Mesh(mesh.vertices * np.float32(1e-3) + np.float32(4), mesh.faces)
    assert outer_surface(far).interior == pytest.approx(outer_surface(mesh).interior, abs=1e-3)


@pytest.mark.parametrize("side", [1, 2, 3, 7])
def test_pieces_tile_the_triangle(side: int) -> None:
    """side^2 of the same area, none over another: every random point lies in exactly one."""
    triangle = np.array([[[0.0, 0, 0], [3, 0, 0], [1, 2, 0]]])
    pieces = module._pieces(triangle, side)[0]
    assert len(pieces) == side**2
    a, b = (pieces[:, k, :2] - pieces[:, 0, :2] for k in (1, 2))
    assert np.allclose(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], 6 / side**2)  # and the same winding
    weights = np.random.default_rng(side).dirichlet(np.ones(3), size=50)
    for point in weights @ triangle[0]:
        u = np.linalg.solve(np.stack([a, b], 2), (point[:2] - pieces[:, 0, :2])[..., None])[..., 0]
        assert ((u > 0).all(1) & (u.sum(1) < 1)).sum() == 1


def test_pieces_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand triangles across the whole box would be millions of pieces."""
    corners_ = np.random.default_rng(0).random((1000, 3, 3)) * 250
    monkeypatch.setattr(module, "MOST_PIECES", 20_000)
    sides = module._pieces_a_side(corners_)
    assert 1000 < (sides**2).sum() <= 20_000
    monkeypatch.setattr(module, "MOST_PIECES", 500)  # never fewer than one a triangle
    assert (module._pieces_a_side(corners_) == 1).all()


def test_without_an_area_there_is_none() -> None:
    line = Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 1]], np.int32))
    with pytest.raises(Unscorable, match="no triangle"):
        outer_surface(line)
