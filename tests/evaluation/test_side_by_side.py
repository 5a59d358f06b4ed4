"""Calls side by side: in order, few ahead, one thread each, errors in their turn."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import torch

from benchbench.cuda_ops import library
from benchbench.evaluation.side_by_side import side_by_side
from benchbench.protocols.truth import Memory


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_later_calls_run_while_the_first_waits(threads: Callable[[int], None]) -> None:
    """The first call ends only when the second has begun, and still is heard first."""
    threads(2)
    second = threading.Event()

    def first() -> str:
        assert second.wait(60)
        return "first"

    def other() -> str:
        second.set()
        return "second"

    assert list(side_by_side([first, other])) == ["first", "second"]


def test_shares_the_threads_out(threads: Callable[[int], None]) -> None:
    for count, expected in ((2, 1), (5, 1), (8, 1), (24, 3)):
        threads(count)
        assert list(side_by_side([library.threads] * 3)) == [expected] * 3
        assert library.threads() == count


def test_one_thread_stays_where_it_is(threads: Callable[[int], None]) -> None:
    threads(1)
    assert list(side_by_side([threading.get_ident] * 2)) == [threading.get_ident()] * 2


def test_takes_few_calls_ahead(threads: Callable[[int], None]) -> None:
    threads(2)
    taken = 0

    def calls() -> Iterator[Callable[[], int]]:
        nonlocal taken
        for n in range(100):
            taken += 1
            yield lambda n=n: n  # type: ignore[misc]

    for heard in side_by_side(calls()):
        assert taken <= heard + 4


def test_an_error_comes_in_its_turn_and_ends_it(threads: Callable[[int], None]) -> None:
    threads(2)
    begun = []

    def call(n: int) -> int:
        begun.append(n)
        if n == 2:
            raise ValueError("the third")
        return n

    heard = []
    with pytest.raises(ValueError, match="the third"):
        for n in side_by_side(lambda n=n: call(n) for n in range(50)):  # type: ignore[misc]
            heard.append(n)
    assert heard == [0, 1]
    assert max(begun) < 6


def test_an_error_of_the_iterable_comes_after_what_was_begun(
    threads: Callable[[int], None],
) -> None:
    for count in (1, 2, 4):
        threads(count)

        def calls() -> Iterator[Callable[[], int]]:
            yield lambda: 0
            yield lambda: 1
            raise OSError("the third cannot be read")

        heard = []
        with pytest.raises(OSError, match="the third"):
            for n in side_by_side(calls()):
                heard.append(n)
        assert heard == [0, 1]


def test_who_interrupts_does_not_wait(threads: Callable[[int], None]) -> None:
    """The second call goes on for as long as the test wants, and is left alone."""
    threads(2)
    enough = threading.Event()

    def calls() -> Iterator[Callable[[], bool]]:
        yield lambda: True
        yield lambda: enough.wait(60)
        yield lambda: enough.wait(60)
        raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            list(side_by_side(calls()))
        assert not enough.is_set() and torch.get_num_threads() == 2
    finally:
        enough.set()


def test_no_calls() -> None:
    assert list(side_by_side([])) == []


def test_what_two_threads_ask_for_is_made_once() -> None:
    memory, made = Memory(), []
    ready = threading.Barrier(2)

    def make() -> int:
        made.append(threading.get_ident())
        return memory.remember("part", lambda: 7) + 1

    def ask(found: list[int]) -> None:
        ready.wait(60)
        found.append(memory.remember("whole", make))

    found: list[int] = []
    others = [threading.Thread(target=ask, args=(found,)) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join(60)
    assert found == [8, 8] and len(made) == 1
