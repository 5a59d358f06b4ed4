"""PNG and JPEG pictures: decoding those which come from outside, encoding our own."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchbench.core.errors import InputError

Array = npt.NDArray[Any]

MAX_SIDE = 4096
_JPEG_SIDE, _JPEG_PIXELS = 16384, 1 << 25  # photographs: 33 megapixels, 100 MB decoded
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MODES = ("RGBA", "RGB", "P", "L", "LA", "1")
_GREY_MODES = ("L", "I;16", "I;16B", "I")  # of 16 bits, by the version of Pillow


def decode_png(data: bytes, name: str, size: tuple[int, int] | None = None) -> Array:
    """Decode a PNG file to straight-alpha RGBA.

    The size is read from the header and checked before anything is decoded, and every chunk's
    checksum is verified first: Pillow does not check those of the pixel data and would decode
    flipped bits without a word.

    Args:
        data: The file's bytes.
        name: What to call it in errors.
        size: (height, width) that it must have, or None for any up to 4096 a side.

    Returns:
        (H, W, 4) uint8; pictures without alpha get 255.

    Raises:
        InputError: Not a PNG, cut off, damaged, of the wrong or an absurd size, or 16 bits deep.
    """
    # a fresh array: Pillow's own buffer is read-only
    return _decode(
        data, name, size, _MODES, "8 bits", lambda p: np.array(p.convert("RGBA"), np.uint8)
    )


def decode_grey_png(data: bytes, name: str, size: tuple[int, int] | None = None) -> Array:
    """Decode a grey PNG file, a map of numbers, as `decode_png` does a picture.

    Returns:
        (H, W) uint8 or uint16, as deep as the file is.

    Raises:
        InputError: As `decode_png`; or it has colours or alpha.

    Example:
        >>> counts = np.array([[0, 65535], [258, 7]], np.uint16)
        >>> decode_grey_png(encode_png(counts), "x").tolist()
        [[0, 65535], [258, 7]]
    """
    kinds = "one channel of 8 or 16 bits"
    return _decode(
        data,
        name,
        size,
        _GREY_MODES,
        kinds,
        lambda p: np.array(p, np.uint8 if p.mode == "L" else np.uint16),
    )


def _decode(
    data: bytes,
    name: str,
    size: tuple[int, int] | None,
    modes: tuple[str, ...],
    wanted: str,
    pixels: Callable[[Image.Image], Array],
) -> Array:
    height, width = _check_chunks(data, name)
    if size is not None and (height, width) != size:
        raise InputError(f"'{name}' is {width}x{height} pixels, {size[1]}x{size[0]} belong")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise InputError(f"'{name}' claims {width}x{height} pixels, more than {MAX_SIDE} a side")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
                if picture.mode not in modes:
                    raise InputError(f"'{name}' has pixels of kind {picture.mode}, not {wanted}")
                picture.load()
                return pixels(picture)
    except (OSError, SyntaxError, ValueError, EOFError, zlib.error, struct.error) as error:
        raise InputError(f"'{name}' is a damaged PNG file ({error})") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"'{name}' is too large a picture ({error})") from error


def encode_png(image: Array) -> bytes:
    """A PNG file of a picture.

    Args:
        image: (H, W, 4), (H, W, 3) or (H, W) uint8; or (H, W) uint16, a grey picture of 16 bits.

    Example:
        >>> pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        >>> bool((decode_png(encode_png(pixels), "x") == pixels).all())
        True
    """
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def decode_jpeg(data: bytes, name: str) -> Array:
    """Decode a JPEG photograph as Pillow does; its orientation tag is ignored, as in MATLAB.

    The size is read from the header and checked before anything is decoded. JPEG has no checksums:
    flipped bits within the pixel data may decode to other pixels.

    Args:
        data: The file's bytes.
        name: What to call it in errors.

    Returns:
        (H, W, 3) uint8; grey and CMYK pictures are converted.

    Raises:
        InputError: Not a JPEG, cut off, damaged or of an absurd size.
    """
    if not data.startswith(b"\xff\xd8"):
        raise InputError(f"'{name}' is not a JPEG file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
                width, height = picture.size
                if max(width, height) > _JPEG_SIDE or width * height > _JPEG_PIXELS:
                    raise InputError(f"'{name}' claims {width}x{height} pixels; refused")
                picture.load()
                return np.array(picture.convert("RGB"), np.uint8)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise InputError(f"'{name}' is a damaged JPEG file ({error})") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"'{name}' is too large a picture ({error})") from error


def _check_chunks(data: bytes, name: str) -> tuple[int, int]:
    """Walk the chunks of a PNG; return (height, width)."""
    if not data.startswith(_SIGNATURE):
        raise InputError(f"'{name}' is not a PNG file")
    position, size = len(_SIGNATURE), None
    while True:
        head = data[position : position + 8]
        if len(head) < 8:
            raise InputError(f"'{name}' is cut off after {len(data)} bytes")
        length, kind = struct.unpack(">I4s", head)
        end = position + 12 + length
        if end > len(data):
            raise InputError(f"'{name}' is cut off after {len(data)} bytes")
        (checksum,) = struct.unpack(">I", data[end - 4 : end])
        if zlib.crc32(data[position + 4 : end - 4]) != checksum:
            raise InputError(f"'{name}' is damaged: checksum of {kind!r} is wrong")
        if size is None:
            if kind != b"IHDR" or length != 13:
                raise InputError(f"'{name}' is a damaged PNG file (no header)")
            width, height = struct.unpack(">II", data[position + 8 : position + 16])
            size = (height, width)
        if kind == b"IEND":
            return size
        position = end
