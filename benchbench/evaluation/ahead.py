"""What goes on beside the network: reading the next block's pictures, writing and scoring the last.

None of it changes a number. What was read ahead is what would have been read; a shard that was
scored behind the predictions is found and kept by the scoring that follows, and whatever went
wrong there goes wrong there again, where it is told.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

import numpy as np

from benchbench.core.errors import BenchError
from benchbench.datasets.store import Store

Block = Sequence[tuple[int, int]]
_MOST = 2  # blocks in hand: this one's and the next one's


class ReadAhead:
    """A data set whose next block of pictures is read while a method works on this one.

    Args:
        store: The data set.
        rendering: Whose pictures the method looks at, or None where it looks at none.

    Example:
        >>> ReadAhead(None, None).announce([(0, -1)])  # nothing to read
    """

    def __init__(self, store: Store | Any, rendering: str | None) -> None:
        self._store, self._rendering = store, rendering
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self._coming: OrderedDict[Any, Future[Any]] = OrderedDict()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def announce(self, block: Block) -> None:
        """Begin to read the pictures of (object, view) pairs."""
        if self._rendering is None or not block or min(view for _, view in block) < 0:
            return
        rows, views = np.array(block).T
        key = _key(rows, views, self._rendering)
        if key in self._coming:
            return
        self._coming[key] = self._reader.submit(self._store.batch, rows, views, self._rendering)
        while len(self._coming) > _MOST:  # of a method that asks for something else
            self._coming.popitem(last=False)[1].cancel()

    def batch(self, rows: Any, views: Any, rendering: str | None = None, out: Any = None) -> Any:
        """As `Store.batch`; what was announced is handed over, once."""
        coming = self._coming.pop(_key(rows, views, rendering), None) if out is None else None
        if coming is not None:
            return coming.result()
        return self._store.batch(rows, views, rendering, out)

    def close(self) -> None:
        """Ends the reader; nothing is asked for any more."""
        self._reader.shutdown(wait=True, cancel_futures=True)


def _key(rows: Any, views: Any, rendering: str | None) -> tuple[bytes, bytes, str | None]:
    return np.asarray(rows, np.int64).tobytes(), np.asarray(views, np.int64).tobytes(), rendering


class Behind:
    """Work on finished shards, in order, in a thread of its own; at most one waits.

    Args:
        work: What is done with each; called with what was given to `submit`.
        then: What may be tried after that and is done properly later anyway; its errors are
            dropped. None for nothing.

    Raises:
        Exception: What `work` raises, from the next `submit` or from leaving the block.
    """

    def __init__(self, work: Callable[..., None], then: Callable[..., None] | None = None) -> None:
        self._work, self._then = work, then
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="shards")
        self._later = ThreadPoolExecutor(1, thread_name_prefix="scores")
        self._last: Future[None] | None = None

    def __enter__(self) -> Behind:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del error, trace
        try:
            if kind is None:
                self.wait()
        finally:
            # What was begun is finished even if the run ends here: a shard is whole or absent.
            self._worker.shutdown(wait=True)
            self._later.shutdown(wait=True, cancel_futures=kind is not None)

    def submit(self, *arguments: Any) -> None:
        """Hand over a shard, once the one before is done."""
        self.wait()
        self._last = self._worker.submit(self._both, *arguments)

    def wait(self) -> None:
        """Until what was handed over is done."""
        if self._last is not None:
            last, self._last = self._last, None
            last.result()

    def _both(self, *arguments: Any) -> None:
        self._work(*arguments)
        if self._then is not None:
            self._later.submit(self._try, *arguments)

    def _try(self, *arguments: Any) -> None:
        assert self._then is not None
        with contextlib.suppress(BenchError, OSError, MemoryError):
            self._then(*arguments)
