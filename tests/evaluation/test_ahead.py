"""Reading ahead and working behind change nothing but the time."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchbench.core.errors import InputError
from benchbench.evaluation import run as module
from benchbench.evaluation.ahead import Behind, ReadAhead
from benchbench.evaluation.run import run


class Pictures:
    """Counts what is read, and in which thread."""

    name = "pictures"

    def __init__(self) -> None:
        self.calls: list[tuple[list[tuple[int, int]], str | None, bool]] = []

    def batch(self, rows: Any, views: Any, rendering: Any = None, out: Any = None) -> np.ndarray:
        pairs = list(zip(np.asarray(rows).tolist(), np.asarray(views).tolist(), strict=True))
        here = threading.current_thread() is threading.main_thread()
        self.calls.append((pairs, rendering, here))
        if pairs[0][0] == 66:
            raise InputError("picture 66 is damaged")
        found = np.array([[100 * row + view] for row, view in pairs])
        if out is None:
            return found
        out[...] = found
        return out


def test_what_was_announced_is_handed_over_once() -> None:
    pictures = Pictures()
    ahead = ReadAhead(pictures, "kato")
    ahead.announce([(1, 2), (3, 4)])
    ahead.announce([(1, 2), (3, 4)])  # known already
    ahead.announce([(5, 6)])
    assert ahead.batch([1, 3], [2, 4], "kato").tolist() == [[102], [304]]
    assert ahead.batch(np.array([5]), np.array([6]), "kato").tolist() == [[506]]
    assert pictures.calls == [([(1, 2), (3, 4)], "kato", False), ([(5, 6)], "kato", False)]
    assert ahead.batch([5], [6], "kato").tolist() == [[506]]  # read anew, here
    assert pictures.calls[-1] == ([(5, 6)], "kato", True)
    ahead.close()


def test_whatever_else_is_asked_for_is_read_here() -> None:
    pictures = Pictures()
    ahead = ReadAhead(pictures, "kato")
    ahead.announce([(1, 2)])
    for rows, views, rendering in (([2], [1], "kato"), ([1], [2], "choy"), ([1], [2], None)):
        found = ahead.batch(rows, views, rendering)
        assert found.tolist() == [[100 * rows[0] + views[0]]]
        assert pictures.calls[-1][2]
    out = np.zeros((1, 1), int)
    assert ahead.batch([1], [2], "kato", out) is out and out.tolist() == [[102]]
    assert ahead.name == "pictures"
    for number in range(10):  # a method that never takes them: two are kept
        ahead.announce([(number, 0)])
    assert len(ahead._coming) == 2
    ahead.close()


def test_nothing_to_read_ahead() -> None:
    pictures = Pictures()
    for rendering, block in ((None, [(1, 2)]), ("kato", []), ("kato", [(1, -1)])):
        ahead = ReadAhead(pictures, rendering)
        ahead.announce(block)
        ahead.close()
    assert pictures.calls == []


def test_damage_is_told_where_it_is_asked_for() -> None:
    ahead = ReadAhead(Pictures(), "kato")
    ahead.announce([(66, 0)])
    ahead.announce([(1, 0)])
    with pytest.raises(InputError, match="picture 66 is damaged"):
        ahead.batch([66], [0], "kato")
    assert ahead.batch([1], [0], "kato").tolist() == [[100]]
    ahead.close()


def test_work_is_done_in_order_and_finished() -> None:
    done: list[Any] = []
    with Behind(lambda k: done.append(k), lambda k: done.append(-k)) as behind:
        for k in range(1, 6):
            behind.submit(k)
    assert [k for k in done if k > 0] == [1, 2, 3, 4, 5]
    assert [k for k in done if k < 0] == [-1, -2, -3, -4, -5]
    assert all(done.index(-k) > done.index(k) for k in range(1, 6))


def test_work_that_fails_ends_the_run() -> None:
    done: list[int] = []

    def work(k: int) -> None:
        if k == 2:
            raise OSError("disk full")
        done.append(k)

    with pytest.raises(OSError, match="disk full"), Behind(work) as behind:
        for k in range(1, 5):
            behind.submit(k)
    assert done == [1]
    with pytest.raises(OSError, match="disk full"), Behind(work) as behind:
        behind.submit(2)  # told on leaving


def test_work_that_was_begun_is_finished_whatever_happens() -> None:
    begun, go, done = threading.Event(), threading.Event(), []

    def work(k: int) -> None:
        begun.set()
        go.wait(10)
        done.append(k)

    with pytest.raises(KeyboardInterrupt), Behind(work) as behind:
        behind.submit(1)
        begun.wait(10)
        threading.Timer(0.1, go.set).start()
        raise KeyboardInterrupt
    assert done == [1]


def test_what_may_fail_may_fail() -> None:
    done: list[int] = []

    def fails(k: int) -> None:
        raise InputError("no truth")

    with Behind(lambda k: done.append(k), fails) as behind:
        behind.submit(1)
        behind.submit(2)
    assert done == [1, 2]


def test_scores_made_behind_are_those_made_after(
    stubs: ModuleType,
    tiny_root: Path,
    tmp_path: Path,
    small_shards: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stubs.STUBS["stub"] = stubs.Stub()
    protocols = ("bench-iou-v1", "bench-surface-v1")
    after, behind = tmp_path / "after", tmp_path / "behind"
    run(stubs.request(tiny_root, after, protocols=protocols), quiet=True)
    real = module._scores_behind
    counted: list[int] = []

    def forced(plan: Any, jobs: Any) -> Any:
        then = real(dataclasses.replace(plan, device="cuda:0"), jobs)
        return lambda k, items: (then(k, items), counted.append(k))

    monkeypatch.setattr(module, "_scores_behind", forced)
    run(stubs.request(tiny_root, behind, protocols=protocols), quiet=True)
    assert len(counted) > 1
    assert stubs.contents(next(after.glob("*/stub-*"))) == stubs.contents(
        next(behind.glob("*/stub-*"))
    )


def test_on_the_cpu_nothing_is_scored_beside() -> None:
    class Plan:
        device = "cpu"

    assert module._scores_behind(Plan(), [1]) is None  # type: ignore[arg-type, list-item]
