"""Strategies that reword the instruction with DSPy's own optimizers: COPRO, MIPROv2, GEPA and SIMBA."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from random import Random
from typing import Any

import dspy

from optimizers.errors import problem
from optimizers.labelled import LabelledItem
from optimizers.strategies.judge_cache import CachedJudge
from optimizers.strategies.metering import CallsSpentError
from optimizers.strategies.student import StudentSetup, into_the_log
from optimizers.strategies.tuning import Tuning

LEAST_DEV = 6
GOOD = 0.8
_MINIBATCH = 3


def copro(
    judge: CachedJudge, start: Tuning, items: Sequence[LabelledItem], budget: int, reflection: Any
) -> Tuning:
    """Return the start with the best of reworded instructions (``dspy.COPRO``, two rounds where paid for)."""
    setup = StudentSetup(judge, start, _dev(judge, items, budget // 5))
    one = len(setup.examples) + 1
    depth = 2 if budget >= 8 * one else 1
    breadth = min(8, budget // (depth * one))
    if breadth < 2:
        return start
    optimizer = dspy.COPRO(
        prompt_model=reflection, metric=setup.metric, breadth=breadth, depth=depth, init_temperature=1.0
    )
    threads = {"num_threads": judge.options.num_threads, "display_progress": False, "display_table": 0}
    return _compiled(judge, setup, budget, optimizer, trainset=setup.examples, eval_kwargs=threads)


def gepa(
    judge: CachedJudge, start: Tuning, items: Sequence[LabelledItem], budget: int, reflection: Any
) -> Tuning:
    """Return the start with an instruction evolved from feedback (``dspy.GEPA``; Agrawal et al. 2025)."""
    setup = StudentSetup(judge, start, _dev(judge, items, budget // 5))
    whole, step = len(setup.examples), 2 * _MINIBATCH + 1
    metric_calls = int((budget - whole - step) * step / (step + 1))
    if metric_calls < whole + step:
        return start
    optimizer = dspy.GEPA(
        metric=setup.feedback_metric,
        max_metric_calls=metric_calls,
        reflection_lm=reflection,
        reflection_minibatch_size=_MINIBATCH,
        use_merge=False,  # there is one instruction to evolve, nothing to merge
        num_threads=judge.options.num_threads,
        seed=judge.options.seed,
        warn_on_score_mismatch=False,
    )
    return _compiled(judge, setup, budget, optimizer, trainset=setup.examples, valset=setup.examples)


def mipro(
    judge: CachedJudge, start: Tuning, items: Sequence[LabelledItem], budget: int, reflection: Any
) -> Tuning:
    """Return the start with an instruction and demos found at once (``dspy.MIPROv2``; Opsahl-Ong et al.
    2024).

    Demos come from one half of the items, the choice is made on the other. Raises OptimizerError where optuna
    is not installed.
    """
    if find_spec("optuna") is None:
        raise problem("no_optuna")
    half = len(items) // 2
    taught = StudentSetup(judge, start, items[:half])
    tried = StudentSetup(judge, start, _dev(judge, items[half:], budget // 6))
    setup = StudentSetup(judge, start, items)
    candidates = 4
    overhead = len(taught.examples) * 2 + 4 * candidates + 8
    trials = min(20, (budget - overhead) // max(1, len(tried.examples)) - 2)
    if half < 2 or trials < 2:
        return start
    optimizer = dspy.MIPROv2(
        metric=setup.metric,
        prompt_model=reflection,
        task_model=judge.lm,
        auto=None,
        num_candidates=candidates,
        max_bootstrapped_demos=3,
        max_labeled_demos=min(8, half),
        metric_threshold=GOOD,
        num_threads=judge.options.num_threads,
        seed=judge.options.seed,
        track_stats=False,
    )
    return _compiled(
        judge,
        setup,
        budget,
        optimizer,
        trainset=taught.examples,
        valset=tried.examples,
        num_trials=trials,
        minibatch=False,
        seed=judge.options.seed,
    )


def simba(
    judge: CachedJudge, start: Tuning, items: Sequence[LabelledItem], budget: int, reflection: Any
) -> Tuning:
    """Return the start with demos and rules drawn from judgements that vary most (``dspy.SIMBA``)."""
    setup = StudentSetup(judge, start, _dev(judge, items, budget // 8))
    candidates, size = 3, min(6, len(setup.examples))
    step = size * (2 * candidates + 1) + candidates + 1
    steps = min(6, (budget - (candidates + 1) * len(setup.examples)) // step)
    if steps < 1:
        return start
    optimizer = dspy.SIMBA(
        metric=setup.metric,
        bsize=size,
        num_candidates=candidates,
        max_steps=steps,
        max_demos=8,
        prompt_model=reflection,
        num_threads=judge.options.num_threads,
    )
    return _compiled(judge, setup, budget, optimizer, trainset=setup.examples, seed=judge.options.seed)


def _dev(judge: CachedJudge, items: Sequence[LabelledItem], most_calls: int) -> list[LabelledItem]:
    """Return at random as many items as one evaluation may take calls for, at least ``LEAST_DEV``."""
    number = max(LEAST_DEV, int(most_calls / judge.calls_per_item(items)))
    if number >= len(items):
        return list(items)
    chosen = set(Random(judge.options.seed).sample(range(len(items)), number))
    return [item for i, item in enumerate(items) if i in chosen]


def _compiled(judge: CachedJudge, setup: StudentSetup, budget: int, optimizer: Any, **values: Any) -> Tuning:
    """Run an optimizer under its allowance; where calls run out before a choice, the start stays."""
    with judge.ledger.allowance(budget), into_the_log("dspy"), dspy.context(lm=judge.lm):
        try:
            compiled = optimizer.compile(setup.student, **values)
        except CallsSpentError:
            compiled = None
    judge.ledger.check()
    return setup.start if compiled is None else setup.tuning(compiled)
