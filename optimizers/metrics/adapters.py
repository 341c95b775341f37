"""Metrics over labelled items in the shapes DSPy's optimizers take, for a judgement and a whole ranking."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from optimizers.errors import problem
from optimizers.metrics.feedback import fault_feedback, feedback
from optimizers.metrics.functions import Metric, Scores, goodness, metric_named

if TYPE_CHECKING:
    from optimizers.labelled.records import LabelledItem

NEUTRAL = 0.5
"""What a readable judgement counts where the labels tell nothing: no reason to prefer or to avoid it."""


def tuning_examples(
    ranker: Any, items: Iterable[LabelledItem], *, seed: int = 0, passes: int = 1
) -> list[Any]:
    """Return what the ranker's predictor would be asked for the items, with the raters' consensus as outputs.

    Each is a ``dspy.Example`` that also names its item (``item_id``) and the candidates in the order
    ``shown``, by which ``dspy_metric`` and ``gepa_metric`` find the labels again.
    """
    examples = []
    for item in items:
        asked = ranker.examples(
            item.message, list(item.candidates), item.trait, item.consensus(), seed=seed, passes=passes
        )
        for example in asked:
            example["item_id"] = item.id
            examples.append(example)
    return examples


def judged_scores(
    ranker: Any, item: LabelledItem, example: Any, prediction: Any
) -> tuple[list[float | None] | None, str]:
    """Return (scores per candidate or None, fault) of a prediction: a predictor's outputs, or a ranking."""
    number = len(item.candidates)
    if prediction is None:
        return None, "unreadable"
    if hasattr(prediction, "status"):
        return (list(prediction.scores), "") if prediction.status == "ranked" else (None, prediction.status)
    outputs = {name: prediction[name] for name in ranker.rank.signature.output_fields if name in prediction}
    if any(name not in outputs for name in ranker.rank.signature.output_fields if name != "reasoning"):
        return None, "incomplete"
    shown = list(example["shown"])
    scores, fault = ranker.read(outputs, shown)
    if scores is None:
        return None, fault or "unreadable"
    return [*scores, *[None] * (number - len(scores))], ""


def dspy_metric(metric: str | Metric, ranker: Any, items: Iterable[LabelledItem]) -> Callable[..., float]:
    """Return a metric ``(example, prediction, trace=None) -> 0..1`` for examples of ``tuning_examples``.

    ``metric`` is a name of ``METRICS``, or a function of its own whose values lie in 0..1, more being better.
    What cannot be read scores 0; a judgement the labels cannot tell good or bad scores ``NEUTRAL``.
    """
    by_id = {item.id: item for item in items}

    def measure(example: Any, prediction: Any, trace: Any = None) -> float:
        item = _item_of(example, by_id)
        scores, _ = judged_scores(ranker, item, example, prediction)
        return 0.0 if scores is None else _value(metric, item, scores)

    return measure


def gepa_metric(metric: str | Metric, ranker: Any, items: Iterable[LabelledItem]) -> Callable[..., Any]:
    """Return a metric for GEPA: a ``dspy.Prediction`` of ``score`` in 0..1 and ``feedback`` in words.

    Scores are those of ``dspy_metric``. The feedback is in the item's language and numbers the responses as
    the judge saw them.
    """
    by_id = {item.id: item for item in items}

    def measure(
        gold: Any, pred: Any, trace: Any = None, pred_name: Any = None, pred_trace: Any = None
    ) -> Any:
        import dspy

        item = _item_of(gold, by_id)
        shown = None if hasattr(pred, "status") else gold.get("shown")
        scores, fault = judged_scores(ranker, item, gold, pred)
        if scores is None:
            return dspy.Prediction(score=0.0, feedback=fault_feedback(item, fault, shown))
        return dspy.Prediction(score=_value(metric, item, scores), feedback=feedback(item, scores, shown))

    return measure


def _item_of(example: Any, by_id: dict[str, LabelledItem]) -> LabelledItem:
    name = example.get("item_id", "")
    if name not in by_id:
        raise problem("another_item", name=name)
    return by_id[name]


def _value(metric: str | Metric, item: LabelledItem, scores: Scores) -> float:
    function = metric_named(metric) if isinstance(metric, str) else metric
    value = function(item, scores)
    if value is None:
        return NEUTRAL
    return goodness(metric, value) if isinstance(metric, str) else value
