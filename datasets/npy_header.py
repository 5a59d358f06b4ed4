"""The header of a .npy file, read by a grammar of our own.

numpy evaluates the header as a Python literal; what a broken one then raises, and what it costs,
depends on the versions of both. An honest header holds three entries and no more.

Source of the format: numpy, "A simple file format for NumPy arrays" (NEP 1), versions 1.0 and 2.0.
"""

from __future__ import annotations

import re
import struct
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from benchbench.core.errors import InputError

_MAGIC = b"\x93NUMPY"
_LONGEST = 4096  # bytes; honest ones have some hundred
_ENTRY = (
    r"'(?:descr': *'[^'\\]{1,20}'|fortran_order': *(?:True|False)|shape': *\([0-9L, ]{0,400}\))"
)
_HEADER = re.compile(rf"\{{ *(?:{_ENTRY} *,? *){{3}}\}}[ \n]*")
_DESCR = re.compile(r"'descr': *'([<>|=]?[biufcSUVO?][0-9]{0,7})'")
_ORDER = re.compile(r"'fortran_order': *(True|False)")
_SHAPE = re.compile(r"'shape': *\(((?:[0-9]{1,18}L?, *)*(?:[0-9]{1,18}L?)?) *\)")


class NpyHeader(NamedTuple):
    """What stands before the numbers.

    Attributes:
        shape: Sides.
        fortran: The numbers run along the first axis first.
        dtype: Of one; may be of Python objects, which only pickle could read.
        length: Bytes of the header; the numbers begin there.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    length: int


def read_npy_header(stream: BinaryIO, name: str) -> NpyHeader:
    """Reads a header and leaves the stream where the numbers begin.

    Args:
        stream: At the beginning of the file.
        name: What to call it in errors.

    Raises:
        InputError: It is none, of another version, or describes records with fields.

    Example:
        >>> import io
        >>> stream = io.BytesIO()
        >>> np.save(stream, np.zeros((2, 3), np.float32))
        >>> _ = stream.seek(0)
        >>> header = read_npy_header(stream, "x.npy")
        >>> header.shape, header.fortran, header.dtype.name, header.length
        ((2, 3), False, 'float32', 128)
    """
    start = stream.read(10)
    if start[:6] != _MAGIC or len(start) < 10:
        raise InputError(f"'{name}' is no npy file")
    version = (start[6], start[7])
    if version == (1, 0):
        (length,), begin = struct.unpack("<H", start[8:]), 10
    elif version == (2, 0):
        rest = stream.read(2)
        if len(rest) < 2:
            raise InputError(f"'{name}' is an npy file that is cut off")
        (length,), begin = struct.unpack("<I", start[8:] + rest), 12
    else:
        raise InputError(f"'{name}' is an npy file of unknown version {version[0]}.{version[1]}")
    if length > _LONGEST:
        raise InputError(f"'{name}' is an npy file with a header of {length} bytes; refused")
    raw = stream.read(length)
    if len(raw) < length:
        raise InputError(f"'{name}' is an npy file that is cut off")
    return _parse(raw.decode("latin-1"), name, begin + length)


def _parse(text: str, name: str, length: int) -> NpyHeader:
    fits = _HEADER.fullmatch(text)
    parts = [pattern.findall(text) if fits else [] for pattern in (_DESCR, _ORDER, _SHAPE)]
    if any(len(part) != 1 for part in parts):
        raise InputError(f"'{name}' is no npy file of plain numbers (header {text[:80].strip()!r})")
    (descr,), (order,), (sides,) = parts
    try:
        dtype = np.dtype(descr)
    except TypeError as error:
        raise InputError(f"'{name}' holds numbers of unknown type '{descr}'") from error
    shape = tuple(int(side.rstrip("L")) for side in sides.replace(" ", "").split(",") if side)
    if len(shape) > 32:
        raise InputError(f"'{name}' claims an array of {len(shape)} axes")
    return NpyHeader(shape, order == "True", dtype, length)
