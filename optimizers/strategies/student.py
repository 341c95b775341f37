"""What DSPy's optimizers are given: a module around the predictor, examples, metrics, a log for prints."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError, LMError

from optimizers.artifact.checks import check_demo
from optimizers.artifact.text import without_faults
from optimizers.labelled import LabelledItem
from optimizers.metrics import dspy_metric, gepa_metric, tuning_examples
from optimizers.strategies.judge_cache import CachedJudge, fault_of
from optimizers.strategies.tuning import Tuning, demos_of, instruct

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

    def __init__(self, judge: CachedJudge, start: Tuning, items: Sequence[LabelledItem]) -> None:
        self.start, self.ranker = start, judge.ranker
        predict = judge.ranker.rank.deepcopy()
        instruct(predict, start)
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
        faults = [(demo, check_demo(demo, self.ranker)) for demo in demos_of(made)]
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
