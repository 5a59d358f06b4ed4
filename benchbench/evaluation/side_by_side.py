"""Calls that run side by side and are heard in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from benchbench.cuda_ops import library

T = TypeVar("T")
_MOST = 8  # calls at once: each holds its own samples, up to some 100 MB


def side_by_side(calls: Iterable[Callable[[], T]]) -> Iterator[T]:
    """What calls return, in their order, while the next ones run in threads.

    The threads that a kernel may use now, `library.threads()`, are shared out: as many calls at
    once, and a kernel takes one thread. Calls are taken from the iterable as threads become free,
    in the caller's own thread. With one thread everything happens there, one after another.

    Args:
        calls: Independent of each other.

    Raises:
        Exception: What a call raises, in its turn; calls that have not begun are dropped.

    Example:
        >>> list(side_by_side(lambda n=n: n * n for n in range(4)))
        [0, 1, 4, 9]
    """
    threads = library.threads()
    at_once = min(threads, _MOST)
    if at_once == 1:
        for call in calls:
            yield call()
        return
    library.available("cpu")  # found, or built, once and before anybody needs it
    begun: deque[Future[T]] = deque()
    with ThreadPoolExecutor(at_once, thread_name_prefix="side by side") as pool:
        try:
            for call in calls:
                begun.append(pool.submit(_limited, call, threads // at_once))
                if len(begun) > at_once:  # one waits, so that none is idle
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


def _limited(call: Callable[[], T], threads: int) -> T:
    with library.at_most(threads):
        return call()
