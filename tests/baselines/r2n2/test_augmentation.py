"""Pictures as the original hands them to its network, bit by bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchbench.baselines.inputs import as_floats, convert_picture
from benchbench.baselines.r2n2.augmentation import Draws, augment, draw
from benchbench.baselines.r2n2.spec import INPUT
from benchbench.core.keyed import keyed_rng
from benchbench.datasets.pictures import decode_png


@pytest.fixture(scope="module")
def picture(shared: Path) -> np.ndarray:
    path = shared / "oracles/r2n2/preprocess_input_rgba137.png"
    return decode_png(path.read_bytes(), path.name)


@pytest.fixture(scope="module")
def expected(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "oracles/r2n2/preprocess_expected.npz") as file:
        return dict(file)


def test_prediction_pictures_equal_the_original(
    picture: np.ndarray, expected: dict[str, np.ndarray]
) -> None:
    partly = (picture[..., 3] > 0) & (picture[..., 3] < 255)
    assert partly.any()  # those would differ if they were mixed with the background
    found = as_floats(convert_picture(picture, INPUT))
    assert (found.transpose(1, 2, 0) == expected["test"]).all()
    found = as_floats(convert_picture(np.ascontiguousarray(picture[..., :3]), INPUT))
    assert (found.transpose(1, 2, 0) == expected["test_rgb_noalpha"]).all()


@pytest.mark.parametrize("seed", range(4))
def test_training_pictures_equal_the_original(
    picture: np.ndarray, expected: dict[str, np.ndarray], seed: int
) -> None:
    red, green, blue, row, column, mirror = expected[f"draws_seed{seed}"].tolist()
    draws = Draws((int(red), int(green), int(blue)), int(row), int(column), mirror > 0.5)
    found = augment(picture, draws, 127, 137).transpose(1, 2, 0).astype(np.float32) / 255
    assert (found == expected[f"train_seed{seed}"]).all()


def test_seeds_of_the_reference_cover_both_directions(expected: dict[str, np.ndarray]) -> None:
    assert {bool(expected[f"draws_seed{n}"][5] > 0.5) for n in range(4)} == {False, True}


def test_draws_cover_their_ranges() -> None:
    rng = keyed_rng("draws")
    found = [draw(rng, (225, 255), 10, True) for _ in range(2000)]
    colours = np.array([one.colour for one in found])
    assert (colours.min(0) == 225).all() and (colours.max(0) == 255).all()
    assert (colours[:, 0] != colours[:, 1]).any()  # each channel for itself
    assert {one.row for one in found} == {one.column for one in found} == set(range(10))
    assert 0.45 < np.mean([one.mirror for one in found]) < 0.55
    plain = draw(rng, (240, 240), 0, False)
    assert plain == Draws((240, 240, 240), 5, 5, False)


def test_plain_draws_make_the_prediction_picture() -> None:
    picture = keyed_rng("rgba").integers(0, 256, (137, 137, 4)).astype(np.uint8)
    picture[..., 3] *= keyed_rng("alpha").integers(0, 2, (137, 137)).astype(np.uint8)
    found = augment(picture, Draws((240, 240, 240), 5, 5, False), 127, 137)
    assert (found == convert_picture(picture, INPUT)).all()


@pytest.mark.parametrize("size", [(64, 64), (137, 100), (200, 300), (1, 1)])
def test_pictures_of_other_sizes_are_brought_to_137(size: tuple[int, int]) -> None:
    picture = keyed_rng("sizes").integers(0, 256, (*size, 4)).astype(np.uint8)
    picture[..., 3] = np.where(picture[..., 3] > 128, picture[..., 3], 0)
    found = augment(picture, Draws((240, 240, 240), 5, 5, False), 127, 137)
    # What prediction does with the same picture.
    assert np.abs(found.astype(int) - convert_picture(picture, INPUT)).max() <= 1
