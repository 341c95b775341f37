"""Length in a calibration: found where the raters favour it, at most half of the scores, said aloud, and switched off."""

from __future__ import annotations

import math

import dspy
import numpy as np
import pytest
from fake_server import FakeServer, as_rehearsal, backend_at

from character import Ranker, build_lm
from optimizers.calibration.calibration import Calibration, JudgedItem, JudgedPass, fit_calibration, fitter
from optimizers.calibration.length import WEIGHTS, length_note, surest
from optimizers.labelled import Label, LabelledItem, LabelledSet, Turn
from optimizers.metrics.functions import pairwise_accuracy
from optimizers.optimize import OptimizationResult, optimize_ranker

WORDS = ("stone", "river", "window", "paper", "garden", "morning", "letter", "table")


def judged(number: int, *, favour: float, seed: int = 0, num_groups: int | None = None) -> list[JudgedItem]:
    """Items of a judge who knows nothing, and of raters who favour length by so much per unit of its logarithm."""
    rng = np.random.default_rng(seed)
    items = []
    for index in range(number):
        lengths = np.exp(rng.normal(4, 0.7, 4))
        logs = np.log(lengths) - np.log(lengths).mean()
        labels = np.clip(0.5 + favour * logs + rng.normal(0, 0.15, 4), 0, 1)
        scores = np.clip(rng.normal(0.5, 0.1, 4), 0, 1)
        group = str(index % num_groups if num_groups else index)
        made = [JudgedPass([0, 1, 2, 3], scores.tolist())]
        items.append(JudgedItem(labels.tolist(), made, lengths.tolist(), group))
    return items


def right(calibration: Calibration, items: list[JudgedItem]) -> list[float]:
    """Return for each item the share of pairs that calibrated scores put in the raters' order."""
    found = []
    for item in items:
        scores = calibration.apply(item.passes[0].scores, item.passes[0].shown, item.lengths)
        shown = LabelledItem(
            turns=(Turn(role="user", content="hi"),),
            trait={"name": "candour"},
            candidates=tuple(f"reply {i}" for i in range(4)),
            labels=(Label(scores=tuple(item.labels)),),
        )
        found.append(pairwise_accuracy(shown, scores) or 0.0)
    return found


def chosen(items: list[JudgedItem]) -> Calibration:
    """Return the calibration that most surely gains in pairwise accuracy."""
    return surest(fitter(items), lambda each: right(each, items), [item.group for item in items])


@pytest.mark.parametrize("favour", [-0.3, 0.3])
def test_a_length_that_raters_favour_counts_and_gains_on_other_items(favour: float) -> None:
    found = chosen(judged(40, favour=favour))
    assert found.length_credit * favour > 0
    test = judged(100, favour=favour, seed=9)
    plain = fit_calibration(judged(40, favour=favour))
    assert np.mean(right(found, test)) > np.mean(right(plain, test)) + 0.1


def test_length_never_counts_for_more_than_the_judge() -> None:
    found = chosen(judged(40, favour=-0.6))
    assert 0 < found.length_share <= 0.5
    assert max(WEIGHTS) == 0.5
    assert fit_calibration(judged(40, favour=-0.6), length_weight=0.5).length_share == 0.5


def test_few_groups_are_no_evidence_however_many_items_there_are() -> None:
    assert chosen(judged(40, favour=-0.6, num_groups=11)).length_credit == 0
    assert chosen(judged(40, favour=-0.6, num_groups=12)).length_credit < 0


def test_candidates_judged_alone_are_held_against_the_lengths_of_all() -> None:
    credited = Calibration(length_credit=-0.1)
    scores = [credited.apply([0.5, 0.5], [index], [10, 40])[index] for index in (0, 1)]
    assert scores == [pytest.approx(0.5 + 0.1 * math.log(2)), pytest.approx(0.5 - 0.1 * math.log(2))]


def test_the_note_says_how_much_and_which_way_and_nothing_without_length() -> None:
    assert length_note(None) == length_note(Calibration(places=((0.1, -0.1),))) == ""
    note = length_note(Calibration(length_credit=-0.1, length_share=0.5))
    assert "twice as long gets 0.07 less" in note
    assert "50% of the variance" in note
    assert "favour shorter" in note
    assert "0.07 more" in length_note(Calibration(length_credit=0.1, length_share=0.2))


def brief_is_better(number: int) -> LabelledSet:
    """Labels that put the shorter of four replies first, on texts that show no trait to the rehearsal judge."""
    items = []
    for index in range(number):
        sizes = [6 + (7 * index + 5 * k) % 9 + 24 * k for k in range(4)]
        order = [(index + k) % 4 for k in range(4)]
        texts = [
            f"{index}. " + " ".join(WORDS[(index + n) % 8] for n in range(sizes[k])) + "." for k in order
        ]
        scores = tuple(1 - k / 3 for k in order)
        items.append(
            LabelledItem(
                turns=(Turn(role="user", content=f"What about the {WORDS[index % 8]}, number {index}?"),),
                trait={"name": "candour", "description": "Says frankly what is so."},
                candidates=tuple(texts),
                labels=(Label(rater="ann", scores=scores),),
            )
        )
    return LabelledSet(items=tuple(items), name="brief")


def calibrated(uses_length: bool) -> OptimizationResult:
    with dspy.context(lm=build_lm()):
        return optimize_ranker(
            Ranker(),
            brief_is_better(24),
            "calibrate",
            budget=300,
            uses_length=uses_length,
            num_threads=1,
        )


def test_a_ranker_that_length_made_better_says_so_and_can_be_had_without() -> None:
    found = calibrated(uses_length=True)
    assert found.report.adopted
    assert found.program.calibration.length_credit < 0
    assert "twice as long" in found.report.warning
    without = calibrated(uses_length=False)
    assert without.report.warning == ""
    calibration = without.ranker.calibration
    assert calibration is None or (calibration.length_credit, calibration.length_slope) == (0.0, 0.0)


def test_a_nested_design_has_a_learning_curve_too() -> None:
    report = calibrated(uses_length=True).report
    assert report.design == "nested"
    sizes = [point.num_items for point in report.curve]
    assert sizes == sorted(set(sizes))
    assert len(sizes) == 3
    assert report.gain is not None
    assert report.curve[-1].gain == report.gain.gain


def test_auto_finds_it_through_real_http_within_its_calls() -> None:
    with FakeServer(as_rehearsal) as server, dspy.context(lm=build_lm(backend_at(server))):
        report = optimize_ranker(Ranker(), brief_is_better(24), "auto", budget=400).report
    assert report.model == f"openai/{server.name}"
    assert len(server.requests) == report.calls.total <= 400
    assert {contender.strategy for contender in report.contenders} >= {"untuned", "calibrate"}
    assert report.adopted
