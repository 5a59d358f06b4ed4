"""PASCAL3D+'s camera against the toolbox' numbers and against eye, target and up; VPL's crops."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchbench.datasets.cameras import Camera, project
from benchbench.datasets.pascal3d.camera import (
    centre,
    crop_box,
    from_matlab,
    into_crop,
    intrinsics,
    rotation,
    world_to_camera,
)
from benchbench.datasets.pascal3d.convert import resized, whole_box


def test_reference_cameras(data: Path) -> None:
    text = (data / "learn3d" / "pascal3d_projection.json").read_text()
    cases = json.loads(text)["cases"]
    assert len(cases) == 24
    for case in cases:
        angles = case["azimuth"], case["elevation"], case["theta"]
        matrix = world_to_camera(*angles, case["distance"])
        to_pixels = intrinsics(case["focal"], case["viewport"], case["px"], case["py"])
        pixels, depth = project(Camera(matrix, to_pixels), np.array(case["points"]))
        assert np.abs(pixels - case["projected"]).max() < 1e-9
        assert (depth > 0).all()
        assert np.abs(rotation(*angles) - case["R_cv"]).max() < 1e-12
        assert np.allclose(centre(*angles[:2], case["distance"]), case["camera_centre"], atol=1e-12)


@pytest.mark.parametrize("azimuth", [0.0, 77.0, 200.0])
@pytest.mark.parametrize("elevation", [-20.0, 0.0, 50.0])
@pytest.mark.parametrize("theta", [0.0, 12.0])
def test_eye_target_and_up(azimuth: float, elevation: float, theta: float) -> None:
    """A camera on its sphere, azimuth 0 before the front (-y), turned by theta about its axis."""
    a, e, t = np.radians([azimuth, elevation, theta])
    eye = 7 * np.array([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)])
    forward = -eye / 7
    right = np.cross(forward, [0.0, 0, 1])
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    point = np.array([0.1, -0.3, 0.25])
    x, y = (point - eye) @ right, (point - eye) @ up
    x, y = np.cos(t) * x - np.sin(t) * y, np.sin(t) * x + np.cos(t) * y  # counter-clockwise
    depth = (point - eye) @ forward
    expected = [100 + 3000 * x / depth, 80 - 3000 * y / depth]
    camera = Camera(world_to_camera(azimuth, elevation, theta, 7), intrinsics(1, 3000, 100, 80))
    pixels, found = project(camera, point[None])
    assert np.allclose(pixels[0], expected, atol=1e-9)
    assert np.isclose(found[0], depth)


def test_crops_are_view_prior_learnings(shared: Path) -> None:
    with np.load(shared / "oracles" / "learn3d" / "crop_image.npz") as data:
        picture = data["image"]
        box = crop_box(*data["bbox"], picture.shape[:2])
        for size in (64, 128, 224):
            found = resized(picture, box, size).transpose(2, 0, 1)
            assert np.array_equal(found, data[f"in_{size}"]), size
        outside = crop_box(*data["bbox_outside"], picture.shape[:2])
        assert outside == (0, 0, 160, 120)
        found = resized(picture, outside, 64).transpose(2, 0, 1)
        assert np.array_equal(found, data["in_64_bbox_outside"])


def test_pixels_of_a_crop() -> None:
    """MATLAB's pixel 31 is our column 30, whose left edge is the crop's left edge."""
    chain = into_crop((30, 10, 142, 66), 224) @ from_matlab()
    assert np.allclose(chain @ [30.5, 10.5, 1], [0, 0, 1])
    assert np.allclose(chain @ [31, 11, 1], [1, 2, 1])  # a pixel's middle: scale 2 and 4
    assert np.allclose(chain @ [142.5, 66.5, 1], [224, 224, 1])


def test_boxes() -> None:
    assert whole_box((1, 1, 40, 25), (25, 40), "a") == (0, 0, 40, 25)
    assert whole_box((2.5, 2.4, 7.5, 7.4), (25, 40), "a") == (2, 1, 8, 7)
    assert whole_box((-1e300, 5, 1e300, 5), (25, 40), "a") == (0, 4, 40, 5)
