"""Zip archives in bounded memory, against the zipfile module; arrays of npz files row by row."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from benchbench.core.errors import InputError
from benchbench.datasets.npy_streams import ArrayStream
from benchbench.datasets.npz_writing import NpzWriter
from benchbench.datasets.zip_streams import MemberStream, entries, open_member, read_member

RNG = np.random.default_rng(7)
BODIES = {
    "a/": b"",
    "a/empty": b"",
    "a/one": b"1",
    "a/zeros": bytes(300_000),
    "b/noise": RNG.bytes(200_000),
    "b/caf\u00e9": b"text " * 1000,
    "64 bits": RNG.bytes(1000),
}


def archive(method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name, body in BODIES.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with file.open(info, "w", force_zip64=name == "64 bits") as member:
                member.write(body)
        file.comment = comment
    return stream.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("comment", [b"", b"a remark", b"PK\x05\x06" + bytes(30), bytes(65_535)])
def test_equals_zipfile(method: int, comment: bytes) -> None:
    stream = io.BytesIO(archive(method, comment))
    if comment.startswith(b"PK"):  # looks like a directory: refused rather than misread
        with pytest.raises(InputError, match="damaged or cut off"):
            list(entries(stream, "x"))
        return
    found = list(entries(stream, "x"))
    with zipfile.ZipFile(stream) as twin:
        assert [(e.name, e.size, e.packed, e.crc, e.offset, e.is_folder) for e in found] == [
            (i.filename, i.file_size, i.compress_size, i.CRC, i.header_offset, i.is_dir())
            for i in twin.infolist()
        ]
    for entry in found:
        assert read_member(stream, entry, "x") == BODIES[entry.name]


def test_members_are_read_while_the_directory_passes() -> None:
    stream = io.BytesIO(archive())
    assert {e.name: read_member(stream, e, "x") for e in entries(stream, "x")} == BODIES


@pytest.mark.parametrize("step", [1, 7, 65_536, 65_537, 1 << 20])
def test_in_pieces(step: int) -> None:
    stream = io.BytesIO(archive())
    for entry in entries(stream, "x"):
        if len(BODIES[entry.name]) > 5000 * step:
            continue
        file, pieces = open_member(io.BytesIO(stream.getvalue()), entry, "x"), []
        while piece := file.read(step):
            assert len(piece) <= step
            pieces.append(piece)
        assert b"".join(pieces) == BODIES[entry.name]
        assert file.read(step) == b""


def test_a_directory_with_64_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)  # more members than 16 bits count
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 400_000)  # and offsets that 32 bits do not
    data = archive(zipfile.ZIP_STORED)
    assert b"PK\x06\x07" in data
    stream = io.BytesIO(data)
    assert {e.name: read_member(stream, e, "x") for e in entries(stream, "x")} == BODIES


def test_cut_anywhere() -> None:
    data = archive()
    for length in {*range(0, len(data), 997), *range(len(data) - 120, len(data))}:
        with pytest.raises(InputError):
            for entry in entries(io.BytesIO(data[:length]), "x"):
                read_member(io.BytesIO(data[:length]), entry, "x")


def test_flipped_anywhere() -> None:
    """Either refused, or it is read as it was: no other bytes come out under a member's name."""
    data = archive()
    directory = data.rindex(b"PK\x01\x02")
    places = [*RNG.integers(0, len(data), 400).tolist(), *range(directory, len(data))]
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 1 << int(RNG.integers(8))
        stream = io.BytesIO(bytes(changed))
        try:
            found = {e.name: read_member(stream, e, "x") for e in entries(stream, "x")}
        except InputError:
            continue
        for name, body in found.items():
            assert body == BODIES.get(name, body)
            assert body in BODIES.values()


def test_a_member_that_lies() -> None:
    body = zlib.compress(b"x" * 1000)[2:-4]  # a bare deflate stream
    right = zlib.crc32(b"x" * 1000)

    def read(size: int, packed: int, crc: int, method: int = 8) -> bytes:
        return MemberStream(io.BytesIO(body), method, packed, size, crc, "x").read()

    assert read(1000, len(body), right) == b"x" * 1000
    for size, packed, crc, method, reason in (
        (999, len(body), zlib.crc32(b"x" * 999), 8, "longer than it says"),
        (1001, len(body), right, 8, "ends early"),
        (1 << 50, len(body), right, 8, "ends early"),
        (1000, len(body) - 1, right, 8, "ends early|no end"),
        (1000, len(body), right ^ 1, 8, "checksum"),
        (1000, len(body), right, 0, "two sizes"),
        (1000, len(body), right, 12, "method 12"),
    ):
        with pytest.raises(InputError, match=reason):
            read(size, packed, crc, method)


def test_millions_of_members_take_no_memory(tmp_path: Path) -> None:
    count = 10_000
    path = tmp_path / "x.zip"
    with path.open("wb") as file:
        for n in range(count):
            name = b"NMR_Dataset/02691156/%032d/visual_hull_depth/0000.exr" % n
            file.write(b"PK\x01\x02" + bytes(24) + struct.pack("<H", len(name)) + bytes(16) + name)
        length = file.tell()
        file.write(b"PK\x05\x06" + bytes(8) + struct.pack("<II", length, 0) + bytes(2))
    tracemalloc.start()
    with path.open("rb") as file:
        assert sum(entry.size == 0 for entry in entries(file, path)) == count
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20  # zipfile needs 7 MiB for these


# -- arrays of npz files ---------------------------------------------------------------------


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("shape", [(0, 3), (1,), (5,), (7, 2, 3), (4, 1)])
def test_rows_equal_numpy(compress: bool, shape: tuple[int, ...]) -> None:
    values = RNG.integers(0, 1 << 30, shape)
    for save in ("numpy", "ours"):
        buffer = io.BytesIO()
        if save == "ours":
            with NpzWriter(buffer, compress) as file:
                file.add("x", values)
            with np.load(io.BytesIO(buffer.getvalue())) as twin:
                np.testing.assert_array_equal(twin["x"], values)
        else:
            (np.savez_compressed if compress else np.savez)(buffer, values)
        stream = ArrayStream(io.BytesIO(buffer.getvalue()), "x")
        assert (stream.shape, stream.dtype) == (shape, values.dtype)
        rows = list(stream)
        assert len(rows) == shape[0]
        np.testing.assert_array_equal(np.array(rows).reshape(shape), values)


def test_writer_gives_equal_bytes_and_many_rows() -> None:
    written = []
    for _ in range(2):
        buffer = io.BytesIO()
        with NpzWriter(buffer, compress=True) as file:
            rows = (np.full(3, n) for n in range(4))
            file.add_rows("x", np.dtype(np.int16), (4, 3), rows)
            file.add("scale", np.array(1.5))
        written.append(buffer.getvalue())
    assert written[0] == written[1]
    with np.load(io.BytesIO(written[0])) as found:
        assert found["x"].tolist() == [[n] * 3 for n in range(4)]
        assert found["x"].dtype == np.int16 and found["scale"][()] == 1.5


def test_npz_cut_or_flipped_anywhere() -> None:
    values = RNG.integers(0, 50, (40, 30)).astype(np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, values)
    data = buffer.getvalue()
    for length in range(data.index(b"PK\x01\x02") + 3):
        with pytest.raises(InputError):
            list(ArrayStream(io.BytesIO(data[:length]), "x"))
    for place in range(data.index(b"PK\x01\x02")):
        changed = bytearray(data)
        changed[place] ^= 1 << int(RNG.integers(8))
        try:
            rows = np.array(list(ArrayStream(io.BytesIO(bytes(changed)), "x")))
        except InputError:
            continue
        np.testing.assert_array_equal(rows, values)
