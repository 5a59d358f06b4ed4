"""How one picture lies in a store: cut to what can be seen, deflated, and back.

Three kinds of pictures (`Rendering.mode`):

"rgba"      (H, W, 4) uint8, straight alpha. RGB under alpha 0 is stored as 0: no published
            conversion of such renderings reads it (the alpha test replaces it by a background
            colour), and it is what makes the box and the deflate work.
"rgb+mask"  (H, W, 4) uint8, a whole picture with its background, and a mask as fourth channel.
"depth"     (H, W) uint16, counts of the rendering's `depth_unit`; 0 where nothing is.

Measured on two cores (tests/benchmarks/bench_store.py): a rendering cut to the box of its visible
pixels and deflated takes fewer bytes than its PNG and is read several times faster than Pillow
reads that. One HDF5 chunk a view needs more of both, 24 views a chunk cost 24 decodings a picture.
Dense pictures do not deflate well; where more than half is left, differences to the left and upper
neighbours are tried, and the shorter stream is kept.

A stored picture is one byte (0 plain, 1 differences), then a zlib stream of its box; a picture with
nothing in it has no bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError

Array = npt.NDArray[Any]

MODES = ("rgba", "rgb+mask", "depth")
_PLAIN, _DIFFERENCES = 0, 1
_LEVELS = (6, 4)  # measured: 9 saves 1 % and writes at a third of the speed; reading is the same


def blank(mode: str, height: int, width: int, count: int | None = None) -> Array:
    """A picture, or `count` of them, with nothing in it.

    Example:
        >>> blank("depth", 2, 3).shape, blank("rgba", 2, 3, 5).shape
        ((2, 3), (5, 2, 3, 4))
    """
    shape = (height, width) if mode == "depth" else (height, width, 4)
    dtype = np.uint16 if mode == "depth" else np.uint8
    return np.zeros(shape if count is None else (count, *shape), dtype)


def clean(image: Array, mode: str = "rgba") -> Array:
    """What `encode_picture` keeps of a picture: RGB is 0 under alpha 0 in mode "rgba"."""
    return image * (image[..., 3:] > 0) if mode == "rgba" else image


def encode_picture(image: Array, mode: str = "rgba") -> tuple[tuple[int, int, int, int], bytes]:
    """Cut a picture to what can be seen and deflate it.

    Args:
        image: (H, W, 4) uint8, or (H, W) uint16 for "depth".
        mode: One of `MODES`.

    Returns:
        Box (top, left, height, width) and the bytes that `decode_picture` takes. A picture with
        nothing in it gives four zeros and b"".

    Raises:
        InputError: Another shape or type.

    Example:
        >>> picture = np.zeros((8, 8, 4), np.uint8)
        >>> picture[2:4, 3] = 255
        >>> box, data = encode_picture(picture)
        >>> box
        (2, 3, 2, 1)
        >>> bool((decode_picture(box, data, 8, 8) == picture).all())
        True
    """
    expected = blank(mode, *image.shape[:2]) if image.ndim >= 2 else None
    if expected is None or image.shape != expected.shape or image.dtype != expected.dtype:
        wanted = "(H, W) uint16" if mode == "depth" else "(H, W, 4) uint8"
        raise InputError(f"a {mode} picture is {wanted}, not {image.shape} {image.dtype}")
    if mode == "rgb+mask":
        top, left, (bottom, right) = 0, 0, image.shape[:2]
    else:
        visible = image > 0 if mode == "depth" else image[..., 3] > 0
        rows = np.flatnonzero(visible.any(axis=1))
        if rows.size == 0:
            return (0, 0, 0, 0), b""
        columns = np.flatnonzero(visible.any(axis=0))
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    part = clean(image[top:bottom, left:right], mode)
    box = (int(top), int(left), int(bottom - top), int(right - left))
    data = bytes([_PLAIN]) + zlib.compress(part.tobytes(), _LEVELS[0])
    if len(data) > part.nbytes // 2 or mode != "rgba":
        change = np.diff(part, axis=1, prepend=np.zeros_like(part[:, :1]))
        change = np.diff(change, axis=0, prepend=np.zeros_like(part[:1]))
        other = bytes([_DIFFERENCES]) + zlib.compress(change.tobytes(), _LEVELS[1])
        data = min(data, other, key=len)
    return box, data


def decode_picture(
    box: Iterable[int], data: bytes | memoryview, height: int, width: int, mode: str = "rgba"
) -> Array:
    """Undo `encode_picture`.

    Args:
        box: Top, left, height, width of the stored part.
        data: What `encode_picture` returned.
        height: Rows of the picture.
        width: Columns of the picture.
        mode: One of `MODES`.

    Returns:
        (height, width, 4) uint8, or (height, width) uint16 for "depth".

    Raises:
        InputError: The box or the stream does not fit the picture.
    """
    image = blank(mode, height, width)
    decode_into(image, box, data)
    return image


def decode_into(image: Array, box: Iterable[int], data: bytes | memoryview) -> None:
    """Undo `encode_picture` in place.

    Args:
        image: (H, W, 4) uint8, or (H, W) uint16 of depth; overwritten.
        box: Top, left, height, width of the stored part.
        data: What `encode_picture` returned.

    Raises:
        InputError: The box or the stream does not fit the picture.
    """
    image[...] = 0
    top, left, rows, columns = box
    if rows * columns == 0:
        return
    part = image[top : top + rows, left : left + columns]
    if part.shape[:2] != (rows, columns):
        raise InputError(f"a stored box {top, left, rows, columns} leaves the picture")
    size = part.size * part.itemsize
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(data[1:], size + 1)  # never more, whatever the stream claims
    except zlib.error as error:
        raise InputError(f"a stored picture is damaged ({error})") from error
    if len(raw) != size or not inflate.eof or data[0] not in (_PLAIN, _DIFFERENCES):
        raise InputError(f"a stored picture does not fill its box of {size} bytes")
    found = np.frombuffer(raw, image.dtype).reshape(part.shape)
    if data[0] == _DIFFERENCES:
        found = np.cumsum(found, axis=0, dtype=image.dtype)
        found = np.cumsum(found, axis=1, dtype=image.dtype)
    part[...] = found
