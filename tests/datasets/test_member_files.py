"""A zip's member as a seekable file: against its bytes, nested, damaged, back and forth."""

from __future__ import annotations

import io
import zipfile
from typing import Any, BinaryIO, cast

import numpy as np
import pytest

from benchbench.core.errors import InputError
from benchbench.datasets.member_files import MemberFile
from benchbench.datasets.zip_streams import entries

BODY = np.random.default_rng(0).integers(0, 4, 3_000_000, np.uint8).tobytes()


def packed(data: bytes, method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("before", b"x" * 1000)
        archive.writestr("a", data)
    return stream.getvalue()


def opened(archive: bytes) -> BinaryIO:
    entry = next(e for e in entries(io.BytesIO(archive), "x.zip") if e.name == "a")
    raw = MemberFile(lambda: io.BytesIO(archive), entry, "x.zip")
    return cast(BinaryIO, io.BufferedReader(cast(Any, raw)))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_any_order(method: int) -> None:
    file = opened(packed(BODY, method))
    rng = np.random.default_rng(1)
    for place in sorted(rng.integers(0, len(BODY), 100).tolist()) + [5, 2_000_000, 0]:
        size = int(rng.integers(0, 3000))
        assert file.seek(place) == place
        assert file.read(size) == BODY[place : place + size]
        assert file.tell() == min(place + size, len(BODY))
    assert file.seek(0, io.SEEK_END) == len(BODY)
    assert file.read(1) == b""
    file.seek(0)
    assert file.read() == BODY


def test_nested() -> None:
    inner = packed(BODY, zipfile.ZIP_DEFLATED)
    outer = packed(inner, zipfile.ZIP_DEFLATED)
    entry = next(e for e in entries(opened(outer), "x.zip") if e.name == "a")
    file = io.BufferedReader(cast(Any, MemberFile(lambda: opened(outer), entry, "x.zip")))
    file.seek(1_000_000)
    assert file.read(10) == BODY[1_000_000:1_000_010]
    file.close()


def test_damage_is_found() -> None:
    archive = bytearray(packed(BODY, zipfile.ZIP_STORED))
    archive[len(archive) // 2] ^= 1
    with pytest.raises(InputError, match="checksum"):
        opened(bytes(archive)).read()


def test_back_and_forth_is_refused() -> None:
    file = opened(packed(BODY, zipfile.ZIP_DEFLATED))
    with pytest.raises(InputError, match="no order"):
        for _ in range(100):
            file.seek(2_900_000)
            file.read(1)
            file.seek(0)
            file.read(1)
