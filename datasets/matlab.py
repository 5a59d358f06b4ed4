"""Reading MATLAB files (version 5 to 7, `.mat`) which come from outside.

Only plain values are read: numbers, logicals, characters, structs and cells. Objects, functions,
sparse and complex arrays are refused, as are files of version 7.3 (which are HDF5) and of version
4. Everything is bounded before it is unpacked or allocated.

Source of the format: MathWorks, "MAT-File Format" (level 5).
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError

Array = npt.NDArray[Any]

MOST_BYTES = 1 << 26  # of all variables, inflated
_MOST_VALUES = 200_000  # structs' fields, cells and arrays in one file
_DEEPEST = 16
_LONGEST_NAME = 63  # MATLAB's namelengthmax
_HEADER = 128

_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_CODES = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHARACTERS = 1, 2, 4
_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_REFUSED = {3: "an object", 5: "a sparse array", 16: "a function", 17: "an object"}
_LOGICAL, _COMPLEX = 0x02, 0x08


def read_mat(data: bytes, name: str, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """Variables of a MATLAB file.

    Args:
        data: The file's bytes.
        name: What to call it in errors.
        most_bytes: Bound on all variables together once inflated.

    Returns:
        Variable name to value. Numbers and logicals are arrays of MATLAB's shape (at least two
        axes), characters a `str`, structs a list of dicts (one an element, column-major; a plain
        struct is a list of one), cells a list of values.

    Raises:
        InputError: Broken, hostile, of another version, or holding more than plain values.

    Example:
        >>> import io, scipy.io
        >>> stream = io.BytesIO()
        >>> scipy.io.savemat(stream, {"record": {"size": [500, 375], "name": "a.jpg"}})
        >>> record = read_mat(stream.getvalue(), "a.mat")["record"][0]
        >>> record["size"].tolist(), record["name"]
        ([[500, 375]], 'a.jpg')
    """
    if data[:10] == b"MATLAB 7.3" or data[:8] == b"\x89HDF\r\n\x1a\n":
        raise InputError(f"'{name}' is a MATLAB 7.3 file; save it with version 7")
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data[126:_HEADER]))
    if order is None or len(data) < _HEADER:
        raise InputError(f"'{name}' is no MATLAB file of version 5 to 7")
    try:
        return _File(name, order, most_bytes).variables(memoryview(data)[_HEADER:])
    except (struct.error, zlib.error, UnicodeDecodeError, ValueError, IndexError) as error:
        raise InputError(f"'{name}' is a damaged MATLAB file ({error})") from error


class _File:
    """One reading: what is left of its bounds."""

    def __init__(self, name: str, order: str, most_bytes: int) -> None:
        self.name, self.order = name, order
        self.bytes_left, self.values_left = most_bytes, _MOST_VALUES

    def variables(self, data: memoryview) -> dict[str, Any]:
        found: dict[str, Any] = {}
        at = 0
        while at + 8 <= len(data):
            kind, body, at = self.element(data, at, padded=False)
            if kind == _COMPRESSED:
                inner = self.inflate(body)
                kind, body, _ = self.element(memoryview(inner), 0)
            else:
                self.spend(len(body))
            if kind != _MATRIX:
                raise InputError(f"'{self.name}' holds an element of kind {kind} for a variable")
            key, value = self.matrix(body, 0)
            if key in found:
                raise InputError(f"'{self.name}' holds the variable '{key}' twice")
            found[key] = value
        return found

    def spend(self, size: int) -> None:
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise InputError(f"'{self.name}' holds more than is read of a MATLAB file; refused")

    def inflate(self, body: memoryview) -> bytes:
        stream = zlib.decompressobj()
        inner = stream.decompress(body, self.bytes_left + 1)
        self.spend(len(inner))
        if not stream.eof:
            raise InputError(f"'{self.name}' is cut off within a variable")
        return inner

    def element(
        self, data: memoryview, at: int, padded: bool = True
    ) -> tuple[int, memoryview, int]:
        """Kind and bytes of the element at an offset, and the offset behind it."""
        (first,) = struct.unpack_from(f"{self.order}I", data, at)
        if first >> 16:  # a small element: four bytes within the tag
            kind, size, begin, end = first & 0xFFFF, first >> 16, at + 4, at + 8
            if size > 4:
                raise InputError(f"'{self.name}' is damaged: a small element of {size} bytes")
        else:
            kind, begin = first, at + 8
            (size,) = struct.unpack_from(f"{self.order}I", data, at + 4)
            end = begin + (size + 7 & ~7 if padded else size)
        if begin + size > len(data):
            raise InputError(f"'{self.name}' is cut off: an element claims {size} bytes")
        return kind, data[begin : begin + size], min(end, len(data))

    def matrix(self, body: memoryview, depth: int) -> tuple[str, Any]:
        """Name and value of a matrix element."""
        self.values_left -= 1
        if self.values_left < 0 or depth > _DEEPEST:
            raise InputError(f"'{self.name}' holds too many or too deeply nested values; refused")
        if not len(body):  # an empty field is sometimes no more than its tag
            return "", np.zeros((0, 0))
        _, flags, at = self.element(body, 0)
        (word,) = struct.unpack_from(f"{self.order}I", flags)
        kind, flag = word & 0xFF, word >> 8 & 0xFF
        _, sizes, at = self.element(body, at)
        shape = tuple(self.numbers(5, sizes).tolist())
        if not 2 <= len(shape) <= 8:
            raise InputError(f"'{self.name}' holds an array of {len(shape)} dimensions")
        if min(shape) < 0:
            raise InputError(f"'{self.name}' holds an array of shape {shape}")
        _, text, at = self.element(body, at)
        if len(text) > _LONGEST_NAME:
            raise InputError(f"'{self.name}' holds a variable whose name has {len(text)} letters")
        label = bytes(text).decode("ascii")
        if kind in _REFUSED or flag & _COMPLEX:
            what = _REFUSED.get(kind, "complex numbers")
            raise InputError(f"'{self.name}' holds {what} ('{label}'), which is not read")
        if kind == _CELL:
            return label, self.cells(body, at, math.prod(shape), depth)
        if kind == _STRUCT:
            return label, self.structs(body, at, math.prod(shape), depth)
        stored, values, _ = self.element(body, at)
        if kind == _CHARACTERS:
            return label, self.characters(stored, values)
        if kind not in _CLASSES:
            raise InputError(f"'{self.name}' holds an array of unknown class {kind}")
        flat = self.numbers(stored, values)
        if len(flat) != math.prod(shape):
            raise InputError(f"'{self.name}': '{label}' claims shape {shape}, {len(flat)} values")
        dtype = np.bool_ if flag & _LOGICAL else np.dtype(_CLASSES[kind])
        return label, flat.astype(dtype).reshape(shape, order="F")

    def numbers(self, kind: int, values: memoryview) -> Array:
        if kind not in _NUMBERS:
            raise InputError(f"'{self.name}' holds numbers of unknown kind {kind}")
        return np.frombuffer(values, np.dtype(self.order + _NUMBERS[kind]))

    def characters(self, kind: int, values: memoryview) -> str:
        if kind not in _CODES:
            raise InputError(f"'{self.name}' holds characters of unknown kind {kind}")
        code = _CODES[kind]
        if code in ("utf-16", "utf-32"):
            code += "-le" if self.order == "<" else "-be"
        return bytes(values).decode(code)

    def cells(self, body: memoryview, at: int, count: int, depth: int) -> list[Any]:
        found = []
        for _ in range(count):  # ends with the bytes, whatever the count claims
            kind, inner, at = self.element(body, at)
            found.append(self.nested(kind, inner, depth))
        return found

    def structs(self, body: memoryview, at: int, count: int, depth: int) -> list[dict[str, Any]]:
        kind, size, at = self.element(body, at)
        (length,) = self.numbers(kind, size).tolist()
        _, text, at = self.element(body, at)
        if not 1 <= length <= 256 or len(text) % length:
            raise InputError(f"'{self.name}' is damaged: field names of {length} bytes")
        raw = bytes(text)
        names = [
            raw[n : n + length].split(b"\0")[0].decode("ascii") for n in range(0, len(raw), length)
        ]
        found = []
        for _ in range(count if names else 0):
            fields = {}
            for name in names:
                kind, inner, at = self.element(body, at)
                fields[name] = self.nested(kind, inner, depth)
            found.append(fields)
        return found

    def nested(self, kind: int, inner: memoryview, depth: int) -> Any:
        if kind != _MATRIX:
            raise InputError(f"'{self.name}' holds an element of kind {kind} for a value")
        return self.matrix(inner, depth + 1)[1]
