"""Archives: honest ones read whole, hostile ones refused by name."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchbench.baselines.kato.weights import read_checkpoint
from benchbench.core.errors import InputError
from benchbench.datasets import archives
from benchbench.datasets.archives import (
    Limits,
    open_members,
    read_archive,
    read_npz,
    safe_name,
)

FILES = [("a/b.txt", b"hello"), ("a/c.bin", bytes(range(256)) * 40), ("d.txt", b"")]


def tar_bytes(entries: list, compress: bool = True) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz" if compress else "w") as tar:
        for entry in entries:
            info = entry if isinstance(entry, tarfile.TarInfo) else tarfile.TarInfo(entry[0])
            body = b"" if isinstance(entry, tarfile.TarInfo) else entry[1]
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return stream.getvalue()


def zip_bytes(entries: list) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in entries:
            archive.writestr(name, body)
    return stream.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def put(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "x.archive"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("form", ["tgz", "tar", "zip"])
def test_honest_archives(tmp_path: Path, form: str) -> None:
    data = zip_bytes(FILES) if form == "zip" else tar_bytes(FILES, form == "tgz")
    path = put(tmp_path, data)
    assert [(m.name, m.data) for m in read_archive(path)] == FILES
    some = [m.data for m in read_archive(path, want=lambda name: name == "d.txt")]
    assert some == [b"", b"", b""]


def test_folders_have_no_data(tmp_path: Path) -> None:
    path = put(tmp_path, tar_bytes([special("./top/", tarfile.DIRTYPE), ("./top/a", b"1")]))
    assert [(m.name, m.data) for m in read_archive(path)] == [("top", None), ("top/a", b"1")]


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/x", "a/../../x", "a\\..\\x", "C:/x", "a/\0b", "a/\x1b[2Jb", "a\n", "a\u202eb"],
)
def test_escaping_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="unsafe path"):
        safe_name(name, "x.tgz")
    if "\0" in name:
        return  # neither format can hold it
    for data in (tar_bytes([(name, b"1")]), zip_bytes([(name, b"1")])):
        with pytest.raises(InputError, match="unsafe path"):
            list(read_archive(put(tmp_path, data)))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_tar(tmp_path: Path, kind: bytes) -> None:
    path = put(tmp_path, tar_bytes([special("a", kind, "/etc/passwd")]))
    with pytest.raises(InputError, match="link or special"):
        list(read_archive(path))


def test_links_in_zip(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("a")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(InputError, match="link or special"):
        list(read_archive(put(tmp_path, stream.getvalue())))


@pytest.mark.parametrize("form", ["tgz", "zip"])
def test_bombs(tmp_path: Path, form: str) -> None:
    zeros = [("zeros", bytes(1 << 22))]
    path = put(tmp_path, zip_bytes(zeros) if form == "zip" else tar_bytes(zeros))
    with pytest.raises(InputError, match="refused"):
        list(read_archive(path, Limits(slack_bytes=1 << 20)))
    with pytest.raises(InputError, match="claims"):
        list(read_archive(path, Limits(member_bytes=1 << 20)))
    with pytest.raises(InputError, match="more than 1000 bytes"):
        list(read_archive(path, Limits(total_bytes=1000)))
    many = [(str(n), b"") for n in range(50)]
    path = put(tmp_path, zip_bytes(many) if form == "zip" else tar_bytes(many))
    with pytest.raises(InputError, match="more than 40 members"):
        list(read_archive(path, Limits(members=40)))


def test_bomb_in_a_header(tmp_path: Path) -> None:
    # The size of a pax header is believed by tarfile; the counting stream stops it.
    info = special("x", tarfile.XHDTYPE)
    raw = bytearray(tarfile.TarInfo("x").tobuf())
    info.size = 1 << 30
    raw = info.tobuf() + bytes(1 << 22)
    path = put(tmp_path, gzip.compress(bytes(raw)))
    with pytest.raises(InputError):
        list(read_archive(path, Limits(slack_bytes=1 << 20)))


def header(kind: bytes, size: int) -> bytes:
    info = special("x", kind)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("compress", [True, False])
def test_long_headers_are_not_read(
    tmp_path: Path, kind: bytes, compress: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Bytes that do not compress, so that no ratio gives them away.
    size = 1 << 23
    raw = header(kind, size) + np.random.default_rng(0).bytes(size) + tar_bytes(FILES, False)
    path = put(tmp_path, gzip.compress(raw, 1) if compress else raw)
    asked: list[int] = []
    read = archives._Counted.read
    monkeypatch.setattr(
        archives._Counted, "read", lambda self, size=-1: (asked.append(size), read(self, size))[1]
    )
    with pytest.raises(InputError, match=f"header of {size} bytes"):
        list(read_archive(path))
    assert sum(asked) < 1 << 16


def test_headers_that_add_up(tmp_path: Path) -> None:
    body = b"60000 k%06d=" + b"x" * 59_986 + b"\n"
    members = tar_bytes([("a", b"")], False)[:512]
    raw = b"".join(
        header(tarfile.XGLTYPE, 60_000) + (body % n).ljust(60_416, b"\0") + members
        for n in range(40)
    )
    with pytest.raises(InputError, match="header of 60000 bytes"):
        list(read_archive(put(tmp_path, raw + bytes(1024))))
    assert len(list(read_archive(put(tmp_path, raw[: 61_440 * 10] + bytes(1024))))) == 10


def test_headers_of_headers(tmp_path: Path) -> None:
    long = header(tarfile.GNUTYPE_LONGNAME, 512) + b"n".ljust(512, b"\0")
    with pytest.raises(InputError, match="headers of headers"):
        list(read_archive(put(tmp_path, long * 5000 + tar_bytes(FILES, False))))


def test_sparse_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sparse"):
        list(read_archive(put(tmp_path, header(tarfile.GNUTYPE_SPARSE, 0) + bytes(1024))))


def test_honest_long_names(tmp_path: Path) -> None:
    name = "/".join(["folder" * 20] * 5)
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
            tar.addfile(tarfile.TarInfo(name))
        assert [m.name for m in read_archive(put(tmp_path, stream.getvalue()))] == [name]


@pytest.mark.parametrize("form", ["tgz", "tar", "zip"])
def test_truncation(tmp_path: Path, form: str) -> None:
    data = zip_bytes(FILES) if form == "zip" else tar_bytes(FILES, form == "tgz")
    shortest = {"tgz": 1, "tar": 1024, "zip": 1}[form]
    end = len(data)
    if form == "tar":  # only padding lies behind the closing blocks
        end = len(data.rstrip(b"\0")) // 512 * 512 + 512
    for length in sorted({*range(shortest, end, max(1, end // 60)), end - 1}):
        with pytest.raises(InputError, match=r"x\.archive"):
            list(read_archive(put(tmp_path, data[:length])))


def test_flipped_bytes_in_gzip(tmp_path: Path) -> None:
    data = bytearray(tar_bytes(FILES))
    for place in range(10, len(data)):  # the first ten hold a date and flags nobody checks
        data[place] ^= 0x55
        with pytest.raises(InputError):
            list(read_archive(put(tmp_path, bytes(data))))
        data[place] ^= 0x55


def test_something_else(tmp_path: Path) -> None:
    for data in (b"", b"<html>gone</html>", b"x" * 2000):
        with pytest.raises(InputError, match="no tar"):
            list(read_archive(put(tmp_path, data)))


def npz_bytes(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def test_npz(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.eye(3)), "c": np.int8(3)}
    for source in (npz_bytes(**arrays), put(tmp_path, npz_bytes(**arrays))):
        found = read_npz(source)
        assert set(found) == set(arrays)
        for name, array in arrays.items():
            assert np.array_equal(found[name], array)
    found["a"][0, 0] = 5  # arrays are writable


def test_npz_whose_members_begin_before_it(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, a=np.arange(9))
    data = bytearray(stream.getvalue())
    end = data.rindex(b"PK\x05\x06")  # the directory is said to lie further back than it can
    place = int.from_bytes(data[end + 16 : end + 20], "little")
    data[end + 16 : end + 20] = (place + 300).to_bytes(4, "little")
    with pytest.raises(InputError, match="begins before the archive"):
        read_npz(bytes(data))
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(InputError, match="begins before the archive"):
        read_checkpoint(tmp_path / "a.npz")


def test_npz_with_objects_is_refused() -> None:
    stream = io.BytesIO()
    np.savez(stream, a=np.array([{"x": 1}], dtype=object))
    with pytest.raises(InputError, match="pickle"):
        read_npz(stream.getvalue())


def test_npz_that_lies_about_its_shape() -> None:
    stream = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    np.lib.format.write_array_header_1_0(stream, header)
    archive = zip_bytes([("a.npy", stream.getvalue() + b"12345678")])
    with pytest.raises(InputError, match="do not fit"):
        read_npz(archive)


def test_npz_that_is_none(tmp_path: Path) -> None:
    for data in (b"", b"rubbish", npz_bytes(a=np.eye(3))[:50], zip_bytes([("a.npy", b"no")])):
        with pytest.raises(InputError):
            read_npz(data)


def is_tgz(name: str) -> bool:
    return name.endswith(".tgz")


@pytest.mark.parametrize("form", ["tgz", "tar", "zip"])
@pytest.mark.parametrize("compress", [True, False])
def test_archives_inside_are_unpacked_where_they_lie(
    tmp_path: Path, form: str, compress: bool
) -> None:
    inner = tar_bytes([special("./k/", tarfile.DIRTYPE), ("k/b", b"2"), ("k/c", b"3" * 9000)])
    inner = inner if compress else gzip.decompress(inner)
    entries = [("top/a", b"1"), ("top/x.tgz", inner), ("y.tgz", inner), ("z", b"4")]
    path = put(tmp_path, zip_bytes(entries) if form == "zip" else tar_bytes(entries, form == "tgz"))
    found = [(m.name, m.data) for m in read_archive(path, inside=is_tgz)]
    assert found == [
        ("top/a", b"1"),
        ("top/k", None), ("top/k/b", b"2"), ("top/k/c", b"3" * 9000),
        ("k", None), ("k/b", b"2"), ("k/c", b"3" * 9000),
        ("z", b"4"),
    ]  # fmt: skip
    some = list(read_archive(path, inside=is_tgz, want=lambda name: name == "top/k/b"))
    assert [m.name for m in some if m.data] == ["top/k/b"]
    assert [m.data for m in read_archive(path)][1] == inner  # no business of a plain reading


def test_archives_inside_may_be_larger_than_other_members(tmp_path: Path) -> None:
    limits = Limits(member_bytes=1000)
    inner = tar_bytes([("b", b"2" * 900)], compress=False)
    assert len(inner) > 1000
    path = put(tmp_path, tar_bytes([("x.tgz", inner)]))
    assert [m.data for m in read_archive(path, limits, inside=is_tgz)] == [b"2" * 900]
    path = put(tmp_path, tar_bytes([("x.tgz", tar_bytes([("b", b"2" * 1001)]))]))
    with pytest.raises(InputError, match=r"x\.tgz.*'b' claims 1001"):
        list(read_archive(path, limits, inside=is_tgz))


@pytest.mark.parametrize("form", ["tgz", "tar", "zip"])
def test_members_that_are_not_read_may_have_any_size(tmp_path: Path, form: str) -> None:
    entries = [("large", b"1" * 2000), ("small", b"2"), ("x.tgz", tar_bytes([("a", b"3" * 2000)]))]
    path = put(tmp_path, zip_bytes(entries) if form == "zip" else tar_bytes(entries, form == "tgz"))
    for inside in (None, is_tgz):
        found = read_archive(path, Limits(member_bytes=10), lambda n: n == "small", inside)
        assert [m.data for m in found if m.data] == [b"2"]


def hostile_inside() -> dict[str, tuple[bytes, str]]:
    good = tar_bytes([("b", bytes(range(256)) * 90)])
    flipped = bytearray(good)
    flipped[-8] ^= 1  # gzip's checksum
    return {
        "climbing out": (tar_bytes([("../b", b"1")]), "unsafe path"),
        "a link": (tar_bytes([special("b", tarfile.SYMTYPE, "/etc/passwd")]), "a link"),
        "cut off": (good[: len(good) // 2], "damaged or cut off"),
        "a flipped bit": (bytes(flipped), "damaged or cut off"),
        "no archive": (b"<html>" * 200, "damaged or cut off"),
        "nothing": (b"", "damaged or cut off|closing block"),
        "a bomb": (gzip.compress(bytes(1 << 28), 1), "unpacks|damaged"),
    }


@pytest.mark.parametrize("case", hostile_inside())
@pytest.mark.parametrize("form", ["tgz", "zip"])
def test_hostile_archives_inside(tmp_path: Path, case: str, form: str) -> None:
    inner, word = hostile_inside()[case]
    entries = [("a", b"1"), ("x.tgz", inner)]
    path = put(tmp_path, zip_bytes(entries) if form == "zip" else tar_bytes(entries))
    with pytest.raises(InputError, match=word) as caught:
        list(read_archive(path, inside=is_tgz))
    assert "x.tgz" in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize("form", ["tgz", "tar", "zip"])
def test_members_as_streams(tmp_path: Path, form: str) -> None:
    large = bytes(range(256)) * 5000
    entries = [("a", b"1"), ("large", large), ("skipped", large), ("b", b"2")]
    path = put(tmp_path, zip_bytes(entries) if form == "zip" else tar_bytes(entries, form == "tgz"))
    with pytest.raises(InputError, match="claims 1280000"):
        list(open_members(path, Limits(member_bytes=1000)))
    found = {}
    for name, file in open_members(path, Limits(member_bytes=1000), lambda name: len(name) > 1):
        assert file is not None
        if name == "large":
            pieces = [file.read(300_000)]
            while pieces[-1]:
                assert file.tell() == sum(map(len, pieces))
                pieces.append(file.read(300_000))
            found[name] = b"".join(pieces)
        elif name != "skipped":
            found[name] = file.read()
    assert found == {"a": b"1", "large": large, "b": b"2"}


def test_a_stream_of_a_damaged_member(tmp_path: Path) -> None:
    data = bytearray(zip_bytes([("a", bytes(range(256)) * 50)]))
    place = data.index(b"PK\x01\x02") + 16  # the checksum in the directory
    data[place] ^= 1
    ((_, file),) = open_members(put(tmp_path, bytes(data)))
    assert file is not None
    with pytest.raises(InputError, match="damaged or cut off"):
        while file.read(1000):
            pass
