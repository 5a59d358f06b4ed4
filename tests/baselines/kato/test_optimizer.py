"""Adam that leaves elements without gradient alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchbench.baselines.kato.optimizer import SkippingAdam


@pytest.mark.parametrize(("case", "factor"), [("default", 1.0), ("lr01", 0.1), ("lr0", 0.0)])
def test_equals_the_original(case: str, factor: float, small_data: dict[str, np.ndarray]) -> None:
    d = small_data
    parameter = torch.tensor(d[f"adam/{case}/params"][0])
    adam = SkippingAdam({"p": parameter}, {"p": factor})
    for t, gradient in enumerate(d["adam/grads"]):
        parameter.grad = torch.tensor(gradient)
        adam.step(t + 1, 1e-4)
        np.testing.assert_allclose(parameter, d[f"adam/{case}/params"][t + 1], rtol=0, atol=1e-7)
        np.testing.assert_allclose(adam.first["p"], d[f"adam/{case}/m"][t], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(adam.second["p"], d[f"adam/{case}/v"][t], rtol=1e-6, atol=1e-8)


def test_slow_twin_with_gaps() -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=20)
    parameter = torch.tensor(start)
    adam = SkippingAdam({"p": parameter})
    p, m, v = start.copy(), np.zeros(20), np.zeros(20)
    for t in range(1, 30):
        g = rng.normal(size=20) * (rng.random(20) < 0.4)
        parameter.grad = torch.tensor(g)
        adam.step(t, 0.01)
        for k in np.flatnonzero(g):
            m[k] += 0.1 * (g[k] - m[k])
            v[k] += 0.001 * (g[k] ** 2 - v[k])
            rate = 0.01 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            p[k] -= rate * m[k] / (math.sqrt(v[k]) + 1e-8)
    np.testing.assert_allclose(parameter.numpy(), p, rtol=1e-9)


def test_state_round_trip() -> None:
    parameter = torch.ones(3)
    adam = SkippingAdam({"p": parameter})
    parameter.grad = torch.tensor([1.0, 0.0, -2.0])
    adam.step(1, 0.1)
    state = {name: value.clone() for name, value in adam.state().items()}
    assert set(state) == {"adam/m/p", "adam/v/p"}
    other = SkippingAdam({"p": parameter.clone()})
    other.load(state)
    assert torch.equal(other.first["p"], adam.first["p"])
    assert torch.equal(other.second["p"], adam.second["p"])


def test_without_gradient_nothing_moves() -> None:
    parameter = torch.ones(3)
    adam = SkippingAdam({"p": parameter})
    adam.step(1, 0.1)
    assert torch.equal(parameter, torch.ones(3))
