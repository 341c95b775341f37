"""Figures over pairs with their intervals: each is a function of column sums, so that one bootstrap serves all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from character.preference.evaluation_records import EvaluationScope, PreferenceMeasure, ReliabilityBin
from character.records import PreferencePair
from character.statistics.arrays import Floats, Ints
from character.statistics.intervals import (
    LEAST_GROUPS,
    ColumnStatistic,
    cluster_sums,
    percentile_interval,
    resampled_sums,
)

NUM_BINS = 10
_LEAST = 1e-12
_ECE = "ece"


@dataclass(frozen=True)
class Predicted:
    """Pairs as a model sees them: P(chosen better), the message each is of, and the sign of its length difference.

    ``longer`` is 1 where the chosen side is longer, -1 where it is shorter.
    """

    probability: Floats
    cluster: Ints
    longer: Floats

    @classmethod
    def of(cls, pairs: Sequence[PreferencePair], probability: Floats, keys: Sequence[object]) -> Predicted:
        """Return the predictions for pairs; pairs of one key are resampled together."""
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        return cls(
            np.asarray(probability, dtype=np.float64),
            np.array([numbers[key] for key in keys], dtype=np.int64),
            np.array([length_sign(pair) for pair in pairs], dtype=np.float64),
        )

    def at(self, rows: NDArray[np.bool_]) -> Predicted:
        """Return these pairs alone, messages numbered anew."""
        _, cluster = np.unique(self.cluster[rows], return_inverse=True)
        return Predicted(self.probability[rows], cluster.astype(np.int64), self.longer[rows])

    @property
    def right(self) -> Floats:
        """1 where the chosen side is preferred, 0 where the other is, a half where neither is."""
        return right_of(self.probability)

    @property
    def confidence(self) -> Floats:
        """The probability of the side that is preferred, from a half on."""
        return np.maximum(self.probability, 1 - self.probability)

    @property
    def bins(self) -> Ints:
        """The bin, from 0, that each pair's confidence lies in."""
        return np.minimum(((self.confidence - 0.5) * 2 * NUM_BINS).astype(np.int64), NUM_BINS - 1)

    @property
    def num_messages(self) -> int:
        """How many messages the pairs are of."""
        return len(np.unique(self.cluster))


def length_sign(pair: PreferencePair) -> int:
    """Return 1 where the chosen side has more characters, -1 where it has fewer, else 0."""
    difference = len(pair.chosen.strip()) - len(pair.rejected.strip())
    return (difference > 0) - (difference < 0)


def right_of(probability: Floats) -> Floats:
    """Return 1 for a probability above a half, 0 below, 0.5 for a half."""
    return np.asarray((np.sign(probability - 0.5) + 1) / 2)


def mean_of(values: Floats, cluster: Ints, seed: int) -> PreferenceMeasure:
    """Return the mean of values with its interval."""
    columns = np.column_stack([values, np.ones(len(values))])
    return _measures(columns, cluster, {"mean": _share(0, 1)}, seed)["mean"]


def balanced_of(right: Floats, longer: Floats, cluster: Ints, seed: int) -> PreferenceMeasure:
    """Return the mean of the accuracies where the chosen side is shorter and where it is longer."""
    return _measures(_by_length(right, longer), cluster, {"both": _balanced}, seed)["both"]


def scope_of(predicted: Predicted, seed: int) -> EvaluationScope:
    """Return every figure over these pairs."""
    right, own = predicted.right, np.clip(predicted.probability, _LEAST, 1.0)
    bins = predicted.bins[:, None] == np.arange(NUM_BINS)
    columns = np.column_stack(
        [
            _by_length(right, predicted.longer),
            right,
            -np.log(own),
            (1 - predicted.probability) ** 2,
            np.ones(len(right)),
            (predicted.confidence - right)[:, None] * bins,
        ]
    )
    statistics: dict[str, ColumnStatistic] = {
        "accuracy": _share(4, 7),
        "shorter": _share(0, 1),
        "longer": _share(2, 3),
        "length_balanced": _balanced,
        "log_loss": _share(5, 7),
        "brier": _share(6, 7),
        _ECE: lambda sums: np.abs(sums[:, 8:]).sum(axis=1) / sums[:, 7],
    }
    measures = _measures(columns, predicted.cluster, statistics, seed)
    return EvaluationScope(num_pairs=len(right), num_messages=predicted.num_messages, **measures)


def reliability_of(predicted: Predicted, seed: int) -> tuple[ReliabilityBin, ...]:
    """Return the bins of confidence that hold pairs, from the least sure to the surest."""
    confidence, bins, reliability = predicted.confidence, predicted.bins, []
    for number in np.unique(bins).tolist():
        rows = bins == number
        part = predicted.at(rows)
        reliability.append(
            ReliabilityBin(
                low=0.5 + number / (2 * NUM_BINS),
                high=0.5 + (number + 1) / (2 * NUM_BINS),
                num_pairs=int(rows.sum()),
                confidence=float(confidence[rows].mean()),
                accuracy=mean_of(part.right, part.cluster, seed),
            )
        )
    return tuple(reliability)


def _by_length(right: Floats, longer: Floats) -> Floats:
    """Return four columns: the right ones of the pairs whose chosen side is shorter, those pairs; the same of longer."""
    return np.column_stack([right * (longer < 0), longer < 0, right * (longer > 0), longer > 0])


def _share(part: int, whole: int) -> ColumnStatistic:
    return lambda sums: sums[:, part] / sums[:, whole]


def _balanced(sums: Floats) -> Floats:
    return (_share(0, 1)(sums) + _share(2, 3)(sums)) / 2


def _measures(
    columns: Floats, cluster: Ints, statistics: dict[str, ColumnStatistic], seed: int
) -> dict[str, PreferenceMeasure]:
    if not len(columns):
        return {name: PreferenceMeasure() for name in statistics}
    sums, _ = cluster_sums(columns.astype(np.float64), cluster)
    whole = sums.sum(axis=0, keepdims=True)
    drawn = resampled_sums(sums, seed=seed) if len(sums) >= LEAST_GROUPS else None
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            name: _measure(statistic, whole, drawn, biased=name == _ECE)
            for name, statistic in statistics.items()
        }


def _measure(
    statistic: ColumnStatistic, whole: Floats, drawn: Floats | None, *, biased: bool
) -> PreferenceMeasure:
    """Return a figure with its interval; that of a ``biased`` one is moved by the bias that resampling shows.

    Every draw adds gaps of chance to a calibration error, so the plain interval would lie above the figure.
    """
    value = float(statistic(whole)[0])
    if np.isnan(value):
        return PreferenceMeasure()
    if drawn is None:
        return PreferenceMeasure(value=value)
    samples = statistic(drawn)
    _, low, high = percentile_interval(value, samples)
    if biased:
        low, high = (max(0.0, end - float(np.nanmean(samples) - value)) for end in (low, high))
    return PreferenceMeasure(value=value, low=low, high=high)
