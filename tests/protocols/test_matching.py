"""Exact matchings with a head start: against scipy without it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from benchbench.cuda_ops import library
from benchbench.protocols.matching import matching_mean


def clouds(kind: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((2, 700, 3))
    if kind == "on spheres":
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    if kind == "far apart":
        b += 100
    if kind == "one point":
        b[:] = b[0]
    if kind == "on a lattice":  # many matchings cost the same
        a, b = np.rint(2 * a), np.rint(2 * b)
    if kind == "the same, turned round":
        b = a[::-1].copy()
    if kind == "first points unlike the rest":
        a[:256] += 5
        b[:256] -= 5
    return a, b


@pytest.mark.parametrize(
    "kind",
    [
        "gaussian", "on spheres", "far apart", "one point", "on a lattice",
        "the same, turned round", "first points unlike the rest",
    ],
)  # fmt: skip
def test_head_start_changes_nothing(kind: str) -> None:
    costs = cdist(*clouds(kind))
    rows, columns = linear_sum_assignment(costs)
    assert matching_mean(costs) == pytest.approx(costs[rows, columns].mean(), rel=1e-12, abs=1e-12)


def test_huge_and_tiny_costs() -> None:
    costs = cdist(*clouds("gaussian"))
    rows, columns = linear_sum_assignment(costs)
    for scale in (1e-200, 1e200):
        found = matching_mean(costs * scale)
        assert found == pytest.approx(scale * costs[rows, columns].mean(), rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 127, 128, 129])
def test_few_points(n: int) -> None:
    costs = cdist(*clouds("gaussian"))[:n, :n]
    rows, columns = linear_sum_assignment(costs)
    assert matching_mean(costs) == pytest.approx(costs[rows, columns].mean(), rel=1e-12)


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = cdist(*clouds("gaussian"))
    expected = matching_mean(costs)
    monkeypatch.setattr(library, "available", lambda device: False)
    monkeypatch.setattr(library, "call", None)
    assert matching_mean(costs) == pytest.approx(expected, rel=1e-12)
