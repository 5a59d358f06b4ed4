"""Work spread over processes comes back in order, lazily, and with its errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import pytest

from benchbench.core.errors import BenchError
from benchbench.datasets.workers import spread


def double(number: int) -> tuple[int, int]:
    if number == 13:
        raise ValueError("unlucky")
    return 2 * number, os.getpid()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_in_order(workers: int) -> None:
    found = list(spread(double, range(12), workers))
    assert [value for value, _ in found] == [2 * n for n in range(12)]
    where = {process for _, process in found}
    if workers == 1:
        assert where == {os.getpid()}
    else:
        assert os.getpid() not in where and 1 <= len(where) <= workers


def test_items_are_drawn_as_results_are_taken() -> None:
    drawn = []

    def items() -> Iterator[int]:
        for n in range(1000):
            drawn.append(n)
            yield n

    results = spread(double, items(), 2)
    for _ in range(3):
        next(results)
    assert len(drawn) <= 3 + 4 * 2
    results.close()


def test_an_error_reaches_the_caller() -> None:
    results = spread(partial(double), range(10, 20), 2)
    assert [next(results)[0] for _ in range(3)] == [20, 22, 24]
    with pytest.raises(ValueError, match="unlucky"):
        next(results)


def test_a_killed_worker_is_an_error() -> None:
    with pytest.raises(BenchError, match="a worker process was killed"):
        list(spread(os._exit, [3], 2))
