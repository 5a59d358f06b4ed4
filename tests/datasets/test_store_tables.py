"""Tables of a store: what h5py reads is what is read; whatever else HDF5 can hold is refused."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchbench.core.errors import InputError
from benchbench.datasets.store_tables import Tables

ARRAYS = {
    "a/floats": np.arange(24.0).reshape(4, 3, 2),
    "a/b/bytes": np.frombuffer(b"hello world", np.uint8),
    "ids": np.array([b"x/1", b"x/23"]),
    "flags": np.array([True, False, True]),
    "none": np.zeros((0, 7), np.int32),
    "wide": np.zeros((5, 0), np.float32),
    "one": np.float64(2.5),
    "half": np.arange(5, dtype=np.float16),
}


def damaged(why: object) -> InputError:
    return InputError(f"'x.h5' is damaged ({why})")


def write(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in ARRAYS.items():
            file[name] = array
        file["a"].attrs["size"] = 7
        file.attrs["id"] = np.bytes_("toy")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "x.h5")


def test_everything_as_h5py_reads_it(path: Path) -> None:
    tables = Tables(path, damaged)
    with h5py.File(path) as file:
        for name, array in ARRAYS.items():
            found = tables.all(name)
            assert found.dtype == file[name].dtype and found.shape == np.shape(array), name
            assert np.array_equal(found, file[name][()]), name
            for start in range(len(array) if np.ndim(array) else 0):
                assert np.array_equal(tables.row(name, start), array[start])
                assert np.array_equal(tables.rows(name, start, len(array)), array[start:])
    assert tables.attributes["a"] == {"size": 7}
    assert tables.attributes[""]["id"] == b"toy"
    assert tables.bytes("a/b/bytes", 6, 11) == b"world" and tables.text("a/b/bytes")[:5] == "hello"
    assert tables.all("a/floats").flags.writeable
    tables.announce("a/b/bytes", [(0, 3), (6, 11), (11, 11)])  # changes nothing that is read
    assert "a/floats" in tables and "a/x" not in tables


@pytest.mark.parametrize("span", [(-1, 2), (3, 2), (0, 5), (9, 9), (1 << 62, 1 << 63)])
def test_rows_that_are_not_there(path: Path, span: tuple[int, int]) -> None:
    tables = Tables(path, damaged)
    with pytest.raises(InputError, match="has no rows"):
        tables.rows("a/floats", *span)
    with pytest.raises(InputError, match="has no rows"):
        tables.bytes("ids", span[0], span[1] + 8)


def test_expectations(path: Path) -> None:
    tables = Tables(path, damaged)
    tables.expect("a/floats", np.float64, (3, 2), 4)
    for wrong in ((np.float32, (3, 2), 4), (np.float64, (2, 3), 4), (np.float64, (3, 2), 5)):
        with pytest.raises(InputError, match=r"a/floats is \(4, 3, 2\) float64, not"):
            tables.expect("a/floats", *wrong)
    with pytest.raises(InputError, match="is missing"):
        tables.expect("a/x", np.float64, ())
    with pytest.raises(InputError, match="one is"):
        tables.expect("one", np.float64, ())


def test_ragged_rows(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["values"] = np.arange(6)
        file["offset"] = np.array([0, 2, 2, 6, 5, 99])
    tables = Tables(tmp_path / "x.h5", damaged)
    assert [tables.span("values", "offset", n).tolist() for n in range(3)] == [
        [0, 1], [], [2, 3, 4, 5],
    ]  # fmt: skip
    for n in (3, 4, 5):
        with pytest.raises(InputError, match="has no rows"):
            tables.span("values", "offset", n)


def external_link(file: h5py.File) -> None:
    file["a/x"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file: h5py.File) -> None:
    file["a/x"] = h5py.SoftLink("/ids")


def linked_group(file: h5py.File) -> None:
    file["a/x"] = file["a"]  # a circle


def chunked(file: h5py.File) -> None:
    file.create_dataset("a/x", (1000, 1000), "f8", chunks=(10, 10), compression="gzip")


def external_file(file: h5py.File) -> None:
    file.create_dataset("a/x", (10,), "u1", external=[("/etc/passwd", 0, 10)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "y", (3,))
    file.create_virtual_dataset("a/x", layout)


def nothing_behind_it(file: h5py.File) -> None:
    file.create_dataset("a/x", (1 << 40,), "f8")


def text_of_any_length(file: h5py.File) -> None:
    file.create_dataset("a/x", data=["x"], dtype=h5py.string_dtype())


def reference(file: h5py.File) -> None:
    file.create_dataset("a/x", data=[file.ref], dtype=h5py.ref_dtype)


def records(file: h5py.File) -> None:
    file["a/x"] = np.zeros(3, [("p", "f4"), ("q", "i2")])


def big_endian(file: h5py.File) -> None:
    file["a/x"] = np.arange(3, dtype=">f4")


def named_type(file: h5py.File) -> None:
    file["a/x"] = np.dtype("f4")


def no_shape(file: h5py.File) -> None:
    file["a/x"] = h5py.Empty("f4")


def deep(file: h5py.File) -> None:
    file["a/1/2/3/4/5"] = 1


TRICKS = (external_link, soft_link, linked_group, chunked, external_file, virtual,
          nothing_behind_it, text_of_any_length, reference, records, big_endian, named_type,
          no_shape, deep)  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS, ids=lambda t: t.__name__)
def test_tricks(path: Path, trick: Callable[[h5py.File], None]) -> None:
    with h5py.File(path, "r+") as file:
        trick(file)
    with pytest.raises(InputError, match=r"^'x\.h5' is damaged"):
        Tables(path, damaged)


def test_files_that_are_cut_off(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    cut = tmp_path / "cut.h5"
    for length in range(0, len(whole), 97):
        cut.write_bytes(whole[:length])
        with pytest.raises(InputError):
            Tables(cut, damaged)
    tables = Tables(path, damaged)
    os.truncate(path, 100)  # while it is open
    with pytest.raises(InputError, match="ends early"):
        for name in ARRAYS:
            tables.all(name)


def test_forked_and_threaded_reads_have_no_place_in_common(path: Path) -> None:
    tables = Tables(path, damaged)
    wrong: list[int] = []

    def read(row: int) -> None:
        for _ in range(300):
            if not np.array_equal(tables.row("a/floats", row), ARRAYS["a/floats"][row]):
                wrong.append(row)

    process = os.fork()
    if process == 0:
        read(3)
        os._exit(len(wrong))
    threads = [threading.Thread(target=read, args=(row,)) for row in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.waitpid(process, 0)[1] == 0 and not wrong


def times_open(path: Path) -> int:
    """How many descriptors of this process lead to `path`; other files come and go at any time."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one of this very listing
            found += os.readlink(descriptor) == str(path)
    return found


def test_a_closed_file_is_let_go(path: Path) -> None:
    path = path.resolve()
    assert times_open(path) == 0
    tables = Tables(path, damaged)
    assert times_open(path) == 1
    tables.close()
    assert times_open(path) == 0
    kept = [Tables(path, damaged) for _ in range(5)]
    assert times_open(path) == 5
    del kept
    assert times_open(path) == 0
