"""The figures are those that a hand, or scikit-learn, computes; intervals resample messages, not pairs."""

from __future__ import annotations

import numpy as np
import pytest
from audit.planted import pair_of
from sklearn.metrics import brier_score_loss, log_loss

from character.preference.measures import Predicted, reliability_of, scope_of


def predicted(
    probability: list[float], *, longer: list[int] | None = None, message: list[int] | None = None
) -> Predicted:
    signs = longer or [1] * len(probability)
    pairs = [pair_of(i, "x" * (5 + max(sign, 0)), "x" * (5 - min(sign, 0))) for i, sign in enumerate(signs)]
    return Predicted.of(pairs, np.array(probability), message or list(range(len(probability))))


def test_the_figures_of_four_pairs_are_those_of_a_hand() -> None:
    found = scope_of(predicted([0.9, 0.5, 0.2, 0.7], longer=[1, -1, -1, 0]), 0)
    assert found.accuracy.value == pytest.approx((1 + 0.5 + 0 + 1) / 4)
    assert (found.longer.value, found.shorter.value) == (1.0, 0.25)
    assert found.length_balanced.value == pytest.approx(0.625)
    assert found.log_loss.value == pytest.approx(-np.log([0.9, 0.5, 0.2, 0.7]).mean())
    # Bins of width .05 from .5: 0.9 and 0.7 are right, 0.5 undecided, and 0.8 confident the wrong way round.
    assert found.ece.value == pytest.approx((0.1 + 0.0 + 0.8 + 0.3) / 4)
    assert found.accuracy.low is None


def test_log_loss_and_brier_are_those_of_scikit_learn() -> None:
    given = np.random.default_rng(0).uniform(0.05, 0.95, 50)
    found = scope_of(predicted(given.tolist()), 0)
    assert found.log_loss.value == pytest.approx(log_loss(np.ones(50), given, labels=[0, 1]))
    assert found.brier.value == pytest.approx(brier_score_loss(np.ones(50), given))


def test_pairs_of_one_message_are_resampled_together() -> None:
    given = np.random.default_rng(1).uniform(0, 1, 30).tolist()
    alone = scope_of(predicted(given), 0).accuracy
    repeated = scope_of(
        predicted([p for p in given for _ in range(10)], message=[i for i in range(30) for _ in range(10)]), 0
    )
    assert repeated.accuracy.value == pytest.approx(alone.value)
    assert repeated.accuracy.low == pytest.approx(alone.low)
    assert repeated.accuracy.high == pytest.approx(alone.high)


def test_what_is_well_calibrated_has_a_small_error_with_an_interval_around_it() -> None:
    rng = np.random.default_rng(2)
    confidence = rng.uniform(0.5, 1, 2_000)
    right = rng.random(2_000) < confidence
    found = scope_of(predicted(np.where(right, confidence, 1 - confidence).tolist()), 0).ece
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high < 0.06


def test_reliability_bins_hold_every_pair_once() -> None:
    given = [0.5, 0.0, 1.0, 0.97, 0.03, 0.62]
    bins = reliability_of(predicted(given), 0)
    assert sum(one.num_pairs for one in bins) == len(given)
    assert all(one.low <= one.confidence <= one.high for one in bins)


def test_nothing_to_measure_is_no_figure() -> None:
    found = scope_of(predicted([0.9] * 6, longer=[1] * 6), 0)
    assert found.shorter.value is None
    assert found.length_balanced.value is None
    assert found.accuracy.value == 1.0
