"""What is done to the bytes of a valid file: flips, cuts, repeats, inserts, zeroes."""

from __future__ import annotations

import random
from collections.abc import Callable

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 62)
_WORDS = ("nan", "inf", "-1", "0", "1e999", "-0.0", "99999999999999999999", "x", "", "\u0660", "()")


def mutate(data: bytes, rng: random.Random, header: int = 0) -> bytes:
    """One to three changes at random places.

    Args:
        data: A valid file.
        rng: Decides.
        header: Four times of five the first that many bytes are left alone, so that the file is
            taken for what it was.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        first = header if rng.random() < 0.8 else 0
        data = rng.choice(_CHANGES)(data, min(first, max(0, len(data) - 1)), rng)
    return data


def _place(data: bytes, first: int, rng: random.Random) -> int:
    return rng.randrange(first, len(data)) if len(data) > first else len(data)


def _span(data: bytes, first: int, rng: random.Random) -> tuple[int, int]:
    """A piece: mostly short, sometimes up to the end."""
    start = _place(data, first, rng)
    most = rng.choice((1, 4, 16, 256, len(data)))
    return start, min(len(data), start + rng.randint(1, max(1, most)))


def _flip(data: bytes, first: int, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if len(changed) > first:
            changed[_place(data, first, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(data: bytes, first: int, rng: random.Random) -> bytes:
    start, stop = _span(data, first, rng)
    return data[:start] if rng.random() < 0.3 else data[:start] + data[stop:]


def _repeat(data: bytes, first: int, rng: random.Random) -> bytes:
    start, stop = _span(data, first, rng)
    piece = data[start:stop] * rng.choice((1, 1, 2, 3))
    return data[:stop] + piece[: 1 << 20] + data[stop:]


def _insert(data: bytes, first: int, rng: random.Random) -> bytes:
    start = _place(data, first, rng)
    return data[:start] + rng.randbytes(rng.choice((1, 2, 4, 8, 100))) + data[start:]


def _zero(data: bytes, first: int, rng: random.Random) -> bytes:
    start, stop = _span(data, first, rng)
    return data[:start] + bytes(stop - start) + data[stop:]


def _number(data: bytes, first: int, rng: random.Random) -> bytes:
    """A number that programs stumble over, in either order of bytes."""
    start, width = _place(data, first, rng), rng.choice((1, 2, 4, 8))
    value = rng.choice(_NUMBERS) & ((1 << (8 * width)) - 1)
    piece = value.to_bytes(width, rng.choice(("little", "big")))
    return data[:start] + piece + data[start + width :]


_CHANGES: tuple[Callable[[bytes, int, random.Random], bytes], ...] = (
    _flip, _flip, _flip, _cut, _repeat, _insert, _zero, _number,
)  # fmt: skip


def mutate_text(data: bytes, rng: random.Random) -> bytes:
    """Changes of words and lines: the text stays a text."""
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        n = rng.randrange(len(lines)) if lines else 0
        what = rng.randrange(6)
        if not lines or what == 0:
            lines.insert(n, lines[n] if lines else b"")
        elif what == 1:
            del lines[n]
        elif what == 2:
            other = rng.randrange(len(lines))
            lines[n], lines[other] = lines[other], lines[n]
        else:
            words = lines[n].split(b" ")
            words[rng.randrange(len(words))] = rng.choice(_WORDS).encode()
            lines[n] = b" ".join(words)
    return b"\n".join(lines)
