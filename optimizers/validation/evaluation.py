"""How well a ranker agrees with the raters of a labelled set, and whether another one agrees better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from character.statistics.intervals import Interval, mean_interval
from optimizers.artifact.records import MetricFigure
from optimizers.labelled import LabelledItem, LabelledSet
from optimizers.metrics.functions import LOWER_IS_BETTER, METRICS, metric_named
from optimizers.strategies.judge_cache import as_paid_for, quiet_context
from optimizers.strategies.metering import Ledger
from optimizers.strategies.tuning import TunableRanker
from optimizers.validation.report import MetricGain

SCALES = dict.fromkeys(METRICS, (0.0, 1.0)) | {"tau_b": (-1.0, 1.0)}
"""The least and the most that a metric can be."""


@dataclass(frozen=True)
class RankerEvaluation:
    """What a ranker made of labelled items, by item id: its scores, or why there are none in one word.

    Items that were not measured because the calls ran out are in ``unmeasured``.
    """

    scores: Mapping[str, tuple[float | None, ...]]
    faults: Mapping[str, str]
    unmeasured: tuple[str, ...] = ()

    @property
    def num_faults(self) -> dict[str, int]:
        """How many items were not ranked, by reason, the commonest first."""
        return dict(Counter(self.faults.values()).most_common())

    def value(self, item: LabelledItem, metric: str) -> float | None:
        """Return a metric of an item; None where it was not ranked, or its labels tell nothing."""
        scores, function = self.scores.get(item.id), metric_named(metric)
        return None if scores is None else function(item, scores)


def evaluate(
    ranker: TunableRanker,
    items: Sequence[LabelledItem],
    *,
    lm: Any = None,
    ledger: Ledger | None = None,
    seed: int = 0,
    num_threads: int = 8,
) -> RankerEvaluation:
    """Return what a ranker makes of the items, asked as it is in a run (all its passes, re-asks and all).

    ``lm`` is its model, by default that of the context; with a ``ledger`` items are left unmeasured once the
    calls are spent, and a server's error is raised.
    """
    import dspy

    with quiet_context(), dspy.context(**({"lm": lm} if lm is not None else {})):
        ranked = [partial(_ranked, ranker, item, ledger, seed) for item in items]
        most = max((_most_calls(ranker, item) for item in items), default=1)
        made = as_paid_for(ranked, num_threads, ledger or Ledger(2**31), most)
    if ledger is not None:
        ledger.check()
    both = list(zip([item.id for item in items], made, strict=True))
    return RankerEvaluation(
        {key: tuple(scores) for key, scores in both if not isinstance(scores, str)},
        {key: scores for key, scores in both if isinstance(scores, str) and scores},
        tuple(key for key, scores in both if scores == ""),
    )


def _most_calls(ranker: TunableRanker, item: LabelledItem) -> int:
    """Return how many calls the ranking of an item takes at most: every pass, every juror, every re-ask."""
    passes, jurors = getattr(ranker, "max_passes", 1), getattr(ranker, "jurors", None) or ("",)
    asked = ranker.examples(item.message, list(item.candidates), item.trait, passes=passes)
    return len(asked) * len(jurors) * (1 + getattr(ranker, "max_reasks", 0))


def _ranked(
    ranker: TunableRanker, item: LabelledItem, ledger: Ledger | None, seed: int
) -> Sequence[float | None] | str:
    """Return scores, the reason in one word why there are none, or nothing where the calls ran out."""
    ranking = ranker(item.message, list(item.candidates), item.trait, seed=seed)
    if ranking.status == "ranked":
        scores: Sequence[float | None] = list(ranking.scores)
        return scores
    if ledger is not None and ledger.is_spent:
        return ""
    lost = [str(drop.reason) for drop in getattr(ranking, "drops", ()) if not drop.recovered]
    return lost[-1] if lost else str(ranking.status)


def summary(
    evaluation: RankerEvaluation, items: Sequence[LabelledItem], *, level: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Return each metric's mean over the ranked items with its interval; none that no item can tell."""
    means = {}
    for metric in METRICS:
        measured = [(item, value) for item in items if (value := evaluation.value(item, metric)) is not None]
        if measured:
            values, groups = [value for _, value in measured], [item.group for item, _ in measured]
            means[metric] = mean_interval(values, groups, scale=SCALES[metric], level=level, seed=seed)
    return means


def compare(
    before: RankerEvaluation,
    after: RankerEvaluation,
    items: Sequence[LabelledItem],
    metric: str,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> MetricGain | None:
    """Return a metric before and after, with paired intervals, on the items that both ranked; None without.

    A gain is sure where it lies above zero even if every item that only the one before ranked counts as the
    worst after: leaving out what is hard is no gain.
    """
    (low, high), sign = SCALES[metric], -1 if metric in LOWER_IS_BETTER else 1
    span, worst = high - low, low if sign > 0 else high
    values = [(item, before.value(item, metric), after.value(item, metric)) for item in items]
    rows = [(item.group, old, new) for item, old, new in values if old is not None and new is not None]
    known = [(item, old) for item, old, _ in values if old is not None]
    lost = [(item.group, old, worst) for item, old in known if item.id in after.faults]
    if not rows:
        return None
    groups, olds, news = zip(*rows, strict=True)
    mean = partial(mean_interval, level=level, seed=seed)

    def gained(pairs: Sequence[tuple[str, float, float]]) -> Interval:
        gains = [sign * (new - old) for _, old, new in pairs]
        return mean(gains, [group for group, _, _ in pairs], scale=(-span, span))

    return MetricGain(
        metric=metric,
        before=MetricFigure.of(mean(olds, groups, scale=(low, high))),
        after=MetricFigure.of(mean(news, groups, scale=(low, high))),
        gain=MetricFigure.of(gained(rows)),
        num_items=len(rows),
        num_groups=len(set(groups)),
        num_lost=len(lost),
        is_sure=gained([*rows, *lost]).low > 0,
    )


def compare_all(
    before: RankerEvaluation,
    after: RankerEvaluation,
    items: Sequence[LabelledItem],
    metric: str,
    *,
    level: float,
    seed: int,
) -> list[MetricGain]:
    """Return every metric before and after, this one first; nothing where no item can tell by it."""
    names = [metric, *(name for name in METRICS if name != metric)]
    gains = [compare(before, after, items, name, level=level, seed=seed) for name in names]
    return [] if gains[0] is None else [each for each in gains if each is not None]


def usable(labelled: LabelledSet | Sequence[LabelledItem], metric: str) -> list[LabelledItem]:
    """Return the items whose labels tell something by this metric."""
    items = labelled.items if isinstance(labelled, LabelledSet) else labelled
    function = metric_named(metric)
    return [item for item in items if function(item, [0.0] * len(item.candidates)) is not None]
