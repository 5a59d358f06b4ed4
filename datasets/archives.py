"""Reading archives from outside as streams: nothing is unpacked to disk, nothing is trusted.

Refused, by name: members whose path is absolute, climbs out or cannot be printed, links, devices,
sparse files, long headers, encrypted members, more members or bytes than the limits, compression
beyond any honest ratio, archives which end early. Arrays are read without pickle.
"""

from __future__ import annotations

import gzip
import io
import math
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from benchbench.core.errors import InputError
from benchbench.datasets.npy_header import read_npy_header
from benchbench.datasets.zip_streams import entries, open_member

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Limits:
    """What an honest archive stays below.

    Attributes:
        members: Number of members, folders included.
        member_bytes: Size of one member.
        total_bytes: Size of all.
        ratio: Unpacked bytes per packed byte, checked once `slack_bytes` are unpacked.
        slack_bytes: See ratio.
    """

    members: int = 5_000_000
    member_bytes: int = 1 << 26
    total_bytes: int = 1 << 38
    ratio: float = 200.0
    slack_bytes: int = 1 << 26


@dataclass(frozen=True)
class Member:
    """A regular file or a folder of an archive.

    Attributes:
        name: Path with forward slashes, without leading "./".
        data: Its bytes; None for a folder.
    """

    name: str
    data: bytes | None


def read_archive(
    path: str | Path,
    limits: Limits | None = None,
    want: Callable[[str], bool] | None = None,
    inside: Callable[[str], bool] | None = None,
) -> Iterator[Member]:
    """Members of a .tar, .tar.gz or .zip file in the file's order; the kind is seen from its bytes.

    Args:
        path: The archive.
        limits: What is refused; the defaults suit archives of many small files.
        want: Function of a member's name; False spares reading the member (data is b"").
        inside: Function of a member's name: True for a .tar or .tar.gz whose members are to be
            given instead of it, named as if it were unpacked where it lies. It is read as a stream;
            each such archive has limits of its own.

    Yields:
        Folders and regular files, one after the other; memory holds one member.

    Raises:
        InputError: The archive is broken or hostile; the message names it and the member.
    """

    def large(name: str) -> bool:  # what is not read into memory may have any size
        return (inside is not None and inside(name)) or (want is not None and not want(name))

    return _data(open_members(path, limits, large), path, limits, want, inside)


def _data(
    members: Iterator[tuple[str, MemberFile | None]],
    label: object,
    limits: Limits | None,
    want: Callable[[str], bool] | None,
    inside: Callable[[str], bool] | None,
) -> Iterator[Member]:
    for name, file in members:
        if file is None:
            yield Member(name, None)
        elif inside is not None and inside(name):
            yield from _unpacked(name, file, f"{label}: {name}", limits or Limits(), want)
        else:
            yield Member(name, file.read() if want is None or want(name) else b"")


def _unpacked(
    name: str,
    file: MemberFile,
    label: str,
    limits: Limits,
    want: Callable[[str], bool] | None,
) -> Iterator[Member]:
    """The members of an archive that is a member."""
    folder = name.rpartition("/")[0]

    def place(inner: str) -> str:
        return f"{folder}/{inner}".lstrip("/")

    def wanted(inner: str) -> bool:
        return want is None or want(place(inner))

    stream = io.BufferedReader(file, 1 << 16)
    compressed = stream.peek(2)[:2] == b"\x1f\x8b"
    members = _tar_members(stream, label, limits, compressed, lambda inner: not wanted(inner))
    for member in _data(members, label, limits, wanted, None):
        yield Member(place(member.name), member.data)


def open_members(
    path: str | Path, limits: Limits | None = None, large: Callable[[str], bool] | None = None
) -> Iterator[tuple[str, MemberFile | None]]:
    """Like `read_archive`, for members that memory could not hold.

    Args:
        path: The archive.
        limits: What is refused.
        large: Function of a member's name; True lifts `Limits.member_bytes` for it.

    Yields:
        Name and content of each member, which is good until the next one is asked for; None for a
        folder. What is not read is passed over.

    Raises:
        InputError: As `read_archive`.
    """
    path = Path(path)
    limits, large = limits or Limits(), large or (lambda _: False)
    with path.open("rb") as file:
        magic = file.read(tarfile.BLOCKSIZE)
    if magic[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_members(path, limits, large)
    compressed = magic[:2] == b"\x1f\x8b"
    if compressed or _is_tar_header(magic):
        return _closing(path, limits, compressed, large)
    raise InputError(f"'{path}' is no tar, tar.gz or zip archive")


def _closing(
    path: Path, limits: Limits, compressed: bool, large: Callable[[str], bool]
) -> Iterator[tuple[str, MemberFile | None]]:
    with path.open("rb") as packed:
        yield from _tar_members(packed, path, limits, compressed, large)


class MemberFile(io.RawIOBase):
    """A member's content from the front."""

    def __init__(self, open_file: Callable[[], Any], size: int, label: object, name: str) -> None:
        self._open, self._file = open_file, cast(Any, None)
        self.size, self._done, self._label, self._name = size, 0, label, name

    def readable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Bytes read so far."""
        return self._done

    def readall(self) -> bytes:
        """The rest.

        Raises:
            InputError: The archive is damaged, or the member not as long as it says.
        """
        return self._take(self.size - self._done)

    def readinto(self, buffer: Any) -> int:
        """The next bytes; 0 at the end.

        Raises:
            InputError: As `readall`.
        """
        data = self._take(min(len(buffer), self.size - self._done))
        buffer[: len(data)] = data
        return len(data)

    def _take(self, count: int) -> bytes:
        try:
            if self._file is None:
                self._file = self._open()
            data: bytes = self._file.read(count)
            if len(data) != count:
                have = self._done + len(data)
                raise EOFError(f"{self._name} ends after {have} of {self.size} bytes")
            self._done += count
            if self._done == self.size and self._file.read(1):  # checksums are compared there
                raise EOFError(f"{self._name} is longer than its {self.size} bytes")
        except (
            tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error, ValueError
        ) as error:  # fmt: skip
            raise _damaged(self._label, error) from error
        except (NotImplementedError, RuntimeError) as error:
            raise InputError(f"'{self._label}' cannot be read ({error})") from error
        return data


def _damaged(label: object, error: Exception) -> InputError:
    return InputError(f"'{label}' is damaged or cut off ({error})")


def _is_tar_header(block: bytes) -> bool:
    # tarfile.is_tarfile would read what the header announces, gigabytes perhaps
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return len(block) == tarfile.BLOCKSIZE and not block.strip(b"\0")
    return True


def safe_name(name: str, archive: object) -> str:
    """The member's path if it stays inside the archive's own folder.

    Raises:
        InputError: It is absolute, climbs out with "..", holds a backslash or colon, or anything
            that a terminal would not print as it is (it will stand in reports).

    Example:
        >>> safe_name("./a/b.png", "x.tgz")
        'a/b.png'
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    bad = name.startswith("/") or ".." in parts or "\\" in name or not name.isprintable()
    if bad or (parts and ":" in parts[0]):
        raise InputError(f"'{archive}' holds a member with an unsafe path {name!r}")
    return "/".join(parts)


class _Counted(io.RawIOBase):
    """Passes reads on, counts bytes, and stops a bomb while it unfolds."""

    def __init__(self, inner: Any, packed: Any, path: object, limits: Limits) -> None:
        self._inner, self._packed, self._path, self._limits = inner, packed, path, limits
        self.count = 0
        self.tail = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._inner.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self.count += len(data)
        self.tail = (self.tail + data[-1024:])[-1024:]
        # headers and padding count too, at most about 1.5 KiB a member
        if self.count > self._limits.total_bytes + 2048 * self._limits.members:
            raise InputError(
                f"'{self._path}' unpacks to more than {self._limits.total_bytes} bytes"
            )
        if self._packed is not None and self.count > self._limits.slack_bytes:
            ratio = self.count / max(1, self._packed.tell())
            if ratio > self._limits.ratio:
                raise InputError(f"'{self._path}' unpacks {ratio:.0f} bytes from each; refused")
        return data


# Headers which carry a longer path or attributes of the next member; read whole by tarfile.
_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_HEADER_BYTES = 1 << 16  # an honest one has some hundred
_HEADER_CHAIN = 8  # before one member, an honest one has three; tarfile recurses
_GLOBAL_BYTES = 1 << 20  # those for all members that follow add up in memory


def _careful_headers(path: object) -> type[tarfile.TarInfo]:
    """A class of headers for one reading of `path` that refuses before tarfile reads on."""
    for_all = chain = 0

    class Careful(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Careful:
            nonlocal for_all, chain
            item = super().frombuf(buf, encoding, errors)
            if item.type == tarfile.GNUTYPE_SPARSE:  # its list of holes has no end but the file's
                raise InputError(f"'{path}' holds {item.name!r}, a sparse file")
            chain = chain + 1 if item.type in _EXTENSIONS else 0
            if chain > _HEADER_CHAIN:
                raise InputError(f"'{path}' holds headers of headers of headers; refused")
            if item.type == tarfile.XGLTYPE:
                for_all += max(512, item.size)
            if item.type in _EXTENSIONS and (
                not 0 <= item.size <= _HEADER_BYTES or for_all > _GLOBAL_BYTES
            ):
                raise InputError(f"'{path}' holds a header of {item.size} bytes; refused")
            return item

    return Careful


def _tar_members(
    packed: Any, path: object, limits: Limits, compressed: bool, large: Callable[[str], bool]
) -> Iterator[tuple[str, MemberFile | None]]:
    total = number = 0
    inner: Any = gzip.GzipFile(fileobj=packed) if compressed else packed
    stream = _Counted(inner, packed if compressed else None, path, limits)
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_careful_headers(path)) as tar:
            for item in tar:
                number += 1
                name = safe_name(item.name, path)
                total += item.size
                _check_member(path, name, number, item.size, total, limits, large)
                _forget_members(tar)
                if item.isdir():
                    yield name, None
                elif item.isreg() and not item.issparse():
                    _check_named(path, name)
                    yield name, MemberFile(partial(tar.extractfile, item), item.size, path, name)
                else:
                    raise InputError(f"'{path}' holds {name!r}, a link or special file")
        while stream.read(1 << 20):  # to the end: gzip verifies its checksum there
            pass
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
        raise _damaged(path, error) from error
    if len(stream.tail) < 512 or stream.tail[-512:].strip(b"\0"):
        raise InputError(f"'{path}' is cut off: the tar's closing block is missing")


def _forget_members(tar: tarfile.TarFile) -> None:
    # tarfile keeps every header it has seen: a gigabyte for a million members
    tar.members.clear()  # type: ignore[attr-defined]


def _check_member(
    path: object,
    name: str,
    number: int,
    size: int,
    total: int,
    limits: Limits,
    large: Callable[[str], bool] = lambda _: False,
) -> None:
    if number > limits.members:
        raise InputError(f"'{path}' holds more than {limits.members} members")
    if size > limits.member_bytes and not large(name):
        raise InputError(f"'{path}': member {name!r} claims {size} bytes; refused")
    if total > limits.total_bytes:
        raise InputError(f"'{path}' unpacks to more than {limits.total_bytes} bytes")


def _check_named(path: object, name: str) -> None:
    if not name:
        raise InputError(f"'{path}' holds a file without a name")


def _zip_members(
    path: Path, limits: Limits, large: Callable[[str], bool]
) -> Iterator[tuple[str, MemberFile | None]]:
    # zipfile would hold an object for each member, gigabytes for the largest set's three million
    packed, total = path.stat().st_size, 0
    with path.open("rb") as file:
        for number, item in enumerate(entries(file, path), 1):
            name = safe_name(item.name, path)
            total += item.size
            _check_member(path, name, number, item.size, total, limits, large)
            if total > max(limits.slack_bytes, limits.ratio * packed):
                raise InputError(f"'{path}' unpacks to {total} bytes from {packed}; refused")
            kind = stat.S_IFMT(item.mode)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise InputError(f"'{path}' holds {name!r}, a link or special file")
            if item.is_encrypted:
                raise InputError(f"'{path}': member {name!r} is encrypted")
            if item.is_folder:
                yield name, None
                continue
            _check_named(path, name)
            yield name, MemberFile(partial(open_member, file, item, path), item.size, path, name)


def members_of(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members of an archive, all of which lie within it.

    Raises:
        BadZipFile: One begins before the file does, which zipfile believes (until it seeks there).
    """
    found = archive.infolist()
    outside = next((item for item in found if item.header_offset < 0), None)
    if outside is not None:
        raise zipfile.BadZipFile(f"{outside.filename!r} begins before the archive does")
    return found


def _zip_data(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> bytes:
    with archive.open(item) as file:
        data = file.read(item.file_size + 1)  # one more: the header may understate
        if len(data) != item.file_size:
            raise EOFError(f"{item.filename} does not hold {item.file_size} bytes")
        return data


def read_npz(source: str | Path | bytes, limits: Limits | None = None) -> dict[str, Array]:
    """Arrays of an .npz file, without pickle and without believing its headers.

    Args:
        source: Path, or the file's bytes.
        limits: For its members; one array may take a gibibyte by default.

    Raises:
        InputError: Broken, hostile, or holding Python objects.
    """
    label = "npz data" if isinstance(source, bytes) else str(source)
    limits = limits or Limits(members=10_000, member_bytes=1 << 30, ratio=1100.0)
    handle: Any = io.BytesIO(source) if isinstance(source, bytes) else source
    arrays: dict[str, Array] = {}
    total = 0
    try:
        with zipfile.ZipFile(handle) as archive:
            for number, item in enumerate(members_of(archive), 1):
                name = safe_name(item.filename, label)
                total += item.file_size
                _check_member(Path(label), name, number, item.file_size, total, limits)
                data = _zip_data(archive, item)
                arrays[name.removesuffix(".npy")] = read_npy(data, f"{label}: {name}")
    except (zipfile.BadZipFile, EOFError, OSError, zlib.error, NotImplementedError) as error:
        raise InputError(f"'{label}' is damaged or no npz file ({error})") from error
    except RuntimeError as error:
        raise InputError(f"'{label}' cannot be read ({error})") from error
    return arrays


def read_npy(data: bytes, name: str) -> Array:
    """One .npy file's array; the header's size must be what is there, and no objects.

    Raises:
        InputError: It is not.
    """
    shape, fortran, dtype, length = read_npy_header(io.BytesIO(data), name)
    if dtype.hasobject:
        raise InputError(f"'{name}' holds Python objects, which only pickle could read; refused")
    if dtype.itemsize == 0 or math.prod(shape) * dtype.itemsize != len(data) - length:
        raise InputError(f"'{name}' claims shape {shape} of {dtype}, its bytes do not fit")
    flat = np.frombuffer(data, dtype, offset=length) if len(data) > length else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if fortran else "C").copy()
