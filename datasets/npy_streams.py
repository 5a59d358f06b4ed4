"""The array of an .npz file row by row: a data set's archives hold arrays larger than memory."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.datasets.npy_header import read_npy_header
from benchbench.datasets.zip_streams import DIRECTORY, LOCAL, MemberStream

Array = npt.NDArray[Any]

_UNKNOWN = 0xFFFFFFFF


class ArrayStream:
    """The only array of an .npz file, read from the front.

    The header is checked against the size that the file declares before a row is read; memory
    holds one row. No pickle.

    Args:
        file: The .npz file's bytes from the first one on; only `read(n)` is used.
        label: What to call it in errors.

    Attributes:
        shape: Of the whole array.
        dtype: Its type.

    Raises:
        InputError: Broken, hostile, or no array in C order.

    Example:
        >>> import io
        >>> buffer = io.BytesIO()
        >>> np.savez_compressed(buffer, np.arange(6).reshape(3, 2))
        >>> stream = ArrayStream(io.BytesIO(buffer.getvalue()), "x.npz")
        >>> stream.shape, [row.tolist() for row in stream]
        ((3, 2), [[0, 1], [2, 3], [4, 5]])
    """

    def __init__(self, file: Any, label: str) -> None:
        self._file, self._label = file, label
        self._member, size = self._first_member()
        # the header's own reader bounds what it takes
        self.shape, fortran, self.dtype, length = read_npy_header(
            cast(BinaryIO, self._member), label
        )
        if self.dtype.hasobject:
            raise InputError(f"'{label}' holds Python objects, which only pickle could read")
        if fortran or not self.shape or 0 in self.shape[1:] or self.dtype.itemsize == 0:
            raise InputError(f"'{label}' holds no array in C order")
        if size != length + math.prod(self.shape) * self.dtype.itemsize:
            raise InputError(
                f"'{label}' claims shape {self.shape} of {self.dtype}, its size does not fit"
            )

    def __iter__(self) -> Iterator[Array]:
        """The rows, once; after the last one the checksum is verified."""
        row = self.shape[1:]
        count = math.prod(row) * self.dtype.itemsize
        for _ in range(self.shape[0]):
            yield np.frombuffer(self._take(count), self.dtype).reshape(row)
        self._member.read(0)
        self._member.skip_rest()
        after = self._file.read(4)
        if after == LOCAL:
            raise InputError(f"'{self._label}' holds more than one array")
        if after != DIRECTORY:
            raise InputError(f"'{self._label}' is damaged or cut off (no directory follows)")

    def _first_member(self) -> tuple[MemberStream, int]:
        head = self._file.read(30)
        if len(head) < 30 or head[:4] != LOCAL:
            raise InputError(f"'{self._label}' is no npz file")
        flags, method, crc, packed, size, name_bytes, extra_bytes = struct.unpack(
            "<6xHH4xIIIHH", head
        )
        name, extra = self._file.read(name_bytes), self._file.read(extra_bytes)
        if flags & 0x9 or not name.endswith(b".npy"):
            # bit 3: sizes follow the data, as no version of numpy writes them to a file
            raise InputError(f"'{self._label}' does not begin with an array of known size")
        if _UNKNOWN in (size, packed):
            kind, length = struct.unpack("<HH", extra[:4].ljust(4, b"\0"))
            if kind != 1 or length != 16 or len(extra) < 20:
                raise InputError(f"'{self._label}' is damaged (its 64-bit sizes are missing)")
            size, packed = struct.unpack("<QQ", extra[4:20])
        return MemberStream(self._file, method, packed, size, crc, self._label), size

    def _take(self, count: int) -> bytes:
        data = self._member.read(count)
        if len(data) != count:
            raise InputError(f"'{self._label}' is damaged or cut off (it ends early)")
        return data
