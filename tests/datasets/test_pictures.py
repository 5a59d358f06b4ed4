"""PNG decoding of good, broken and hostile files."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from benchbench.core.errors import InputError
from benchbench.datasets.pictures import decode_png


def encoded(image: np.ndarray, mode: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image, mode).save(stream, "PNG")
    return stream.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)


def test_rgba_is_kept(picture: np.ndarray) -> None:
    decoded = decode_png(encoded(picture, "RGBA"), "a.png", (9, 7))
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, picture)


def test_other_kinds_become_rgba(picture: np.ndarray) -> None:
    decoded = decode_png(encoded(picture[..., :3].copy(), "RGB"), "a.png")
    assert np.array_equal(decoded[..., :3], picture[..., :3])
    assert (decoded[..., 3] == 255).all()
    grey = decode_png(encoded(picture[..., 0].copy(), "L"), "a.png")
    assert np.array_equal(grey[..., 1], picture[..., 0])


def test_wrong_size(picture: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"'a\.png' is 7x9 pixels, 137x137 belong"):
        decode_png(encoded(picture, "RGBA"), "a.png", (137, 137))


def test_absurd_size_is_refused_before_decoding() -> None:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 6, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(InputError, match="claims 60000x60000"):
        decode_png(bomb, "bomb.png")


def test_sixteen_bits_are_refused() -> None:
    header = struct.pack(">IIBBBBB", 3, 3, 16, 0, 0, 0, 0)
    body = zlib.compress(bytes(3 * 7))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body)
    data += chunk(b"IEND", b"")
    with pytest.raises(InputError, match="not 8 bits"):
        decode_png(data, "deep.png")


def test_every_truncation_is_refused(picture: np.ndarray) -> None:
    data = encoded(picture, "RGBA")
    for length in range(len(data)):
        with pytest.raises(InputError, match=r"cut\.png"):
            decode_png(data[:length], "cut.png")


def test_every_flipped_byte_is_refused(picture: np.ndarray) -> None:
    data = bytearray(encoded(picture, "RGBA"))
    for place in range(len(data)):
        data[place] ^= 0x55
        with pytest.raises(InputError):
            decode_png(bytes(data), "flipped.png")
        data[place] ^= 0x55


def test_other_formats_are_refused() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(stream, "JPEG")
    for data in (stream.getvalue(), b"", b"<html>"):
        with pytest.raises(InputError, match="not a PNG"):
            decode_png(data, "a.png")


def test_pixels_that_do_not_inflate() -> None:
    header = struct.pack(">IIBBBBB", 4, 4, 8, 6, 0, 0, 0)
    for body in (b"rubbish", zlib.compress(b"\0" * 5), b""):
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body)
        with pytest.raises(InputError, match=r"a\.png"):
            decode_png(data + chunk(b"IEND", b""), "a.png")
