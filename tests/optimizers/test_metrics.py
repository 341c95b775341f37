"""Metrics against oracles and cases worked by hand, feedback in words, and both as DSPy's optimizers take them."""

from __future__ import annotations

import math
from typing import Any

import dspy
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from character import Ranker
from character.records import Turn
from optimizers.errors import OptimizerError
from optimizers.labelled.records import Label, LabelledItem
from optimizers.metrics.adapters import NEUTRAL, dspy_metric, gepa_metric, tuning_examples
from optimizers.metrics.feedback import feedback
from optimizers.metrics.functions import (
    METRICS,
    goodness,
    mean_absolute_error,
    metric_named,
    ndcg,
    pairwise_accuracy,
    tau_b,
    top1,
)

TEXTS = ("No idea.", "Let us go step by step.", "Slowly, slowly, oh so slowly!", "Hurry up.")
SHARES = st.integers(0, 10).map(lambda tenths: tenths / 10)


def item_of(*labels: Label, texts: tuple[str, ...] = TEXTS, language: str = "en") -> LabelledItem:
    return LabelledItem(
        turns=(Turn(role="user", content="How do I learn to swim?"),),
        trait={"name": "patience", "description": "takes the time it needs"},
        candidates=texts,
        labels=labels,
        language=language,
    )


def scored(*scores: float | None, **fields: Any) -> LabelledItem:
    return item_of(Label(scores=scores), **fields)


def test_pairwise_accuracy_counts_labelled_pairs_and_half_of_a_tie() -> None:
    item = scored(0.2, 0.9, 0.2, 0.5)  # five pairs that the rater does not tie
    assert pairwise_accuracy(item, [0.2, 0.9, 0.1, 0.5]) == 1.0
    assert pairwise_accuracy(item, [0.9, 0.2, 0.9, 0.5]) == 0.0
    assert pairwise_accuracy(item, [0.5, 0.5, 0.5, 0.5]) == 0.5
    assert pairwise_accuracy(item, [0.6, 0.9, 0.1, 0.5]) == 4 / 5
    assert pairwise_accuracy(item, [0.6, None, None, 0.5]) == 0.0
    assert pairwise_accuracy(item, [0.6, None, 0.3, None]) is None


def test_orders_and_choices_count_as_scores_do() -> None:
    by_order = item_of(Label(order=((1,), (3,), (0, 2))))
    by_choice = item_of(Label(choices=((1, 0, 1.0), (0, 3, 0.0), (1, 3, 1.0), (0, 2, 0.5))))
    for item in (by_order, by_choice):
        assert pairwise_accuracy(item, [0.1, 0.9, 0.1, 0.5]) == 1.0
        assert pairwise_accuracy(item, [0.9, 0.1, 0.9, 0.5]) == 0.0


@given(st.lists(SHARES, min_size=4, max_size=4), st.lists(SHARES, min_size=4, max_size=4))
def test_tau_b_is_scipys(labels: list[float], scores: list[float]) -> None:
    assume(len(set(labels)) > 1 and len(set(scores)) > 1)
    assert tau_b(scored(*labels), scores) == pytest.approx(kendalltau(labels, scores).statistic)


def test_scores_that_tell_nothing_apart_have_a_tau_of_zero_and_labels_that_do_not_have_none() -> None:
    assert tau_b(scored(0.1, 0.2, 0.3, 0.4), [0.5] * 4) == 0.0
    assert tau_b(scored(0.5, 0.5, 0.5, 0.5), [0.1, 0.2, 0.3, 0.4]) is None


def test_top1_shares_the_first_place_among_ties() -> None:
    item = scored(0.2, 0.9, 0.9, 0.5)
    assert top1(item, [0.1, 0.8, 0.3, 0.2]) == 1.0
    assert top1(item, [0.8, 0.8, 0.3, 0.2]) == 0.5
    assert top1(item, [0.8, 0.7, 0.3, 0.2]) == 0.0
    assert top1(scored(0.5, 0.5, 0.5, 0.5), [0.1, 0.2, 0.3, 0.4]) is None


def test_ndcg_is_the_sum_worked_by_hand() -> None:
    item = scored(1.0, 0.5, 0.0, texts=TEXTS[:3])
    best = 1.0 + 0.5 / math.log2(3)
    assert ndcg(item, [0.9, 0.5, 0.1]) == pytest.approx(1.0)
    assert ndcg(item, [0.1, 0.5, 0.9]) == pytest.approx((0.5 / math.log2(3) + 1.0 / 2) / best)
    tied_first = 0.75 * (1 + 1 / math.log2(3))
    assert ndcg(item, [0.9, 0.9, 0.1]) == pytest.approx(tied_first / best)


@given(
    st.lists(SHARES, min_size=4, max_size=4),
    st.lists(SHARES, min_size=4, max_size=4),
    st.permutations(range(4)),
)
def test_no_metric_depends_on_the_order_of_the_candidates(
    labels: list[float], scores: list[float], order: list[int]
) -> None:
    item = scored(*labels)
    moved = scored(*[labels[i] for i in order], texts=tuple(TEXTS[i] for i in order))
    for metric in METRICS.values():
        before, after = metric(item, scores), metric(moved, [scores[i] for i in order])
        assert (before is None) == (after is None)
        if before is not None:
            assert after == pytest.approx(before)


@given(st.lists(SHARES, min_size=4, max_size=4), st.lists(SHARES, min_size=4, max_size=4))
def test_the_labels_themselves_are_the_best_scores_and_goodness_lies_in_0_to_1(
    labels: list[float], scores: list[float]
) -> None:
    item = scored(*labels)
    for name, metric in METRICS.items():
        value, best = metric(item, scores), metric(item, labels)
        if value is not None and best is not None:
            assert -1e-9 <= goodness(name, value) <= goodness(name, best) + 1e-9 <= 1 + 2e-9


def test_absolute_error_takes_the_mean_of_the_raters() -> None:
    item = item_of(Label(scores=(0.2, 0.4, None, None)), Label(scores=(0.4, 0.4, None, None)))
    assert mean_absolute_error(item, [0.5, 0.3, 0.9, 0.9]) == pytest.approx(0.15)
    assert mean_absolute_error(item, [None] * 4) is None


def test_an_unknown_metric_names_the_known_ones_and_a_wrong_number_of_scores_is_said() -> None:
    with pytest.raises(OptimizerError, match="pairwise_accuracy, tau_b"):
        metric_named("accuracy")
    with pytest.raises(OptimizerError, match="3 scores for the 4 candidates"):
        tau_b(scored(0.1, 0.2, 0.3, 0.4), [0.1, 0.2, 0.3])


def test_feedback_says_which_response_was_misplaced_against_what_and_what_the_raters_said() -> None:
    item = item_of(Label(scores=(0.3, 0.8, 0.3, 0.1)), Label(scores=(0.3, 1.0, 0.3, 0.1)))
    text = feedback(item, [0.3, 0.5, 0.9, 0.1])
    assert "4 of 5 pairs" in text
    assert (
        'Response 3 ("Slowly, slowly, oh so slowly!") got 0.90 and stood above '
        'response 2 ("Let us go step by step.") with 0.50.' in text
    )
    assert "0.30 against 0.90, with 100% of their votes" in text
    assert "2 > 1 = 3 > 4" in text
    assert "Rater 2 said: response 1: 0.30, response 2: 1.00" in text


def test_feedback_numbers_the_responses_as_they_were_shown() -> None:
    text = feedback(scored(0.1, 0.9, 0.5, 0.3), [0.9, 0.1, None, None], shown=[1, 0])
    assert 'Response 2 ("No idea.") got 0.90' in text
    assert 'response 1 ("Let us go step by step.")' in text
    assert "Rater 1 said: response 1: 0.90, response 2: 0.10." in text


def test_feedback_speaks_the_items_language_and_says_so_where_there_is_nothing_to_learn() -> None:
    item = scored(
        0.1, 0.9, 0.5, 0.3, language="zh", texts=("不知道。", "一步一步来。", "慢慢慢慢！", "快点。")
    )
    text = feedback(item, [0.9, 0.1, 0.5, 0.5])
    assert "第 1 条（“不知道。”）得 0.90，排在得 0.10 的第 2 条（“一步一步来。”）前面" in text
    assert not any(word in text for word in ("Response", "Rater", "raters"))
    assert feedback(scored(0.5, 0.5, 0.5, 0.5), [0.1, 0.2, 0.3, 0.4]).startswith("The raters tell none")


def outputs_of(example: Any, **changed: Any) -> Any:
    known = {name: example[name] for name in ("suitable", "scores")}
    return dspy.Prediction(**{"reasoning": "", **known, **changed})


def test_the_right_outputs_score_one_and_reversed_ones_zero() -> None:
    ranker, items = Ranker(), [scored(0.1, 0.9, 0.5, 0.3)]
    examples = tuning_examples(ranker, items, passes=3, seed=4)
    assert len({tuple(example.shown) for example in examples}) == 3
    for name in METRICS:
        measure = dspy_metric(name, ranker, items)
        assert [measure(example, outputs_of(example)) for example in examples] == [1.0] * 3
    measure = dspy_metric("tau_b", ranker, items)
    for example in examples:
        assert measure(example, outputs_of(example, scores=[10 - s for s in example.scores])) == 0.0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"scores": [1, 2]}, "one score for each response"),
        ({"scores": [1, 2, 3, 40]}, "outside the scale"),
        ({"suitable": False}, "the raters could tell"),
    ],
)
def test_an_unreadable_judgement_scores_zero_and_is_told_why(changed: dict[str, Any], said: str) -> None:
    ranker, items = Ranker(), [scored(0.1, 0.9, 0.5, 0.3)]
    (example,) = tuning_examples(ranker, items)
    assert dspy_metric("ndcg", ranker, items)(example, outputs_of(example, **changed)) == 0.0
    told = gepa_metric("ndcg", ranker, items)(example, outputs_of(example, **changed), None, "rank", None)
    assert told.score == 0.0
    assert said in told.feedback
    assert "Rater 1 said" in told.feedback


def test_a_reply_without_its_fields_is_unreadable_too() -> None:
    ranker, items = Ranker(), [scored(0.1, 0.9, 0.5, 0.3)]
    (example,) = tuning_examples(ranker, items)
    measure = gepa_metric("top1", ranker, items)
    for nothing in (None, dspy.Prediction(reasoning="hm")):
        assert measure(example, nothing).score == 0.0


def test_a_pair_that_the_raters_tie_counts_neither_for_nor_against() -> None:
    ranker, items = Ranker(strategy="pairwise"), [scored(0.5, 0.5, texts=TEXTS[:2])]
    (example, *_) = tuning_examples(ranker, items)
    for verdict in ("first", "second", "tie"):
        prediction = dspy.Prediction(reasoning="", verdict=verdict)
        assert dspy_metric("pairwise_accuracy", ranker, items)(example, prediction) == NEUTRAL


def test_a_whole_ranking_is_measured_like_a_judgement(rehearsal: dspy.LM) -> None:
    ranker, items = Ranker(), [scored(0.1, 0.9, 0.5, 0.3)]
    item = items[0]
    ranking = ranker(item.message, list(item.candidates), item.trait)
    example = dspy.Example(item_id=item.id)
    value = dspy_metric("tau_b", ranker, items)(example, ranking)
    assert value == pytest.approx(((tau_b(item, ranking.scores) or 0.0) + 1) / 2)
    told = gepa_metric("tau_b", ranker, items)(example, ranking)
    assert told.score == value
    assert "raters' order" in told.feedback


def test_an_example_of_another_set_is_an_error() -> None:
    ranker = Ranker()
    (example,) = tuning_examples(ranker, [scored(0.1, 0.9, 0.5, 0.3)])
    with pytest.raises(OptimizerError, match="was not given"):
        dspy_metric("tau_b", ranker, [])(example, outputs_of(example))
