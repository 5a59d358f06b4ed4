"""Resizing as OpenCV's chain does it, and the cameras, against the authors' own loader."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchbench.baselines.dibr.cameras import check_lens, renderer_camera
from benchbench.baselines.dibr.pictures import network_input, resize_matrix
from benchbench.baselines.dibr.spec import INPUT
from benchbench.baselines.inputs import convert_picture, network_pictures
from benchbench.core.errors import UsageError
from benchbench.cuda_ops import dibr
from benchbench.datasets.cameras import Camera, kato_camera, project


def test_resizing_equals_opencv(data: Path) -> None:
    with np.load(data / "dibr" / "resize.npz") as file:
        source, expected, matrix = file["src"], file["dst"], file["matrix"]
    found = resize_matrix(64, 224)
    np.testing.assert_array_equal(found, matrix)
    resized = np.einsum("ir,rcx,jc->ijx", found.astype(np.float64), source, found)
    np.testing.assert_allclose(resized, expected, atol=1e-6)


def test_rows_of_the_matrix_by_hand() -> None:
    """Output i is the mean of inputs floor(2i/7) to ceil(2(i+1)/7) - 1 (dibr.md 1.5)."""
    matrix = resize_matrix(64, 224)
    for row in (0, 3, 4, 100, 223):
        first, last = 2 * row // 7, -(-2 * (row + 1) // 7) - 1
        expected = np.zeros(64)
        expected[first : last + 1] = 1 / (last + 1 - first)
        np.testing.assert_allclose(matrix[row], expected, atol=1e-6)


@pytest.mark.parametrize("source", [1, 3, 63, 64, 100, 137, 224, 225, 500, 1001])
@pytest.mark.parametrize("size", [64, 224])
def test_every_matrix_keeps_a_grey_picture_grey(source: int, size: int) -> None:
    matrix = resize_matrix(source, size)
    assert matrix.shape == (size, source) and (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)


def test_halving_is_a_mean_of_pairs_and_the_same_size_is_untouched() -> None:
    np.testing.assert_array_equal(resize_matrix(4, 2), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    np.testing.assert_array_equal(resize_matrix(64, 64), np.eye(64))


def test_the_loaders_pictures(original: dict[str, np.ndarray]) -> None:
    """Blue first, mask last, 64 to 224: on the device, and picture by picture."""
    colours, masks = original["image_bgr_u8_64"], original["mask_u8_64"]
    expected = original["preprocessed_224"].transpose(0, 3, 1, 2)
    stored = np.concatenate([colours, masks[..., None]], axis=-1).transpose(0, 3, 1, 2)
    found = network_input(torch.from_numpy(stored), 224)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    whole = np.concatenate([colours[..., ::-1], masks[..., None]], axis=-1)  # as a store has it
    form = replace(INPUT, channels="bgra")
    for picture, wanted in zip(whole, expected, strict=True):
        np.testing.assert_allclose(convert_picture(picture, form, True), wanted, atol=1e-6)
        np.testing.assert_allclose(convert_picture(picture, INPUT, True), wanted[:3], atol=1e-6)


def test_transparency_becomes_white_and_red_comes_last() -> None:
    picture = np.zeros((224, 224, 4), np.uint8)
    picture[:112] = (255, 0, 51, 255)  # red, some blue
    top, bottom = convert_picture(picture, INPUT)[:, [0, 223], 0].T
    assert top.tolist() == pytest.approx([0.2, 0, 1]) and bottom.tolist() == [1, 1, 1]


def test_cameras_equal_the_loaders(original: dict[str, np.ndarray]) -> None:
    for matrix, turn, centre in zip(
        original["world_mat"], original["camrot"], original["campos"], strict=True
    ):
        found = renderer_camera(matrix, np.eye(4))
        np.testing.assert_allclose(found[0], turn, atol=1e-6)
        np.testing.assert_allclose(found[1], centre[:, 0], atol=1e-6)


def test_renderer_and_data_set_see_a_point_in_the_same_pixel() -> None:
    """A frame that is turned, moved and scaled against the object's changes nothing."""
    points = np.array([[0.4, 0.1, -0.2], [-0.3, 0.45, 0.05], [0, 0, 0]])
    to_object = np.diag([0.5, 0.5, 0.5, 1.0]) @ np.array(
        [[0, 0, 1, 0.3], [0, 1, 0, -0.1], [-1, 0, 0, 0.2], [0, 0, 0, 1.0]]
    )
    source = (points - to_object[:3, 3]) @ np.linalg.inv(to_object[:3, :3]).T
    lens = dibr.generate_perspective_projection(np.radians(30))
    for view in (0, 5, 17):
        camera = kato_camera(view)
        moved = Camera(camera.world_to_camera @ to_object, camera.intrinsics)
        wanted, _ = project(camera, points)
        np.testing.assert_allclose(project(moved, source)[0], wanted, atol=1e-9)
        rotation, centre = (
            torch.tensor(x)[None] for x in renderer_camera(moved.world_to_camera, to_object)
        )
        seen = dibr.rotate_translate_points(torch.tensor(points[None]).float(), rotation, centre)
        plane = dibr.perspective_camera(seen, lens)[0].numpy()
        pixels = np.stack([32 * (1 + plane[:, 0]), 32 * (1 - plane[:, 1])], axis=1)
        np.testing.assert_allclose(pixels, wanted, atol=1e-3)


def test_mirrors_and_other_lenses_are_refused() -> None:
    camera = kato_camera(0)
    with pytest.raises(UsageError, match="mirrors or shears"):
        renderer_camera(camera.world_to_camera, np.diag([-1.0, 1, 1, 1]))
    with pytest.raises(UsageError, match="mirrors or shears"):
        renderer_camera(camera.world_to_camera, np.diag([1.0, 2, 1, 1]))
    check_lens(camera.intrinsics, (64, 64), "this")
    check_lens(kato_camera(3, 137).intrinsics, (137, 137), "this")
    for lens, size in ((camera.intrinsics * 1.1, (64, 64)), (camera.intrinsics, (64, 80))):
        with pytest.raises(UsageError, match="this has cameras of another lens"):
            check_lens(lens, size, "this")


def test_many_pictures_at_once_equal_single_ones(little_store) -> None:
    items = [(0, 0), (7, 23), (3, 5)]
    for channels in ("bgra", "rgb"):
        form = replace(INPUT, size=64, channels=channels, kind="uint8")
        found = network_pictures(little_store, items, "kato", form)
        single = [convert_picture(little_store.image(*item), form) for item in items]
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, np.stack(single))
