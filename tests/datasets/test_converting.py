"""Conversion in processes that write shards of their own: nothing lost, nothing twice, no hang."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchbench.core.errors import BenchError, InputError
from benchbench.datasets import converting
from benchbench.datasets.converting import convert
from benchbench.datasets.records import Encoded, Layout, ObjectRecord, VoxelKind, encode
from benchbench.datasets.store import Store
from benchbench.datasets.store_writer import StoreWriter

LAYOUT = Layout({}, {"a": VoxelKind(4, np.eye(4))})


def record(number: int) -> ObjectRecord:
    cells = np.zeros((4, 4, 4), bool)
    cells.reshape(-1)[number % 64] = True
    return ObjectRecord(f"s/{number:03d}", "s", {}, {}, {"a": cells}, parameters={"n": number})


def make(number: int) -> tuple[str, Encoded | str]:
    if number == 666:
        raise ValueError("unlucky")
    if number == 999:
        os.kill(os.getpid(), 9)
    time.sleep(0.001 * (number % 3))
    if number % 10 == 7:
        return f"s/{number:03d}", f"{number} is odd"
    return f"s/{number:03d}", encode(record(number), LAYOUT)


def open_writer(root: Path) -> StoreWriter:
    return StoreWriter(root, "toy", (("s", "some"),), LAYOUT, {"title": "toy"}, {})


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_everything_is_written_once(tmp_path: Path, workers: int, count: int) -> None:
    with open_writer(tmp_path) as writer:
        notes = list(convert(writer, make, range(count), 4, workers))
        assert [name for name, _ in notes] == [f"s/{n:03d}" for n in range(count)]
        faults = [(name, fault) for name, fault in notes if fault is not None]
        assert faults == [(f"s/{n:03d}", f"{n} is odd") for n in range(count) if n % 10 == 7]
        assert sorted(writer.stored()) == [f"s/{n:03d}" for n in range(count) if n % 10 != 7]
        assert sorted(writer.failed()) == faults
        for number in writer.shards():
            with h5py.File(writer._shard_path(number)) as file:
                assert len(file["objects/identity"]) <= 4


def test_the_same_bytes_whatever_the_processes(tmp_path: Path) -> None:
    found = set()
    for workers in (1, 2, 3):
        with open_writer(tmp_path / str(workers)) as writer:
            list(convert(writer, make, range(40), 4, workers))
            ids = sorted(writer.stored())
            found.add(writer.finish({"s": {"train": ids}}, order=ids).read_bytes())
    assert len(found) == 1
    store = Store(tmp_path / "2" / "toy.h5")
    assert [store.parameters(n)["n"] for n in range(3)] == [0, 1, 2]
    assert np.array_equal(store.voxels(5), record(5).voxels["a"])


def test_it_goes_on_behind_the_shards_that_are_there(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        list(convert(writer, make, range(6), 4, 2))
    with open_writer(tmp_path) as writer:
        before = writer.shards()
        list(convert(writer, make, range(8, 20), 4, 2))
        assert set(writer.shards()) > set(before)
        assert sorted(writer.stored()) == [f"s/{n:03d}" for n in (*range(6), *range(8, 20))
                                           if n % 10 != 7]  # fmt: skip


def test_large_objects_make_small_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(rows.nbytes for rows in encode(record(0), LAYOUT).columns.values())
    monkeypatch.setattr(converting, "_PENDING", 2 * (3 * size - 10))
    with open_writer(tmp_path) as writer:
        list(convert(writer, make, [n for n in range(40) if n % 10 != 7], 64, 2))
        lengths = []
        for number in writer.shards():
            with h5py.File(writer._shard_path(number)) as file:
                lengths.append(len(file["objects/identity"]))
    assert max(lengths) == 3 and sum(lengths) == 36


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_reaches_the_caller(tmp_path: Path, workers: int) -> None:
    with open_writer(tmp_path) as writer, pytest.raises(ValueError, match="unlucky"):
        list(convert(writer, make, [*range(20), 666, *range(30, 90)], 4, workers))


def test_a_killed_worker_is_an_error(tmp_path: Path) -> None:
    with open_writer(tmp_path) as writer:
        with pytest.raises(BenchError, match="a worker process was killed"):
            list(convert(writer, make, [*range(20), 999, *range(30, 90)], 4, 2))
        assert all(name < "s/200" for name in writer.stored())  # what is there is whole


@pytest.mark.parametrize("at", [0, 5, 19, 20])
def test_an_interruption_does_not_hang(tmp_path: Path, at: int) -> None:
    def items() -> Iterator[int]:
        for number in range(20):
            if number == at:
                raise KeyboardInterrupt
            yield number

    with open_writer(tmp_path) as writer:
        if at < 20:
            with pytest.raises(KeyboardInterrupt):
                list(convert(writer, make, items(), 4, 2))
        else:
            made = convert(writer, make, items(), 4, 2)
            next(made)
            made.close()


def test_a_disk_that_takes_no_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: StoreWriter, *words: object) -> None:
        raise InputError("no space")

    monkeypatch.setattr(StoreWriter, "shard", full)
    for count in (3, 30):  # at the end, and on the way
        with open_writer(tmp_path) as writer, pytest.raises(InputError, match="no space"):
            list(convert(writer, make, range(count), 4, 2))
