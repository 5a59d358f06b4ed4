"""Zip archives in bounded memory: millions of members, members larger than memory.

`zipfile` keeps an object for every member (measured with Python 3.11: 754 bytes each, 2.4 GiB for
the 3.4 million members of NMR_Dataset.zip). Here the central directory passes by entry by entry,
and a member is read from the front in pieces. Stored and deflated members only.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from benchbench.core.errors import InputError

STORED, DEFLATED = 0, 8
_END, _END64, _LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
DIRECTORY, LOCAL = b"PK\x01\x02", b"PK\x03\x04"  # how an entry of either begins
_BLOCK = 1 << 16
_UNKNOWN = 0xFFFFFFFF


@dataclass(frozen=True)
class Entry:
    """One member, as the central directory describes it.

    Attributes:
        name: Its path, as it is written.
        raw_name: The same, undecoded.
        method: `STORED`, `DEFLATED` or another number.
        flags: General purpose bits; bit 0 means encrypted.
        crc: CRC-32 of the content.
        packed: Bytes in the archive.
        size: Bytes of the content.
        offset: Where its local header begins.
        mode: Unix file mode, or 0.
    """

    name: str
    raw_name: bytes
    method: int
    flags: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.name.endswith("/")

    @property
    def is_encrypted(self) -> bool:
        """Whether only a password opens it."""
        return bool(self.flags & 0x1)


def entries(file: BinaryIO, label: object) -> Iterator[Entry]:
    """The members of a zip file in the order of its directory; memory holds one.

    Args:
        file: Seekable; it may be read from between two entries.
        label: What to call the archive in errors.

    Raises:
        InputError: There is no whole directory.

    Example:
        >>> import zipfile
        >>> buffer = io.BytesIO()
        >>> with zipfile.ZipFile(buffer, "w") as archive:
        ...     archive.writestr("a/b.txt", b"text")
        >>> [(entry.name, entry.size) for entry in entries(buffer, "x.zip")]
        [('a/b.txt', 4)]
    """
    start, length = _directory(file, label)
    block, position, read = b"", 0, 0  # what is in hand, where in it, how much was taken from file

    def take(count: int) -> bytes:
        nonlocal block, position, read
        if len(block) - position < count:
            file.seek(start + read)
            more = file.read(min(max(_BLOCK, count), length - read))
            read += len(more)
            block, position = block[position:] + more, 0
        if len(block) - position < count:
            raise InputError(f"'{label}' is damaged or cut off (its directory ends early)")
        position += count
        return block[position - count : position]

    while read - (len(block) - position) < length:
        head = take(46)
        if head[:4] != DIRECTORY:
            raise InputError(f"'{label}' is damaged or cut off (its directory is broken)")
        flags, method, crc, packed, size, name_bytes, extra_bytes, comment_bytes = struct.unpack(
            "<8xHH4xIIIHHH12x", head
        )
        attributes, offset = struct.unpack("<38xII", head)
        raw = take(name_bytes)
        extra = take(extra_bytes)
        take(comment_bytes)
        size, packed, offset = _wide(extra, [size, packed, offset], label)
        try:
            name = raw.decode("utf-8" if flags & 0x800 else "cp437")
        except UnicodeDecodeError as error:
            raise InputError(f"'{label}' holds a member with an unsafe path {raw!r}") from error
        yield Entry(name, raw, method, flags, crc, packed, size, offset, attributes >> 16)


def _directory(file: BinaryIO, label: object) -> tuple[int, int]:
    """Where the central directory begins, and its length."""
    whole = file.seek(0, io.SEEK_END)
    tail_start = max(0, whole - 65_535 - 22)
    file.seek(tail_start)
    tail = file.read(whole - tail_start)
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < 22:
        raise InputError(f"'{label}' is damaged or cut off (it has no directory)")
    length, start = struct.unpack("<12xII2x", tail[place : place + 22])
    end = tail_start + place
    if end >= 20:
        file.seek(end - 20)
        locator = file.read(20)
        if locator[:4] == _LOCATOR64:
            file.seek(max(0, end - 20 - 56))  # the record lies before its locator, without extras
            record = file.read(56)
            if record[:4] != _END64:
                raise InputError(f"'{label}' is damaged or cut off (its 64-bit directory)")
            length, start = struct.unpack("<40xQQ", record)
            end -= 20 + 56
    if start + length != end:
        # zipfile takes this for a program before the archive; here it is an archive that was cut
        # within a member which is a zip file itself, and whose directory was found
        raise InputError(f"'{label}' is damaged or cut off (its directory is not whole)")
    return start, length


def _wide(extra: bytes, values: list[int], label: object) -> list[int]:
    """Size, packed size and offset with the 64-bit values of the extra field put in."""
    if _UNKNOWN not in values:
        return values
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == 1:
            words = iter(struct.unpack(f"<{len(body) // 8}Q", body[: len(body) // 8 * 8]))
            try:
                return [next(words) if value == _UNKNOWN else value for value in values]
            except StopIteration:
                break
    raise InputError(f"'{label}' is damaged (a member's 64-bit sizes are missing)")


class MemberStream(io.RawIOBase):
    """A member's content from the front, in pieces; checked against size and CRC at its end.

    Args:
        file: Positioned at the member's packed bytes; read sequentially from there, and by nobody
            else meanwhile.
        method: `STORED` or `DEFLATED`.
        packed: Bytes to take from `file`.
        size: Bytes of the content.
        crc: CRC-32 of the content.
        label: What to call it in errors.

    Raises:
        InputError: (also while reading) Another method; the stream is damaged or ends early.
    """

    def __init__(
        self, file: Any, method: int, packed: int, size: int, crc: int, label: str
    ) -> None:
        if method not in (STORED, DEFLATED):
            raise InputError(f"'{label}' is packed by method {method}, not stored or deflated")
        self._file, self._label, self._crc = file, label, crc
        self._inflate = zlib.decompressobj(-15) if method == DEFLATED else None
        self._packed_left, self._left, self._sum = packed, size, 0
        if method == STORED and packed != size:
            raise InputError(f"'{label}' is damaged (stored, with two sizes)")

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; b"" at the end."""
        wanted = self._left if size < 0 else min(size, self._left)
        pieces: list[bytes] = []
        while wanted:
            piece = self._more(wanted)
            self._sum = zlib.crc32(piece, self._sum)
            wanted -= len(piece)
            self._left -= len(piece)
            pieces.append(piece)
        if self._left == 0:
            self._check_end()
        return b"".join(pieces)

    def _more(self, most: int) -> bytes:
        """At least one byte of the content."""
        if self._inflate is None:
            piece: bytes = self._file.read(min(most, _BLOCK))
            if not piece:
                raise InputError(f"'{self._label}' is damaged or cut off (it ends early)")
            self._packed_left -= len(piece)
            return piece
        while True:
            block = self._inflate.unconsumed_tail
            if not block and not self._inflate.eof:
                block = self._file.read(min(_BLOCK, self._packed_left))
                self._packed_left -= len(block)
            try:
                # also with nothing in hand: zlib may still hold output
                piece = self._inflate.decompress(block, most)
            except zlib.error as error:
                raise InputError(f"'{self._label}' is damaged or cut off ({error})") from error
            if piece:
                return piece
            if self._inflate.eof or not block:
                raise InputError(f"'{self._label}' is damaged or cut off (it ends early)")

    def _check_end(self) -> None:
        if self._sum != self._crc:
            raise InputError(f"'{self._label}' is damaged (its checksum is wrong)")
        while self._inflate is not None and not self._inflate.eof:
            # the end marker may still be among the packed bytes
            block = self._inflate.unconsumed_tail
            if not block:
                block = self._file.read(min(_BLOCK, self._packed_left))
                self._packed_left -= len(block)
            try:
                more = self._inflate.decompress(block, 1)
            except zlib.error as error:
                raise InputError(f"'{self._label}' is damaged or cut off ({error})") from error
            if more:
                raise InputError(f"'{self._label}' is damaged (longer than it says)")
            if not block and not self._inflate.eof:
                raise InputError(f"'{self._label}' is damaged or cut off (it has no end)")

    def skip_rest(self) -> None:
        """Leave `file` behind the member's packed bytes, once the content is read."""
        while self._packed_left > 0:
            block = self._file.read(min(_BLOCK, self._packed_left))
            if not block:
                raise InputError(f"'{self._label}' is damaged or cut off (it ends early)")
            self._packed_left -= len(block)


def open_member(file: BinaryIO, entry: Entry, label: object) -> MemberStream:
    """A member's content as a stream; `file` belongs to the stream until its end.

    Raises:
        InputError: It is encrypted, or its local header is not the directory's.
    """
    name = f"{label}: {entry.name}"
    if entry.is_encrypted:
        raise InputError(f"'{label}': member {entry.name!r} is encrypted")
    file.seek(entry.offset)
    head = file.read(30)
    if len(head) < 30 or head[:4] != LOCAL:
        raise InputError(f"'{name}' is damaged or cut off (no member lies there)")
    name_bytes, extra_bytes = struct.unpack("<26xHH", head)
    if file.read(name_bytes) != entry.raw_name:
        raise InputError(f"'{name}' is damaged (another name lies there)")
    file.seek(extra_bytes, io.SEEK_CUR)
    return MemberStream(file, entry.method, entry.packed, entry.size, entry.crc, name)


def read_member(file: BinaryIO, entry: Entry, label: object) -> bytes:
    """A member's whole content, `entry.size` bytes (the caller bounds that).

    Raises:
        InputError: Damaged, encrypted, or not as long as it says.
    """
    stream = open_member(file, entry, label)
    return stream.read()
