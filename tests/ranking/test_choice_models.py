"""Bradley-Terry, Plackett-Luce and the linear score model, against other implementations and known truths."""

from __future__ import annotations

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ranking_helpers import presentation_orders

from character.errors import UnknownNameError
from character.ranking.choice_models import borda, bradley_terry, plackett_luce
from character.ranking.combine import METHODS, combine, consistency
from character.ranking.position_bias import PositionEstimator
from character.ranking.score_model import fit_scores
from character.records import Ranking, RankingPass


def _passes(table: list[list[float]], orders: list[tuple[int, ...]] | None = None) -> list[RankingPass]:
    orders = orders or [tuple(range(len(table[0])))] * len(table)
    return [
        RankingPass(shown=order, scores=tuple(row), model="judge")
        for row, order in zip(table, orders, strict=True)
    ]


def test_bradley_terry_finds_the_utilities_that_choix_finds() -> None:
    rng = np.random.default_rng(0)
    wins = rng.integers(1, 9, (5, 5)).astype(float)
    np.fill_diagonal(wins, 0)
    ours = bradley_terry(wins, prior_sd=2.0).means
    data = [(i, j) for i in range(5) for j in range(5) for _ in range(int(wins[i, j]))]
    # choix penalizes alpha * |u|², which is a normal prior of precision 2 * alpha.
    theirs = choix.opt_pairwise(5, data, alpha=1 / 8)
    assert ours == pytest.approx(theirs - theirs.mean(), abs=1e-4)


def test_plackett_luce_finds_the_utilities_that_choix_finds() -> None:
    rng = np.random.default_rng(1)
    orders = [rng.permutation(5).tolist() for _ in range(12)]
    ours = plackett_luce([[[i] for i in order] for order in orders], 5, prior_sd=2.0).means
    theirs = choix.opt_rankings(5, orders, alpha=1 / 8)
    assert ours == pytest.approx(theirs - theirs.mean(), abs=1e-4)


def test_equals_end_up_equal_and_sure_of_nothing() -> None:
    utilities = plackett_luce([[[0, 1, 2]], [[2, 1, 0]]], 3)
    assert utilities.means == pytest.approx(np.zeros(3))
    assert utilities.probabilities() == pytest.approx(np.full((3, 3), 0.5))


def test_borda_counts_the_share_that_is_beaten_and_passes_over_what_was_not_shown() -> None:
    table = np.array([[0.9, 0.5, 0.5], [0.2, np.nan, 0.8]])
    assert borda(table) == pytest.approx([(1.0 + 0.0) / 2, 0.25, (0.25 + 1.0) / 2])


@given(
    st.lists(st.lists(st.integers(0, 10), min_size=4, max_size=4), min_size=4, max_size=4),
    st.integers(0, 999),
)
@settings(max_examples=40)
def test_in_a_complete_design_scores_are_plain_means(table: list[list[int]], seed: int) -> None:
    orders = presentation_orders(4, 4, seed)
    shares = [[score / 10 for score in row] for row in table]
    combined = combine(_passes(shares, orders), 4)
    assert combined.scores == pytest.approx(np.mean(shares, axis=0), abs=0.0051)


@given(st.integers(2, 6), st.integers(1, 6), st.sampled_from(METHODS), st.integers(0, 2**31 - 1))
@settings(max_examples=60, deadline=None)
def test_probabilities_are_complementary_and_follow_the_candidates_whatever_they_are_called(
    n: int, m: int, method: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    orders = presentation_orders(n, m, seed)
    table = rng.integers(0, 11, (m, n)) / 10
    combined = combine(_passes(table.tolist(), orders), n, method=method)  # type: ignore[arg-type]
    p = np.array(combined.probabilities)
    assert p + p.T == pytest.approx(np.ones((n, n)), abs=2e-4)
    assert all(0 <= score <= 1 for score in combined.scores)
    # Candidate i is called new[i] now.
    new = rng.permutation(n)
    moved = np.empty_like(table)
    moved[:, new] = table
    renamed = combine(
        _passes(moved.tolist(), [tuple(int(new[i]) for i in order) for order in orders]),
        n,
        method=method,  # type: ignore[arg-type]
    )
    assert np.array(renamed.scores)[new] == pytest.approx(np.array(combined.scores), abs=0.011)


def test_a_clear_lead_in_more_passes_is_surer() -> None:
    two = combine(_passes([[0.8, 0.5], [0.8, 0.5]], [(0, 1), (1, 0)]), 2).probabilities[0][1]
    six = combine(_passes([[0.8, 0.5]] * 6, [(0, 1), (1, 0)] * 3), 2).probabilities[0][1]
    torn = combine(_passes([[0.8, 0.5], [0.4, 0.6]], [(0, 1), (1, 0)]), 2).probabilities[0][1]
    assert 0.5 < torn < two < six < 1


def test_position_effects_are_taken_out_of_an_unbalanced_pair_of_passes() -> None:
    truth = np.array([0.7, 0.5, 0.3])
    orders = [(0, 1, 2), (1, 0, 2)]
    bias = np.array([0.15, 0.0, -0.15])
    table = np.empty((2, 3))
    positions = np.empty((2, 3), dtype=np.int64)
    for row, order in enumerate(orders):
        for place, index in enumerate(order):
            table[row, index] = truth[index] + bias[place]
            positions[row, index] = place
    plain = table.mean(axis=0)
    fitted = fit_scores(table, positions).scores
    assert abs((fitted[0] - fitted[2]) - 0.4) < abs((plain[0] - plain[2]) - 0.4)


def test_an_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="plackett_luce"):
        combine(_passes([[0.1, 0.2]]), 2, method="elo")  # type: ignore[arg-type]


def test_consistency_is_the_mean_tau_between_passes() -> None:
    assert combine(_passes([[0.9, 0.5, 0.1], [0.8, 0.4, 0.2]]), 3).consistency == 1.0
    assert combine(_passes([[0.9, 0.5, 0.1], [0.1, 0.5, 0.9]]), 3).consistency == -1.0
    assert combine(_passes([[0.9, 0.5, 0.1]]), 3).consistency is None


def test_a_run_tells_what_each_place_is_worth_to_its_judge() -> None:
    rng = np.random.default_rng(3)
    worth = np.array([0.1, 0.0, -0.02, -0.08])
    estimator = PositionEstimator()
    for number in range(300):
        truth = rng.uniform(0.2, 0.8, 4)
        orders = presentation_orders(4, 2, number)
        table = [
            [float(truth[i] + worth[order.index(i)] + rng.normal(0, 0.05)) for i in range(4)]
            for order in orders
        ]
        passes = tuple(_passes(np.clip(table, 0, 1).tolist(), orders))
        estimator.add(Ranking(message_id=str(number), candidates_id="c", trait="t", scores=(), passes=passes))
    assert estimator.judges() == [("judge", 4)]
    effects = estimator.effects("judge", 4).effects
    assert effects == pytest.approx(worth - worth.mean(), abs=0.02)
    for interval, value in zip(estimator.intervals("judge", 4), worth - worth.mean(), strict=True):
        assert interval.low - 0.01 <= value <= interval.high + 0.01
    assert estimator.first_choices("judge", 4)[0] > 0.3


def test_passes_over_one_candidate_are_compared_as_first_and_second_scores() -> None:
    nan = float("nan")
    once = [[0.9, nan, nan], [nan, 0.5, nan], [nan, nan, 0.1]]
    again = [[0.8, nan, nan], [nan, 0.1, nan], [nan, nan, 0.4]]
    assert consistency(np.array(once)) is None
    assert consistency(np.array(once + once)) == 1.0
    assert consistency(np.array(once + again)) == pytest.approx(1 / 3, abs=1e-4)


def test_verdicts_on_a_pair_are_compared_between_its_two_orders_and_ties_count_half() -> None:
    nan = float("nan")
    first = [[1.0, 0.0, nan], [1.0, nan, 0.0], [nan, 1.0, 0.0], [nan, 0.5, 0.5]]
    assert consistency(np.array(first[:2])) is None
    assert consistency(np.array([first[0], first[0], first[1], [0.0, nan, 1.0]])) == 0.0
    assert consistency(np.array([first[0], first[0], first[2], first[3]])) == 0.5
