"""Writing archives that are the same bytes for the same members: no dates, no owners."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from types import TracebackType


class TgzWriter:
    """A .tgz written member by member; memory holds one of them.

    Use as a context manager.

    Args:
        path: The file, replaced if it is there.

    Example:
        >>> from benchbench.datasets.archives import read_archive
        >>> with TgzWriter(Path("x.tgz")) as archive:
        ...     archive.add("a/b.txt", b"hello")
        >>> [(member.name, member.data) for member in read_archive("x.tgz")]
        [('a/b.txt', b'hello')]
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        # The lowest level: what is packed are pictures, which hardly shrink.
        self._zip = gzip.GzipFile("", "wb", compresslevel=1, fileobj=self._file, mtime=0)
        self._tar = tarfile.TarFile(fileobj=self._zip, mode="w", format=tarfile.USTAR_FORMAT)

    def __enter__(self) -> TgzWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._tar.close()
        self._zip.close()
        self._file.close()

    def add(self, name: str, data: bytes) -> None:
        """Append a file.

        Args:
            name: Its path, with forward slashes.
            data: Its bytes.
        """
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self._tar.addfile(info, io.BytesIO(data))
