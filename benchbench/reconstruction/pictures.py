"""Picture files as the smallest data set: what every method looks at, without a store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchbench.core.errors import InputError, MissingError, UsageError
from benchbench.datasets.pictures import decode_jpeg, decode_png

Picture = NDArray[np.uint8]
Colours = Literal["straight", "inverted"]
_MOST_BYTES = 1 << 28
_NEAR = 8  # grey levels that a plain background may vary by


class PictureFiles:
    """The pictures of one object as `benchbench.baselines.inputs` takes them from a data set.

    Args:
        pictures: (H, W, 4) RGBA each, all of one size; view n is the n-th.
        whole: Their colours are whole pictures and the fourth channel a mask.
        colours: "inverted" where they are as in Kato's archive already, as those beside his
            published code are.

    Example:
        >>> files = PictureFiles([np.zeros((8, 8, 4), np.uint8)])
        >>> files.batch([0], [0]).shape, files.view_count(0)
        ((1, 8, 8, 4), 1)
    """

    id = "pictures"
    split_name = "files"
    renderings: tuple[str, ...] = ("files",)
    array_kinds: tuple[str, ...] = ()
    default_rendering = "files"

    def __init__(
        self, pictures: Sequence[Picture], whole: bool = False, colours: Colours = "straight"
    ) -> None:
        sizes = {picture.shape[:2] for picture in pictures}
        if len(sizes) != 1:
            words = ", ".join(f"{width}x{height}" for height, width in sorted(sizes))
            raise UsageError(f"pictures of one object must be of one size, these are of {words}")
        self._pictures = np.stack(pictures)
        mode = "rgb+mask" if whole else "rgba"
        self.info: dict[str, Any] = {
            "renderings": [{"name": "files", "mode": mode, "colours": colours}]
        }

    def batch(
        self, rows: Any, views: Any, rendering: str | None = None, out: Any = None
    ) -> Picture:
        """(B, H, W, 4) uint8 of views; the only row is 0."""
        del rows, rendering
        found = self._pictures[np.asarray(views)]
        if out is None:
            return found
        out[...] = found
        return out  # type: ignore[no-any-return]

    def image(self, index: int, view: int, rendering: str | None = None) -> Picture:
        """(H, W, 4) uint8."""
        return self.batch([index], [view], rendering)[0]

    def view_count(self, index: int, rendering: str | None = None) -> int:
        """Number of pictures."""
        del index, rendering
        return len(self._pictures)

    def mode(self, rendering: str | None = None) -> str:
        """What the pictures are."""
        del rendering
        return str(self.info["renderings"][0]["mode"])

    def array(self, index: int, name: str) -> NDArray[Any]:
        """Pictures have no further tables."""
        raise UsageError(f"pictures have no table '{name}' of object {index}")


def read_picture(path: Path) -> tuple[Picture, str]:
    """A PNG or JPEG file as RGBA.

    A picture without alpha on a plain background (its border within 8 grey levels of one colour)
    gets a mask of what is not connected to the border by that colour; any other is all object.

    Args:
        path: The file.

    Returns:
        (H, W, 4) uint8; and what the mask is: "alpha", "background" or "whole".

    Raises:
        MissingError: There is no such file.
        InputError: It is no picture, damaged, absurdly large, or nothing is in it.
    """
    if not path.is_file():
        raise MissingError(f"there is no picture '{path}'", hint="name a PNG or JPEG file")
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(
            f"'{path}' has {path.stat().st_size} bytes, more than {_MOST_BYTES >> 20} MiB"
        )
    data = path.read_bytes()
    if data[:2] == b"\xff\xd8":
        colours = decode_jpeg(data, str(path))
        picture = np.dstack([colours[..., :3], np.full(colours.shape[:2], 255, np.uint8)])
    else:
        picture = decode_png(data, str(path))
    found = "alpha"
    if (picture[..., 3] == 255).all():
        mask = plain_background(picture[..., :3])
        found = "whole" if mask is None else "background"
        if mask is not None:
            picture[..., 3] = np.where(mask, 0, 255)
            picture[mask, :3] = 0
    if not picture[..., 3].any():
        raise InputError(f"'{path}' shows nothing: it is transparent, or of one colour")
    return picture, found


def plain_background(colours: Picture) -> NDArray[np.bool_] | None:
    """The background of a picture whose border is of one colour.

    Args:
        colours: (H, W, 3) uint8.

    Returns:
        (H, W) bool: pixels near the border's median colour that are connected to the border by
        such pixels (sides, not corners); None where the border is not of one colour.

    Example:
        >>> picture = np.full((5, 5, 3), 250, np.uint8)
        >>> picture[1:4, 1:4] = 9
        >>> picture[2, 2] = 250  # a hole is object
        >>> plain_background(picture).sum().item()
        16
    """
    from scipy.ndimage import label

    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    middle = np.median(border, axis=0)
    if (np.abs(border - middle) > _NEAR).any():
        return None
    pieces, _ = label((np.abs(colours - middle) <= _NEAR).all(axis=2))
    touching = np.unique(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))
    return np.isin(pieces, touching[touching > 0])
