"""Two methods, many methods, orders of methods, training seeds."""

from __future__ import annotations

import itertools
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from benchbench.core.errors import CheckError
from benchbench.core.keyed import keyed_rng
from benchbench.statistics.multiple import best_group, holm, holm_families, max_t
from benchbench.statistics.paired import Shares, differences, shares
from benchbench.statistics.permutation import sign_flips
from benchbench.statistics.ranks import kendall_tau, rank_frequencies, ranks, tau_interval
from benchbench.statistics.resampling import draw, resample
from benchbench.statistics.sample import Sample, Stratum, pair_matrix, pairs
from benchbench.statistics.seeds import crossed


def sign_flip(sample: Sample, weights: np.ndarray) -> float:
    """Of the first row."""
    return float(sign_flips(sample, [weights])[0, 0])


def test_shares_count_ties_apart() -> None:
    first = {"1/a": 0.9, "1/b": 0.5, "2/c": 0.1, "2/d": 0.0}
    second = {"1/a": 0.8, "1/b": 0.5, "2/c": 0.3, "2/d": 0.2}
    assert shares(first, second, True) == Shares(1, 1, 2)
    assert shares(first, second, False) == Shares(2, 1, 1)
    assert shares(first, second, True).share_better == 0.25
    assert differences(first, second)["2/d"] == -0.2


def test_sign_flips_as_all_signs(slow: ModuleType) -> None:
    rng = keyed_rng("signs")
    for sizes in ((6,), (3, 5), (1, 2, 7), (1, 1)):
        d = {f"{c}/{n}": float(rng.normal(0.3)) for c, m in enumerate(sizes) for n in range(m)}
        sample = Sample.of([d])
        found = sign_flip(sample, sample.per_class_weights())
        assert found == pytest.approx(slow.sign_flip(d), abs=1e-15)


def test_sign_flips_with_ties_and_zeros(slow: ModuleType) -> None:
    """Steps of 0.1 that do not add up exactly: equal sums must count as equal."""
    d = {"1/a": 0.1, "1/b": 0.2, "1/c": -0.3, "1/d": 0.7, "2/a": 0.0, "2/b": 0.1, "2/c": 0.1}
    sample = Sample.of([d])
    assert sign_flip(sample, sample.per_class_weights()) == slow.sign_flip(d)
    equal = Sample.of([dict.fromkeys(d, 0.0)])
    assert sign_flip(equal, equal.per_class_weights()) == 1.0


def test_sign_flips_as_scipy() -> None:
    rng = keyed_rng("scipy")
    d = rng.normal(0.4, 1, 12)
    sample = Sample.of([{f"1/{n:02d}": float(v) for n, v in enumerate(d)}])
    expected = stats.permutation_test(
        (d, np.zeros(12)), lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples", n_resamples=np.inf, vectorized=True,
    )  # fmt: skip
    assert sign_flip(sample, sample.per_class_weights()) == pytest.approx(expected.pvalue)


def test_drawn_signs_come_near_all_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = keyed_rng("many")
    sample = Sample.of([{f"1/{n:02d}": float(v) for n, v in enumerate(rng.normal(0.2, 1, 14))}])
    weights = sample.per_class_weights()
    exact = sign_flip(sample, weights)
    monkeypatch.setattr("benchbench.statistics.permutation.EXACT", 5)
    drawn = sign_flip(sample, weights)
    assert drawn == sign_flip(sample, weights) and 0.01 < exact < 0.9
    assert abs(drawn - exact) < 4 * (exact * (1 - exact) / 9999) ** 0.5
    # Smaller pieces draw the same signs.
    monkeypatch.setattr("benchbench.statistics.permutation._AT_ONCE", 14 * 100)
    assert sign_flip(sample, weights) == drawn
    far = Sample.of([{f"1/{n:02d}": 1.0 for n in range(40)}])
    assert sign_flip(far, far.per_class_weights()) == 1 / 10_000


def test_many_at_once_are_each_for_itself(ragged: dict[str, float]) -> None:
    """The ways drawn are the same for every row and mean; few differences are gone through."""
    rng = keyed_rng("several")
    rows = [{i: float(rng.normal(0.1)) for i in ragged}, dict.fromkeys(ragged, 0.0),
            {i: v if i < "b" else 0.0 for i, v in ragged.items()}]  # fmt: skip
    sample = Sample.of(rows)
    columns = [sample.per_class_weights(), sample.per_object_weights(), sample.only(1)]
    together = sign_flips(sample, columns)
    assert together.shape == (3, 3) and (together[:, 1] == 1.0).all()
    for k, row in enumerate(rows):
        alone = Sample.of([row])
        for m, weights in enumerate(columns):
            assert together[m, k] == pytest.approx(sign_flip(alone, weights), abs=2e-4)
    # The third row: of the 12 objects of class a two are 0, so 2^10 ways, all of one direction.
    assert together[0, 2] == together[1, 2] == 2 / 2**10


def test_a_unit_flips_as_a_whole() -> None:
    """Four objects of two CAD models: 4 ways, two of them as far as observed."""
    d = {"1/a": 0.5, "1/b": 0.7, "1/c": 0.1, "1/d": 0.2}
    sample = Sample.of([d], {"1/b": "1/a", "1/d": "1/c"})
    assert sign_flip(sample, sample.per_class_weights()) == 0.5


def test_holm_by_hand() -> None:
    """.01 * 4, then .02 * 3 = .06, then .03 * 2 = .06, then .9."""
    assert holm([0.02, 0.01, 0.9, 0.03]) == pytest.approx([0.06, 0.04, 0.9, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0] and holm([]) == []


def test_families_of_one_pair_are_plain_holm() -> None:
    p = [0.02, 0.01, 0.9, 0.03]
    found = holm_families([np.array([value]) for value in p])
    assert [float(f[0]) for f in found] == pytest.approx(holm(p))


def test_max_t_as_loops(ragged: dict[str, float]) -> None:
    rng = keyed_rng("max-t")
    scores = [
        {i: v + shift + 0.1 * float(rng.normal()) for i, v in ragged.items()}
        for shift in (0.0, 0.02, 0.15)
    ]
    gaps = Sample.of(scores).combined(pair_matrix(3))
    weights = gaps.per_class_weights()
    found = max_t(gaps, resample(gaps, 199), weights)
    times = [draw(s, 199) for s in gaps.strata]

    def t(strata: list[Stratum], centre: np.ndarray | float) -> np.ndarray:
        mean = sum(s.means() for s in strata) / 3
        error = np.sqrt(sum(s.variances() for s in strata)) / 3
        return np.abs(mean - centre) / error

    estimate = weights @ gaps.means()
    observed = t(list(gaps.strata), 0.0)
    largest = []
    for b in range(199):
        again = []
        for s, drawn in zip(gaps.strata, times, strict=True):
            rows = [u for u in range(s.units) for _ in range(int(drawn[b, u]))]
            again.append(Stratum("x", s.sums[:, rows], s.counts[rows]))
        largest.append(t(again, estimate).max())
    for p in range(3):
        expected = (1 + sum(value >= observed[p] for value in largest)) / 200
        assert found.p[p] == pytest.approx(expected)
    limit = sorted(largest)[int(np.ceil(0.95 * 198))]
    error = np.sqrt(sum(s.variances() for s in gaps.strata)) / 3
    np.testing.assert_allclose(found.reach, limit * error, rtol=1e-9)
    assert found.p[0] > 0.05 > found.p[1]


def test_max_t_keeps_its_word() -> None:
    """Four methods that do not differ, 13 classes of 20: some pair is taken for different in
    about 5 % of samples (300 samples, standard error 1.3 %)."""
    wrong = 0
    for n in range(300):
        rng = keyed_rng("family", n)
        strata = []
        for c in range(13):
            common = rng.beta(5, 3, (1, 20))
            strata.append(Stratum(str(c), common + 0.1 * rng.normal(size=(4, 20)), np.ones(20)))
        gaps = Sample(tuple(strata)).combined(pair_matrix(4))
        wrong += max_t(gaps, resample(gaps, 199), gaps.per_class_weights()).p.min() <= 0.05
    assert 3 <= wrong <= 27


def test_max_t_of_equal_methods_and_single_objects() -> None:
    scores = {f"{c}/{n:02d}": n / 20 for c in "ab" for n in range(20)}
    gaps = Sample.of([scores, scores, {i: v + 0.5 for i, v in scores.items()}])
    gaps = gaps.combined(pair_matrix(3))
    found = max_t(gaps, resample(gaps), gaps.per_class_weights())
    assert found.p[0] == 1.0 and found.p[1] == found.p[2] == 1 / 2000
    assert found.reach.max() < 1e-9 and found.estimate[1] == pytest.approx(-0.5)
    lone = Sample.of([{**scores, "c/x": 0.1}, {**scores, "c/x": 0.9}]).combined(pair_matrix(2))
    found = max_t(lone, resample(lone), lone.per_class_weights())
    assert found.p.tolist() == [1.0] and np.isinf(found.reach).all()


@pytest.mark.parametrize("objects", [1, 2, 5])
def test_a_near_copy_does_not_decide_for_the_others(objects: int) -> None:
    """A method, the same with a few objects lost, and one that is clearly worse."""
    rng = keyed_rng("near copy")
    scores = {f"{c:02d}/{n}": float(rng.beta(5, 3)) for c in range(13) for n in range(4)}
    worse = {i: v - 0.05 + 0.05 * float(rng.normal()) for i, v in scores.items()}
    copy = {i: 0.0 if n % 11 == 3 and n < 11 * objects else v
            for n, (i, v) in enumerate(scores.items())}  # fmt: skip
    two = Sample.of([scores, worse]).combined(pair_matrix(2))
    alone = max_t(two, resample(two), two.per_class_weights())
    three = Sample.of([scores, worse, copy]).combined(pair_matrix(3))
    found = max_t(three, resample(three), three.per_class_weights())
    place = pairs(3).index((0, 1))
    assert alone.p[0] < 0.01 and found.p[place] < 0.01
    assert found.reach[place] < 2 * alone.reach[0]
    if objects == 1:  # one object cannot show a difference
        assert found.p[pairs(3).index((0, 2))] > 0.05


def test_not_separable_from_the_best() -> None:
    means = np.array([0.5, 0.52, 0.3, 0.51])
    p = {(0, 1): 0.2, (0, 2): 0.001, (0, 3): 0.01, (1, 2): 0.001, (1, 3): 0.04, (2, 3): 0.9}
    values = np.array([p[pair] for pair in pairs(4)])
    assert best_group(means, values, pairs(4), True) == {0, 1}
    assert best_group(-means, values, pairs(4), False) == {0, 1}
    assert best_group(means, values, pairs(4), False) == {2, 3}
    assert best_group(np.array([0.5]), np.array([]), [], True) == {0}
    same = np.array([0.5, 0.5])
    assert best_group(same, np.array([0.01]), pairs(2), True) == {0, 1}


def test_ranks_share_the_better_place() -> None:
    means = np.array([[0.3, 0.1, 0.3], [0.1, 0.2, 0.3]])
    assert ranks(means, True).tolist() == [[1, 3, 1], [3, 2, 1]]
    assert ranks(means, False).tolist() == [[2, 1, 2], [1, 2, 3]]
    expected = [[0.5, 0.0, 0.5], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]
    assert rank_frequencies(means, True).tolist() == expected


def test_tau_as_scipy_and_as_loops(slow: ModuleType) -> None:
    rng = keyed_rng("tau")
    for _ in range(20):
        a, b = rng.integers(0, 5, (2, 6)).astype(float)
        found = float(kendall_tau(a, b))
        assert found == pytest.approx(slow.kendall(a.tolist(), b.tolist()), abs=1e-15)
        if len(set(a)) > 1 and len(set(b)) > 1:
            assert found == pytest.approx(stats.kendalltau(a, b).statistic, abs=1e-12)
    assert float(kendall_tau(np.ones(4), np.arange(4.0))) == 0.0
    for order in itertools.permutations(range(4)):
        assert float(kendall_tau(np.array(order), -np.array(order))) == -1.0


def test_interval_of_tau() -> None:
    """Of 1,000 resamples 30 give -1, the others 1: the 2.5 % end is -1; of 20, it is 1."""
    first = np.tile([1.0, 2.0], (1000, 1))
    for turned, expected in ((30, (-1.0, 1.0)), (20, (1.0, 1.0))):
        second = first.copy()
        second[:turned] = [2.0, 1.0]
        assert tau_interval(first, second) == expected


def test_seeds_by_hand() -> None:
    """Two seeds, one class of two objects: (.2 .4), (.4 .8).

    Means of the seeds .3 and .6: variance .045. Object means .3 and .6: their mean .45 has the
    variance .045 / 2 = .0225. What is left: .2 - .3 - .3 + .45 = .05, and as much with signs
    - - + elsewhere: sum of squares .01 over (1)(1), over two objects .005. The seeds' part of the
    mean's variance: (.045 - .005) / 2 = .02.
    """
    sample = Sample.of([{"1/a": 0.2, "1/b": 0.4}, {"1/a": 0.4, "1/b": 0.8}])
    found = crossed(sample, sample.per_class_weights())
    assert found.mean == pytest.approx(0.45) and found.seeds == 2
    assert found.objects_variance == pytest.approx(0.0225)
    assert found.seeds_variance == pytest.approx(0.02)
    assert found.seed_spread == pytest.approx(0.045**0.5)
    # Satterthwaite: .0425^2 / (.0225^2 / 1 + .02^2 / 1) = 1.993 degrees of freedom.
    freedom = 0.0425**2 / (0.0225**2 + 0.02**2)
    reach = stats.t.ppf(0.975, freedom) * 0.0425**0.5
    assert found.interval == pytest.approx((0.45 - reach, 0.45 + reach), rel=1e-9)


def test_seeds_find_both_variances() -> None:
    """13 classes of 20 objects, 4 seeds: seeds vary by .03, objects by .1, the rest by .05."""
    found = []
    for n in range(300):
        rng = keyed_rng("seeds", n)
        seeds = rng.normal(0, 0.03, (4, 1))
        strata = [
            Stratum(
                str(c),
                0.5 + seeds + rng.normal(0, 0.1, (1, 20)) + rng.normal(0, 0.05, (4, 20)),
                np.ones(20),
            )
            for c in range(13)
        ]
        sample = Sample(tuple(strata))
        found.append(crossed(sample, sample.per_class_weights()))
    objects = np.mean([f.objects_variance for f in found])
    of_seeds = np.mean([f.seeds_variance for f in found])
    assert objects == pytest.approx((0.1**2 + 0.05**2 / 4) / 260, rel=0.03)
    assert of_seeds == pytest.approx(0.03**2 / 4, rel=0.15)
    held = [f.interval[0] <= 0.5 <= f.interval[1] for f in found if f.interval]
    assert len(held) == 300 and 0.92 <= np.mean(held) <= 0.99


def test_one_seed_is_no_method() -> None:
    sample = Sample.of([{"1/a": 0.5}])
    with pytest.raises(CheckError, match="one training seed"):
        crossed(sample, sample.per_class_weights())
    same = Sample.of([{"1/a": 0.5, "1/b": 0.7}] * 3)
    found = crossed(same, same.per_class_weights())
    assert found.seeds_variance == 0.0 and found.seed_spread == 0.0
    lone = Sample.of([{"1/a": 0.5}, {"1/a": 0.7}])
    assert crossed(lone, lone.per_class_weights()).interval is None
