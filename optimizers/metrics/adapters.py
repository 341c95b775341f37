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


def _judged(
    ranker: Any, by_id: dict[str, LabelledItem], example: Any, prediction: Any
) -> tuple[LabelledItem, list[float | None] | None, str]:
    """Return (item, scores per candidate or None, fault) of a predictor's outputs, or of a ranking."""
    name = example.get("item_id", "")
    if name not in by_id:
        raise problem("another_item", name=name)
    item, fields = by_id[name], ranker.rank.signature.output_fields
    if prediction is None:
        return item, None, "unreadable"
    if hasattr(prediction, "status"):
        is_ranked = prediction.status == "ranked"
        return item, list(prediction.scores) if is_ranked else None, "" if is_ranked else prediction.status
    outputs = {field: prediction[field] for field in (*fields, "odds") if field in prediction}
    if any(field not in outputs for field in fields if field != "reasoning"):
        return item, None, "incomplete"
    scores, fault = ranker.read(outputs, list(example["shown"]))
    if scores is None:
        return item, None, fault or "unreadable"
    return item, [*scores, *[None] * (len(item.candidates) - len(scores))], ""


def dspy_metric(metric: str | Metric, ranker: Any, items: Iterable[LabelledItem]) -> Callable[..., float]:
    """Return a metric ``(example, prediction, trace=None) -> 0..1`` for examples of ``tuning_examples``.

    ``metric`` is a name of ``METRICS``, or a function of its own whose values lie in 0..1, more being better.
    What cannot be read scores 0; a judgement the labels cannot tell good or bad scores ``NEUTRAL``.
    """
    by_id = {item.id: item for item in items}

    def measure(example: Any, prediction: Any, trace: Any = None) -> float:
        item, scores, _ = _judged(ranker, by_id, example, prediction)
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

        item, scores, fault = _judged(ranker, by_id, gold, pred)
        shown = None if hasattr(pred, "status") else gold.get("shown")
        if scores is None:
            return dspy.Prediction(score=0.0, feedback=fault_feedback(item, fault, shown))
        return dspy.Prediction(score=_value(metric, item, scores), feedback=feedback(item, scores, shown))

    return measure


def _value(metric: str | Metric, item: LabelledItem, scores: Scores) -> float:
    function = metric_named(metric) if isinstance(metric, str) else metric
    value = function(item, scores)
    if value is None:
        return NEUTRAL
    return goodness(metric, value) if isinstance(metric, str) else value
