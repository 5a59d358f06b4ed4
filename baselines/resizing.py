"""How pictures change their size before a network: every method has its own rule.

Every rule but Pillow's is a matrix for one axis, applied to rows and columns alike.
"""

from __future__ import annotations

import functools
import importlib

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import ShapeError


def resize(picture: NDArray[np.uint8], size: int, rule: str) -> NDArray[np.float32]:
    """One square picture in another size.

    Args:
        picture: (S, S, C) uint8.
        size: Side of the result in pixels.
        rule: "area", "antialiased", "bilinear", or "module:function" that gives a matrix
            (size, S) for (S, size).

    Returns:
        (size, size, C) float32 from 0 to 255; whole numbers where the rule works on bytes or the
        size stays.

    Raises:
        ShapeError: Not a square uint8 picture.
    """
    if picture.ndim != 3 or picture.shape[0] != picture.shape[1] or picture.dtype != np.uint8:
        raise ShapeError("resize", "picture", "(S, S, C) uint8", f"{picture.shape} {picture.dtype}")
    if picture.shape[0] == size:
        return picture.astype(np.float32)
    if rule == "bilinear":
        return _bilinear(picture, size)
    matrix = axis_matrix(rule, picture.shape[0], size).astype(np.float64)
    values = picture.astype(np.float64).transpose(2, 0, 1)
    mixed: NDArray[np.float32] = (matrix @ values @ matrix.T).transpose(1, 2, 0).astype(np.float32)
    return mixed


def axis_matrix(rule: str, source: int, size: int) -> NDArray[np.floating]:
    """What a rule does to one axis: (size, source), rows that sum to 1."""
    if rule == "area":
        return area_weights(source, size) / source
    if rule == "antialiased":
        return _antialiased(source, size)
    module, _, name = rule.partition(":")
    matrix: NDArray[np.floating] = getattr(importlib.import_module(module), name)(source, size)
    return matrix


@functools.lru_cache(maxsize=8)
def area_weights(source: int, size: int) -> NDArray[np.float64]:
    """(size, source) overlaps of result cells with source pixels, in units of 1/size pixel.

    All are integers, so sums of products with bytes are exact whatever the order of summation.

    Example:
        >>> area_weights(3, 2).tolist()
        [[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]
    """
    edges = np.arange(size + 1) * source
    pixels = np.arange(source + 1) * size
    low = np.maximum(edges[:-1, None], pixels[None, :-1])
    high = np.minimum(edges[1:, None], pixels[None, 1:])
    weights = np.maximum(high - low, 0).astype(np.float64)
    weights.setflags(write=False)
    return weights


@functools.lru_cache(maxsize=8)
def _antialiased(source: int, size: int) -> NDArray[np.float64]:
    """skimage.transform.resize(..., anti_aliasing=True), which is linear and works axis by axis."""
    from skimage.transform import resize as skimage_resize

    unit = np.eye(source)
    matrix: NDArray[np.float64] = skimage_resize(unit, (size, source), order=1, anti_aliasing=True)
    matrix.setflags(write=False)
    return matrix


def _bilinear(picture: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Pillow's, which rounds to bytes after each axis."""
    from PIL import Image

    parts = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(picture[..., k])).resize(
                (size, size), Image.Resampling.BILINEAR
            )
        )
        for k in range(picture.shape[2])
    ]
    return np.stack(parts, axis=-1).astype(np.float32)
