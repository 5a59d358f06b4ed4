"""Headers of .npy files: those of numpy, old and new, are read; everything else is refused."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from benchbench.core.errors import InputError
from benchbench.datasets.npy_header import read_npy_header


def header(text: str, version: bytes = b"\x01\x00") -> io.BytesIO:
    data = text.encode("latin-1")
    length = struct.pack("<H" if version[0] == 1 else "<I", len(data))
    return io.BytesIO(b"\x93NUMPY" + version + length + data)


def plain(descr: str = "'<f4'", order: str = "False", shape: str = "(2, 3)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3, 4), (1,) * 12])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<f2", "|b1", "|u1", "<i8", "<U7", "|S3", "|O"])
@pytest.mark.parametrize("fortran", [False, True])
def test_what_numpy_writes(shape: tuple[int, ...], kind: str, fortran: bool) -> None:
    array = np.zeros(shape, kind, order="F" if fortran else "C")
    for version in ((1, 0), (2, 0)):
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, version)
        stream.seek(0)
        found = read_npy_header(stream, "x.npy")
        assert found.shape == shape and found.dtype == array.dtype
        assert found.fortran == np.isfortran(array)
        assert found.length == stream.tell()


@pytest.mark.parametrize(
    "text",
    [
        plain(shape="(2L, 3L)"),  # Python 2
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
        "{'shape': (2, 3), 'descr': '<f4', 'fortran_order': False}\n",
        "{'descr':'<f4','fortran_order':False,'shape':(2,3)}   \n",
    ],
)
def test_what_others_write(text: str) -> None:
    found = read_npy_header(header(text), "x.npy")
    assert found[:3] == ((2, 3), False, np.dtype("<f4"))
    assert found.length == 10 + len(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        plain()[:-1],
        plain() + "}",
        plain(shape="(2, -3)"),
        plain(shape="2"),
        plain(shape="(2 3)"),
        plain(shape="(,)"),
        plain(shape="(" + "9" * 19 + ",)"),
        plain(shape="(" + "(" * 300 + ")" * 300 + ")"),
        plain(shape="(" + "1, " * 33 + ")"),
        plain(order="0"),
        plain(descr="'<f3'"),
        plain(descr="'i4,i4'"),
        plain(descr="[('a', '<f4')]"),
        plain(descr="__import__('os')"),
        plain().replace("fortran_order", "descr"),
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
        plain().replace("{", "{\0"),
        plain(descr="'\\x3cf4'"),
    ],
)
def test_everything_else(text: str) -> None:
    with pytest.raises(InputError, match=r"^'x\.npy' "):
        read_npy_header(header(text), "x.npy")


def test_damage_around_it() -> None:
    good = header(plain()).getvalue()
    for cut in range(len(good)):
        with pytest.raises(InputError, match=r"no npy file|cut off"):
            read_npy_header(io.BytesIO(good[:cut]), "x.npy")
    with pytest.raises(InputError, match=r"version 3\.0"):
        read_npy_header(header(plain(), b"\x03\x00"), "x.npy")
    long = b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31)
    with pytest.raises(InputError, match="header of 2147483648 bytes"):
        read_npy_header(io.BytesIO(long), "x.npy")
