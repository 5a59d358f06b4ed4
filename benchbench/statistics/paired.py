"""Two methods on the same objects: the difference, and how often one is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Shares:
    """Numbers of objects on which the first method is better, as good, worse."""

    better: int
    equal: int
    worse: int

    @property
    def share_better(self) -> float:
        """Share of all objects on which the first is better."""
        return self.better / (self.better + self.equal + self.worse)


def differences(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """First minus second, by object.

    Example:
        >>> differences({"1/a": 0.75}, {"1/a": 0.5})
        {'1/a': 0.25}
    """
    return {i: first[i] - second[i] for i in first}


def shares(
    first: Mapping[str, float], second: Mapping[str, float], higher_is_better: bool
) -> Shares:
    """Counts objects by which method is better.

    Example:
        >>> shares({"1/a": 0.9, "1/b": 0.5}, {"1/a": 0.8, "1/b": 0.5}, higher_is_better=True)
        Shares(better=1, equal=1, worse=0)
    """
    above = sum(first[i] > second[i] for i in first)
    equal = sum(first[i] == second[i] for i in first)
    below = len(first) - above - equal
    return Shares(above, equal, below) if higher_is_better else Shares(below, equal, above)
