"""The head: it is the logistic regression it says it is, and length, priors and temperatures do what they are for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from character.preference.bradley_terry import STRENGTH, Duels, fit_head, length_weights, temperature_of


def duels(number: int, *, texts: int, seed: int = 0, longer: object = None) -> Duels:
    rng = np.random.default_rng(seed)
    sides = np.array([rng.choice(texts, 2, replace=False) for _ in range(number)])
    lengths = rng.normal(size=number) if longer is None else np.asarray(longer, dtype=float)
    return Duels(
        sides[:, 0], sides[:, 1], rng.uniform(0.2, 1, number), lengths, np.zeros(number, dtype=np.int64)
    )


@pytest.mark.parametrize("sparse", [True, False])
def test_without_length_it_is_the_logistic_regression_of_scikit_learn(sparse: bool) -> None:
    matrix = np.random.default_rng(1).normal(size=(40, 12))
    given = duels(120, texts=40)
    own = fit_head(csr_matrix(matrix) if sparse else matrix, given, length_free=False).weights
    differences = matrix[given.chosen] - matrix[given.rejected]
    both = np.concatenate([differences, -differences])
    label = np.repeat([1, -1], len(differences))
    theirs = LogisticRegression(C=STRENGTH, fit_intercept=False, tol=1e-10, max_iter=10_000)
    theirs.fit(both, label, sample_weight=np.tile(given.weight, 2) / 2)
    np.testing.assert_allclose(own, theirs.coef_[0], atol=2e-3)


def test_with_a_prior_and_no_evidence_the_prior_stays_as_it_is() -> None:
    matrix, prior = np.eye(4), np.array([1.0, -2.0, 0.5, 0.0])
    nothing = duels(1, texts=4)
    head = fit_head(matrix, nothing.at(np.array([], dtype=np.int64)), length_free=True, prior=prior)
    np.testing.assert_allclose(head.weights, prior)
    assert head.prior_share == 1.0


def test_many_pairs_overrule_a_prior_that_says_the_opposite() -> None:
    matrix = np.eye(2)
    against = Duels(
        *(np.full(200, side) for side in (0, 1)), np.ones(200), np.zeros(200), np.zeros(200, dtype=np.int64)
    )
    head = fit_head(matrix, against, length_free=True, prior=np.array([-2.0, 2.0]))
    assert head.weights[0] > head.weights[1]
    assert head.prior_share < 0.5


def test_length_weights_make_shorter_winners_count_as_much_as_longer_ones() -> None:
    given = duels(100, texts=9, longer=[1.0] * 70 + [-1.0] * 20 + [0.0] * 10)
    weighed = given.weight * length_weights(given)
    assert weighed[:70].sum() == pytest.approx(weighed[70:90].sum())
    assert length_weights(given).mean() == pytest.approx(1.0)


def test_one_pair_against_many_counts_five_times_at_most() -> None:
    given = duels(100, texts=9, longer=[1.0] * 99 + [-1.0])
    weights = length_weights(given)
    assert weights[-1] / weights[0] == pytest.approx(
        5 / (0.5 / (1 - given.weight[-1] / given.weight.sum())), rel=1e-9
    )


def test_all_winners_longer_is_no_error() -> None:
    given = duels(10, texts=9, longer=[1.0] * 10)
    assert length_weights(given) == pytest.approx(np.ones(10))


@pytest.mark.parametrize("scale", [0.2, 1.0, 4.0])
def test_the_temperature_undoes_a_scale(scale: float) -> None:
    rng = np.random.default_rng(3)
    odds = rng.normal(0, 2, 20_000)
    sign = np.where(rng.random(20_000) < 1 / (1 + np.exp(-odds)), 1, -1)
    assert temperature_of(scale * odds * sign, np.ones(20_000)) == pytest.approx(scale, rel=0.05)


def test_four_pairs_that_are_all_right_do_not_make_it_certain() -> None:
    temperature = temperature_of(np.full(4, 0.1), np.ones(4))
    assert 0.5 < 1 / (1 + np.exp(-0.1 / temperature)) < 0.9
