"""The one conversion of any data set's pictures, or a file's, into what a method's network takes.

What a method takes stands in its spec as an `InputForm`. What a data set gives is one of:

- RGBA with straight alpha (most sets): put on the form's background, or inverted (Kato);
- a whole picture with a mask as fourth channel (photographs, DVR's archive): taken with its own
  background, except by forms of inverted colours, which keep what the mask covers;
- Kato's archive, inverted and premultiplied already: untouched by his form at its own size,
  otherwise first turned into straight colours;
- depth, which no form takes.

Pictures that are not square get the background on both sides; another size is resized by the
form's rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchbench.baselines.resizing import area_weights, resize
from benchbench.baselines.spec import InputForm
from benchbench.core.errors import ShapeError, UsageError
from benchbench.datasets.inverted_colours import invert_colours

Picture = NDArray[np.uint8]
Pictures = NDArray[np.uint8] | NDArray[np.float32]


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

    def batch(self, rows: Any, views: Any, rendering: str | None = None) -> NDArray[Any]:
        """(B, H, W, 4) uint8, or (B, H, W) uint16 of depth."""
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
    store: PictureStore, items: Sequence[tuple[int, int]], rendering: str, form: InputForm
) -> Pictures:
    """Pictures of a data set as a network wants them.

    Args:
        store: The data set.
        items: (object index, view) pairs.
        rendering: Name of the rendering.
        form: What the method takes.

    Returns:
        (B, C, S, S): uint8 to be divided by 255, or float32 in [0, 1] where the form says so
        (`as_floats` does either).

    Raises:
        UsageError: The rendering holds depth.
    """
    notes: list[dict[str, Any]] = store.info["renderings"]
    note = next((one for one in notes if one["name"] == rendering), {})
    if note.get("mode") == "depth":
        raise UsageError(
            f"rendering '{rendering}' of data set '{store.id}' holds depth, no pictures",
            hint=f"renderings there: {', '.join(store.renderings)}",
        )
    kind = np.uint8 if form.kind == "uint8" else np.float32
    out = np.zeros((len(items), len(form.channels), form.size, form.size), kind)
    if not items:
        return out
    rows, views = np.array(items).T
    pictures = store.batch(rows, views, rendering)
    inverted = note.get("colours") == "inverted"
    whole = note.get("mode") == "rgb+mask"
    hidden = form.colours in ("stored", "inverted") and "hidden_pixels" in store.array_kinds
    at_size = pictures.shape[1:3] == (form.size, form.size)
    if form.colours == "inverted" and not inverted and at_size:
        return _inverted(pictures).transpose(0, 3, 1, 2)
    masks = None
    if form.mask == "depth" and f"{rendering}-depth" in store.renderings:
        masks = store.batch(rows, views, f"{rendering}-depth") > 0
    if at_size and form.kind == "uint8" and not inverted and not hidden and masks is None:
        # The same as below, for all at once.
        colour = pictures[..., :3] if whole else on_background(pictures, form)
        channels = np.concatenate([colour, pictures[..., 3:]], axis=-1)
        return channels[..., _order(form)].transpose(0, 3, 1, 2)
    for number, ((index, view), picture) in enumerate(zip(items, pictures, strict=True)):
        stored = hidden and inverted == (form.colours == "inverted")
        if stored:
            picture = _with_hidden(store, index, view, picture)
        if masks is not None:
            picture = np.dstack([picture[..., :3], masks[number].astype(np.uint8) * 255])
        if inverted and form.colours == "inverted" and at_size:
            out[number] = picture.transpose(2, 0, 1)
            continue
        if inverted:
            picture = _straight(picture)
        out[number] = convert_picture(picture, form, whole or stored)
    return out


def as_floats(pictures: Pictures) -> NDArray[np.float32]:
    """Pictures of `network_pictures` as float32 in [0, 1].

    Example:
        >>> as_floats(np.array([0, 255], np.uint8)).tolist()
        [0.0, 1.0]
    """
    if pictures.dtype == np.uint8:
        return pictures.astype(np.float32) / np.float32(255)
    return np.asarray(pictures, np.float32)


def convert_picture(picture: Picture, form: InputForm, whole: bool = False) -> Pictures:
    """One picture as a network wants it.

    Args:
        picture: (H, W, 4) uint8 RGBA with straight alpha, or (H, W, 3) RGB.
        form: What the method takes.
        whole: The colours are those of a whole picture, the fourth channel is its mask; always so
            without a fourth channel, where the mask is everything.

    Returns:
        (C, S, S) uint8 to be divided by 255, or float32 in [0, 1] where the form says so.

    Raises:
        ShapeError: Not such a picture.

    Example:
        >>> form = InputForm(2, "bgr", "over", background=255)
        >>> pixels = np.array([[[255, 0, 0, 255], [9, 9, 9, 0]]], np.uint8)  # red, nothing
        >>> [channel[0].tolist() for channel in convert_picture(pixels[:, :1].repeat(2, 1), form)]
        [[0, 0], [0, 0], [255, 255]]
    """
    if not (
        isinstance(picture, np.ndarray)
        and picture.dtype == np.uint8
        and picture.ndim == 3
        and picture.shape[2] in (3, 4)
        and min(picture.shape[:2]) > 0
    ):
        got = f"{getattr(picture, 'shape', None)} {getattr(picture, 'dtype', type(picture))}"
        raise ShapeError("convert_picture", "picture", "(H, W, 4) or (H, W, 3) uint8", got)
    if picture.shape[2] == 3:
        whole = True
        picture = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    if form.colours == "inverted":
        if picture.shape[:2] == (form.size, form.size):
            return _inverted(picture).transpose(2, 0, 1)
        return invert_colours(*_shrink(picture, form.size)).transpose(2, 0, 1)
    colour = picture[..., :3] if whole else on_background(picture, form)
    square = _squared(np.dstack([colour, picture[..., 3:]]), form.background or 0)
    side = square.shape[0]
    # Pictures of the network's own size were cut by whoever made them.
    between = form.crop_from if form.crop_from and side != form.size else form.size
    values = resize(square, between, form.resize)
    edge = (between - form.size) // 2
    values = values[edge : edge + form.size, edge : edge + form.size]
    ordered = values[..., _order(form)].transpose(2, 0, 1)
    if form.kind == "uint8":
        return np.rint(ordered).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(ordered / np.float32(255))


def _order(form: InputForm) -> list[int]:
    return ["rgba".index(letter) for letter in form.channels]


def on_background(picture: Picture, form: InputForm) -> Picture:
    """The colours of a straight-alpha picture on a form's background, rounded to bytes.

    Args:
        picture: (..., H, W, 4) uint8.
        form: "over" and "stored" mix by alpha, "keyed" replaces where alpha is 0 only.

    Returns:
        (..., H, W, 3) uint8.
    """
    alpha = picture[..., 3:]
    ground = form.background or 0
    if form.colours == "keyed":
        return np.where(alpha == 0, np.uint8(ground), picture[..., :3])
    share = alpha.astype(np.uint16)  # no sum exceeds 255 * 255 + 127
    mixed = picture[..., :3] * share
    mixed += ground * (255 - share)
    mixed += 127
    mixed //= 255
    return mixed.astype(np.uint8)


def _inverted(pictures: Picture) -> Picture:
    """Straight RGBA (..., H, W, 4) at the network's size to Kato's colours, channels last."""
    colour = pictures[..., :3].astype(np.float32) / np.float32(255)
    result: Picture = invert_colours(colour, pictures[..., 3].astype(np.float32))
    return result


def _straight(picture: Picture) -> Picture:
    """Kato's stored colours (1 - c) m, m to straight ones c, m; 0 where nothing is."""
    alpha = picture[..., 3:].astype(np.float32)
    share = picture[..., :3] / np.where(alpha > 0, alpha, np.float32(1))
    colour = np.where(alpha > 0, np.rint(255 * (1 - share.clip(0, 1))), 0)
    return np.dstack([colour.astype(np.uint8), picture[..., 3:]])


def _with_hidden(store: PictureStore, index: int, view: int, picture: Picture) -> Picture:
    """The picture as its archive has it: with the colours of pixels that have no alpha."""
    picture = picture.copy()
    if "hidden_colour" in store.array_kinds:
        picture[picture[..., 3] == 0, :3] = store.array(index, "hidden_colour")[view]
    found = store.array(index, "hidden_pixels")
    _, row, column, *colour = found[found[:, 0] == view].T
    picture[row, column, :3] = np.stack(colour, axis=-1)
    return picture


def _squared(picture: Picture, ground: int) -> Picture:
    """(H, W, 4) in the middle of a square of the background, with mask 0 there."""
    height, width = picture.shape[:2]
    if height == width:
        return picture
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.full((side, side, 4), ground, np.uint8)
    square[..., 3] = 0
    square[top : top + height, left : left + width] = picture
    return square


def _shrink(picture: Picture, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Area averages: straight colour (size, size, 3) and coverage (size, size), unnormalised.

    All sums are of integers below 2^53, so they are exact whatever the order of summation.
    """
    square = _squared(picture, 0)
    alpha = square[..., 3].astype(np.float64)
    weights = area_weights(len(square), size)
    coverage = weights @ alpha @ weights.T
    premultiplied = square[..., :3].astype(np.float64) * alpha[..., None]
    colour = np.stack([weights @ premultiplied[..., k] @ weights.T for k in range(3)], axis=2)
    divisor = np.where(coverage > 0, coverage * 255.0, 1.0)[..., None]
    return (colour / divisor).astype(np.float32), coverage.astype(np.float32)
