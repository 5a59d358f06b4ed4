"""Cameras against the reference of 3D-R2N2, and against eye positions written out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchbench.datasets.cameras import (
    Camera,
    choy_cameras,
    is_orthonormal,
    kato_camera,
    kato_cameras,
    look_at,
    project,
)


def test_choy_camera_reproduces_the_reference(data: Path) -> None:
    with np.load(data / "r2n2" / "camera_reference.npz", allow_pickle=False) as archive:
        reference = dict(archive)
    cameras = choy_cameras(reference["metadata"])
    assert np.allclose(cameras.intrinsics, reference["K"], atol=1e-9)
    assert np.allclose(cameras.world_to_camera[:, :3, :3], reference["R"], atol=1e-12)
    assert np.allclose(cameras.world_to_camera[:, :3, 3], reference["t"], atol=1e-12)
    for view in range(24):
        camera = Camera(cameras.world_to_camera[view], cameras.intrinsics[view])
        pixels, depth = project(camera, reference["points"])
        assert np.abs(pixels - reference["pixels"][view]).max() < 0.01
        assert (depth > 0).all()


def test_choy_camera_of_the_cropped_picture() -> None:
    row = np.array([[10.0, 27, 0, 0.8, 25]])
    whole, crop = choy_cameras(row), choy_cameras(row, 137, 137)
    assert np.array_equal(whole.intrinsics, crop.intrinsics)
    assert whole.intrinsics[0, 0, 0] == 149.84375
    assert whole.intrinsics[0, 0, 2] == 68.5


@pytest.mark.parametrize("make", [choy_cameras, lambda rows: kato_cameras()])
def test_rotations_are_proper(make) -> None:
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.uniform(0, 360, 24), rng.uniform(25, 30, 24)] + [np.ones(24)] * 3)
    turn = make(rows).world_to_camera[:, :3, :3]
    assert np.allclose(turn @ turn.transpose(0, 2, 1), np.eye(3), atol=1e-12)
    assert np.allclose(np.linalg.det(turn), 1)


def test_turns_are_told_from_other_matrices() -> None:
    turn = kato_cameras().world_to_camera[5][:3, :3]
    assert is_orthonormal(turn) and is_orthonormal(-turn)
    assert is_orthonormal(turn.astype(np.float32).astype(np.float64))
    for wrong in (1.01 * turn, np.zeros((3, 3)), np.full((3, 3), np.nan), turn * np.inf,
                  np.full((3, 3), 1e308), turn + np.eye(3)):  # fmt: skip
        with np.errstate(all="raise"):
            assert not is_orthonormal(wrong)


def test_kato_eyes_by_hand() -> None:
    d, e = 2.732, math.radians(30)
    for view, expected in {
        0: (d * math.cos(e), d * math.sin(e), 0),  # from +x
        6: (0, d * math.sin(e), d * math.cos(e)),  # from +z
        12: (-d * math.cos(e), d * math.sin(e), 0),
    }.items():
        matrix = kato_camera(view).world_to_camera
        eye = -matrix[:3, :3].T @ matrix[:3, 3]
        assert np.allclose(eye, expected, atol=1e-12)


def test_kato_picture_by_hand() -> None:
    # Seen from +x: +y is up in the picture, +z points left (x cross y = z, right-handed).
    pixels, depth = project(kato_camera(0), np.array([[0, 0, 0], [0, 0.1, 0], [0, 0, 0.1]]))
    assert np.allclose(pixels[0], 32)
    assert pixels[1, 1] < 32
    assert abs(pixels[1, 0] - 32) < 1e-9
    assert pixels[2, 0] < 32
    assert abs(pixels[2, 1] - 32) < 1e-9
    assert np.isclose(depth[0], 2.732)
    # half the frame is 2.732 tan 15 degrees at the object's centre
    half = 2.732 * math.tan(math.radians(15))
    assert np.isclose(32 - pixels[2, 0], 32 * 0.1 / half)
    assert kato_camera(3, 128).parameters == {"azimuth": 45.0, "elevation": 30.0, "distance": 2.732}


def test_points_behind_the_camera_have_no_picture() -> None:
    camera = Camera(look_at(np.array([0.0, 0, 3])), np.diag([50.0, 50, 1]))
    pixels, depth = project(camera, np.array([[0, 0, 4.0], [0, 0, 3.0], [0, 0, 1]]))
    assert np.isnan(pixels[:2]).all()
    assert np.isfinite(pixels[2]).all()
    assert depth.tolist() == [-1, 0, 2]
