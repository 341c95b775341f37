"""Honest measuring: held-out data stays held out, and nothing is adopted that is not surely better."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, backend_at
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_judge import pupil
from scipy import stats

from character import Ranker, build_lm
from character.statistics.intervals import Interval, is_real, mean_interval, t_quantile
from optimizers.errors import OptimizerError
from optimizers.labelled import Label, LabelledItem, LabelledSet, Turn, merge_labelled, read_labelled
from optimizers.optimize import optimize_ranker, usual_budget
from optimizers.strategies.task import Trial, pick
from optimizers.validation.evaluation import SCALES, RankerEvaluation, compare, evaluate, summary
from optimizers.validation.held_out import LOCKED_FROM, LOCKED_FROM_GROUPS, plan_parts

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "labelled"


@pytest.fixture(scope="module")
def both() -> LabelledSet:
    """Return our own labels in both languages, 48 messages."""
    return merge_labelled(
        [read_labelled(EXAMPLES / f"patience-and-humour.{language}.jsonl") for language in ("en", "zh")]
    )


def item(number: int, scores: tuple[float, ...] = (0.9, 0.1), group: str = "") -> LabelledItem:
    """Return an item with one rater's scores."""
    return LabelledItem(
        turns=(Turn(role="user", content=f"message {number}"),),
        trait={"name": "patience"},
        candidates=tuple(f"reply {i} to {number}" for i in range(len(scores))),
        labels=(Label(scores=scores),),
        group=group,
    )


@given(st.integers(4, 90), st.integers(1, 40), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_no_item_and_no_group_is_both_tuned_on_and_held_out(number: int, num_groups: int, seed: int) -> None:
    labelled = LabelledSet(items=tuple(item(i, group=f"g{i % num_groups}") for i in range(number)))
    num_groups = min(num_groups, number)
    if num_groups == 1:
        with pytest.raises(OptimizerError, match="belong to one group"):
            plan_parts(labelled, labelled.items, seed)
        return
    design, parts = plan_parts(labelled, labelled.items, seed)
    assert (design == "locked") == (number >= LOCKED_FROM and num_groups >= LOCKED_FROM_GROUPS)
    for part in parts:
        assert not {each.group for each in part.train} & {each.group for each in part.test}
    held = [each.id for part in parts for each in part.test]
    assert len(held) == len(set(held))
    if design == "nested":
        assert set(held) == {each.id for each in labelled.items}


def test_the_locked_part_is_asked_about_only_by_the_ranker_before_and_after(both: LabelledSet) -> None:
    with FakeServer(pupil(both)) as server, dspy.context(lm=build_lm(backend_at(server))):
        result = optimize_ranker(Ranker(), both, "few_shot", budget=500, num_threads=1)
    _, parts = plan_parts(both, both.items, 0)
    held = {each.candidates[0] for each in parts[0].test}
    shown_in_demos = {text for demo in result.tuning.demos for text in demo["responses"]}
    assert result.tuning.demos
    assert not held & shown_in_demos
    # The ranker itself sends a seed with each call; what strategies try is sent without one.
    tried = [str(request["messages"][-1]["content"]) for request in server.requests if "seed" not in request]
    assert tried
    assert not [text for text in tried if any(each.split("\n")[0] in text for each in held)]


def test_a_gain_is_adopted_on_our_own_labels_and_the_tuned_ranker_has_it(both: LabelledSet) -> None:
    with FakeServer(pupil(both)) as server, dspy.context(lm=build_lm(backend_at(server))):
        result = optimize_ranker(Ranker(), both, "few_shot", budget=600, num_threads=1)
    assert result.report.adopted
    assert result.report.design == "locked"
    assert len(result.program.rank.demos) == len(result.tuning.demos) > 0
    assert result.report.gain is not None
    assert result.report.gain.gain.low is not None
    assert result.report.gain.gain.low > 0


def test_a_judge_that_examples_do_not_move_is_left_untuned(both: LabelledSet) -> None:
    with dspy.context(lm=build_lm()):
        result = optimize_ranker(Ranker(), both, "few_shot", budget=600, num_threads=1)
    assert not result.report.adopted
    assert result.program.rank.demos == []


def test_permuted_labels_are_not_adopted_and_the_program_stays_untuned(both: LabelledSet) -> None:
    adopted = 0
    for seed in range(5):
        with FakeServer(pupil(both)) as server, dspy.context(lm=build_lm(backend_at(server))):
            result = optimize_ranker(
                Ranker(), both.permuted(seed), "few_shot", budget=300, seed=seed, num_threads=1
            )
        adopted += result.report.adopted
        if not result.report.adopted:
            assert result.program.rank.demos == []
            assert "not surely above zero" in result.report.reason or "nothing" in result.report.reason
    assert adopted <= 1


def test_the_control_runs_on_permuted_labels_within_the_same_budget(both: LabelledSet) -> None:
    with dspy.context(lm=build_lm()):
        report = optimize_ranker(Ranker(), both, "few_shot", budget=700, controls=2, num_threads=1).report
    assert report.control is not None
    assert report.control.runs == 2
    assert len(report.control.gains) == 2
    assert report.calls.total <= 700


def test_the_learning_curve_ends_at_the_whole_training_part(both: LabelledSet) -> None:
    with FakeServer(pupil(both)) as server, dspy.context(lm=build_lm(backend_at(server))):
        report = optimize_ranker(Ranker(), both, "few_shot", budget=900, num_threads=1).report
    sizes = [point.num_items for point in report.curve]
    assert sizes == sorted(sizes)
    assert sizes[-1] == report.num_train
    assert len(sizes) > 1
    assert report.gain is not None
    assert report.curve[-1].gain == report.gain.gain


def test_items_that_the_calls_do_not_reach_are_counted_and_not_guessed(both: LabelledSet) -> None:
    with dspy.context(lm=build_lm()):
        report = optimize_ranker(Ranker(), both, "few_shot", budget=30, num_threads=1).report
    assert report.unmeasured > 0
    assert not report.adopted
    assert report.calls.total <= 30


def test_calls_that_reach_no_trial_are_said_to_be_too_few(both: LabelledSet) -> None:
    with dspy.context(lm=build_lm()):
        report = optimize_ranker(Ranker(), both, budget=2 * len(both), num_threads=1).report
    assert not report.adopted
    assert "the calls did not reach to try any tuning" in report.reason


def test_what_nobody_limits_grows_with_the_labels_and_the_controls() -> None:
    assert [usual_budget(number) for number in (10, 24, 40)] == [600, 600, 1000]
    assert usual_budget(40, controls=2) == 3000


@pytest.mark.parametrize("number", [0, 3])
def test_too_few_labels_are_refused_with_what_would_do(number: int) -> None:
    labelled = LabelledSet(items=tuple(item(i) for i in range(number)))
    with dspy.context(lm=build_lm()), pytest.raises(OptimizerError, match="at least 4"):
        optimize_ranker(Ranker(), labelled, "few_shot", budget=100)


def test_items_without_any_difference_are_left_out_and_counted() -> None:
    items = [item(i, (0.9, 0.1, 0.5)) for i in range(8)] + [item(20 + i, (0.5, 0.5)) for i in range(3)]
    with dspy.context(lm=build_lm()):
        report = optimize_ranker(Ranker(), LabelledSet(items=tuple(items)), "few_shot", budget=150).report
    assert (report.num_items, report.unusable) == (8, 3)


@given(st.floats(0.8, 0.995), st.integers(8, 200))
def test_t_quantiles_are_those_of_scipy(level: float, degrees: int) -> None:
    assert t_quantile((1 + level) / 2, degrees) == pytest.approx(
        stats.t.ppf((1 + level) / 2, degrees), rel=0.01
    )


@pytest.mark.parametrize("num_groups", [6, 12, 30])
def test_no_gain_at_all_is_called_real_in_at_most_one_case_of_twenty(num_groups: int) -> None:
    rng, called = Random(num_groups), 0
    for trial in range(300):
        values = [rng.choice((-0.5, -0.25, 0.0, 0.0, 0.25, 0.5)) for _ in range(num_groups)]
        found = mean_interval(values, [str(i) for i in range(num_groups)], seed=trial)
        called += is_real(found, num_groups)
    assert called <= 15


def test_one_group_has_no_interval_and_few_groups_are_no_evidence() -> None:
    assert mean_interval([1.0, 1.0], ["a", "a"]).low == -math.inf
    assert not is_real(Interval(0.3, 0.2, 0.4), 4)
    assert is_real(Interval(0.3, 0.2, 0.4), 5)
    assert not is_real(Interval(0.3, 0.0, 0.6), 50)


def test_a_falling_error_is_a_gain() -> None:
    items = [item(i) for i in range(6)]
    worse = RankerEvaluation({each.id: (0.5, 0.5) for each in items}, {})
    better = RankerEvaluation({each.id: (0.8, 0.2) for each in items}, {})
    found = compare(worse, better, items, "mean_absolute_error")
    assert found is not None
    assert found.gain.estimate == pytest.approx(0.3)
    assert found.before.estimate > found.after.estimate


def test_an_item_that_was_not_ranked_or_not_measured_is_in_no_figure() -> None:
    one, two, three = items = [item(i) for i in range(3)]
    found = RankerEvaluation({one.id: (0.8, 0.2)}, {two.id: "unreadable"}, (three.id,))
    for metric in ("pairwise_accuracy", "tau_b"):
        assert [found.value(each, metric) for each in items] == [1.0, None, None]
    assert summary(found, items)["pairwise_accuracy"].estimate == 1.0
    assert found.num_faults == {"unreadable": 1}


def test_leaving_out_what_is_hard_is_no_gain() -> None:
    hard, easy = items = [item(i) for i in range(2)]
    before = RankerEvaluation({hard.id: (0.2, 0.8), easy.id: (0.8, 0.2)}, {})
    after = RankerEvaluation({easy.id: (0.9, 0.1)}, {hard.id: "unreadable"})
    found = compare(before, after, items, "pairwise_accuracy")
    assert found is not None
    assert (found.before.estimate, found.after.estimate, found.num_items) == (1.0, 1.0, 1)
    many = [item(i) for i in range(12)]
    flat = RankerEvaluation({each.id: (0.5, 0.5) for each in many}, {})
    whole = RankerEvaluation({each.id: (0.9, 0.1) for each in many}, {})
    half = RankerEvaluation(
        dict(list(whole.scores.items())[6:]), {each.id: "unreadable" for each in many[:6]}
    )
    for metric in ("pairwise_accuracy", "mean_absolute_error"):
        better, fewer = (compare(flat, each, many, metric) for each in (whole, half))
        assert better is not None
        assert fewer is not None
        assert (better.is_real, better.num_lost) == (True, 0)
        assert (fewer.is_real, fewer.num_lost) == (False, 6)
        assert fewer.gain.estimate == pytest.approx(better.gain.estimate)


@given(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), min_size=2, max_size=12), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_no_interval_leaves_the_scale(values: list[float], seed: int) -> None:
    found = mean_interval(values, [str(i) for i in range(len(values))], scale=(-1.0, 1.0), seed=seed)
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    items = [item(i) for i in range(len(values))]
    scores = {each.id: (0.5 + value / 2, 0.5) for each, value in zip(items, values, strict=True)}
    flat = RankerEvaluation({each.id: (0.5, 0.5) for each in items}, {})
    for metric, (low, high) in SCALES.items():
        interval = summary(RankerEvaluation(scores, {}), items, seed=seed)[metric]
        assert low <= interval.low <= interval.high <= high
        gain = compare(flat, RankerEvaluation(scores, {}), items, metric)
        assert gain is not None
        assert gain.gain.low is not None
        assert gain.gain.high is not None
        assert low - high <= gain.gain.low <= gain.gain.high <= high - low


def test_evaluating_asks_as_a_run_does(both: LabelledSet) -> None:
    lm = build_lm()
    ranker = Ranker(passes=2)
    found = evaluate(ranker, both.items[:4], lm=lm, seed=3, num_threads=2)
    for each in both.items[:4]:
        with dspy.context(lm=lm):
            alone = ranker(each.message, list(each.candidates), each.trait, seed=3)
        assert found.scores[each.id] == alone.scores


def trials(**gains: list[float]) -> list[Trial]:
    """Return trials in the order given, the untuned one first."""
    return [Trial("untuned"), *(Trial(name, values) for name, values in gains.items())]


def test_the_simplest_within_a_standard_error_of_the_best_is_picked() -> None:
    noisy: list[Any] = [0.5, -0.4, 0.3, -0.3, 0.2, -0.1]
    assert pick(trials(calibrate=[0.0] * 6, few_shot=noisy)) == "untuned"
    sure = [0.3, 0.35, 0.3, 0.25, 0.3, 0.3]
    assert pick(trials(calibrate=[0.0] * 6, few_shot=sure)) == "few_shot"
    assert pick(trials(select=sure, few_shot=[gain + 0.005 for gain in sure])) == "select"
    assert pick(trials(select=sure, few_shot=[gain + 0.2 for gain in sure])) == "few_shot"
    assert pick(trials()) == "untuned"


def test_what_gains_by_length_is_picked_only_where_nothing_else_is_near() -> None:
    sure = [0.3, 0.35, 0.3, 0.25, 0.3, 0.3]
    by_length = Trial("calibrate", sure, by_length=True)
    assert pick([by_length]) == "calibrate"
    assert pick([by_length, Trial("few_shot", [gain - 0.005 for gain in sure])]) == "few_shot"
    assert pick([by_length, Trial("few_shot", [gain - 0.2 for gain in sure])]) == "calibrate"
