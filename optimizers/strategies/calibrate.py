"""Calibration: the judge's scores brought to the raters' scale, fitted to judged labelled items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from optimizers.calibration.calibration import Calibration, JudgedItem, JudgedPass, fitter, text_length
from optimizers.calibration.length import WEIGHTS, surest
from optimizers.labelled import LabelledItem
from optimizers.metrics.functions import LOWER_IS_BETTER, tau_b
from optimizers.strategies.judge_cache import SPENT, Judgement, TuningTask, combined
from optimizers.strategies.tuning import Tuning

PASSES = 2
"""Passes per item, where the calls suffice: a candidate seen in two places tells what place does."""


def calibrate(task: TuningTask, items: Sequence[LabelledItem], budget: int) -> Tuning:
    """Return the start with a calibration fitted to the items (see ``fit_calibration``) in place of its own.

    It takes the judgements of the items, in two orders where the calls suffice and in one where not, and no
    call beyond those. Where the judge allows it, length counts as far as that surely betters the order of the
    items' candidates (see ``surest``); not where the absolute error is to fall, because a blurred order can
    lower that.
    """
    judge, start = task.judge, task.start
    plain = replace(start, calibration=None)
    with judge.ledger.allowance(budget):
        passes = PASSES if judge.ledger.left >= judge.calls_missing(plain, items, PASSES) else 1
        made = judge.judgements(plain, items, passes=passes)
    judged = [_judged(item, each) for item, each in zip(items, made, strict=True)]
    with_scores = [each for each in judged if each.passes]

    by_order = judge.options.metric not in LOWER_IS_BETTER

    def goodness(calibration: Calibration) -> list[float | None]:
        tried = replace(plain, calibration=calibration)
        grade = _order if by_order else judge.grade
        return [grade(item, tried, each) for item, each in zip(items, made, strict=True)]

    weights = WEIGHTS if judge.options.uses_length and by_order else ()
    fitted = fitter(with_scores, corrects_length=judge.options.uses_length)
    best = surest(fitted, goodness, [item.group for item in items], weights=weights)
    return start if best.is_identity else replace(start, calibration=best)


def _order(item: LabelledItem, tuning: Tuning, made: Sequence[Judgement]) -> float | None:
    """Return tau-b of the judgements and the labels; None where either says nothing."""
    scores = None if any(each.fault == SPENT for each in made) else combined(item, tuning, made)
    return None if scores is None else tau_b(item, scores)


def _judged(item: LabelledItem, made: Sequence[Judgement]) -> JudgedItem:
    usable = [(each.shown, each.scores) for each in made if each.fault != SPENT]
    passes = [JudgedPass(shown, scores) for shown, scores in usable if scores is not None]
    return JudgedItem(item.consensus(), passes, [text_length(text) for text in item.candidates])
