"""Writing values as python 2 pickled them (protocol 2), for exporters of sets published that way.

Plain strings of python 2 are `bytes` here, as `read_pickle` gives them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

START, END = b"\x80\x02", b"."


def pickle2(value: Any) -> bytes:
    """One value as a whole pickle.

    Args:
        value: Dicts, lists, tuples, None, bool, int (32 bits), float, bytes, str and numpy arrays
            of numbers, or of objects which are such values.

    Example:
        >>> from benchbench.datasets.pickled import read_pickle
        >>> read_pickle(pickle2({b"a": [1, 2.5, None]}), "x.pkl")
        {b'a': [1, 2.5, None]}
    """
    return START + b"".join(write_value(value)) + END


def open_dict() -> bytes:
    """An empty dict, to which `add_items` adds."""
    return b"}"


def add_items(pairs: Iterable[tuple[Any, Any]]) -> Iterator[bytes]:
    """Keys and values for the dict written last, piece by piece."""
    for key, value in pairs:
        yield from write_value(key)
        yield from write_value(value)
        yield b"s"


def write_value(value: Any) -> Iterator[bytes]:
    """One value within a pickle, piece by piece.

    Raises:
        TypeError: It is of another type than `pickle2` takes.
    """
    if value is None:
        yield b"N"
    elif isinstance(value, bool):
        yield b"\x88" if value else b"\x89"
    elif isinstance(value, int):
        yield b"J" + struct.pack("<i", value)
    elif isinstance(value, float):
        yield b"G" + struct.pack(">d", value)
    elif isinstance(value, bytes):
        short = len(value) < 256
        yield b"U" + bytes([len(value)]) if short else b"T" + struct.pack("<i", len(value))
        yield value
    elif isinstance(value, str):
        data = value.encode("utf-8")
        yield b"X" + struct.pack("<I", len(data)) + data
    elif isinstance(value, np.ndarray):
        yield from _array(value)
    elif isinstance(value, dict):
        yield open_dict()
        yield from add_items(value.items())
    elif isinstance(value, (list, tuple)):
        yield b"("
        for item in value:
            yield from write_value(item)
        yield b"l" if isinstance(value, list) else b"t"
    else:
        raise TypeError(f"a {type(value).__name__} is not written")


def _array(array: Array) -> Iterator[bytes]:
    dtype = array.dtype
    if dtype.kind not in "biufcO":
        raise TypeError(f"an array of {dtype} is not written")
    yield b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
    yield from write_value((0,))
    yield b"U\x01b\x87R("
    yield from write_value(1)
    yield from write_value(array.shape)
    yield b"cnumpy\ndtype\n"
    objects = dtype.kind == "O"
    yield from write_value((b"O8" if objects else dtype.str[1:].encode(), 0, 1))
    yield b"R"
    order = dtype.str[:1].encode()
    yield from write_value((3, order, None, None, None, -1, -1, 63 if objects else 0))
    yield b"b\x89"
    content = list(array.flat) if objects else np.ascontiguousarray(array).tobytes()
    yield from write_value(content)
    yield b"tb"
