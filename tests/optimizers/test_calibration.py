"""Calibration: the map is the isotonic fit, keeps order, finds planted biases, and leaves noise alone."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import isotonic_regression

from character.statistics.agreement import kendall_tau_b
from optimizers.calibration.calibration import (
    CAP,
    Calibration,
    JudgedItem,
    JudgedPass,
    fit_calibration,
    text_length,
)
from optimizers.calibration.fit import fit_knots, isotonic

PLACES = (0.12, 0.02, -0.04, -0.10)


def judged(
    number: int,
    *,
    seed: int = 0,
    passes: int = 2,
    places: tuple[float, ...] = (0.0,) * 4,
    slope: float = 0.0,
    noise: float = 0.05,
    bend: float = 1.0,
) -> list[JudgedItem]:
    """Items whose labels are known, judged by a judge with these biases; bend 1 is an honest scale."""
    rng = np.random.default_rng(seed)
    items = []
    for _ in range(number):
        truth = rng.random(4)
        lengths = np.exp(rng.normal(4, 0.6, 4))
        logs = np.log(lengths) - np.log(lengths).mean()
        made = []
        first = rng.permutation(4)
        for shown in (first, first[::-1])[:passes]:
            scores = 0.15 + 0.7 * truth**bend + slope * logs + rng.normal(0, noise, 4)
            scores[shown] += np.array(places)
            made.append(JudgedPass([int(i) for i in shown], [float(s) for s in np.clip(scores, 0, 1)]))
        labels = np.clip(truth + rng.normal(0, 0.05, 4), 0, 1)
        items.append(JudgedItem([float(x) for x in labels], made, [float(x) for x in lengths]))
    return items


def calibrated(calibration: Calibration, item: JudgedItem) -> list[float]:
    """The mean calibrated score of each candidate."""
    rows = [calibration.apply(each.scores, each.shown, item.lengths) for each in item.passes]
    return [float(x) for x in np.mean(np.array(rows, dtype=float), axis=0)]


def quality(calibration: Calibration, items: list[JudgedItem]) -> tuple[float, float]:
    """Mean absolute error and mean tau-b against the labels."""
    scores = [calibrated(calibration, item) for item in items]
    labels = [np.array(item.labels, dtype=float) for item in items]
    errors = [np.abs(np.subtract(s, given)).mean() for s, given in zip(scores, labels, strict=True)]
    taus = [kendall_tau_b(s, given) or 0.0 for s, given in zip(scores, labels, strict=True)]
    return float(np.mean(errors)), float(np.mean(taus))


@given(st.lists(st.tuples(st.floats(-1, 2, width=32), st.floats(0.5, 20, width=32)), min_size=1, max_size=30))
def test_pooling_violators_gives_the_isotonic_fit_of_scipy(pairs: list[tuple[float, float]]) -> None:
    values, weights = (np.array(column) for column in zip(*pairs, strict=True))
    assert isotonic(values, weights) == pytest.approx(
        isotonic_regression(values, weights=weights).x, abs=1e-9
    )


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=80))
def test_the_map_keeps_every_order_whatever_the_labels(pairs: list[tuple[int, int]]) -> None:
    scores, labels = (np.array(column) / 10 for column in zip(*pairs, strict=True))
    calibration = Calibration(knots=fit_knots(scores, labels))
    levels = [i / 20 for i in range(21)]
    mapped = calibration.apply(levels, range(21))
    assert all(a < b for a, b in pairwise(mapped))
    assert all(0 <= value <= 1 for value in mapped)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(0, 12))
def test_any_fit_is_a_valid_calibration_that_json_keeps(seed: int, number: int) -> None:
    fitted = fit_calibration(judged(number, seed=seed, noise=0.3, places=PLACES, slope=0.1))
    text = json.dumps(fitted.model_dump(mode="json"), allow_nan=False)
    assert Calibration.model_validate(json.loads(text)) == fitted
    assert len(text) < 2000


def test_the_identity_changes_nothing() -> None:
    identity = Calibration.identity()
    assert identity.is_identity
    assert identity.apply([0.0, None, 0.37, 1.0], [2, 3, 0], [5, 9, 100, 3]) == [0.0, None, 0.37, 1.0]


def test_without_labels_the_fit_is_the_identity() -> None:
    unlabelled = [JudgedItem([None, None], [JudgedPass([0, 1], [0.2, 0.9])])]
    unjudged = [JudgedItem([0.3, 0.5], [JudgedPass([0, 1], [None, None])])]
    assert fit_calibration([]).is_identity
    assert fit_calibration(unlabelled).is_identity
    assert fit_calibration(unjudged).is_identity


@pytest.mark.parametrize("number", [10, 20, 40])
def test_a_bent_scale_is_brought_to_that_of_the_raters_and_the_order_stays(number: int) -> None:
    test = judged(200, seed=99, bend=2.0, passes=1)
    error, tau = quality(Calibration.identity(), test)
    after, tau_after = quality(fit_calibration(judged(number, seed=1, bend=2.0)), test)
    assert after < 0.8 * error
    assert tau_after == pytest.approx(tau, abs=1e-9)


def test_the_order_of_the_mean_over_passes_hardly_changes() -> None:
    test = judged(200, seed=99, bend=2.0, passes=2)
    fitted = fit_calibration(judged(20, seed=1, bend=2.0))
    assert quality(fitted, test)[1] > quality(Calibration.identity(), test)[1] - 0.01


def test_more_labels_move_the_scores_further() -> None:
    test = judged(200, seed=99, bend=2.0)
    errors = [quality(fit_calibration(judged(n, seed=1, bend=2.0)), test)[0] for n in (5, 10, 40)]
    assert errors == sorted(errors, reverse=True)


def test_a_judge_who_is_right_is_left_nearly_as_is() -> None:
    rng = np.random.default_rng(0)
    items = []
    for _ in range(10):
        labels = [float(x) for x in rng.integers(0, 11, 4) / 10]
        items.append(JudgedItem(labels, [JudgedPass([0, 1, 2, 3], labels)]))
    fitted = fit_calibration(items)
    levels = [i / 10 for i in range(11)]
    assert fitted.apply(levels, range(11)) == pytest.approx(levels, abs=0.01)


@pytest.mark.parametrize("passes", [1, 2])
def test_planted_place_effects_are_found_and_taken_out(passes: int) -> None:
    fitted = fit_calibration(judged(40, places=PLACES, passes=passes))
    assert fitted.places[0] == pytest.approx(PLACES, abs=0.035)
    assert sum(fitted.places[0]) == pytest.approx(0, abs=1e-5)
    test = judged(200, seed=99, places=PLACES, passes=1)
    assert quality(fitted, test)[1] > quality(Calibration.identity(), test)[1] + 0.02


def test_a_planted_preference_for_length_is_found_and_taken_out() -> None:
    fitted = fit_calibration(judged(40, slope=0.12))
    assert 0.06 < fitted.length_slope < 0.15
    test = judged(200, seed=99, slope=0.12)
    assert quality(fitted, test)[1] > quality(Calibration.identity(), test)[1] + 0.05


def test_noise_is_no_bias() -> None:
    fits = [fit_calibration(judged(10, seed=seed, noise=0.2)) for seed in range(100)]
    assert sum(bool(fit.places) for fit in fits) <= 2
    assert sum(fit.length_slope != 0 for fit in fits) <= 4


def test_length_that_goes_with_quality_is_no_bias_of_the_judge() -> None:
    rng = np.random.default_rng(3)
    items = []
    for _ in range(60):
        truth = rng.random(4)
        scores, labels = (np.clip(truth + rng.normal(0, 0.15, 4), 0, 1) for _ in range(2))
        lengths = np.exp(3 + 2 * truth)
        items.append(
            JudgedItem(labels.tolist(), [JudgedPass([0, 1, 2, 3], scores.tolist())], lengths.tolist())
        )
    assert fit_calibration(items).length_slope == 0


def test_a_place_is_corrected_only_for_as_many_shown_as_were_seen() -> None:
    calibration = Calibration(places=((0.1, -0.1),))
    assert calibration.apply([0.5, 0.5], [1, 0]) == [pytest.approx(0.6), pytest.approx(0.4)]
    assert calibration.apply([0.5, 0.5, 0.5], [2, 1, 0]) == [0.5, 0.5, 0.5]


def test_a_correction_is_never_above_the_cap() -> None:
    calibration = Calibration(length_slope=0.25, knots=((-CAP, 0.0), (1 + CAP, 1.0)))
    plain = Calibration(knots=calibration.knots)
    longest = calibration.apply([0.5, 0.5], [0, 1], [1, 10**9])
    assert longest[0] == plain.apply([0.5 + CAP], [0])[0]
    assert longest[1] == plain.apply([0.5 - CAP], [0])[0]


@pytest.mark.parametrize(
    "data",
    [
        {"knots": [[0.0, 0.0]]},
        {"knots": [[0.0, 0.5], [1.0, 0.5]]},
        {"knots": [[0.5, 0.0], [0.5, 1.0]]},
        {"knots": [[0.0, 0.0], [1.0, 1.5]]},
        {"knots": [[0.0, 0.0], [1.0, float("nan")]]},
        {"knots": [[i / 100, i / 100] for i in range(40)]},
        {"places": [[0.1, 0.1]]},
        {"places": [[0.1, -0.1], [0.05, -0.05]]},
        {"places": [[0.9, -0.9]]},
        {"length_slope": 3.0},
        {"length_slope": "0.1"},
        {"length_credit": 3.0},
        {"length_share": 1.5},
        {"num_labels": -1},
        {"api_base": "http://attacker.example"},
    ],
)
def test_what_is_no_calibration_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Calibration.model_validate(data)


@pytest.mark.parametrize(
    ("text", "length"),
    [("", 1), ("Take your time.", 3), ("慢慢来", 3), ("用 Python 写 2 行", 5), ("…！", 1), ("naïve café", 2)],
)
def test_a_word_and_a_chinese_character_count_alike(text: str, length: int) -> None:
    assert text_length(text) == length
