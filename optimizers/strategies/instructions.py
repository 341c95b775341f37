"""Strategies that reword the instruction with DSPy's own optimizers: COPRO, MIPROv2, GEPA and SIMBA."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from importlib.util import find_spec
from random import Random
from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError, LMError

from optimizers.artifact.artifact import instruct
from optimizers.artifact.checks import check_demo
from optimizers.artifact.text import without_faults
from optimizers.errors import problem
from optimizers.labelled import LabelledItem
from optimizers.metrics.adapters import dspy_metric, gepa_metric, tuning_examples
from optimizers.strategies.judge_cache import CachedJudge, TuningTask, fault_of
from optimizers.strategies.metering import CallsSpentError
from optimizers.strategies.tuning import Tuning, demos_of

LEAST_DEV = 6
GOOD = 0.8
_MINIBATCH = 3
_log = logging.getLogger(__name__)


class Judge(dspy.Module):
    """The ranker's predictor as a program of its own; an unusable reply is a prediction with ``fault``."""

    def __init__(self, predict: Any) -> None:
        super().__init__()
        self.rank = predict

    def forward(self, **inputs: Any) -> Any:
        """Return what the predictor says."""
        try:
            return self.rank(**inputs)
        except (AdapterParseError, LMError) as error:
            return dspy.Prediction(fault=fault_of(error))


class StudentSetup:
    """Labelled items as DSPy's optimizers see them: a student, its examples, metrics that look up labels."""

    def __init__(self, task: TuningTask, items: Sequence[LabelledItem]) -> None:
        self.judge, self.start = judge, start = task.judge, task.start
        predict = judge.ranker.rank.deepcopy()
        instruct(predict, start.instructions, start.demos, start.temperature)
        predict.lm = judge.lm
        self.student = Judge(predict)
        self.examples = tuning_examples(judge.ranker, items, seed=judge.options.seed)
        self.metric = dspy_metric(judge.options.metric, judge.ranker, items)
        self.feedback_metric = gepa_metric(judge.options.metric, judge.ranker, items)

    def tuning(self, compiled: Any) -> Tuning:
        """Return what an optimizer made of the student, as far as it can be saved.

        A demo that ``check_demo`` finds a fault in is left out and logged; field headers that a proposed
        instruction quotes become plain names.
        """
        made = compiled.rank
        faults = [(demo, check_demo(demo, self.judge.ranker)) for demo in demos_of(made)]
        for fault in (fault for _, fault in faults if fault):
            _log.info("left out a demo: %s", fault)
        demos = tuple(demo for demo, fault in faults if not fault)
        instructions = without_faults(made.signature.instructions)
        return replace(self.start, instructions=instructions, demos=demos)


@contextmanager
def into_the_log(name: str) -> Iterator[None]:
    """Send what an optimizer prints and logs, its bars included, to this package's log, not the terminal."""
    from tqdm import tqdm

    printed, interval = io.StringIO(), tqdm.monitor_interval
    chatty = [logging.getLogger(each) for each in ("dspy", "optuna", "gepa")]
    before = [(logger, logger.handlers, logger.propagate, logger.level) for logger in chatty]
    try:
        tqdm.monitor_interval = 0  # else the first bar leaves a thread behind
        for logger in chatty:
            logger.handlers, logger.propagate = [_Forward()], False
            logger.setLevel(logging.INFO)
        with redirect_stdout(printed), redirect_stderr(printed):
            yield
    finally:
        tqdm.monitor_interval = interval
        for logger, handlers, propagate, level in before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
        for line in printed.getvalue().replace("\r", "\n").split("\n"):
            if line.strip():
                _log.debug("%s: %s", name, line.rstrip())


class _Forward(logging.Handler):
    """Hands records of other loggers on to this package's."""

    def emit(self, record: logging.LogRecord) -> None:
        _log.debug("%s: %s", record.name, record.getMessage())


def copro(task: TuningTask, items: Sequence[LabelledItem], budget: int) -> Tuning:
    """Return the start with the best of reworded instructions (``dspy.COPRO``, two rounds where paid for)."""
    setup = StudentSetup(task, _dev(task.judge, items, budget // 5))
    one = len(setup.examples) + 1
    depth = 2 if budget >= 8 * one else 1
    breadth = min(8, budget // (depth * one))
    if breadth < 2:
        return task.start
    optimizer = dspy.COPRO(
        prompt_model=task.reflection, metric=setup.metric, breadth=breadth, depth=depth, init_temperature=1.0
    )
    threads = {"num_threads": setup.judge.options.num_threads, "display_progress": False, "display_table": 0}
    return _compiled(setup, budget, optimizer, trainset=setup.examples, eval_kwargs=threads)


def gepa(task: TuningTask, items: Sequence[LabelledItem], budget: int) -> Tuning:
    """Return the start with an instruction evolved from feedback (``dspy.GEPA``; Agrawal et al. 2025)."""
    setup = StudentSetup(task, _dev(task.judge, items, budget // 5))
    whole, step = len(setup.examples), 2 * _MINIBATCH + 1
    metric_calls = int((budget - whole - step) * step / (step + 1))
    if metric_calls < whole + step:
        return task.start
    optimizer = dspy.GEPA(
        metric=setup.feedback_metric,
        max_metric_calls=metric_calls,
        reflection_lm=task.reflection,
        reflection_minibatch_size=_MINIBATCH,
        use_merge=False,  # there is one instruction to evolve, nothing to merge
        num_threads=setup.judge.options.num_threads,
        seed=setup.judge.options.seed,
        warn_on_score_mismatch=False,
    )
    return _compiled(setup, budget, optimizer, trainset=setup.examples, valset=setup.examples)


def mipro(task: TuningTask, items: Sequence[LabelledItem], budget: int) -> Tuning:
    """Return the start with an instruction and demos found at once (``dspy.MIPROv2``; Opsahl-Ong et al.
    2024).

    Demos come from one half of the items, the choice is made on the other. Raises OptimizerError where optuna
    is not installed.
    """
    if find_spec("optuna") is None:
        raise problem("no_optuna")
    half = len(items) // 2
    taught = StudentSetup(task, items[:half])
    tried = StudentSetup(task, _dev(task.judge, items[half:], budget // 6))
    setup = StudentSetup(task, items)
    candidates = 4
    overhead = len(taught.examples) * 2 + 4 * candidates + 8
    trials = min(20, (budget - overhead) // max(1, len(tried.examples)) - 2)
    if half < 2 or trials < 2:
        return task.start
    optimizer = dspy.MIPROv2(
        metric=setup.metric,
        prompt_model=task.reflection,
        task_model=setup.judge.lm,
        auto=None,
        num_candidates=candidates,
        max_bootstrapped_demos=3,
        max_labeled_demos=min(8, half),
        metric_threshold=GOOD,
        num_threads=setup.judge.options.num_threads,
        seed=setup.judge.options.seed,
        track_stats=False,
    )
    return _compiled(
        setup,
        budget,
        optimizer,
        trainset=taught.examples,
        valset=tried.examples,
        num_trials=trials,
        minibatch=False,
        seed=setup.judge.options.seed,
    )


def simba(task: TuningTask, items: Sequence[LabelledItem], budget: int) -> Tuning:
    """Return the start with demos and rules drawn from judgements that vary most (``dspy.SIMBA``)."""
    setup = StudentSetup(task, _dev(task.judge, items, budget // 8))
    candidates, size = 3, min(6, len(setup.examples))
    step = size * (2 * candidates + 1) + candidates + 1
    steps = min(6, (budget - (candidates + 1) * len(setup.examples)) // step)
    if steps < 1:
        return task.start
    optimizer = dspy.SIMBA(
        metric=setup.metric,
        bsize=size,
        num_candidates=candidates,
        max_steps=steps,
        max_demos=8,
        prompt_model=task.reflection,
        num_threads=setup.judge.options.num_threads,
    )
    return _compiled(setup, budget, optimizer, trainset=setup.examples, seed=setup.judge.options.seed)


def _dev(judge: CachedJudge, items: Sequence[LabelledItem], most_calls: int) -> list[LabelledItem]:
    """Return at random as many items as one evaluation may take calls for, at least ``LEAST_DEV``."""
    number = max(LEAST_DEV, int(most_calls / judge.calls_per_item(items)))
    if number >= len(items):
        return list(items)
    chosen = set(Random(judge.options.seed).sample(range(len(items)), number))
    return [item for i, item in enumerate(items) if i in chosen]


def _compiled(setup: StudentSetup, budget: int, optimizer: Any, **values: Any) -> Tuning:
    """Run an optimizer under its allowance; where calls run out before a choice, the start stays."""
    judge = setup.judge
    with judge.ledger.allowance(budget), into_the_log("dspy"), dspy.context(lm=judge.lm):
        try:
            compiled = optimizer.compile(setup.student, **values)
        except CallsSpentError:
            compiled = None
    judge.ledger.check()
    return setup.start if compiled is None else setup.tuning(compiled)
