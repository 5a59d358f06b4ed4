"""Spreading the work of a conversion over all usable cores, in order and within bounded memory."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from benchbench.core.errors import BenchError

Item = TypeVar("Item")
Result = TypeVar("Result")
AHEAD = 4  # items in hand per worker
MOST_CORES = 16


def usable_cores() -> int:
    """Cores this process may use, at most `MOST_CORES`."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        count = os.cpu_count() or 1
    return min(MOST_CORES, count)


def spread(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """Results of a function over items, in their order; the items are drawn a little ahead.

    Args:
        function: A module's function or a `functools.partial` of one (it is sent to processes).
        items: Anything that can be pickled; read in this process, as the results are taken.
        workers: Processes; None for one per usable core. With one, everything runs here.

    Raises:
        BenchError: A worker was killed; what a function raises comes through as it is.

    Example:
        >>> list(spread(abs, [-1, 2, -3], workers=1))
        [1, 2, 3]
    """
    workers = workers or usable_cores()
    if workers == 1:
        yield from map(function, items)
        return
    # A fork shares the loaded libraries; its kernels use one thread (see cuda_ops.library).
    method = "fork" if sys.platform == "linux" else "spawn"
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context(method), begin_worker)
    try:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise BenchError(
            "a worker process was killed (out of memory?)",
            hint="the same command goes on where it stopped",
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def begin_worker() -> None:
    """A worker leaves signals to its parent, uses one core and never outlives the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
