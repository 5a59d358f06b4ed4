"""Shapes from stored cameras: they cover what the pictures show, and only from the right side."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchbench.core.types import Mesh, Points, Prediction, Voxels
from benchbench.cuda_ops.house_voxels import house_voxels, unit_cube_grid
from benchbench.datasets.cameras import Camera, kato_camera, look_at
from benchbench.datasets.shapes13.generate import generate
from benchbench.datasets.shapes13.render import choy_pictures, kato_pictures
from benchbench.reconstruction.views import Seat, blocks, draw_shape


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def covered(shape: Prediction, seat: Seat, side: int) -> np.ndarray:
    picture = draw_shape(shape, seat, side)
    assert picture is not None and picture.shape == (side, side, 3) and picture.dtype == np.uint8
    return (picture < 252).any(2)


@pytest.mark.parametrize("draw", [kato_pictures, choy_pictures])
@pytest.mark.parametrize("name", ["chair", "airplane"])
def test_all_kinds_cover_what_the_picture_shows(draw: object, name: str) -> None:
    """The pictures were drawn by the data set's own code when it was made."""
    shape = generate(name, 3)
    pictures, cameras = draw(shape)  # type: ignore[operator]
    view, side = 2, pictures.shape[1]
    seat = Seat(
        Camera(cameras.world_to_camera[view], cameras.intrinsics[view]), np.eye(4), side, side
    )
    shown = pictures[view, ..., 3] > 127
    mesh = Mesh(shape.mesh.vertices.astype(np.float32), shape.mesh.faces)
    assert iou(covered(mesh, seat, side), shown) > 0.9
    assert iou(covered(mesh, seat, side)[:, ::-1], shown) < 0.8
    grid = Voxels(house_voxels(mesh, unit_cube_grid()).astype(np.float32), unit_cube_grid())
    assert iou(covered(grid, seat, side), shown) > 0.55
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], (len(mesh.faces), 40))
    dots = (weights[..., None] * mesh.vertices[mesh.faces][:, None]).sum(2).reshape(-1, 3)
    dotted = covered(Points(dots.astype(np.float32)), seat, side)
    assert (dotted & ~shown).sum() < 0.35 * dotted.sum() and (dotted & shown).sum() > 50


def test_another_side_is_the_shape_turned() -> None:
    """30 degrees around y take x to x cos + z sin, z to z cos - x sin."""
    shape = generate("chair", 1).mesh
    vertices = shape.vertices.astype(np.float64)
    turned = np.stack(
        [
            vertices[:, 0] * np.cos(np.pi / 6) + vertices[:, 2] * 0.5,
            vertices[:, 1],
            vertices[:, 2] * np.cos(np.pi / 6) - vertices[:, 0] * 0.5,
        ],
        1,
    )
    seat = Seat(kato_camera(0), np.eye(4), 64, 64)
    one = draw_shape(Mesh(vertices, shape.faces), seat.turned(10).turned(20), 64)  # type: ignore[arg-type]
    two = draw_shape(Mesh(turned, shape.faces), seat, 64)  # type: ignore[arg-type]
    assert one is not None and two is not None
    assert (one != two).any(2).mean() < 0.01  # rounding moves few samples


def test_the_source_frame_is_the_cameras_world() -> None:
    """A world that is the object frame scaled by 2 and turned about x, seen from twice as far."""
    shape = generate("chair", 1).mesh
    mesh = Mesh(shape.vertices.astype(np.float32), shape.faces)
    plain = kato_camera(3)
    to_world = np.diag([2.0, 2, 2, 1]) @ np.array(
        [[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    )
    matrix = plain.world_to_camera.copy()
    matrix[:3, :3] = matrix[:3, :3] @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    matrix[:3, 3] *= 2
    one = covered(mesh, Seat(plain, np.eye(4), 64, 64), 64)
    two = covered(mesh, Seat(Camera(matrix, plain.intrinsics), to_world, 64, 64), 64)
    assert iou(one, two) > 0.99


@pytest.mark.parametrize(("height", "width"), [(100, 200), (200, 100), (150, 150)])
def test_a_point_falls_where_the_camera_says(height: int, width: int) -> None:
    """x = 0.1, y = 0.05 at depth 2 with focal 400: 20 right and 10 below the centre, in pixels."""
    intrinsics = np.array([[400.0, 0, width / 2], [0, 400, height / 2], [0, 0, 1]])
    seat = Seat(Camera(np.eye(4), intrinsics), np.eye(4), height, width)
    point = Points(np.array([[0.1, 0.05, 2.0]], np.float32))
    side = 2 * max(height, width)
    dark = np.argwhere(covered(point, seat, side))
    middle = dark.mean(0) + 0.5
    # The square holds the picture in its middle, twice as large.
    np.testing.assert_allclose(middle, [side / 2 + 20, side / 2 + 40], atol=1)
    assert 1 <= len(dark) <= 30


def test_what_is_nearer_hides() -> None:
    seat = Seat(Camera(np.eye(4), np.array([[60.0, 0, 32], [0, 60, 32], [0, 0, 1]])), np.eye(4),
                64, 64)  # fmt: skip
    near, far = [0.0, 0.0, 2.0], [0.0, 0.0, 3.0]
    for order in ([near, far], [far, near]):
        picture = draw_shape(Points(np.array(order, np.float32)), seat, 64)
        # The near one's grey is 61, the far one's 196; borders are mixed with white.
        assert picture is not None and picture.min() < 150


def slow_sides(occupied: np.ndarray) -> int:
    """Sides of cells that border on no other cell, one by one."""
    count, size = 0, occupied.shape[0]
    for cell in itertools.product(range(size), repeat=3):
        if not occupied[cell]:
            continue
        for axis, step in itertools.product(range(3), (-1, 1)):
            beside = list(cell)
            beside[axis] += step
            outside = not 0 <= beside[axis] < size
            count += outside or not occupied[tuple(beside)]
    return count


@pytest.mark.parametrize("mirrored", [False, True])
def test_blocks_are_the_outer_sides(mirrored: bool) -> None:
    grid = np.random.default_rng(1).random((4, 4, 4)).astype(np.float32)
    matrix = np.diag([0.5, 0.25, -2.0 if mirrored else 2.0, 1.0])
    matrix[:3, 3] = [1, 2, 3]
    mesh = blocks(Voxels(grid, matrix), 0.4)
    assert len(mesh.faces) == 2 * slow_sides(grid >= np.float32(0.4))
    a, b, c = mesh.vertices[mesh.faces].astype(np.float64).transpose(1, 0, 2)
    volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6  # positive: winding outward
    assert volume == pytest.approx((grid >= np.float32(0.4)).sum() * 0.25, rel=1e-5)


def test_nothing_to_draw() -> None:
    seat = Seat(kato_camera(0), np.eye(4), 64, 64)
    assert draw_shape(Voxels(np.zeros((4, 4, 4), np.float32), np.eye(4)), seat, 32) is None
    eye = np.linalg.inv(seat.camera.world_to_camera)
    behind = (eye[:3, 3] - eye[:3, 2])[None].astype(np.float32)  # a unit behind the camera
    assert draw_shape(Points(behind), seat, 32) is None
    corners = behind + 0.1 * np.eye(3, dtype=np.float32)
    assert draw_shape(Mesh(corners, np.array([[0, 1, 2]], np.int32)), seat, 32) is None


@pytest.mark.parametrize("size", [1e-30, 1e15, 1e30])
def test_absurd_sizes_are_drawn_without_a_warning(size: float) -> None:
    seat = Seat(kato_camera(0), np.eye(4), 64, 64)
    corners = (np.eye(3, dtype=np.float32) - 0.5) * np.float32(size)
    for shape in (Mesh(corners, np.array([[0, 1, 2]], np.int32)), Points(corners)):
        picture = draw_shape(shape, seat, 32)
        assert picture is None or picture.shape == (32, 32, 3)


def test_the_azimuth_is_where_the_camera_stands() -> None:
    """A camera at (0, 1, 2) looks from z, 90 degrees from x; a shape turned is one seen from on."""
    seat = Seat(Camera(look_at(np.array([0.0, 1, 2])), np.eye(3)), np.eye(4), 64, 64)
    assert seat.azimuth == 90 and seat.turned(-30).azimuth == 60
    vertices = generate("chair", 2).mesh.vertices.astype(np.float64)
    np.testing.assert_allclose(  # Kato's views are 15 degrees apart
        Seat(kato_camera(1), np.eye(4), 64, 64).turned(15).seen(vertices),
        Seat(kato_camera(2), np.eye(4), 64, 64).seen(vertices),
        atol=1e-12,
    )


def test_a_seat_of_a_store_without_pictures() -> None:
    seat = Seat.of(None, 0, 0, None)  # type: ignore[arg-type]  # it is not looked into
    assert seat.azimuth == 45 and (seat.height, seat.width) == (64, 64)


def test_both_sides_of_a_face_are_drawn() -> None:
    seat = Seat(kato_camera(0), np.eye(4), 64, 64)
    corners = np.array([[0, -0.4, -0.4], [0, 0.4, 0], [0, -0.4, 0.4]], np.float32)
    sides = [
        covered(Mesh(corners, np.array([face], np.int32)), seat, 64)
        for face in ([0, 1, 2], [0, 2, 1])
    ]
    assert sides[0].sum() > 100 and np.array_equal(*sides)
