"""What the original does to a training picture: background, crop and mirror, in this order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchbench.baselines.resizing import resize


@dataclass(frozen=True)
class Draws:
    """The random numbers of one picture, in the original's order.

    Attributes:
        colour: Red, green and blue of the background, 0 to 255.
        row: First row of the crop.
        column: First column of the crop.
        mirror: Whether left and right change places.
    """

    colour: tuple[int, int, int]
    row: int
    column: int
    mirror: bool


def draw(
    rng: np.random.Generator,
    background: tuple[int, ...],
    crop: int,
    mirror: bool,
    middle: int = 5,
) -> Draws:
    """The numbers of one picture.

    Args:
        rng: Where they come from.
        background: Lowest and highest level of each channel, both included.
        crop: Offsets go from 0 to this less one; 0 draws none and cuts the middle.
        mirror: Whether half of the pictures are mirrored.
        middle: Offset of the middle.
    """
    red, green, blue = rng.integers(background[0], background[1] + 1, 3).tolist()
    row, column = rng.integers(0, crop, 2).tolist() if crop else (middle, middle)
    return Draws((red, green, blue), row, column, bool(mirror and rng.random() > 0.5))


def augment(
    picture: NDArray[np.uint8], draws: Draws, side: int, crop_from: int
) -> NDArray[np.uint8]:
    """One training picture.

    The background replaces the colour where alpha is exactly 0; other pixels keep theirs, as
    stored: partly covered ones are not mixed.

    Args:
        picture: (H, W, 4) uint8, straight alpha.
        draws: The picture's random numbers; offsets in pixels of `crop_from`.
        side: Of the result.
        crop_from: Side of the square from which it is cut; pictures of another size are resized.

    Returns:
        (3, side, side) uint8 RGB; divide by 255.

    Example:
        >>> picture = np.zeros((4, 4, 4), np.uint8)
        >>> picture[0, 0] = 7, 8, 9, 255
        >>> augment(picture, Draws((1, 2, 3), 0, 0, True), 2, 4)[:, 0].tolist()
        [[1, 7], [2, 8], [3, 9]]
    """
    covered = picture[..., 3:] > 0
    filled = np.where(covered, picture[..., :3], np.array(draws.colour, np.uint8))
    if filled.shape[:2] != (crop_from, crop_from):
        height, width = filled.shape[:2]
        whole = max(height, width)
        square = np.broadcast_to(np.array(draws.colour, np.uint8), (whole, whole, 3)).copy()
        top, left = (whole - height) // 2, (whole - width) // 2
        square[top : top + height, left : left + width] = filled
        filled = np.rint(resize(square, crop_from, "area")).astype(np.uint8)
    rows = slice(draws.row, draws.row + side)
    cut = filled[rows, draws.column : draws.column + side]
    if draws.mirror:
        cut = cut[:, ::-1]
    return np.ascontiguousarray(cut.transpose(2, 0, 1))
