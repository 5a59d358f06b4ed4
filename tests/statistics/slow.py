"""The same answers by plain loops: slow, obviously right, nothing shared with the package."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

Scores = Mapping[str, float]


def grouped(scores: Scores, units: Mapping[str, str]) -> dict[str, dict[str, list[float]]]:
    """{class: {unit: values}}."""
    found: dict[str, dict[str, list[float]]] = {}
    for object_id, value in scores.items():
        unit = units.get(object_id, object_id)
        found.setdefault(object_id.split("/")[0], {}).setdefault(unit, []).append(value)
    return found


def class_mean(members: Mapping[str, Sequence[float]]) -> float:
    values = [v for unit in members.values() for v in unit]
    return sum(values) / len(values)


def mean_over_classes(scores: Scores) -> float:
    classes = grouped(scores, {})
    return sum(class_mean(members) for members in classes.values()) / len(classes)


def variance_of_mean(members: Mapping[str, Sequence[float]]) -> float:
    """Of a class mean, units drawn: U / (U - 1) sum (sum of unit - mean * size)^2 / N^2."""
    mean, objects, units = class_mean(members), sum(map(len, members.values())), len(members)
    total = 0.0
    for unit in members.values():
        total += (sum(unit) - mean * len(unit)) ** 2
    return units / (units - 1) * total / objects**2


def bootstrap_t(
    scores: Scores, units: Mapping[str, str], times: Mapping[str, Any], level: float = 0.95
) -> tuple[float, float]:
    """Of the mean over classes; `times` says how often each unit, by name, was drawn."""
    classes = grouped(scores, units)

    def macro(some: Mapping[str, Mapping[str, Sequence[float]]]) -> tuple[float, float]:
        mean = sum(class_mean(m) for m in some.values()) / len(some)
        return mean, math.sqrt(sum(variance_of_mean(m) for m in some.values())) / len(some)

    mean, error = macro(classes)
    ratios = []
    for b in range(len(next(iter(times.values())))):
        again: dict[str, dict[str, list[float]]] = {}
        for name, members in classes.items():
            again[name] = {}
            for column, unit in enumerate(sorted(members)):
                for copy in range(int(times[name][b][column])):
                    again[name][f"{unit} {copy}"] = members[unit]
        m, e = macro(again)
        if e > 1e-9:
            ratios.append((m - mean) / e)
    ratios.sort()

    def quantile(share: float) -> float:  # the (B + 1) share-th smallest
        place = share * (len(ratios) + 1) - 1
        low = min(max(math.floor(place), 0), len(ratios) - 1)
        high = min(low + 1, len(ratios) - 1)
        return ratios[low] + (ratios[high] - ratios[low]) * min(max(place - low, 0), 1)

    tail = (1 - level) / 2
    return mean - quantile(1 - tail) * error, mean - quantile(tail) * error


def sign_flip(scores: Scores) -> float:
    """Exact p-value of the mean over classes of differences, every object a unit."""
    names = list(scores)
    observed = abs(mean_over_classes(scores))
    reached = 0
    for signs in itertools.product((1, -1), repeat=len(names)):
        flipped = {name: s * scores[name] for name, s in zip(names, signs, strict=True)}
        reached += abs(mean_over_classes(flipped)) >= observed - 1e-12
    return reached / 2 ** len(names)


def kendall(first: Sequence[float], second: Sequence[float]) -> float:
    agree = ones = twos = 0
    for i, j in itertools.combinations(range(len(first)), 2):
        one = (first[i] > first[j]) - (first[i] < first[j])
        two = (second[i] > second[j]) - (second[i] < second[j])
        agree, ones, twos = agree + one * two, ones + one * one, twos + two * two
    return agree / math.sqrt(ones * twos) if ones and twos else 0.0
