"""How well scores agree with what people said of the same candidates, as numbers and in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from character.statistics.agreement import kendall_tau_b
from optimizers.errors import problem

if TYPE_CHECKING:
    from optimizers.labelled.records import LabelledItem
Scores = Sequence[float | None]
"""One score in 0..1 per candidate, higher fits better; None for a candidate that was not judged."""
Metric = Callable[["LabelledItem", Scores], float | None]
"""A labelled item and scores of its candidates in, a number out; None where the labels tell nothing."""


def pairwise_accuracy(item: LabelledItem, scores: Scores) -> float | None:
    """Return the share in 0..1 of labelled pairs that the scores put in the raters' order; a tie counts half.

    The pairs are those of ``LabelledItem.pairs``, without the raters' ties, as far as both candidates were
    judged. None where there is no such pair.
    """
    won = [
        0.5 if left == right else float(left > right)
        for i, j, _share in item.pairs()
        if (left := scores[i]) is not None and (right := scores[j]) is not None
    ]
    return sum(won) / len(won) if won else None


def tau_b(item: LabelledItem, scores: Scores) -> float | None:
    """Return Kendall's tau-b of the scores and the raters' consensus, in -1..1.

    None where the consensus ties everything that was judged. Where the scores tie everything instead, tau-b
    is not defined, and 0.0 is returned: scores that tell nothing apart agree with no order.
    """
    labels, judged = _both(item, scores)
    if _is_flat(labels):
        return None
    return 0.0 if _is_flat(judged) else kendall_tau_b(labels, judged)


def top1(item: LabelledItem, scores: Scores) -> float | None:
    """Return how sure the candidate with the highest score is one that the raters put first, in 0..1.

    Of several highest scores it is the share that the raters put first. None where the raters tie everything.
    """
    labels, judged = _both(item, scores)
    if _is_flat(labels):
        return None
    best = [i for i, score in enumerate(judged) if score == max(judged)]
    return sum(labels[i] == max(labels) for i in best) / len(best)


def ndcg(item: LabelledItem, scores: Scores) -> float | None:
    """Return the normalised discounted cumulative gain of the order by score, in 0..1, by the consensus.

    DCG = sum of gain / log2(place + 1) over the places from 1 (Järvelin & Kekäläinen 2002), divided by that
    of the best order. Candidates of equal score share the mean of their gains, which is the expectation over
    all ways to break the tie (McSherry & Najork 2008). None where the raters tie everything.
    """
    labels, judged = _both(item, scores)
    if _is_flat(labels):
        return None
    return _dcg(labels, judged) / _dcg(labels, labels)


def mean_absolute_error(item: LabelledItem, scores: Scores) -> float | None:
    """Return the scores' mean distance from the consensus, in 0..1, less is better; None without any."""
    labels, judged = _both(item, scores)
    return sum(abs(a - b) for a, b in zip(labels, judged, strict=True)) / len(judged) if judged else None


METRICS: dict[str, Metric] = {
    "pairwise_accuracy": pairwise_accuracy,
    "tau_b": tau_b,
    "top1": top1,
    "ndcg": ndcg,
    "mean_absolute_error": mean_absolute_error,
}
LOWER_IS_BETTER = frozenset({"mean_absolute_error"})


def metric_named(name: str) -> Metric:
    """Return the metric of that name; raises OptimizerError, which lists the known ones."""
    if name not in METRICS:
        raise problem("metric", name=name, names=", ".join(METRICS))
    return METRICS[name]


def goodness(name: str, value: float) -> float:
    """Return a metric's value as a number in 0..1 of which more is better: what optimizers climb.

    tau-b goes from -1..1 to 0..1, the absolute error is turned round, the others stay as they are.
    """
    metric_named(name)
    if name == "tau_b":
        return (value + 1) / 2
    return 1 - value if name in LOWER_IS_BETTER else value


def _both(item: LabelledItem, scores: Scores) -> tuple[list[float], list[float]]:
    labels = item.consensus()
    if len(scores) != len(labels):
        raise problem("scores", scores=len(scores), candidates=len(labels), item=item.id)
    pairs = [(a, b) for a, b in zip(labels, scores, strict=True) if a is not None and b is not None]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _is_flat(values: Sequence[float]) -> bool:
    return len(set(values)) < 2


def _dcg(gains: Sequence[float], scores: Sequence[float]) -> float:
    total, place = 0.0, 0
    for score in sorted(set(scores), reverse=True):
        tied = [gain for gain, own in zip(gains, scores, strict=True) if own == score]
        discounts = sum(1 / math.log2(place + i + 2) for i in range(len(tied)))
        total += sum(tied) / len(tied) * discounts
        place += len(tied)
    return total
