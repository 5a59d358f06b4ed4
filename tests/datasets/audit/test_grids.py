"""Grids whose counts are known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchbench.datasets.audit.grids import grid_facts


def flood(grid: np.ndarray) -> int:
    """Slow twin of `sealed`: empty cells that a walk from the outside never reaches."""
    empty = ~np.pad(grid, 1)
    seen = np.zeros_like(empty)
    todo = [(0, 0, 0)]
    while todo:
        cell = todo.pop()
        if min(cell) < 0 or max(cell) >= len(empty) or seen[cell] or not empty[cell]:
            continue
        seen[cell] = True
        for axis in range(3):
            for step in (-1, 1):
                todo.append(tuple(c + step * (a == axis) for a, c in enumerate(cell)))
    return int((empty & ~seen).sum())


def test_empty_full_and_shell() -> None:
    empty = grid_facts(np.zeros((4, 4, 4), bool))
    assert (empty.empty, empty.full, empty.fills_shell, empty.sealed) == (True, False, False, 0)
    full = grid_facts(np.ones((4, 4, 4), bool))
    assert (full.empty, full.full, full.fills_shell, full.cavities) == (False, True, True, 0)
    # 4^3 cells have 64 - 8 = 56 in the outer layer; two sides of 16 are 32 of them.
    sides = np.zeros((4, 4, 4), bool)
    sides[[0, 3]] = True
    assert grid_facts(sides).shell == 32 / 56
    assert grid_facts(sides).fills_shell
    sides[0, 0] = False  # 28 of 56 are half, not more
    assert grid_facts(sides).shell == 0.5
    assert not grid_facts(sides).fills_shell


def test_cavities_by_hand() -> None:
    block = np.zeros((9, 9, 9), bool)
    block[1:8, 1:8, 1:8] = True
    block[2, 2, 2] = False
    block[4:6, 4, 4] = False
    facts = grid_facts(block)
    assert (facts.cavities, facts.sealed, facts.occupied) == (2, 3, 343 - 3)
    block[3, 3, 3] = False  # touches the first one at a corner only: a cavity of its own
    assert grid_facts(block).cavities == 3
    block[4, 4, 5:] = False  # a way out of the second
    assert (grid_facts(block).cavities, grid_facts(block).sealed) == (2, 2)


@pytest.mark.parametrize("density", [0.3, 0.6, 0.8])
def test_sealed_equals_its_slow_twin(density: float) -> None:
    grid = np.random.default_rng(0).random((7, 7, 7)) < density
    assert grid_facts(grid).sealed == flood(grid)
