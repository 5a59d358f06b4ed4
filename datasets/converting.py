"""Jobs spread over processes, each of which packs its objects and writes them in shards of its own.

Packed objects are up to megabytes; sent to one writing process they would keep it busy, and the
workers waiting (measured with two workers on `shapenet-dvr`: 0.70 of twice one process's rate).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from benchbench.core.errors import BenchError
from benchbench.datasets.records import Encoded
from benchbench.datasets.store_writer import StoreWriter
from benchbench.datasets.workers import AHEAD, begin_worker, usable_cores

Item = TypeVar("Item")
Made = tuple[str, str | None]  # id, and why it could not be made

_PENDING = 1 << 25  # bytes of packed objects in all processes


@dataclass
class Shards(Generic[Item]):
    """One process's part of a conversion.

    Attributes:
        writer: Of the data set.
        make: From an item to its id and the packed object, or why there is none.
        size: Objects of a shard.
        most_bytes: Of the packed objects of a shard.
    """

    writer: StoreWriter
    make: Callable[[Item], tuple[str, Encoded | str]]
    size: int
    most_bytes: int
    _number: int = -1
    _records: list[Encoded] = field(default_factory=list)
    _failed: list[tuple[str, str]] = field(default_factory=list)
    _bytes: int = 0

    def add(self, number: int, item: Item) -> Made:
        """Makes an object; writes a shard once there are enough.

        Args:
            number: Of the item: no other process has it, so a shard may be called by it.
            item: See `make`.
        """
        name, made = self.make(item)
        if isinstance(made, Encoded):
            self._records.append(made)
            self._bytes += sum(rows.nbytes for rows in made.columns.values())
        else:
            self._failed.append((name, made))
        if self._number < 0:
            self._number = number
        count = len(self._records) + len(self._failed)
        if count >= self.size or self._bytes >= self.most_bytes:
            self.flush()
        return name, None if isinstance(made, Encoded) else made

    def flush(self) -> None:
        """Writes what is left."""
        if self._records or self._failed:
            self.writer.shard(self._number, self._records, self._failed)
        self._number, self._records, self._failed, self._bytes = -1, [], [], 0


def convert(
    writer: StoreWriter,
    make: Callable[[Item], tuple[str, Encoded | str]],
    items: Iterable[Item],
    size: int,
    workers: int | None = None,
) -> Iterator[Made]:
    """Makes objects and writes them as shards; all are written once the iterator is at its end.

    Args:
        writer: Of the data set, entered.
        make: A module's function or a `functools.partial` of one (it is sent to processes).
        items: Anything that can be pickled; drawn in this process, a little ahead.
        size: Objects of a shard.
        workers: Processes; None for one per usable core. With one, everything runs here.

    Yields:
        Ids, and why an object could not be made or None, in the order of the items.

    Raises:
        BenchError: A worker was killed; what a function raises comes through as it is.
    """
    workers = workers or usable_cores()
    own = Shards(writer, make, size, _PENDING // workers)
    first = max(writer.shards(), default=-1) + 1
    if workers == 1:
        for number, item in enumerate(items, first):
            yield own.add(number, item)
        own.flush()
        return
    # A fork shares the loaded libraries; its kernels use one thread (see cuda_ops.library).
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    everybody = context.Barrier(workers)
    pool = ProcessPoolExecutor(workers, context, _begin, (own, everybody))
    try:
        waiting: deque[Future[Made]] = deque()
        for number, item in enumerate(items, first):
            waiting.append(pool.submit(_add, number, item))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        for done in [pool.submit(_flush) for _ in range(workers)]:
            done.result()
    except BrokenProcessPool as error:
        raise BenchError(
            "a worker process was killed (out of memory?)",
            hint="the same command goes on where it stopped",
        ) from error
    finally:
        everybody.abort()  # after an interruption somebody may wait for those who never come
        pool.shutdown(wait=True, cancel_futures=True)


_worker: dict[str, Any] = {}  # of a worker process: its own part, and where it meets the others


def _begin(own: Shards[Any], everybody: Any) -> None:
    begin_worker()
    _worker["own"], _worker["everybody"] = own, everybody


def _add(number: int, item: Any) -> Made:
    made: Made = _worker["own"].add(number, item)
    return made


def _flush() -> None:
    with contextlib.suppress(threading.BrokenBarrierError):
        _worker["everybody"].wait()  # nobody can take two of these, so everybody has one
    _worker["own"].flush()
