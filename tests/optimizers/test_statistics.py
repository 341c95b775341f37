"""Agreement and bootstrap, against scipy and published examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from optimizers.statistics import (
    Interval,
    bootstrap,
    bootstrap_mean,
    kendall_tau_b,
    kendall_w,
    krippendorff_alpha,
    mid_ranks,
    pairwise_agreement,
)

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


def test_concordance_is_that_of_friedmans_statistic() -> None:
    table = np.array([[4, 3, 2, 1, 1], [4, 2, 3, 1, 0], [2, 4, 3, 1, 1]])
    friedman = stats.friedmanchisquare(*table.T).statistic
    assert kendall_w(table) == pytest.approx(friedman / (3 * 4))
    assert kendall_w([[1, 2, 3]]) is None
    assert kendall_w([[1, 1], [2, 2]]) is None


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
