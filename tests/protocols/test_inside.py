"""Which points a mesh contains: by hand, kaolin's own cases, the reference occupancies."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchbench.core.types import Mesh
from benchbench.evaluation.selftest_case import box, square
from benchbench.protocols.inside import contains


def slow(mesh: Mesh, point: np.ndarray) -> bool:
    """Twin: for every face, is the point over or under it, and where does the vertical cross?"""
    triangles = mesh.vertices.astype(np.float64)[mesh.faces]
    low, high = triangles.min((0, 1)), triangles.max((0, 1))
    triangles = (triangles - low) / (high - low)
    x, y, z = (point - low) / (high - low)
    up = down = 0
    for a, b, c in triangles:
        turns = [
            (v[0] - u[0]) * (y - u[1]) - (v[1] - u[1]) * (x - u[0])
            for u, v in ((a, b), (b, c), (c, a))
        ]
        if not (min(turns) > 0 or max(turns) < 0):
            continue
        weights = np.array([turns[1], turns[2], turns[0]]) / sum(turns)
        height = weights @ [a[2], b[2], c[2]]
        up, down = up + (height >= z), down + (height < z)
    return up % 2 == 1 and down % 2 == 1


def test_a_box_by_hand() -> None:
    """Inside, above, beside, and on the vertical through a corner: a ray that hits no triangle."""
    cube = box((0, 0, 0), (1, 1, 1))
    points = np.array([[0.3, 0.6, 0.5], [0.3, 0.6, 1.5], [1.3, 0.6, 0.5], [0.0, 0.0, 0.5]])
    assert contains(cube, points).tolist() == [True, False, False, False]
    # The diagonal of the two triangles of a face is an edge: nothing is hit there.
    assert not contains(cube, np.array([[0.5, 0.5, 0.5]]))[0]


def test_a_shell_and_an_open_box() -> None:
    """A box in a box is hollow: two faces above, two below. Without its top (x-y plane at z = 1)
    a box has no hit above: outside, where the two parities disagree."""
    outer, inner = box((0, 0, 0), (4, 4, 4)), box((1, 1, 1), (3, 3, 3))
    shell = Mesh(np.vstack([outer.vertices, inner.vertices]),
                 np.vstack([outer.faces, inner.faces + 8]).astype(np.int32))  # fmt: skip
    points = np.array([[2.1, 2.3, 2.2], [0.4, 0.3, 0.2], [2.1, 2.3, 3.5]])
    assert contains(shell, points).tolist() == [False, True, True]
    heights = outer.vertices[outer.faces][:, :, 2]
    open_box = Mesh(outer.vertices, outer.faces[(heights < 4).any(1)])
    assert not contains(open_box, points).any()


def test_equal_to_the_slow_twin() -> None:
    rng = np.random.default_rng(7)
    for faces in (1, 8, 40):
        corners = rng.normal(size=(3 * faces, 3)).astype(np.float32)
        soup = Mesh(corners, np.arange(3 * faces, dtype=np.int32).reshape(-1, 3))
        points = rng.normal(size=(300, 3))
        assert contains(soup, points).tolist() == [slow(soup, p) for p in points]


def test_arrays_of_any_kind() -> None:
    """Points of whole numbers and half precision, vertices in double; read-only, and turned."""
    cube = box((0, 0, 0), (4, 4, 4))
    points = np.array([[1, 2, 3], [3, 1, 1], [5, 1, 2]])
    wide = Mesh(np.asfortranarray(cube.vertices, dtype=np.float64), cube.faces[:, ::-1])  # type: ignore[arg-type]
    for array in (points, points.astype(np.float16), np.broadcast_to(points[:1], (3, 3))):
        expected = [slow(cube, point) for point in array]
        assert contains(cube, array).tolist() == contains(wide, array).tolist() == expected


def test_flat_and_degenerate_meshes_contain_nothing() -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (50, 3))
    for axis in range(3):
        assert not contains(square(axis, 0.2), points).any()
    dot = Mesh(np.ones((3, 3), np.float32), np.array([[0, 1, 2]], np.int32))
    assert not contains(dot, points).any()
    # A face without area, or upright, hits nothing and disturbs nothing.
    cube = box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
    extra = Mesh(cube.vertices, np.vstack([cube.faces, [[0, 0, 7], [0, 1, 1]]]).astype(np.int32))
    assert (contains(extra, points) == contains(cube, points)).all()
    assert contains(cube, np.zeros((0, 3))).shape == (0,)


def test_kaolins_cases(data: Path) -> None:
    """kaolin's check_sign: 33 points around a mesh of 8 corners, 10 of them inside."""
    cases = json.loads((data / "dibr" / "kaolin_cases.json").read_text())
    (case,) = cases["check_sign"][:1]
    mesh = Mesh(
        np.array(case["vertices"], np.float32).reshape(-1, 3),
        np.array(case["faces"], np.int32).reshape(-1, 3),
    )
    points = np.array(case["points"], np.float64).reshape(-1, 3)
    assert contains(mesh, points).tolist() == np.array(case["inside"]).tolist()


def test_reference_occupancies(shared: Path) -> None:
    """100,000 points: the box's occupancies are exact; the ellipsoid's mesh of 5,120 faces lies
    inside the true one, by a thousandth of the points."""
    query = np.load(shared / "oracles/protocols/points.npz")
    clouds = np.load(shared / "oracles/protocols/clouds.npz")
    points = query["points"].astype(np.float64)
    for name, vertices, share in (("gt", "gt_mesh", 1e-3), ("pred", "pred", 2e-3)):
        mesh = Mesh(
            clouds[f"{vertices}_vertices"].astype(np.float32),
            clouds[f"{vertices}_faces"].astype(np.int32),
        )
        expected = np.unpackbits(query[name])[: len(points)].astype(bool)
        assert np.mean(contains(mesh, points) != expected) < share
