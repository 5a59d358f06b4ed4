"""PASCAL3D+'s photographs in memory, cropped anew for every step as View Prior Learning does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchbench.baselines.learn3d.pictures import PADDING, jittered_box
from benchbench.baselines.learn3d.silhouettes import SIZE
from benchbench.core.errors import UsageError
from benchbench.core.progress import Progress
from benchbench.datasets.pascal3d.convert import resized

_REFERENCE = "ref"  # the rendering whose masks are the targets
_BOX = ("left", "top", "width", "height")
_CROP = ("crop_left", "crop_top", "crop_width", "crop_height")


class Photographs:
    """Crops, masks and rotations of View Prior Learning's form of PASCAL3D+.

    The original cuts every training crop out of the whole photograph, from 0 to 30 % beyond the
    box on each side. A store keeps the crop of 15 %, so here a crop reaches from 0 to 15 % beyond.

    Args:
        store: The data set.
        items: (object index, view) pairs.
        rendering: Of the photographs.
        size: Side of the encoder's pictures.
        quiet: No progress.

    Attributes:
        rotations: (N, 3, 3) float64 as in the source's files.

    Raises:
        UsageError: The set has no reference masks and rotations.
    """

    def __init__(
        self, store: Any, items: Sequence[tuple[int, int]], rendering: str, size: int, quiet: bool
    ) -> None:
        if _REFERENCE not in store.renderings:
            raise UsageError(
                f"data set '{store.id}' has no reference masks, which form 'pascal' learns from",
                hint="bench prepare pascal3d-vpl --from DIR",
            )
        self.size = size
        pictures, masks, rotations, boxes = [], [], [], []
        with Progress("reading photographs", len(items), "pictures", quiet) as progress:
            for index, view in items:
                numbers = store.camera(index, view, rendering).parameters
                rotations.append([numbers[f"r{n // 3}{n % 3}"] for n in range(9)])
                boxes.append([numbers[name] for name in (*_BOX, *_CROP)])
                pictures.append(store.image(index, view, rendering)[..., :3])
                masks.append(target_mask(store.image(index, view, _REFERENCE), size))
                progress.update()
        self.pictures, self.masks = np.array(pictures), np.array(masks)
        self.rotations = np.array(rotations).reshape(-1, 3, 3)
        self._boxes = np.array(boxes)

    def batch(
        self, rows: NDArray[np.int64], shares: NDArray[np.float64], mirrored: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Crops (B, 3, S, S) and masks (B, 64, 64) of some rows.

        A crop may be mirrored; its mask and rotation are not, as objects are their own mirror
        images.

        Args:
            rows: (B,).
            shares: (B, 4) from `crop_draws`.
            mirrored: (B,) from `crop_draws`.
        """
        crops = [self._crop(row, share) for row, share in zip(rows, shares, strict=True)]
        crops = [
            crop[:, ::-1] if flip else crop for crop, flip in zip(crops, mirrored, strict=True)
        ]
        return np.stack(crops).transpose(0, 3, 1, 2).copy(), self.masks[rows]

    def _crop(self, row: int, shares: NDArray[np.float64]) -> NDArray[np.uint8]:
        numbers = self._boxes[row].tolist()
        box, (x, y, width, height) = numbers[:4], numbers[4:]
        left, top, right, bottom = jittered_box(
            box, (int(x), int(y), int(x + width), int(y + height)), shares.tolist()
        )
        across, down = self.pictures.shape[2] / width, self.pictures.shape[1] / height
        # From pixels of the photograph to those of the stored crop.
        x0, x1 = (round((column - x) * across) for column in (left, right))
        y0, y1 = (round((line - y) * down) for line in (top, bottom))
        return resized(self.pictures[row], (x0, y0, x1, y1), self.size)


def crop_draws(
    count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How far the sides of each crop move, in shares of the box, and which crops are mirrored."""
    return rng.uniform(-PADDING, PADDING, (count, 4)), rng.random(count) < 0.5


def target_mask(reference: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The silhouette that a picture of `size` pixels is compared with, at 64 pixels.

    The original resizes the reference to the encoder's size (Pillow, bilinear) and takes the
    nearest pixels of that for 64.

    Args:
        reference: (224, 224, 4) uint8, mask last.
        size: Side of the encoder's pictures.

    Returns:
        (64, 64) uint8.
    """
    height, width = reference.shape[:2]
    if (height, width) != (size, size):
        reference = resized(reference, (0, 0, width, height), size)
    places = np.arange(SIZE) * size // SIZE
    return np.ascontiguousarray(reference[places][:, places, 3])
