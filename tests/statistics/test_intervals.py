"""Intervals: equal to loops over the same resamples, and cover the truth as often as they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from benchbench.core.keyed import keyed_rng
from benchbench.statistics.intervals import as_intervals, settled, studentised
from benchbench.statistics.medians import median, median_interval
from benchbench.statistics.resampling import draw, resample
from benchbench.statistics.sample import Sample, Stratum


def test_resamples_as_loops(ragged: dict[str, float], ragged_units: dict[str, str]) -> None:
    sample = Sample.of([ragged, {i: v**2 for i, v in ragged.items()}], ragged_units)
    found = resample(sample, 50, seed=3)
    for c, stratum in enumerate(sample.strata):
        times = draw(stratum, 50, seed=3)
        assert (times.sum(1) == stratum.units).all() and times.min() >= 0
        for b in (0, 17, 49):
            rows = [u for u in range(stratum.units) for _ in range(int(times[b, u]))]
            again = Stratum("x", stratum.sums[:, rows], stratum.counts[rows])
            np.testing.assert_allclose(found.means[c, b], again.means(), rtol=1e-12)
            np.testing.assert_allclose(
                found.variances[c, b], again.variances(), rtol=1e-9, atol=1e-15
            )


def test_bootstrap_t_as_loops(
    slow: ModuleType, ragged: dict[str, float], ragged_units: dict[str, str]
) -> None:
    sample = Sample.of([ragged], ragged_units)
    times = {s.name: draw(s, 399, seed=1) for s in sample.strata}
    low, high = studentised(sample, resample(sample, 399, seed=1), sample.per_class_weights())
    expected = slow.bootstrap_t(ragged, ragged_units, times)
    assert (low[0], high[0]) == pytest.approx(expected, rel=1e-9)


def test_few_degrees_of_freedom_give_students_interval() -> None:
    scores = {"1/a": 0.2, "1/b": 0.5, "1/c": 0.8, "1/d": 0.9}
    sample = Sample.of([scores])
    low, high = studentised(sample, resample(sample), sample.per_class_weights())
    values = list(scores.values())
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (low[0], high[0]) == pytest.approx(expected, rel=1e-12)


def test_equal_scores_and_single_objects() -> None:
    """All equal (also 0.1 added up, which rounds): both ends are the value. One object: none."""
    equal = {f"1/{n}": 0.1 for n in range(30)}
    lone = {**equal, "2/a": 0.7}
    sample = Sample.of([equal])
    ends = studentised(sample, resample(sample), sample.per_class_weights())
    assert as_intervals(*ends) == [(0.1, 0.1)]
    sample = Sample.of([lone])
    found = resample(sample)
    assert as_intervals(*studentised(sample, found, sample.per_class_weights())) == [None]
    assert as_intervals(*studentised(sample, found, sample.per_object_weights())) == [None]
    assert as_intervals(*studentised(sample, found, sample.only(0))) == [(0.1, 0.1)]
    assert as_intervals(*studentised(sample, found, sample.only(1))) == [None]


def test_a_shift_and_a_factor_carry_over(ragged: dict[str, float]) -> None:
    sample = Sample.of([ragged, {i: 100 * v for i, v in ragged.items()},
                        {i: v + 7 for i, v in ragged.items()}])  # fmt: skip
    low, high = studentised(sample, resample(sample), sample.per_object_weights())
    np.testing.assert_allclose([low[1], high[1]], [100 * low[0], 100 * high[0]], rtol=1e-9)
    np.testing.assert_allclose([low[2], high[2]], [7 + low[0], 7 + high[0]], rtol=1e-9)


def test_units_that_are_copies_widen_as_if_they_were_not_there(ragged: dict[str, float]) -> None:
    """Each object three times, as one unit of three: the same interval as each object once."""
    copies = {f"{i}x{n}": v for i, v in ragged.items() for n in range(3)}
    units = {f"{i}x{n}": i for i in ragged for n in range(3)}
    once, thrice = Sample.of([ragged]), Sample.of([copies], units)
    for weights in (once.per_class_weights(), once.per_object_weights()):
        one = studentised(once, resample(once), weights)
        three = studentised(thrice, resample(thrice), weights)
        np.testing.assert_allclose(one, three, rtol=1e-10)
    alone = Sample.of([copies])
    low, high = studentised(alone, resample(alone), alone.per_class_weights())
    assert high[0] - low[0] < 0.7 * (three[1][0] - three[0][0])


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    """The script that prints the table of docs/statistics.md."""
    path = Path(__file__).parents[2] / "docs" / "interval_coverage.py"
    spec = importlib.util.spec_from_file_location("bench_tests_simulation", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["beta", "lognormal"])
def test_they_cover_the_truth(simulation: ModuleType, name: str) -> None:
    """Short form: 800 samples, whose share of hits has a standard error of 0.8 %."""
    assert 0.93 <= simulation.coverage(name, 20, 800)[0] <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("name", ["beta", "lognormal"])
@pytest.mark.parametrize("units", [10, 20, 40, 160])
def test_they_cover_the_truth_at_every_size(simulation: ModuleType, name: str, units: int) -> None:
    """4,000 samples, standard error 0.35 %."""
    assert 0.93 <= simulation.coverage(name, units, 4000)[0] <= 0.97


def test_the_simulation_would_notice() -> None:
    """Intervals two thirds as wide cover about 81 %: the bounds above can fail."""
    rng = keyed_rng("narrow")
    sample = Sample(tuple(Stratum(str(c), rng.beta(5, 3, (400, 20)), np.ones(20))
                          for c in range(13)))  # fmt: skip
    low, high = studentised(sample, resample(sample, 499), sample.per_class_weights())
    middle, half = (low + high) / 2, (high - low) / 3
    assert np.mean(abs(middle - 5 / 8) <= half) < 0.9


def test_median_as_loops(ragged: dict[str, float], ragged_units: dict[str, str]) -> None:
    sample = Sample.of([ragged], ragged_units)
    times = {s.name: draw(s, 99, seed=5) for s in sample.strata}
    units: dict[str, dict[str, list[float]]] = {}
    for object_id, value in ragged.items():
        unit = ragged_units.get(object_id, object_id)
        units.setdefault(object_id[0], {}).setdefault(unit, []).append(value)
    found = []
    for b in range(99):
        pool: list[float] = []
        for name, members in units.items():
            for column, unit in enumerate(sorted(members)):
                pool += members[unit] * int(times[name][b][column])
        found.append(np.median(pool))
    found.sort()
    low, high = median_interval(ragged, ragged_units, 99, seed=5)
    # 2.5 % of 100 lies between the second and the third, halfway.
    assert low == pytest.approx((found[1] + found[2]) / 2)
    assert high == pytest.approx((found[96] + found[97]) / 2)
    assert median(ragged) == np.median(list(ragged.values()))


def test_median_of_one_object() -> None:
    assert median_interval({"1/a": 0.25}) == (0.25, 0.25) and median({"1/a": 0.25}) == 0.25


def test_ends_do_not_show_the_last_bits() -> None:
    assert settled(0.123456789012345) == 0.123456789 and settled(-1e-20) == -1e-20
