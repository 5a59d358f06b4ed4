"""PNG and JPEG decoding of good, broken and hostile files."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from benchbench.core.errors import InputError
from benchbench.datasets.pictures import decode_grey_png, decode_jpeg, decode_png


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


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_maps_keep_their_depth(dtype: type) -> None:
    top = np.iinfo(dtype).max
    counts = np.random.default_rng(1).integers(0, top + 1, (9, 7)).astype(dtype)
    counts[0, :2] = 0, top
    stream = io.BytesIO()
    Image.fromarray(counts).save(stream, "PNG")
    found = decode_grey_png(stream.getvalue(), "d.png", (9, 7))
    assert found.dtype == dtype and np.array_equal(found, counts)
    # the same numbers, packed by hand: rows of big-endian counts behind a filter byte
    bits = counts.dtype.itemsize * 8
    header = struct.pack(">IIBBBBB", 7, 9, bits, 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(counts.dtype.newbyteorder(">")).tobytes() for row in counts)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
    png += chunk(b"IEND", b"")
    assert np.array_equal(decode_grey_png(png, "d.png"), counts)


def test_maps_with_colours_are_refused(picture: np.ndarray) -> None:
    for channels, mode in ((4, "RGBA"), (3, "RGB"), (2, "LA")):
        part = picture[..., :channels].copy()
        with pytest.raises(InputError, match=f"kind {mode}, not one channel"):
            decode_grey_png(encoded(part, mode), "d.png")
    with pytest.raises(InputError, match="8x8 belong"):
        decode_grey_png(encoded(picture[..., 0].copy(), "L"), "d.png", (8, 8))
    with pytest.raises(InputError, match="damaged"):
        decode_grey_png(encoded(picture[..., 0].copy(), "L")[:-30] + bytes(30), "d.png")


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


def jpeg(image: np.ndarray, mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


def smooth() -> np.ndarray:
    """Slow waves, which survive JPEG."""
    rows, columns = np.mgrid[:40, :64]
    waves = [120 + 80 * np.sin(rows / 9), 120 + 80 * np.cos(columns / 11), rows + columns]
    return np.stack(waves, -1).astype(np.uint8)


def test_jpeg_is_decoded() -> None:
    image = smooth()
    decoded = decode_jpeg(jpeg(image, quality=98), "a.jpg")
    assert decoded.shape == image.shape and decoded.dtype == np.uint8
    assert np.abs(decoded.astype(int) - image).max() <= 8
    grey = decode_jpeg(jpeg(image, "L"), "a.jpg")
    assert np.array_equal(grey[..., 0], grey[..., 2])
    inked = decode_jpeg(jpeg(image, "CMYK", quality=98), "a.jpg")
    assert np.abs(inked.astype(int) - image).max() <= 12


def test_jpeg_orientation_is_ignored() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6  # a quarter turn
    assert decode_jpeg(jpeg(smooth(), exif=tags.tobytes()), "a.jpg").shape == (40, 64, 3)


def test_broken_jpegs() -> None:
    whole = jpeg(smooth(), quality=98)
    for data in (b"", b"\x89PNG\r\n\x1a\n", whole[: len(whole) // 2], whole[:20], whole[:2]):
        with pytest.raises(InputError, match=r"a\.jpg"):
            decode_jpeg(data, "a.jpg")


def test_absurd_jpeg_is_refused_before_decoding() -> None:
    data = bytearray(jpeg(smooth()))
    start = data.index(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", 65000, 65000)
    with pytest.raises(InputError, match="too large"):
        decode_jpeg(bytes(data), "a.jpg")
    data[start + 5 : start + 9] = struct.pack(">HH", 8000, 8000)
    with pytest.raises(InputError, match="8000x8000"):
        decode_jpeg(bytes(data), "a.jpg")
