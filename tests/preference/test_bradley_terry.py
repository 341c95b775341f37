"""The head: it is the logistic regression it says it is, and length, priors and temperatures do what they are for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from character.preference.heads import STRENGTH, Duels, calibrate, fit_head, length_slope


def duels(number: int, *, texts: int, seed: int = 0) -> Duels:
    rng = np.random.default_rng(seed)
    sides = np.array([rng.choice(texts, 2, replace=False) for _ in range(number)]).reshape(-1, 2)
    weight, longer = rng.uniform(0.2, 1, number), rng.normal(size=number)
    return Duels(sides[:, 0], sides[:, 1], weight, longer, np.zeros(number, dtype=np.int64))


@pytest.mark.parametrize("sparse", [True, False])
def test_it_is_the_logistic_regression_of_scikit_learn(sparse: bool) -> None:
    matrix = np.random.default_rng(1).normal(size=(40, 12))
    given = duels(120, texts=40)
    own = fit_head(csr_matrix(matrix) if sparse else matrix, given)
    differences = matrix[given.chosen] - matrix[given.rejected]
    label = np.repeat([1, -1], len(differences))
    theirs = LogisticRegression(C=STRENGTH, fit_intercept=False, tol=1e-10, max_iter=10_000)
    theirs.fit(np.concatenate([differences, -differences]), label, sample_weight=np.tile(given.weight, 2) / 2)
    np.testing.assert_allclose(own, theirs.coef_[0], atol=2e-3)


def test_with_a_prior_and_no_evidence_the_prior_stays_as_it_is() -> None:
    prior = np.array([1.0, -2.0, 0.5, 0.0])
    nothing = duels(1, texts=4).at(np.array([], dtype=np.int64))
    np.testing.assert_allclose(fit_head(np.eye(4), nothing, prior), prior)


def test_many_pairs_overrule_a_prior_that_says_the_opposite() -> None:
    won, lost = np.zeros(200, dtype=np.int64), np.ones(200, dtype=np.int64)
    against = Duels(won, lost, np.ones(200), np.zeros(200), won)
    weights = fit_head(np.eye(2), against, np.array([-2.0, 2.0]))
    assert weights[0] > weights[1]


def test_the_slope_over_length_is_found_beside_what_the_chosen_sides_have_anyway() -> None:
    given = duels(4_000, texts=9, seed=2)
    noise = np.random.default_rng(4).normal(size=4_000)
    assert length_slope(1.5 + 0.7 * given.longer + noise, given) == pytest.approx(0.7, abs=0.06)
    longer = Duels(given.chosen, given.rejected, given.weight, given.longer + 3, given.fold)
    assert length_slope(1.5 + noise, longer) == pytest.approx(0.0, abs=0.06)


def test_a_few_pairs_are_not_trusted_with_a_slope() -> None:
    given = duels(5, texts=9)
    assert length_slope(given.longer, given) == pytest.approx(5 / 15)
    assert length_slope(np.array([1.0]), duels(1, texts=9)) == 0.0
    same = Duels(given.chosen, given.rejected, given.weight, np.ones(5), given.fold)
    assert length_slope(given.longer, same) == 0.0


@pytest.mark.parametrize("scale", [0.2, 1.0, 4.0])
def test_the_temperature_undoes_a_scale(scale: float) -> None:
    rng = np.random.default_rng(3)
    odds = rng.normal(0, 2, 20_000)
    sign = np.where(rng.random(20_000) < 1 / (1 + np.exp(-odds)), 1, -1)
    found = calibrate(scale * odds * sign, np.ones(20_000))
    assert found.temperature == pytest.approx(scale, rel=0.05)


def test_four_pairs_that_are_all_right_do_not_make_it_certain() -> None:
    temperature = calibrate(np.full(4, 0.1), np.ones(4)).temperature
    assert 0.5 < 1 / (1 + np.exp(-0.1 / temperature)) < 0.9
