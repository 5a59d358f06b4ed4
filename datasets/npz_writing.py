"""Writing .npz files that are the same bytes for the same arrays, and ones larger than memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class NpzWriter:
    """What `np.savez` writes, dated 1980, array by array. Use as a context manager.

    Args:
        target: Path, or a binary file open for writing.
        compress: Deflate, as `np.savez_compressed` does.

    Example:
        >>> import io
        >>> buffer = io.BytesIO()
        >>> with NpzWriter(buffer) as file:
        ...     file.add("a", np.arange(3))
        ...     file.add_rows("b", np.dtype("u1"), (2, 2), iter(np.eye(2)))
        >>> with np.load(io.BytesIO(buffer.getvalue())) as file:
        ...     file["a"].tolist(), file["b"].tolist()
        ([0, 1, 2], [[1, 0], [0, 1]])
    """

    def __init__(self, target: Any, compress: bool = False) -> None:
        self._method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        self._zip = zipfile.ZipFile(target, "w", self._method)

    def __enter__(self) -> NpzWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def add(self, name: str, array: Array) -> None:
        """Append an array."""
        self.add_rows(name, array.dtype, array.shape, [array])  # in one piece

    def add_rows(
        self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], rows: Iterable[Array]
    ) -> None:
        """Append an array whose rows are made one after the other; memory holds one.

        Args:
            name: Its key.
            dtype: Its type; rows are cast to it.
            shape: Of the whole array.
            rows: As many as `shape` says, or pieces of several rows.
        """
        info = zipfile.ZipInfo(f"{name}.npy")
        info.compress_type = self._method
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        with self._zip.open(info, "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for row in rows:
                file.write(np.ascontiguousarray(row, dtype).tobytes())
