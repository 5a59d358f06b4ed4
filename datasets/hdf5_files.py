"""Writing HDF5 so that a full disk is an ordinary error.

HDF5 does not survive a failed write: closing its objects then prints tracebacks, and sooner or
later the process ends in a segmentation fault. So the library only ever sees writes that succeed:
the first error is kept, what comes after it is thrown away, and the error is raised once HDF5 has
closed the file.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from benchbench.core.errors import BenchError, MissingError
from benchbench.core.files import explain_disk


@contextlib.contextmanager
def new_file(temporary: Path, target: Path) -> Iterator[h5py.File]:
    """Yields a new HDF5 file; when the block ends it is whole and on the disk, or removed.

    Args:
        temporary: Where it is written.
        target: What it is to become, for messages; renaming is the caller's.

    Raises:
        MissingError: The disk is full, or cannot be written.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.h5"
        >>> with new_file(path, path) as file:
        ...     file["numbers"] = [1, 2, 3]
        >>> with h5py.File(path) as file:
        ...     file["numbers"][()].tolist()
        [1, 2, 3]
    """
    with _explained(target), _removed_on_error(temporary), temporary.open("w+b") as raw:
        sink = _Sink(raw.fileno())
        try:
            with h5py.File(sink, "w") as file:
                yield file
        except Exception as error:
            if sink.error is not None:  # what followed from it does not matter
                raise sink.error from error
            raise
        if sink.error is not None:
            raise sink.error
        sync(temporary)


def allow_open_files(count: int) -> None:
    """Lets this process hold that many files open besides the usual ones.

    Raises:
        MissingError: The system does not let it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256
    if soft != resource.RLIM_INFINITY and wanted > soft:
        if hard != resource.RLIM_INFINITY and wanted > hard:
            raise MissingError(
                f"{count} files must be open at once, this system allows {hard}",
                hint=f"ulimit -n {wanted}, then the same command again",
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def sync(path: Path) -> None:
    """Waits until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems cannot sync a folder
        if not path.is_dir():
            raise
    finally:
        os.close(handle)


class _Sink(io.RawIOBase):
    """A file whose writes never fail.

    Args:
        handle: Of a file opened for reading and writing.

    Attributes:
        error: The first error of a write; from then on nothing is written any more.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._place = 0
        self._size = 0
        self.error: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = base + offset
        return self._place

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._size - self._place))
        data = os.pread(self._handle, wanted, self._place).ljust(wanted, b"\0")
        view[:wanted] = data
        self._place += wanted
        return wanted

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.error is None:
            try:
                done += os.pwrite(self._handle, view[done:], self._place + done)
            except OSError as error:
                self.error = error
        self._place += len(view)
        self._size = max(self._size, self._place)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        self._size = self._place if size is None else size
        if self.error is None:
            try:
                os.ftruncate(self._handle, self._size)
            except OSError as error:
                self.error = error
        return self._size


@contextlib.contextmanager
def _removed_on_error(temporary: Path) -> Iterator[None]:
    """A full disk is not kept full by what could not be finished."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """HDF5 wraps the system's errors in its own words, sometimes as RuntimeError."""
    try:
        with explain_disk(path):
            yield
    except (OSError, RuntimeError) as error:
        text = str(error)
        if "No space left" in text or f"errno = {errno.ENOSPC}" in text:
            raise MissingError(
                f"no space left to write '{path}'",
                hint="free some space, or choose another folder with --root DIR, "
                "and type the same command again",
            ) from error
        raise BenchError(f"cannot write '{path}': {text}") from error
