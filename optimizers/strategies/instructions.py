"""Strategies that reword the instruction with DSPy's own optimizers: COPRO, MIPROv2, GEPA and SIMBA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from random import Random
from typing import Any

import dspy

from optimizers.errors import OptimizerError
from optimizers.labelled import LabelledItem
from optimizers.strategies.judge_cache import Bench
from optimizers.strategies.metering import CallsSpentError
from optimizers.strategies.student import Lesson, into_the_log
from optimizers.strategies.tuning import Tuning

LEAST_DEV = 6
GOOD = 0.8
_MINIBATCH = 3


def copro(bench: Bench, start: Tuning, items: Sequence[LabelledItem], budget: int, reflection: Any) -> Tuning:
    """Return the start with the best of several reworded instructions (``dspy.COPRO``, two rounds where they are paid for)."""
    lesson = Lesson(bench, start, _dev(bench, items, budget // 5))
    one = len(lesson.examples) + 1
    depth = 2 if budget >= 8 * one else 1
    breadth = min(8, budget // (depth * one))
    if breadth < 2:
        return start
    optimizer = dspy.COPRO(
        prompt_model=reflection, metric=lesson.metric, breadth=breadth, depth=depth, init_temperature=1.0
    )
    threads = {"num_threads": bench.num_threads, "display_progress": False, "display_table": 0}
    return _compiled(
        bench,
        lesson,
        budget,
        lambda: optimizer.compile(lesson.student, trainset=lesson.examples, eval_kwargs=threads),
    )


def gepa(bench: Bench, start: Tuning, items: Sequence[LabelledItem], budget: int, reflection: Any) -> Tuning:
    """Return the start with an instruction evolved from feedback in words (``dspy.GEPA``; Agrawal et al. 2025)."""
    lesson = Lesson(bench, start, _dev(bench, items, budget // 5))
    whole, step = len(lesson.examples), 2 * _MINIBATCH + 1
    metric_calls = int((budget - whole - step) * step / (step + 1))
    if metric_calls < whole + step:
        return start
    optimizer = dspy.GEPA(
        metric=lesson.feedback_metric,
        max_metric_calls=metric_calls,
        reflection_lm=reflection,
        reflection_minibatch_size=_MINIBATCH,
        use_merge=False,  # there is one instruction to evolve, nothing to merge
        num_threads=bench.num_threads,
        seed=bench.seed,
        warn_on_score_mismatch=False,
    )
    return _compiled(
        bench,
        lesson,
        budget,
        lambda: optimizer.compile(lesson.student, trainset=lesson.examples, valset=lesson.examples),
    )


def mipro(bench: Bench, start: Tuning, items: Sequence[LabelledItem], budget: int, reflection: Any) -> Tuning:
    """Return the start with an instruction and demos found together (``dspy.MIPROv2``; Opsahl-Ong et al. 2024).

    Demos come from one half of the items, the choice is made on the other. Raises OptimizerError where optuna
    is not installed.
    """
    if find_spec("optuna") is None:
        raise OptimizerError(
            "the strategy mipro needs the package optuna, which is not installed.",
            fix="pip install 'character-framework[optimize]'",
        )
    half = len(items) // 2
    taught = Lesson(bench, start, items[:half])
    tried = Lesson(bench, start, _dev(bench, items[half:], budget // 6))
    lesson = Lesson(bench, start, items)
    candidates = 4
    overhead = len(taught.examples) * 2 + 4 * candidates + 8
    trials = min(20, (budget - overhead) // max(1, len(tried.examples)) - 2)
    if half < 2 or trials < 2:
        return start
    optimizer = dspy.MIPROv2(
        metric=lesson.metric,
        prompt_model=reflection,
        task_model=bench.lm,
        auto=None,
        num_candidates=candidates,
        max_bootstrapped_demos=3,
        max_labeled_demos=min(8, half),
        metric_threshold=GOOD,
        num_threads=bench.num_threads,
        seed=bench.seed,
        track_stats=False,
    )
    return _compiled(
        bench,
        lesson,
        budget,
        lambda: optimizer.compile(
            lesson.student,
            trainset=taught.examples,
            valset=tried.examples,
            num_trials=trials,
            minibatch=False,
            seed=bench.seed,
        ),
    )


def simba(bench: Bench, start: Tuning, items: Sequence[LabelledItem], budget: int, reflection: Any) -> Tuning:
    """Return the start with demos and rules drawn from judgements that vary most (``dspy.SIMBA``)."""
    lesson = Lesson(bench, start, _dev(bench, items, budget // 8))
    candidates, size = 3, min(6, len(lesson.examples))
    step = size * (2 * candidates + 1) + candidates + 1
    steps = min(6, (budget - (candidates + 1) * len(lesson.examples)) // step)
    if steps < 1:
        return start
    optimizer = dspy.SIMBA(
        metric=lesson.metric,
        bsize=size,
        num_candidates=candidates,
        max_steps=steps,
        max_demos=8,
        prompt_model=reflection,
        num_threads=bench.num_threads,
    )
    return _compiled(
        bench,
        lesson,
        budget,
        lambda: optimizer.compile(lesson.student, trainset=lesson.examples, seed=bench.seed),
    )


def _dev(bench: Bench, items: Sequence[LabelledItem], most_calls: int) -> list[LabelledItem]:
    """Return at random as many items as one evaluation may take calls for, at least ``LEAST_DEV``."""
    number = max(LEAST_DEV, int(most_calls / bench.calls_per_item(items)))
    if number >= len(items):
        return list(items)
    chosen = set(Random(bench.seed).sample(range(len(items)), number))
    return [item for i, item in enumerate(items) if i in chosen]


def _compiled(bench: Bench, lesson: Lesson, budget: int, compile_it: Callable[[], Any]) -> Tuning:
    """Run an optimizer under its allowance; where the calls run out before anything was chosen, the start stays."""
    with bench.ledger.allowance(budget), into_the_log("dspy"), dspy.context(lm=bench.lm):
        try:
            compiled = compile_it()
        except CallsSpentError:
            compiled = None
    bench.ledger.check()
    return lesson.start if compiled is None else lesson.tuning(compiled)
