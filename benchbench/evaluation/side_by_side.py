"""Calls that run side by side and are heard in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

from benchbench.cuda_ops import library

T = TypeVar("T")
_MOST = 8  # calls at once: each holds its own samples, up to some 100 MB


def side_by_side(calls: Iterable[Callable[[], T]]) -> Iterator[T]:
    """What calls return, in their order, while the next ones run in threads.

    The threads that a kernel may use now, `library.threads()`, are shared out: up to 8 calls at
    once, with an eighth of the threads each where there are more. Calls are taken from the iterable
    as threads become free, in the caller's own thread. With one thread everything happens there,
    one call after another.

    Args:
        calls: Independent of each other.

    Raises:
        Exception: What a call or the iterable raises, in its turn; calls that have not begun are
            dropped. Whoever interrupts does not wait for those that have.

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
    share = threads // at_once
    pool = ThreadPoolExecutor(at_once, "side by side", torch.set_num_threads, (share,))
    patient = False
    try:
        yield from _in_order(pool, at_once, iter(calls))
        patient = True
    except Exception:
        patient = True
        raise
    finally:
        pool.shutdown(wait=patient, cancel_futures=True)
        torch.set_num_threads(threads)  # the pool's share is the default of new threads as well


def _in_order(
    pool: ThreadPoolExecutor, at_once: int, calls: Iterator[Callable[[], T]]
) -> Iterator[T]:
    begun: deque[Future[T]] = deque()
    failure: Exception | None = None
    while failure is None:
        try:
            call = next(calls, None)
        except Exception as error:  # noqa: BLE001 - told after what was begun before
            failure = error
            continue
        if call is None:
            break
        begun.append(pool.submit(call))
        if len(begun) > at_once:  # one waits, so that none is idle
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()
    if failure is not None:
        raise failure
