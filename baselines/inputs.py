"""The one conversion of any data set's pictures into what Kato's network was trained on.

kato.md 1.4: with straight colour c and coverage m = alpha / max(alpha), the network sees
(1 - c) m, the inverted colour premultiplied by coverage on black, and m as fourth channel, both
cut to 8 bits. Pictures of another size are first premultiplied and averaged over areas. A rendering
whose colours are stored that way already, as in Kato's own archive, passes through untouched.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import ShapeError, UsageError
from benchbench.datasets.inverted_colours import invert_colours


class PictureStore(Protocol):
    """The part of a data set that gives pictures."""

    id: str
    info: dict[str, Any]
    renderings: tuple[str, ...]
    array_kinds: tuple[str, ...]

    @property
    def default_rendering(self) -> str:
        """Rendering used when none is named."""
        ...

    def image(self, index: int, view: int, rendering: str | None = None) -> NDArray[np.uint8]:
        """Straight-alpha RGBA (H, W, 4) uint8."""
        ...

    def array(self, index: int, name: str) -> NDArray[Any]:
        """Rows of one of the set's further tables."""
        ...


def choose_rendering(store: PictureStore, wanted: str | None, preferred: Sequence[str]) -> str:
    """The rendering to look at: the wanted one, else the first preferred that is there.

    Raises:
        UsageError: `wanted` is not in the data set.
    """
    from benchbench.core.names import require

    if wanted is not None:
        return require(wanted, store.renderings, "rendering")
    return next((name for name in preferred if name in store.renderings), store.default_rendering)


def network_pictures(
    store: PictureStore, items: Sequence[tuple[int, int]], rendering: str, size: int = 64
) -> NDArray[np.uint8]:
    """Pictures of a data set as Kato's network wants them.

    Args:
        store: The data set.
        items: (object index, view) pairs.
        rendering: Name of the rendering.
        size: Side in pixels.

    Returns:
        (B, 4, size, size) uint8; divide by 255.

    Raises:
        UsageError: The colours are stored as the network wants them, but in another size.
    """
    out = np.zeros((len(items), 4, size, size), np.uint8)
    ready = has_inverted_colours(store, rendering)
    for row, (index, view) in enumerate(items):
        picture = store.image(index, view, rendering)
        if not ready:
            out[row] = convert_picture(picture, size)
        elif picture.shape == (size, size, 4):
            out[row] = _with_hidden(store, index, view, picture).transpose(2, 0, 1)
        else:
            raise UsageError(
                f"rendering '{rendering}' of data set '{store.id}' has inverted pictures of "
                f"{picture.shape[1]}x{picture.shape[0]}, the network takes {size}x{size}"
            )
    return out


def has_inverted_colours(store: PictureStore, rendering: str) -> bool:
    """Whether a rendering's pictures are already what the network was trained on."""
    return any(
        one["name"] == rendering and one.get("colours") == "inverted"
        for one in store.info["renderings"]
    )


def _with_hidden(
    store: PictureStore, index: int, view: int, picture: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The picture as its archive has it: with the colours of pixels that have no alpha."""
    if "hidden_pixels" in store.array_kinds:
        found = store.array(index, "hidden_pixels")
        _, row, column, *colour = found[found[:, 0] == view].T
        picture[row, column, :3] = np.stack(colour, axis=-1)
    return picture


def convert_picture(picture: NDArray[np.uint8], size: int = 64) -> NDArray[np.uint8]:
    """One straight-alpha RGBA picture to Kato's inverted, premultiplied four channels.

    Args:
        picture: (H, W, 4) uint8; a picture that is not square is padded with transparency.
        size: Side of the result in pixels.

    Returns:
        (4, size, size) uint8. A fully transparent picture gives zeros (Kato's script would
        divide by zero).

    Raises:
        ShapeError: Not (H, W, 4) uint8.

    Example:
        >>> half = np.full((64, 64, 4), 255, np.uint8)
        >>> half[:, :32] = 0
        >>> [int(n) for n in convert_picture(half)[:, 0, 63]]  # white comes out black
        [0, 0, 0, 255]
    """
    if not (
        isinstance(picture, np.ndarray)
        and picture.dtype == np.uint8
        and picture.ndim == 3
        and picture.shape[2] == 4
        and min(picture.shape[:2]) > 0
    ):
        got = f"{getattr(picture, 'shape', None)} {getattr(picture, 'dtype', type(picture))}"
        raise ShapeError("convert_picture", "picture", "(H, W, 4) uint8 RGBA", got)
    alpha = picture[..., 3].astype(np.float64)
    if alpha.max() == 0:
        return np.zeros((4, size, size), np.uint8)
    if picture.shape[:2] == (size, size):
        colour = picture[..., :3].astype(np.float32) / np.float32(255)
        coverage = picture[..., 3].astype(np.float32)
    else:
        colour, coverage = _shrink(picture, alpha, size)
    return invert_colours(colour, coverage).transpose(2, 0, 1)


def _shrink(
    picture: NDArray[np.uint8], alpha: NDArray[np.float64], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Area averages: straight colour (size, size, 3) and coverage (size, size), unnormalised.

    All sums are of integers below 2^53, so they are exact whatever the order of summation.
    """
    height, width = alpha.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    rows = _area_weights(side, size)[:, top : top + height]
    columns = _area_weights(side, size)[:, left : left + width]
    coverage = rows @ alpha @ columns.T
    premultiplied = picture[..., :3].astype(np.float64) * alpha[..., None]
    colour = np.stack([rows @ premultiplied[..., k] @ columns.T for k in range(3)], axis=2)
    divisor = np.where(coverage > 0, coverage * 255.0, 1.0)[..., None]
    return (colour / divisor).astype(np.float32), coverage.astype(np.float32)


@functools.lru_cache(maxsize=8)
def _area_weights(side: int, size: int) -> NDArray[np.float64]:
    """(size, side) overlaps of output cells with input pixels, in units of 1/size pixel."""
    edges = np.arange(size + 1) * side
    pixels = np.arange(side + 1) * size
    low = np.maximum(edges[:-1, None], pixels[None, :-1])
    high = np.minimum(edges[1:, None], pixels[None, 1:])
    return np.maximum(high - low, 0).astype(np.float64)
