"""MATLAB files: against scipy's reader on files that scipy writes, and broken in every way."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import scipy.io

from benchbench.core.errors import InputError
from benchbench.datasets.matlab import read_mat


def saved(variables: dict[str, Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables, **options)
    return stream.getvalue()


def record() -> dict[str, Any]:
    """Nested like an annotation: a struct array, an empty field, logicals, many types."""
    objects = np.zeros(2, dtype=[("class", object), ("bbox", object), ("viewpoint", object)])
    objects[0] = ("car", np.array([[1.5, 2, 30, 40]]), {"azimuth": 12.5, "px": np.float32(3)})
    objects[1] = ("aeroplane", np.array([[-3, 2, 300, 70000]]), np.zeros((0, 0)))
    return {
        "record": {"objects": objects, "segmented": True, "imgsize": np.int16([[500, 375, 3]])},
        "Volume": np.random.default_rng(0).random((3, 4, 5)) > 0.5,
        "names": np.array(["a", "wing é"], dtype=object),
    }


def same(ours: Any, theirs: Any) -> bool:
    """Whether our value is scipy's (read without squeezing)."""
    if isinstance(ours, str):
        return ours == "".join(theirs.ravel().tolist())
    if theirs.dtype.names:
        flat = theirs.ravel(order="F")
        return len(ours) == len(flat) and all(
            set(one) == set(theirs.dtype.names) and all(same(one[f], other[f]) for f in one)
            for one, other in zip(ours, flat, strict=True)
        )
    if theirs.dtype == object:
        flat = theirs.ravel(order="F")
        return len(ours) == len(flat) and all(map(same, ours, flat))
    equal = ours.shape == theirs.shape and ours.dtype.kind == theirs.dtype.kind
    return equal and np.array_equal(ours, theirs)


@pytest.mark.parametrize("compressed", [False, True])
def test_values_are_scipys(compressed: bool) -> None:
    data = saved(record(), do_compression=compressed)
    ours = read_mat(data, "a.mat")
    theirs = scipy.io.loadmat(io.BytesIO(data), chars_as_strings=True)
    theirs["Volume"] = theirs["Volume"].astype(bool)  # scipy gives logicals as uint8
    assert set(ours) == {"record", "Volume", "names"}
    for key in ("Volume", "names"):
        assert same(ours[key], theirs[key]), key
    first, second = ours["record"][0]["objects"]
    assert (first["class"], second["class"]) == ("car", "aeroplane")
    assert first["bbox"].tolist() == [[1.5, 2, 30, 40]]
    assert second["bbox"].tolist() == [[-3, 2, 300, 70000]]
    assert first["viewpoint"][0]["azimuth"].tolist() == [[12.5]]
    assert second["viewpoint"].size == 0
    assert ours["record"][0]["imgsize"].tolist() == [[500, 375, 3]]
    assert same(ours["record"][0]["objects"], theirs["record"][0, 0]["objects"])


def test_doubles_stored_as_bytes() -> None:
    """MATLAB stores whole doubles as uint8; written here by hand, both byte orders."""
    for order, mark in (("<", b"IM"), (">", b"MI")):
        flags = struct.pack(f"{order}IIII", 6, 8, 6, 0)
        sizes = struct.pack(f"{order}IIii", 5, 8, 2, 2)
        name = struct.pack(f"{order}I", 1 << 16 | 1) + b"A\0\0\0"
        values = struct.pack(f"{order}I", 4 << 16 | 2) + bytes([1, 2, 3, 250])
        body = flags + sizes + name + values
        data = b"MATLAB 5.0".ljust(124) + struct.pack(f"{order}H", 0x100) + mark
        data += struct.pack(f"{order}II", 14, len(body)) + body
        found = read_mat(data, "a.mat")["A"]
        assert found.dtype == np.float64
        assert found.tolist() == [[1, 3], [2, 250]]  # column-major


def test_what_is_not_read() -> None:
    import scipy.sparse

    for value, word in (
        (scipy.sparse.eye(3).tocsc(), "sparse"),
        (np.array([[1j]]), "complex"),
    ):
        with pytest.raises(InputError, match=word):
            read_mat(saved({"a": value}), "a.mat")
    with pytest.raises(InputError, match="no MATLAB file"):
        read_mat(saved({"a": 1}, format="4"), "a.mat")
    with pytest.raises(InputError, match=r"7\.3"):
        read_mat(b"MATLAB 7.3 MAT-file".ljust(512), "a.mat")
    with pytest.raises(InputError, match="no MATLAB file"):
        read_mat(b"", "a.mat")


def test_refusals_stay_short() -> None:
    """A broken length makes thousands of dimensions, or a name of thousands of letters."""
    header = saved({"a": 1})[:128]
    flags = struct.pack("<IIII", 6, 8, 6, 0)
    many = flags + struct.pack("<II", 5, 4 * 2000) + struct.pack("<2000i", *[7] * 2000)
    long = flags + struct.pack("<IIii", 5, 8, 1, 1) + struct.pack("<II", 1, 4000) + b"A" * 4000
    for body, words in ((many, "2000 dimensions"), (long, "4000 letters")):
        with pytest.raises(InputError, match=words) as caught:
            read_mat(header + struct.pack("<II", 14, len(body)) + body, "a.mat")
        assert len(str(caught.value)) < 200


def test_bombs_are_refused_before_they_unfold() -> None:
    header = saved({"a": 1})[:128]
    bomb = zlib.compress(bytes(1 << 24), 9)
    data = header + struct.pack("<II", 15, len(bomb)) + bomb
    with pytest.raises(InputError, match="refused"):
        read_mat(data, "a.mat", most_bytes=1 << 20)
    # a cell array that claims two billion cells, and a chain of cells
    flags = struct.pack("<IIII", 6, 8, 1, 0)
    sizes = struct.pack("<IIii", 5, 8, 1 << 30, 2)
    body = flags + sizes + struct.pack("<II", 1, 0)
    with pytest.raises(InputError):
        read_mat(header + struct.pack("<II", 14, len(body)) + body, "a.mat")
    inner = b""
    for _ in range(40):
        inner = flags + struct.pack("<IIii", 5, 8, 1, 1) + struct.pack("<II", 1, 0) + inner
        inner = struct.pack("<II", 14, len(inner)) + inner
    with pytest.raises(InputError, match="nested"):
        read_mat(header + inner, "a.mat")


def test_flipped_and_cut_files_end_in_an_error_or_a_value() -> None:
    rng = np.random.default_rng(1)
    for compressed in (False, True):
        whole = saved(record(), do_compression=compressed)
        for case in range(400):
            data = bytearray(whole)
            for place in rng.integers(128, len(data), 3):
                data[place] = rng.integers(256)
            if case % 4 == 0:
                del data[int(rng.integers(128, len(data))) :]
            try:
                read_mat(bytes(data), "a.mat")
            except InputError as error:
                assert "a.mat" in str(error)
