"""Arranging scores: means, variances, units, and what is refused."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from benchbench.core.errors import CheckError
from benchbench.statistics.sample import Sample, pair_matrix, pairs


def test_by_hand() -> None:
    """Class 1: .9 .7 .2 with .7 and .2 one CAD model; class 2: one object .4.

    Mean of class 1: 1.8 / 3 = .6. Units: sums .9 and .9, counts 1 and 2; deviations .9 - .6 = .3
    and .9 - 1.2 = -.3; variance 2 / 1 * (.09 + .09) / 9 = .04.
    """
    scores = {"1/a": 0.9, "1/b": 0.7, "1/c": 0.2, "2/d": 0.4}
    sample = Sample.of([scores], {"1/c": "1/b"})
    np.testing.assert_allclose(sample.means()[:, 0], [0.6, 0.4], rtol=1e-15)
    np.testing.assert_allclose(sample.strata[0].variances(), [0.04], rtol=1e-14)
    assert np.isnan(sample.strata[1].variances()).all()
    # Mean over classes (.6 + .4) / 2, mean over objects (1.8 + .4) / 4.
    assert sample.per_class_weights() @ sample.means() == pytest.approx([0.5])
    assert sample.per_object_weights() @ sample.means() == pytest.approx([0.55])
    assert sample.only(1) @ sample.means() == pytest.approx([0.4])


def test_as_the_slow_twin(
    slow: ModuleType, ragged: dict[str, float], ragged_units: dict[str, str]
) -> None:
    sample = Sample.of([ragged], ragged_units)
    groups = slow.grouped(ragged, ragged_units)
    assert [s.name for s in sample.strata] == sorted(groups)
    assert [s.units for s in sample.strata] == [10, 3, 6]
    for stratum in sample.strata:
        members = groups[stratum.name]
        assert stratum.means()[0] == pytest.approx(slow.class_mean(members), rel=1e-14)
        assert stratum.variances()[0] == pytest.approx(slow.variance_of_mean(members), rel=1e-13)


def test_without_shared_units_it_is_the_usual_variance(ragged: dict[str, float]) -> None:
    for stratum in Sample.of([ragged]).strata:
        values = [v for i, v in ragged.items() if i.startswith(stratum.name)]
        assert stratum.variances()[0] == pytest.approx(stats.sem(values) ** 2, rel=1e-13)


def test_neither_order_nor_names_of_units_matter(ragged: dict[str, float]) -> None:
    other = dict(reversed(ragged.items()))
    first, second = Sample.of([ragged]), Sample.of([other])
    for a, b in zip(first.strata, second.strata, strict=True):
        assert a.name == b.name and (a.sums == b.sums).all() and (a.counts == b.counts).all()
    assert [s.name for s in Sample.of([ragged], classes=["c", "x", "a", "b"]).strata] == [
        "c", "a", "b"
    ]  # fmt: skip


def test_differences_are_combinations() -> None:
    scores = [{"1/a": 0.9, "1/b": 0.7}, {"1/a": 0.4, "1/b": 0.1}, {"1/a": 0.0, "1/b": 0.0}]
    found = Sample.of(scores).combined(pair_matrix(3))
    assert pairs(3) == [(0, 1), (0, 2), (1, 2)]
    np.testing.assert_allclose(found.strata[0].sums, [[0.5, 0.6], [0.9, 0.7], [0.4, 0.1]])


def test_different_objects_are_refused() -> None:
    with pytest.raises(CheckError, match="'1/b' is not in all"):
        Sample.of([{"1/a": 0.5, "1/b": 0.1}, {"1/a": 0.5}])
    for nothing in ([], [{}]):
        with pytest.raises(CheckError, match="no scores"):
            Sample.of(nothing)
