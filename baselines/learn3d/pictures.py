"""Pictures as learn3D's encoders want them, and View Prior Learning's training crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from benchbench.baselines.inputs import as_floats, network_pictures
from benchbench.baselines.learn3d.forms import Form

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
IMAGENET_SIZE = 224  # pictures of this size are normalised, smaller ones are not
PADDING = 0.15  # of a box's sides


def encoder_pictures(
    store: Any, items: Sequence[tuple[int, int]], form: Form, rendering: str, size: int
) -> Tensor:
    """Pictures of a data set for the encoder of one form.

    Args:
        store: The data set.
        items: (object index, view) pairs.
        form: What the encoder was trained on.
        rendering: Name of the rendering.
        size: Side in pixels.

    Returns:
        (B, C, size, size) float32.
    """
    pictures = as_floats(network_pictures(store, items, rendering, form.input(size)))
    return normalised(torch.from_numpy(pictures))


def normalised(images: Tensor) -> Tensor:
    """Pictures of 224 pixels with ImageNet's mean and deviation taken out, others as they are.

    Args:
        images: (B, C, S, S) float32 in [0, 1].
    """
    if images.shape[-1] != IMAGENET_SIZE:
        return images
    mean, deviation = (images.new_tensor(v)[:, None, None] for v in (_IMAGENET_MEAN, _IMAGENET_STD))
    return (images - mean) / deviation


def jittered_box(
    box: Sequence[float], bounds: Sequence[int], shares: Sequence[float]
) -> tuple[int, int, int, int]:
    """View Prior Learning's training crop: 15 % more on each side, and up to as much more or less.

    Args:
        box: Left, top, width, height of the object.
        bounds: Left, top, right, bottom of what there is of the picture.
        shares: Of the box's sides, -0.15 to 0.15, by which the crop's top, bottom, left and right
            move down and right.

    Returns:
        Left, top, right, bottom; the last two are behind the crop.

    Example:
        >>> jittered_box((30, 20, 70, 60), (0, 0, 160, 120), (0, 0, 0, 0))
        (19, 11, 110, 89)
    """
    left, top, width, height = box
    up, down, west, east = shares
    y0, y1 = int(top + (up - PADDING) * height), int(top + height + (down + PADDING) * height)
    x0, x1 = int(left + (west - PADDING) * width), int(left + width + (east + PADDING) * width)
    return max(bounds[0], x0), max(bounds[1], y0), min(x1, bounds[2]), min(y1, bounds[3])
