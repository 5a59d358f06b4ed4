"""Picture files: masks of all kinds, and what is no picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchbench.core.errors import InputError, MissingError, UsageError
from benchbench.reconstruction.pictures import PictureFiles, plain_background, read_picture


def save(path: Path, pixels: np.ndarray, **options) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def flood(colours: np.ndarray) -> np.ndarray:
    """The slow twin of `plain_background`: pixel by pixel from the border inward."""
    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    near = (np.abs(colours - np.median(border, axis=0)) <= 8).all(axis=2)
    height, width = near.shape
    found = np.zeros_like(near)
    todo = [(r, c) for r in range(height) for c in range(width)
            if r in (0, height - 1) or c in (0, width - 1)]  # fmt: skip
    while todo:
        r, c = todo.pop()
        if 0 <= r < height and 0 <= c < width and near[r, c] and not found[r, c]:
            found[r, c] = True
            todo += [(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)]
    return found


@pytest.mark.parametrize("seed", range(6))
def test_background_is_what_the_border_reaches(seed: int) -> None:
    rng = np.random.default_rng(seed)
    colours = rng.choice([np.uint8(90), np.uint8(97), np.uint8(200)], (13, 17, 1)).repeat(3, 2)
    colours[[0, -1]] = 90
    colours[:, [0, -1]] = 90
    found = plain_background(colours)
    assert found is not None
    assert (found == flood(colours)).all()


def test_border_of_many_colours_is_no_background() -> None:
    colours = np.full((6, 6, 3), 100, np.uint8)
    colours[0, 3] = 120
    assert plain_background(colours) is None


def test_alpha_is_taken_as_it_is(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 7, 4), np.uint8)
    picture, mask = read_picture(save(tmp_path / "a.png", pixels))
    assert mask == "alpha"
    assert (picture == pixels).all()


def test_plain_background_becomes_alpha(tmp_path: Path) -> None:
    pixels = np.full((9, 7, 3), 250, np.uint8)
    pixels[2:5, 3:6] = (10, 20, 30)
    picture, mask = read_picture(save(tmp_path / "a.png", pixels))
    assert mask == "background"
    assert (picture[2:5, 3:6] == (10, 20, 30, 255)).all()
    assert picture[..., 3].sum() == 9 * 255
    assert not picture[0].any()


def test_photograph_is_all_object(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)
    picture, mask = read_picture(save(tmp_path / "a.jpg", pixels, quality=95))
    assert mask == "whole"
    assert (picture[..., 3] == 255).all() and picture.shape == (9, 7, 4)


@pytest.mark.parametrize(
    "pixels", [np.zeros((5, 5, 4), np.uint8), np.full((5, 5, 3), 200, np.uint8)]
)
def test_nothing_to_see(tmp_path: Path, pixels: np.ndarray) -> None:
    with pytest.raises(InputError, match="shows nothing"):
        read_picture(save(tmp_path / "a.png", pixels))


def test_no_picture(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no picture"):
        read_picture(tmp_path / "a.png")
    for data in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"v 0 0 0\n"):
        (tmp_path / "b.png").write_bytes(data)
        with pytest.raises(InputError, match=r"b\.png"):
            read_picture(tmp_path / "b.png")


def test_pictures_are_a_data_set_of_one_object() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 9, 7, 4), np.uint8)
    files = PictureFiles(list(pixels))
    assert (files.batch([0, 0], [2, 0]) == pixels[[2, 0]]).all()
    out = np.zeros((1, 9, 7, 4), np.uint8)
    files.batch([0], [1], out=out)
    assert (out[0] == pixels[1]).all() and (files.image(0, 1) == pixels[1]).all()
    assert (files.view_count(0), files.mode()) == (3, "rgba")
    assert PictureFiles(list(pixels), whole=True).mode() == "rgb+mask"
    with pytest.raises(UsageError, match="of one size, these are of 7x9, 8x9"):
        PictureFiles([pixels[0], np.zeros((9, 8, 4), np.uint8)])
