"""Files that are either whole or absent: temporary name, fsync, rename; hashes; a lock."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchbench.core.errors import BenchError, InputError, MissingError
from benchbench.core.notices import notice


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yields a temporary sibling of `path`; renames it into place when the block succeeds.

    The temporary file is removed on any error, so a reader never sees half a file. A full or
    read-only disk becomes a `MissingError` that names the folder.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "a.txt"
        >>> with atomic_path(target) as temporary:
        ...     _ = temporary.write_text("whole")
        >>> target.read_text()
        'whole'
    """
    target = Path(path)
    with explain_disk(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(target)
            _sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def explain_disk(path: Path) -> Iterator[None]:
    """Turns the operating system's words for a place that takes no file into an explained error.

    Full disks, quotas, limits on the size of files; read-only disks, folders of others, a file
    where a folder should be.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise MissingError(
                f"no space left to write '{path}'",
                hint="free some space, or choose another folder with --root DIR or --out DIR, "
                "and type the same command again",
            ) from error
        if error.errno in (
            errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR,
        ):  # fmt: skip
            raise MissingError(
                f"cannot write '{path}': {os.strerror(error.errno)}",
                hint="choose a writable folder with --root DIR or BENCH_HOME (results: --out DIR)",
            ) from error
        raise


def write_text(path: str | Path, text: str) -> None:
    """Writes UTF-8 text where a user said, atomically where that is possible.

    A link stays a link, the file that it points to is replaced. A device or a pipe is written to,
    never renamed over.

    Example:
        >>> write_text("/dev/null", "nothing is left of it")
        >>> Path("/dev/null").is_file()
        False
    """
    target = Path(path)
    if target.exists() and not target.is_file():  # asked before: /dev/stdout resolves to no path
        with explain_disk(target), target.open("w", encoding="utf-8") as file:
            file.write(text)
        return
    with atomic_path(target.resolve()) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Writes strict JSON atomically: sorted keys, indent 1, no NaN.

    Raises:
        ValueError: A number is NaN or infinite.
    """
    text = json.dumps(content, allow_nan=False, indent=1, sort_keys=True, ensure_ascii=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Reads JSON; a file that is broken or nested without end is an `InputError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"'{path}' is not valid JSON: {error}") from error


def sha256_file(path: str | Path) -> str:
    """Hex digest of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def sha256_text(text: str) -> str:
    """Hex digest of a text in UTF-8.

    Example:
        >>> sha256_text("")[:8]
        'e3b0c442'
    """
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


class FileLock:
    """Lets one process at a time into a block; the others wait and say so.

    The lock is advisory (`fcntl.flock`) and goes away with the process, so a killed process
    leaves no stale lock behind.

    Args:
        path: The lock file; created, never removed.
        what: What is being guarded, for the message.
    """

    def __init__(self, path: str | Path, what: str) -> None:
        self._path = Path(path)
        self._what = what
        self._handle: int | None = None

    def __enter__(self) -> FileLock:
        with explain_disk(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            notice(f"waiting: another process is at work on {self._what}")
            fcntl.flock(self._handle, fcntl.LOCK_EX)
        except OSError as error:
            os.close(self._handle)
            self._handle = None
            raise BenchError(f"cannot lock '{self._path}': {error}") from error
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _sync_folder(folder: Path) -> None:
    # A rename survives a power cut only once its folder is on disk too.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems cannot sync a folder
        pass
    finally:
        os.close(handle)
