"""How Kato's data set stores colours (kato.md 1.4, the authors' make_dataset.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def invert_colours(colour: Array, coverage: Array) -> Array:
    """Straight colours to inverted ones, premultiplied by coverage on black, cut to 8 bits.

    With colour c and coverage m = alpha / max(alpha) a pixel is (1 - c) m, and m.

    Args:
        colour: (..., H, W, 3) float32 in [0, 1].
        coverage: (..., H, W) float32, any scale; the largest value of a picture counts as opaque.

    Returns:
        (..., H, W, 4) uint8. A picture without any coverage is all 0 (the original script would
        divide by zero).

    Example:
        >>> pixel = invert_colours(np.float32([[[1, 0.5, 0]]]), np.float32([[7]]))
        >>> pixel[0, 0].tolist()
        [0, 127, 255, 255]
    """
    largest = coverage.max(axis=(-2, -1), keepdims=True)
    coverage = (coverage / np.where(largest > 0, largest, np.float32(1)))[..., None]
    # The order of operations is the original script's: the cut to 8 bits depends on it.
    inverted = 1 - (colour * coverage + (1 - coverage))
    stored = (np.concatenate([inverted, coverage], axis=-1) * np.float32(255)).clip(0, 255)
    result: Array = stored.astype(np.uint8)
    return result
