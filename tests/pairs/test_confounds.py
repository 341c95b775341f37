"""Confounds: what is planted is found, and what is not planted is not."""

from __future__ import annotations

from math import comb
from random import Random

import numpy as np
import pytest
from audit.planted import pair_of, planted, reply
from scipy import optimize, stats

from character.audit.confounds import audit_confounds
from character.pairs.confound_classifier import _fit
from character.statistics.intervals import bootstrap_intervals, cluster_sums
from character.statistics.significance import holm, sign_flip_p_values


def _row(audit, name):
    return next(row for row in audit.run.features if row.name == name)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_doubled_length_is_found(language) -> None:
    audit = audit_confounds(planted(150, chosen=lambda _rng, text: f"{text} {text}", language=language))
    assert {"characters", "tokens"} <= set(audit.flagged)
    length = _row(audit, "characters")
    assert 0.5 < length.low < length.effect < length.high < 0.9
    assert length.scale == "log"
    assert length.standardized == pytest.approx(np.log(2) / np.sqrt(0.5), rel=0.2)
    assert audit.classifier.low > 0.7


def test_an_opener_on_most_chosen_sides_is_found() -> None:
    pairs = planted(150, chosen=lambda rng, text: f"Well, {text}" if rng.random() < 0.6 else text)
    audit = audit_confounds(pairs)
    assert audit.flagged == ("opener:well",)
    row = audit.run.openers[0]
    assert (row.opener, row.share_rejected) == ("well", 0.0)
    assert row.low < 0.6 < row.high
    assert (audit.run.common_chosen, audit.run.common_chosen_share) == ("well", row.share_chosen)
    assert audit.run.common_rejected_share < 0.1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_planted_emoji_is_found_even_where_every_pair_has_it(language) -> None:
    audit = audit_confounds(planted(40, chosen=lambda _rng, text: f"{text}😊", language=language))
    assert audit.flagged[0] == "emoji"
    assert (_row(audit, "emoji").effect, _row(audit, "emoji").standardized) == (1.0, None)
    assert audit.classifier.accuracy == 1.0
    assert next(iter(audit.classifier.weights)) == "emoji"


def test_what_the_rejected_sides_have_more_of_is_found_as_well() -> None:
    audit = audit_confounds(planted(100, rejected=lambda _rng, text: f"- {text}\n- and more"))
    assert _row(audit, "list_items").effect == -1.0
    assert "list_items" in audit.flagged


def test_without_a_confound_nothing_is_flagged_over_fifty_seeds() -> None:
    assert [audit_confounds(planted(150, seed=seed)).flagged for seed in range(50)] == [()] * 50


def test_without_a_threshold_the_error_rate_is_kept_over_a_hundred_seeds() -> None:
    flagged = sum(bool(audit_confounds(planted(40, seed=seed), threshold=0.0).flagged) for seed in range(100))
    at_most = sum(comb(100, k) * 0.05**k * 0.95 ** (100 - k) for k in range(flagged))
    assert at_most < 0.999  # so many false alarms would come once in a thousand times at a rate of 0.05


def test_the_classifier_cannot_tell_sides_apart_that_do_not_differ() -> None:
    classifier = audit_confounds(planted(200)).classifier
    assert classifier.low < 0.5 < classifier.high
    assert classifier.num_folds == 5


def test_a_confound_of_one_trait_is_reported_there() -> None:
    both = [
        *planted(60, trait="patience"),
        *planted(60, trait="耐心", language="zh", chosen=lambda _rng, text: f"{text}！！"),
    ]
    audit = audit_confounds(both)
    assert audit.by_trait["耐心"].flagged == audit.by_language["zh"].flagged == ("exclamations",)
    assert audit.by_trait["patience"].flagged == ()
    assert (audit.by_trait["patience"].num_pairs, audit.by_trait["patience"].num_messages) == (180, 60)


def test_pairs_of_one_message_do_not_count_as_evidence_many_times() -> None:
    rng = Random(0)
    pairs = [pair_of(0, reply(rng) + " 😊", reply(rng)) for _ in range(200)]
    audit = audit_confounds(pairs)
    assert audit.flagged == ()
    assert audit.classifier.accuracy is None


def test_no_pairs_give_an_empty_audit() -> None:
    audit = audit_confounds([])
    assert (audit.run.num_pairs, audit.run.features, audit.flagged, audit.by_trait) == (0, (), (), {})


def test_the_same_seed_gives_the_same_audit_and_it_reads_back() -> None:
    pairs = planted(30)
    audit = audit_confounds(pairs, seed=3)
    assert audit == audit_confounds(iter(pairs), seed=3)
    assert type(audit).model_validate_json(audit.model_dump_json()) == audit


def test_intervals_of_independent_pairs_are_those_of_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(0.3, 1.0, size=(400, 1))
    low, high = bootstrap_intervals(values, np.arange(400), seed=0)[:, 0]
    expected = stats.norm.interval(0.95, values.mean(), stats.sem(values[:, 0]))
    assert (low, high) == pytest.approx(expected, abs=0.02)


def test_cluster_sums_are_those_of_a_loop() -> None:
    values = np.random.default_rng(1).normal(size=(50, 3))
    cluster = np.arange(50) % 7
    sums, sizes = cluster_sums(values, cluster)
    assert sums == pytest.approx(np.array([values[cluster == each].sum(axis=0) for each in range(7)]))
    assert sizes.tolist() == [8, 7, 7, 7, 7, 7, 7]


def test_the_sign_flip_test_agrees_with_scipys_permutation_test() -> None:
    values = np.random.default_rng(2).normal(0.25, 1.0, size=40)
    ours = sign_flip_p_values(values[:, None], np.arange(40), seed=0, num_flips=9999)[0]
    theirs = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(0)
    ).pvalue
    assert ours == pytest.approx(theirs, abs=0.015)


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.5])).tolist() == pytest.approx([0.04, 0.09, 0.09, 0.5])


def test_the_fit_is_the_minimum_that_scipy_finds() -> None:
    columns = np.random.default_rng(3).normal(0.2, 1.0, size=(300, 4))

    def loss(weights):
        return np.logaddexp(0, -columns @ weights).sum() + weights @ weights / 2

    assert _fit(columns) == pytest.approx(optimize.minimize(loss, np.zeros(4), tol=1e-10).x, abs=1e-4)
