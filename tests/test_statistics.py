"""Agreement, intervals and tests, against scipy and published examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ranking_simulated import bootstrap
from scipy import stats

from character.statistics.agreement import (
    interval_alpha,
    interval_alpha_sums,
    kendall_tau_b,
    krippendorff_alpha,
    mid_ranks,
    pairwise_agreement,
)
from character.statistics.intervals import (
    Interval,
    bootstrap_mean,
    difference_interval,
    interval_of_sums,
    share_interval,
)
from character.statistics.significance import exchange_p_values, permutation_p_value

SCORES = st.lists(st.integers(0, 5), min_size=2, max_size=8)


@given(st.data(), SCORES)
def test_tau_b_is_that_of_scipy(data: st.DataObject, left: list[int]) -> None:
    right = data.draw(st.lists(st.integers(0, 5), min_size=len(left), max_size=len(left)))
    expected = stats.kendalltau(left, right).statistic
    ours = kendall_tau_b(left, right)
    assert (ours is None) == bool(np.isnan(expected))
    if ours is not None:
        assert ours == pytest.approx(expected)


@given(SCORES)
def test_mid_ranks_are_those_of_scipy_with_the_best_first(scores: list[int]) -> None:
    assert mid_ranks(scores) == pytest.approx(stats.rankdata([-score for score in scores]))


def test_alpha_is_that_of_krippendorffs_own_example() -> None:
    gap = np.nan
    table = [
        [gap, gap, gap, gap, gap, 3, 4, 1, 2, 1, 1, 3, 3, gap, 3],
        [1, gap, 2, 1, 3, 3, 4, 3, gap, gap, gap, gap, gap, gap, gap],
        [gap, gap, 2, 1, 3, 4, 4, gap, 2, 1, 1, 3, 3, gap, 4],
    ]
    assert krippendorff_alpha(table, level="nominal") == pytest.approx(0.691, abs=5e-4)
    assert krippendorff_alpha(table, level="interval") == pytest.approx(0.811, abs=5e-4)
    assert krippendorff_alpha([[1, gap], [gap, 2]]) is None
    assert krippendorff_alpha([[1, 1], [1, 1]]) is None


def test_pairs_that_either_side_ties_are_left_out_of_agreement() -> None:
    assert pairwise_agreement([3, 2, 1], [3, 1, 2]) == (2, 3)
    assert pairwise_agreement([3, 2, 2], [3, 2, 1]) == (2, 2)


def test_an_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for seed in range(200):
        interval = bootstrap_mean(rng.normal(0.3, 1, 60), num_samples=300, seed=seed)
        assert interval is not None
        covered += not interval.excludes(0.3)
    assert 0.88 <= covered / 200 <= 0.99


def test_values_of_one_group_are_drawn_together() -> None:
    values, groups = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0], ["a"] * 3 + ["b"] * 3
    alone, together = bootstrap_mean(values), bootstrap_mean(values, groups=groups)
    assert alone is not None
    assert together == Interval(0.5, 0.0, 1.0)
    assert alone.high - alone.low < 1
    assert bootstrap_mean([]) is None


def test_a_statistic_that_is_not_defined_has_no_interval() -> None:
    assert bootstrap(lambda drawn: None, 5) is None
    data = np.arange(50.0)
    interval = bootstrap(lambda drawn: float(np.median(data[drawn])), 50)
    assert interval is not None
    assert interval.low < interval.estimate < interval.high


def test_alpha_from_sums_is_that_of_all_tables_together() -> None:
    rng = np.random.default_rng(3)
    tables = [rng.random((3, 4)).round(2) for _ in range(6)]
    for table in tables:
        table[rng.random(table.shape) < 0.2] = np.nan
    sums = np.array([interval_alpha_sums(table) for table in tables])
    assert interval_alpha(sums.sum(axis=0, keepdims=True))[0] == pytest.approx(
        krippendorff_alpha(np.hstack(tables))
    )
    assert np.isnan(interval_alpha(interval_alpha_sums([[0.7, 0.7], [0.7, 0.7]])[None])[0])


def test_a_statistic_of_sums_has_the_interval_of_the_same_statistic_of_groups() -> None:
    data = np.random.default_rng(4).normal(1.0, 0.3, (60, 2))
    by_sums = interval_of_sums(lambda sums: sums[:, 0] / sums[:, 1], data, seed=0)
    by_groups = bootstrap(lambda drawn: float(data[drawn, 0].sum() / data[drawn, 1].sum()), 60, seed=0)
    assert by_sums == pytest.approx(by_groups)
    assert interval_of_sums(lambda sums: np.full(len(sums), np.nan), data, seed=0) is None


def test_two_samples_are_compared_as_by_scipy() -> None:
    rng = np.random.default_rng(6)
    one, two = rng.normal(0.0, 1.0, 50), rng.normal(0.5, 1.0, 40)
    interval = difference_interval(one, two, seed=0)
    expected = stats.ttest_ind(two, one, equal_var=False).confidence_interval()
    assert (interval.low, interval.high) == pytest.approx(tuple(expected), abs=0.05)
    theirs = stats.permutation_test(
        (one, two), lambda a, b: abs(a.mean() - b.mean()), alternative="greater", rng=rng
    ).pvalue
    assert permutation_p_value(one, two, seed=0) == pytest.approx(theirs, abs=0.02)


def test_exchanging_sides_that_are_alike_is_never_significant_and_a_share_has_wilsons_interval() -> None:
    rows = np.random.default_rng(7).normal(size=(20, 3))
    assert exchange_p_values(np.abs, rows, rows, seed=0).tolist() == [1.0, 1.0, 1.0]
    expected = stats.binomtest(3, 12).proportion_ci(method="wilson")
    assert share_interval(3, 12) == pytest.approx((0.25, expected.low, expected.high))
