"""A zip archive's member as a seekable file, also where it is deflated; nothing goes to disk."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

from benchbench.core.errors import InputError
from benchbench.datasets.zip_streams import Entry, MemberStream, open_member

_STEP = 1 << 20
_MOST_RESTARTS = 64


class MemberFile(io.RawIOBase):
    """Reads a member in any order; cheap as long as the places ascend.

    Going back begins the member anew; a file that asks for that too often is refused. Put an
    `io.BufferedReader` around it. Since a member may itself be a zip file, files nest.

    Args:
        opened: Gives the archive's file anew; closed here.
        entry: The member.
        label: What to call the archive in errors.

    Raises:
        InputError: (while reading) The member is damaged, or read back and forth.

    Example:
        >>> import zipfile
        >>> from benchbench.datasets.zip_streams import entries
        >>> buffer = io.BytesIO()
        >>> with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        ...     archive.writestr("a", b"0123456789")
        >>> (entry,) = entries(buffer, "x.zip")
        >>> file = MemberFile(lambda: io.BytesIO(buffer.getvalue()), entry, "x.zip")
        >>> file.seek(7), file.read(2), file.seek(1), file.read(2)
        (7, b'78', 1, b'12')
    """

    def __init__(self, opened: Callable[[], BinaryIO], entry: Entry, label: object) -> None:
        self._opened, self._entry, self._label = opened, entry, label
        self._file: BinaryIO | None = None
        self._stream: MemberStream | None = None
        self._at = self._wanted = 0
        self._restarts = -1

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._wanted

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go somewhere; nothing is read yet."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._wanted, io.SEEK_END: self._entry.size}[whence]
        if base + offset < 0:
            raise ValueError(f"no place {base + offset} in a file")
        self._wanted = base + offset
        return self._wanted

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer as far as the member goes."""
        if self._wanted >= self._entry.size:
            return 0
        stream = self._go()
        data = stream.read(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        self._wanted = self._at
        return len(data)

    def close(self) -> None:
        """Close the archive's file too."""
        if self._file is not None:
            self._file.close()
            self._file = self._stream = None
        super().close()

    def _go(self) -> MemberStream:
        """The stream, at the place wanted."""
        if self._stream is None or self._wanted < self._at:
            self._restarts += 1
            if self._restarts > _MOST_RESTARTS:
                raise InputError(f"'{self._label}': {self._entry.name!r} has no order; refused")
            if self._file is not None:
                self._file.close()
            self._file = self._opened()
            self._stream, self._at = open_member(self._file, self._entry, self._label), 0
        while self._at < self._wanted:
            passed = len(self._stream.read(min(_STEP, self._wanted - self._at)))
            if not passed:
                raise InputError(f"'{self._label}' is damaged or cut off (it ends early)")
            self._at += passed
        return self._stream
