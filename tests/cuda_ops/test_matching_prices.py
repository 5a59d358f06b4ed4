"""`matching_prices` against scipy by duality: prices that add up to a matching's cost prove it.

No matching costs less than all prices together, whatever they are, as long as no cost is less than
the prices of its row and column. Rows are given what the columns leave them, so that holds here by
construction, and a sum that reaches scipy's cost shows that the prices are right. Costs that are
all the same, nothing or next to nothing have nothing to show but that the search ends.
"""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from benchbench.core.errors import ShapeError
from benchbench.cuda_ops import library
from benchbench.cuda_ops.library import KernelError
from benchbench.cuda_ops.matching_prices import matching_prices


def costs(kind: str, n: int) -> np.ndarray:
    """(n, n) float64 in [0, 1]."""
    rng = np.random.default_rng(n)
    if kind == "any":
        return rng.random((n, n))
    if kind == "the same":
        return np.full((n, n), 0.3)
    if kind == "nothing":
        return np.zeros((n, n))
    if kind == "products":  # the worst case of augmenting paths
        return np.outer(np.arange(n), np.arange(n)) / max(n, 1) ** 2
    if kind == "denormal":
        return rng.random((n, n)) * 1e-40
    a, b = rng.standard_normal((2, n, 3))
    if kind == "lattice":  # many matchings cost the same
        a, b = np.rint(2 * a), np.rint(2 * b)
    if kind == "first points unlike the rest":  # the part that is solved before misleads
        a[: n // 4] += 5
        b[: n // 4] -= 5
    found: np.ndarray = cdist(a, b)
    return found / found.max(initial=1e-9)


@pytest.mark.parametrize(
    "kind",
    [
        "any", "lattice", "the same", "nothing", "products", "denormal", "points",
        "first points unlike the rest",
    ],
)  # fmt: skip
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 64, 255, 256, 257, 700])
def test_prices_add_up_to_the_cheapest_matching(kind: str, n: int) -> None:
    all_costs = costs(kind, n).astype(np.float32)
    prices = matching_prices(torch.from_numpy(all_costs)).numpy().astype(np.float64)
    assert prices.shape == (n,)
    rows = (all_costs - prices).min(1)
    cheapest = all_costs[linear_sum_assignment(all_costs)].sum(dtype=np.float64)
    assert rows.sum() + prices.sum() == pytest.approx(cheapest, abs=2e-6 * n)


@pytest.mark.parametrize("kind", ["any", "lattice", "products", "points"])
def test_no_prices_do_not_add_up(kind: str) -> None:
    """The measure above tells prices that are right from those that are not."""
    all_costs = costs(kind, 256).astype(np.float32)
    cheapest = all_costs[linear_sum_assignment(all_costs)].sum(dtype=np.float64)
    assert all_costs.min(1).sum(dtype=np.float64) < cheapest - 1e-4 * 256


def test_two_by_two() -> None:
    """Row 0 gives up 0.25, row 1 0.75, for the other column; so the first is worth 0.25 more."""
    assert matching_prices(torch.tensor([[0.25, 0.5], [0.25, 1.0]])).tolist() == [-0.25, 0.0]


def test_nothing_to_match() -> None:
    assert matching_prices(torch.empty(0, 0)).shape == (0,)


def test_turned_round_in_memory() -> None:
    all_costs = torch.rand(40, 40)
    assert torch.equal(matching_prices(all_costs.T), matching_prices(all_costs.T.contiguous()))


@pytest.mark.parametrize(
    "wrong",
    [
        torch.rand(3, 4), torch.rand(3), torch.rand(3, 3, dtype=torch.float64),
        torch.full((2, 2), 1.5), torch.full((2, 2), -0.1), torch.full((2, 2), torch.nan),
        torch.full((2, 2), torch.inf),
    ],
    ids=["not square", "one axis", "float64", "over 1", "below 0", "NaN", "infinite"],
)  # fmt: skip
def test_refuses(wrong: torch.Tensor) -> None:
    with pytest.raises(ShapeError, match="matching_prices: costs"):
        matching_prices(wrong)


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(kind: str) -> None:
        raise KernelError("no compiled cpu kernels")

    library._function.cache_clear()
    monkeypatch.setattr(library, "_load", absent)
    with pytest.raises(KernelError, match="no compiled cpu kernels"):
        matching_prices(torch.rand(3, 3))


def test_every_level_gives_the_same_bits(libraries: dict[str, ctypes.CDLL]) -> None:
    for n in (17, 300, 700):
        all_costs = costs("points", n).astype(np.float32)
        expected = matching_prices(torch.from_numpy(all_costs)).numpy()
        for kernels in libraries.values():
            prices = np.empty(n, np.float32)
            code = kernels.bench_matching_prices(
                ctypes.c_void_p(all_costs.ctypes.data), ctypes.c_int64(n),
                ctypes.c_void_p(prices.ctypes.data), ctypes.c_int(1),
            )  # fmt: skip
            assert code == 0 and (prices == expected).all()
