"""What a pickle from outside may hold besides plain containers: numpy arrays, put together by us.

A pickled array names four functions and a class of numpy. None of them is called: the parts that
the file gives (type code, byte order, shape, bytes) are checked against each other here, and the
array is made from them.
"""

from __future__ import annotations

import codecs
import math
import re
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError

Array = npt.NDArray[Any]

_CODE = re.compile(r"[|<>]?([biufcSUO])(\d{0,6})")
_SIZES = {"b": (1,), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8), "c": (8, 16)}


class Refused(Exception):
    """Why a value is refused; the reader adds the file's name and the place."""


@dataclass(frozen=True)
class Blob:
    """A long byte string left in its file.

    Attributes:
        offset: First byte.
        length: Bytes in the file.
        quoted: They are a python literal between quotation marks (protocol 0).
    """

    offset: int
    length: int
    quoted: bool = False

    def read(self, file: BinaryIO) -> bytes:
        """The string, from the file that was indexed.

        Raises:
            InputError: The file is not what it was.
        """
        file.seek(self.offset)
        data = file.read(self.length)
        if len(data) != self.length:
            raise InputError(f"the file ends before byte {self.offset + self.length}")
        try:
            return unquote(data) if self.quoted else data
        except Refused as error:
            raise InputError(f"the string at byte {self.offset} {error}") from error


@dataclass(frozen=True)
class LateArray:
    """An array whose bytes were left in their file.

    Attributes:
        dtype: Of an element.
        shape: Sides.
        fortran: The bytes run along the first axis first.
        blob: Where they are.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    blob: Blob

    def read(self, file: BinaryIO) -> Array:
        """The array, read-only.

        Raises:
            InputError: The bytes do not fit the shape.
        """
        try:
            return make_array(self.dtype, self.shape, self.fortran, self.blob.read(file))
        except Refused as error:
            raise InputError(f"the array at byte {self.blob.offset} {error}") from error


@dataclass(eq=False)
class Unbuilt:
    """An array or a dtype whose state has not come yet.

    Attributes:
        code: Kind and size of a dtype's element; None for an array.
        places: Its numbers in the memo.
    """

    code: tuple[str, int] | None = None
    places: list[int] = field(default_factory=list)

    def build(self, state: Any) -> np.dtype[Any] | Array | LateArray:
        """What it becomes."""
        return _build_array(state) if self.code is None else _build_dtype(*self.code, state)


def text_of(value: Any) -> str:
    """A short ASCII word, which python 2 wrote as bytes."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str) or len(value) > 128:
        raise Refused("has something else where a short word belongs")
    return value


def unquote(line: bytes) -> bytes:
    """The bytes of a python-2 string literal."""
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise Refused("is no quoted string")
    try:
        return codecs.escape_decode(line[1:-1])[0]  # type: ignore[attr-defined, no-any-return]
    except ValueError as error:
        raise Refused("is no quoted string") from error


def start_dtype(args: Any) -> Unbuilt:
    """`numpy.dtype("f8", 0, 1)` as data; byte order and a text's length come as its state."""
    if not isinstance(args, tuple) or not 1 <= len(args) <= 3:
        raise Refused("has a dtype of odd arguments")
    word = text_of(args[0])
    match = _CODE.fullmatch(word)
    kind, size = (match[1], int(match[2] or 0)) if match else ("", 0)
    if size not in _SIZES.get(kind, (size,) if kind in ("S", "U", "O") else ()):
        raise Refused(f"holds an array of type {word!r}")
    return Unbuilt((kind, size))


def _build_dtype(kind: str, size: int, state: Any) -> np.dtype[Any]:
    if not isinstance(state, tuple) or len(state) not in (8, 9):
        raise Refused("has a dtype of odd state")
    if any(part is not None for part in state[2:5]):
        raise Refused("holds an array with fields")
    order = text_of(state[1])
    if order not in ("<", ">", "|"):
        raise Refused(f"holds an array of byte order {order!r}")
    if kind == "O":
        return np.dtype(object)
    if kind in ("S", "U"):
        unit, length = (4 if kind == "U" else 1), state[5]
        if type(length) is not int or not unit <= length <= 1 << 16 or length % unit:
            raise Refused("holds an array of texts of odd length")
        size = length // unit
    return np.dtype(f"{order}{kind}{size}")


def _build_array(state: Any) -> Array | LateArray:
    # version 1, shape, dtype, whether Fortran's order, bytes or list
    if not isinstance(state, tuple) or len(state) != 5 or type(state[0]) is not int:
        raise Refused("holds an array of odd state")
    return array_of(state[2], state[1], bool(state[3]), state[4])


def array_of(dtype: Any, shape: Any, fortran: bool, content: Any) -> Array | LateArray:
    """An array from its parts, or a description of it where its bytes were left in the file."""
    if not isinstance(dtype, np.dtype):
        raise Refused("holds an array whose type is no dtype")
    sides = _sides(shape)
    if not isinstance(content, Blob):
        return make_array(dtype, sides, fortran, content)
    if dtype.hasobject:
        raise Refused("holds an array of objects without a list of them")
    if not content.quoted and math.prod(sides) * dtype.itemsize != content.length:
        raise Refused(f"holds an array of shape {sides} in {content.length} bytes")
    return LateArray(dtype, sides, fortran, content)


def make_array(dtype: np.dtype[Any], shape: tuple[int, ...], fortran: bool, content: Any) -> Array:
    """The array itself; of numbers, it is read-only and shares the bytes."""
    order: Any = "F" if fortran else "C"
    count = math.prod(shape)
    if dtype.hasobject:
        if not isinstance(content, list) or len(content) != count:
            raise Refused(f"holds an array of shape {shape} and another number of objects")
        flat = np.empty(count, object)
        for place, item in enumerate(content):  # one by one: numpy would look into lists
            if isinstance(item, np.ndarray) and item.dtype.hasobject:
                # thousands in each other would overflow the stack when they are freed
                raise Refused("holds an array of objects in an array of objects")
            flat[place] = item
    else:
        if not isinstance(content, bytes) or len(content) != count * dtype.itemsize:
            raise Refused(f"holds an array of shape {shape} whose bytes do not fit")
        flat = np.frombuffer(content, dtype) if count else np.empty(0, dtype)
    return flat.reshape(shape, order=order)


def make_scalar(args: Any) -> Any:
    """`numpy.core.multiarray.scalar(dtype, bytes)` as data."""
    if not isinstance(args, tuple) or len(args) != 2:
        raise Refused("holds a number of odd arguments")
    value = array_of(args[0], (1,), False, args[1])
    if isinstance(value, LateArray) or value.dtype.hasobject:
        raise Refused("holds an object as a number")
    return value[0]


def _sides(shape: Any) -> tuple[int, ...]:
    fits = isinstance(shape, tuple) and len(shape) <= 8
    if not fits or not all(type(side) is int and 0 <= side < 1 << 40 for side in shape):
        raise Refused("holds an array of odd shape")
    return tuple(shape)
