"""Judging labelled items with one tuning of a ranker after another, each question asked once."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import dspy
from dspy.utils.exceptions import AdapterParseError, LMError

from optimizers.artifact.artifact import instruct
from optimizers.calibration.calibration import text_length
from optimizers.labelled import LabelledItem
from optimizers.metrics.adapters import tuning_examples
from optimizers.metrics.functions import goodness, metric_named
from optimizers.strategies.metering import CallsSpentError, Ledger
from optimizers.strategies.tuning import TunableRanker, Tuning, TuningOptions

T = TypeVar("T")
UNREADABLE, SPENT, REFUSED = "unreadable", "calls_spent", "refused"
_LEAST_SHOWN = 4
"""The fewest items whose mean goodness is shown as a score while it goes on."""


@dataclass(frozen=True)
class Judgement:
    """One reply about an item: the candidates shown, in order, and a score for each before any calibration.

    ``scores`` is None where the reply cannot be used; ``fault`` then says why in one word. ``outputs`` is the
    whole reply by field.
    """

    shown: tuple[int, ...]
    scores: tuple[float | None, ...] | None = None
    fault: str = ""
    outputs: dict[str, Any] = field(default_factory=dict)


class CachedJudge:
    """The judge of labelled items under one tuning of a ranker after another, with one model and one metric.

    A judgement depends on the prompt and the item alone, so it is made once and kept, whatever the labels
    are. ``best`` is the best mean goodness so far, None before the first.
    """

    def __init__(self, ranker: TunableRanker, lm: Any, ledger: Ledger, options: TuningOptions) -> None:
        self.ranker, self.lm, self.ledger, self.options = ranker, lm, ledger, options
        self.best: float | None = None
        self._examples: dict[tuple[str, int], list[Any]] = {}
        self._made: dict[tuple[str, str, tuple[int, ...]], Judgement] = {}

    def examples(self, item: LabelledItem, passes: int = 1) -> list[Any]:
        """Return what the predictor is asked about an item, without the outputs."""
        key = (item.id, passes)
        if key not in self._examples:
            self._examples[key] = self.ranker.examples(
                item.message, list(item.candidates), item.trait, None, seed=self.options.seed, passes=passes
            )
        return self._examples[key]

    def answered(self, item: LabelledItem) -> list[Any]:
        """Return the same examples with the outputs that the raters' scores amount to, where known."""
        return tuning_examples(self.ranker, [item], seed=self.options.seed)

    def calls_per_item(self, items: Sequence[LabelledItem]) -> float:
        """Return how many calls one pass over an item takes, on average."""
        return sum(len(self.examples(item)) for item in items) / len(items) if items else 1.0

    def calls_missing(self, tuning: Tuning, items: Sequence[LabelledItem], passes: int = 1) -> int:
        """Return how many calls so many passes over the items still take under this tuning's prompt."""
        prompt = tuning.prompt_key
        return sum(
            (prompt, item.id, tuple(example.shown)) not in self._made
            for item in items
            for example in self.examples(item, passes)
        )

    def judgements(
        self, tuning: Tuning, items: Sequence[LabelledItem], *, passes: int = 1
    ) -> list[list[Judgement]]:
        """Return the judgements of each item; those already made are not made again."""
        predict = self.ranker.rank.deepcopy()
        instruct(predict, tuning.instructions, tuning.demos, tuning.temperature)
        wanted = [
            (item, example, (tuning.prompt_key, item.id, tuple(example.shown)))
            for item in items
            for example in self.examples(item, passes)
        ]
        missing = {
            key: partial(self.ask, predict, example, len(item.candidates))
            for item, example, key in wanted
            if key not in self._made
        }
        replies = as_paid_for(list(missing.values()), self.options.num_threads, self.ledger)
        fresh = dict(zip(missing, replies, strict=True))
        self._made |= {key: made for key, made in fresh.items() if made.fault != SPENT}
        self.ledger.check()
        by_item: dict[str, list[Judgement]] = {item.id: [] for item in items}
        for item, _example, key in wanted:
            by_item[item.id].append(fresh[key] if key in fresh else self._made[key])
        return [by_item[item.id] for item in items]

    def goodness(self, tuning: Tuning, items: Sequence[LabelledItem]) -> dict[str, float | None]:
        """Return by item's id how good the scores are, in 0..1 (see ``metrics.goodness``).

        0 where no reply could be used, None where the labels leave nothing to tell or the calls ran out.
        """
        made = self.judgements(tuning, items)
        grades = {item.id: self.grade(item, tuning, each) for item, each in zip(items, made, strict=True)}
        known = [grade for grade in grades.values() if grade is not None]
        if len(known) >= _LEAST_SHOWN:
            self.best = max(self.best or 0.0, sum(known) / len(known))
        return grades

    def grade(self, item: LabelledItem, tuning: Tuning, made: Sequence[Judgement]) -> float | None:
        """Return how good judgements of an item are under the tuning's calibration, as ``goodness`` does."""
        if any(each.fault == SPENT for each in made):
            return None
        scores, metric = combined(item, tuning, made), metric_named(self.options.metric)
        if scores is None or all(score is None for score in scores):
            return None if metric(item, [0.0] * len(item.candidates)) is None else 0.0
        value = metric(item, scores)
        return None if value is None else goodness(self.options.metric, value)

    def ask(self, predict: Any, example: Any, number: int) -> Judgement:
        """Ask one question about so many candidates, of which not all may be shown, and read the reply."""
        shown = tuple(example.shown)
        try:
            outputs = dict(predict(**example.inputs(), lm=self.lm).items())
        except (AdapterParseError, LMError) as error:
            return Judgement(shown, fault=fault_of(error))
        scores, fault = self.ranker.read(outputs, shown)
        padded = None if scores is None else (*scores, *[None] * (number - len(scores)))
        return Judgement(shown, padded, fault, outputs)


@dataclass(frozen=True)
class TuningTask:
    """What a strategy works with: a judge, the tuning to start from, the model that proposes instructions."""

    judge: CachedJudge
    start: Tuning
    reflection: Any


def fault_of(error: Exception) -> str:
    """Return one word for what was wrong with a call."""
    if isinstance(error, AdapterParseError):
        return UNREADABLE
    return SPENT if isinstance(error, CallsSpentError) else REFUSED


def combined(item: LabelledItem, tuning: Tuning, made: Sequence[Judgement]) -> list[float | None] | None:
    """Return the mean of the judgements' scores per candidate, calibrated; None where none can be used.

    It has two decimals, as the scores of a ranking have: what falls together there is a tie.
    """
    number, lengths = len(item.candidates), [text_length(text) for text in item.candidates]
    sums, counts = [0.0] * number, [0] * number
    for each in made:
        scores: Sequence[float | None] = each.scores or ()
        if scores and tuning.calibration is not None:
            scores = tuning.calibration.apply(scores, each.shown, lengths)
        for index in each.shown if scores else ():
            if (score := scores[index]) is not None:
                sums[index] += score
                counts[index] += 1
    if not any(counts):
        return None
    return [round(total / count, 2) if count else None for total, count in zip(sums, counts, strict=True)]


def in_threads(functions: Sequence[Callable[[], T]], num_threads: int) -> list[T]:
    """Return the functions' results in order, run in at most so many threads that share this context.

    Where one raises, what was not begun is never begun.
    """
    if len(functions) <= 1 or num_threads <= 1:
        return [function() for function in functions]
    with ThreadPoolExecutor(max_workers=min(num_threads, len(functions))) as pool:
        contexts = [contextvars.copy_context() for _ in functions]
        return list(pool.map(lambda context, function: context.run(function), contexts, functions))


def as_paid_for(
    functions: Sequence[Callable[[], T]], num_threads: int, ledger: Ledger, most_calls: int = 1
) -> list[T]:
    """Return the functions' results in order, where each takes at most so many calls.

    Those run at once that the calls left surely pay for, then one after the other: which of them get the last
    calls is a matter of their order, and not of which thread comes first.
    """
    made: list[T] = []
    while len(made) < len(functions):
        sure = max(1, ledger.left // most_calls)
        made += in_threads(functions[len(made) : len(made) + sure], num_threads)
    return made


def quiet_context() -> Any:
    """Return the DSPy settings for judging: no history, and no second call for an unreadable reply."""
    settings: dict[str, Any] = {"disable_history": True, "warn_on_type_mismatch": False}
    if dspy.settings.adapter is None:
        settings["adapter"] = dspy.ChatAdapter(use_json_adapter_fallback=False)
    return dspy.context(**settings)
