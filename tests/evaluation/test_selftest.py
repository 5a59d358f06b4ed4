"""The self-test: every protocol is in it, with every shape, and none lets a wrong number pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from benchbench.evaluation import selftest_case
from benchbench.evaluation.selftest import run_selftest
from benchbench.evaluation.selftest_case import Case
from benchbench.evaluation.selftest_shapes import shape_cases
from benchbench.protocols.families import PROTOCOLS
from benchbench.protocols.registry import get_protocol, load_scorer
from benchbench.protocols.specs import ProtocolSpec

NAMES = [spec.id for spec in PROTOCOLS if spec.accepts]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return run_selftest()


def test_all_pass(cases: list[Case]) -> None:
    assert [case for case in cases if not case.passed] == []
    names = [(case.protocol, case.metric, case.name) for case in cases]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", NAMES)
def test_every_protocol_meets_every_shape(cases: list[Case], name: str) -> None:
    own = [case for case in cases if case.protocol == name]
    for what in ("the truth itself", "moved by", "half the size"):
        assert [c for c in own if what in c.name and c.metric != "penalties"], what
    spec = get_protocol(name)
    empty = [case.name for case in own if case.metric == "penalties"]
    expected = ["nothing is 'missing'"]
    expected += ["a mesh without faces is 'empty'"] * ("mesh" in spec.accepts)
    expected += ["a cloud without points is 'empty'"] * ("points" in spec.accepts)
    without = [c for c in own if c.name.startswith("a grid without an occupied cell")]
    assert bool(without) == ("voxels" in spec.accepts)
    assert set(expected) <= set(empty)
    assert all(case.expected == len(spec.metrics) for case in own if case.metric == "penalties")
    known = {metric.name for metric in spec.metrics}
    assert {case.metric for case in own} <= {*known, "penalties"}


@pytest.mark.parametrize("change", [lambda v: 1.08 * v + 0.003, lambda v: 0.0, lambda v: 1.0])
def test_a_scorer_that_is_off_is_found(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[float], float]
) -> None:
    """A number 8 % larger, always 0, always 1: at least one case of every protocol fails."""

    def off(spec: ProtocolSpec) -> Callable[..., dict[str, float]]:
        scorer = load_scorer(spec)

        def score(*args: Any) -> dict[str, float]:
            return {metric: change(value) for metric, value in scorer(*args).items()}

        return score

    monkeypatch.setattr(selftest_case, "load_scorer", off)
    failed = {case.protocol for case in shape_cases() if not case.passed}
    assert sorted(failed) == sorted(NAMES)


def test_a_wrong_penalty_and_a_wrong_status_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(name: str) -> ProtocolSpec:
        spec = get_protocol(name)
        last = spec.metrics[-1]
        return replace(spec, metrics=(*spec.metrics[:-1], replace(last, penalty=last.penalty + 1)))

    def penalties() -> list[Case]:
        return [case for case in shape_cases() if case.metric == "penalties"]

    with monkeypatch.context() as patched:
        patched.setattr(selftest_case, "get_protocol", other)
        found = penalties()
    assert {case.protocol for case in found} == set(NAMES)
    assert all(case.found == case.expected - 1 and not case.passed for case in found)
    real = selftest_case.score_item
    monkeypatch.setattr(
        selftest_case, "score_item", lambda *args: [replace(s, status="ok") for s in real(*args)]
    )
    assert all(case.found == 0 and not case.passed for case in penalties())
