"""Changes are what they claim: many kinds, repeatable, and wrapped so that checksums are right."""

from __future__ import annotations

import gzip
import importlib
import io
import random
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

MODULES = ("mutations", "files", "wrapping")
CASES = 60


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    """The fuzzer's own modules, which a run finds beside its script."""
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.pop(0)
        for name in MODULES:
            sys.modules.pop(name, None)


def changed(modules: dict[str, ModuleType], name: str, data: bytes) -> Iterator[bytes]:
    for number in range(CASES):
        yield modules["wrapping"].change(name, data, random.Random(number), True).data


def test_the_same_number_gives_the_same_change(modules: dict[str, ModuleType]) -> None:
    data = modules["files"].png_files()[0]
    first, again = (list(changed(modules, "x.png", data)) for _ in range(2))
    assert first == again
    assert len(set(first)) > CASES // 2
    assert sum(one != data for one in first) > 0.9 * CASES


def test_headers_mostly_stay(modules: dict[str, ModuleType]) -> None:
    data = bytes(range(200))
    results = [modules["mutations"].mutate(data, random.Random(n), 100) for n in range(300)]
    kept = sum(one[:100] == data[:100] for one in results)
    assert 150 < kept < 300
    assert {len(one) < 200 for one in results} == {True, False}
    assert any(len(one) > 200 for one in results)


def test_pictures_keep_right_checksums(modules: dict[str, ModuleType]) -> None:
    data = modules["files"].png_files()[1]
    for one in changed(modules, "x.png", data):
        assert one[:8] == data[:8]
        position = 8
        while position < len(one):
            (length,) = struct.unpack(">I", one[position : position + 4])
            body = one[position + 4 : position + 8 + length]
            (checksum,) = struct.unpack(">I", one[position + 8 + length : position + 12 + length])
            assert zlib.crc32(body) == checksum
            position += 12 + length
        assert position == len(one)


def test_archives_keep_right_checksums(modules: dict[str, ModuleType]) -> None:
    files = modules["files"].archive_files()
    for one in changed(modules, "x.zip", modules["files"].zip_file(files)):
        with zipfile.ZipFile(io.BytesIO(one)) as archive:
            assert archive.testzip() is None
    for one in changed(modules, "x.tgz", modules["files"].tar_file(files, True)):
        gzip.decompress(one)
    for one in changed(modules, "x.tar", modules["files"].tar_file(files)):
        assert len(one) % tarfile.RECORDSIZE == 0
        assert int(one[148:154], 8) == sum(one[:148]) + 8 * 32 + sum(one[156:512])


def test_matlab_elements_keep_right_lengths(modules: dict[str, ModuleType]) -> None:
    data = modules["files"].mat_file()[1]
    for one in changed(modules, "x.mat", data):
        position = 128
        while position < len(one):
            kind, length = struct.unpack("<II", one[position : position + 8])
            if kind == 15 and length:
                zlib.decompress(one[position + 8 : position + 8 + length])
            position += 8 + length
        assert position == len(one)
