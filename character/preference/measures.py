"""What predictions for pairs are worth: figures with intervals, by group, and beside simpler ways to predict.

Every figure is a function of column sums, so that one bootstrap over messages serves all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from character.pairs.confound_classifier import held_out
from character.pairs.designs import IN_CHARACTER
from character.pairs.feature_words import HasWords
from character.pairs.table import pair_table
from character.preference.evaluation_records import (
    Disagreement,
    EvaluationScope,
    JudgeView,
    PreferenceEvaluation,
    PreferenceMeasure,
    ReliabilityBin,
    Rival,
    SecondOpinion,
    shown,
)
from character.preference.folds import message_key
from character.preference.protocol import Asked, PreferenceModel, written_by_rehearsal
from character.records import PreferencePair
from character.statistics.arrays import Floats, Ints
from character.statistics.intervals import LEAST_GROUPS, cluster_sums, percentile_interval, resampled_sums

NUM_BINS = 10
NUM_DISAGREEMENTS, NUM_OF_SECOND_OPINION = 20, 12
BATCH_SIZE = 512
_LEAST = 1e-12

Figures = Callable[[Floats], dict[str, Floats]]
"""From column sums, (samples, columns), to each figure per sample; nan where it is not defined."""
Columns = dict[str, Floats]
"""Probabilities of the chosen side by what gave them."""


@dataclass(frozen=True)
class Predicted:
    """Pairs as a model sees them: P(chosen better), and the message that each is of.

    ``longer`` is 1 where the chosen side has more characters, -1 where it has fewer, else 0.
    """

    probability: Floats
    cluster: Ints
    longer: Floats

    @classmethod
    def of(cls, pairs: Sequence[PreferencePair], probability: Floats, keys: Sequence[object]) -> Predicted:
        """Return the predictions for pairs; pairs of one key are resampled together."""
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        lengths = [len(pair.chosen.strip()) - len(pair.rejected.strip()) for pair in pairs]
        return cls(
            np.asarray(probability, dtype=np.float64),
            np.array([numbers[key] for key in keys], dtype=np.int64),
            np.sign(np.array(lengths, dtype=np.float64)),
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


@dataclass(frozen=True)
class Held:
    """Pairs with what was predicted for them without having seen their messages.

    ``specific`` is 1 where the chosen reply scores higher on its trait than a chosen reply of another trait,
    NaN where there is none to compare it with.
    """

    pairs: Sequence[PreferencePair]
    keys: Sequence[int]
    probability: Floats
    specific: Floats

    @cached_property
    def predicted(self) -> Predicted:
        """The predictions as columns."""
        return Predicted.of(self.pairs, self.probability, self.keys)


def describe(
    model: PreferenceModel, held: Held, traits: Sequence[HasWords], seed: int, others: Columns | None = None
) -> PreferenceEvaluation:
    """Return the figures of what was predicted; ``others`` are further predictions for the pairs, by name."""
    compared = ~np.isnan(held.specific)
    return PreferenceEvaluation(
        model=model.kind,
        how="",
        seed=seed,
        length_free=getattr(model, "length_free", None),
        rehearsal=getattr(model, "rehearsal", None) or written_by_rehearsal(held.pairs),
        overall=scope_of(held.predicted, seed),
        groups={field: _scopes(field, held, seed) for field in ("trait", "kind", "language", "design")},
        reliability=reliability_of(held.predicted, seed),
        rivals=_rivals(held, traits, seed, others or {}),
        judge=_judge(held, seed),
        specificity={
            trait: _mean_where(rows & compared, held.specific, held, seed)
            for trait, rows in rows_by("trait", held.pairs).items()
            if (rows & compared).any()
        },
        disagreements=most_certain(held.pairs, held.probability, NUM_DISAGREEMENTS),
    )


def second_opinion(asked: Asked, pairs: Sequence[PreferencePair], *, seed: int = 0) -> SecondOpinion:
    """Return where a model and the ranker that made these pairs disagree, the surest first."""
    model, judged = asked.model, [pair for pair in pairs if pair.design != "neutral"]
    starts = range(0, len(judged), BATCH_SIZE)
    parts = [model.preferences(judged[start : start + BATCH_SIZE]) for start in starts]
    chosen = np.concatenate(parts) if parts else np.empty(0)
    new = np.array([message_key(pair) not in model.seen_messages for pair in judged], dtype=bool)
    message = np.unique([pair.message_id for pair in judged], return_inverse=True)[1]

    def agreement(rows: NDArray[np.bool_]) -> PreferenceMeasure:
        cluster = np.unique(message[rows], return_inverse=True)[1]
        return mean_of(right_of(chosen[rows]), cluster, seed)

    return SecondOpinion(
        model=model.kind,
        num_pairs=len(judged),
        num_seen=int((~new).sum()),
        not_fitted=asked.not_fitted,
        rehearsal=model.rehearsal,
        agreement=agreement(new) if new.any() else None,
        by_trait={
            trait: agreement(new & rows)
            for trait, rows in rows_by("trait", judged).items()
            if (new & rows).any()
        },
        disagreements=most_certain(judged, chosen, NUM_OF_SECOND_OPINION),
    )


def most_certain(pairs: Sequence[PreferencePair], chosen: Floats, number: int) -> tuple[Disagreement, ...]:
    """Return at most so many pairs that a model would have the other way round, the surest first.

    ``chosen`` is for each pair the model's probability that the chosen side is the better one.
    """
    order: list[int] = np.argsort(chosen, kind="stable")[:number].tolist()
    surest = [(pairs[place], float(1 - chosen[place])) for place in order if chosen[place] < 0.5]
    return tuple(
        Disagreement(
            pair_id=pair.id, probability=probability, judge_probability=pair.probability, **shown(pair)
        )
        for pair, probability in surest
    )


def rows_by(field: str, pairs: Sequence[PreferencePair]) -> dict[str, NDArray[np.bool_]]:
    """Return which of the pairs have each value of a field, the values in the order in which they come."""
    values = np.array([getattr(pair, field) for pair in pairs], dtype=object)
    return {value: values == value for value in dict.fromkeys(values)}


def _scopes(field: str, held: Held, seed: int) -> dict[str, EvaluationScope]:
    groups = rows_by(field, held.pairs)
    return {value: scope_of(held.predicted.at(rows), seed) for value, rows in groups.items()}


def _rivals(held: Held, traits: Sequence[HasWords], seed: int, others: Columns) -> tuple[Rival, ...]:
    predicted = held.predicted
    longer = (predicted.longer + 1) / 2
    columns = {"longer": longer, "shorter": 1 - longer}
    surface = held_out(pair_table(held.pairs, traits), seed=seed)
    if surface is not None:
        columns["confounds"] = surface
    columns |= {name: right_of(probability) for name, probability in others.items()}
    return tuple(
        Rival(
            name=name,
            accuracy=mean_of(right, predicted.cluster, seed),
            length_balanced=_measures(
                _by_length(right, predicted.longer), predicted.cluster, _length_figures, seed
            )["length_balanced"],
            gain=mean_of(predicted.right - right, predicted.cluster, seed),
        )
        for name, right in columns.items()
    )


def _judge(held: Held, seed: int) -> JudgeView:
    claims = np.array([pair.probability for pair in held.pairs], dtype=np.float64)  # None becomes nan
    meant = np.array([_meant(pair) for pair in held.pairs])
    by_level, right = meant != 0, held.predicted.right
    return JudgeView(
        claimed=_mean_where(~np.isnan(claims), claims, held, seed),
        num_levels=int(by_level.sum()),
        judge=_mean_where(by_level, (meant + 1) / 2, held, seed),
        model=_mean_where(by_level, np.where(meant > 0, right, 1 - right), held, seed),
    )


def _meant(pair: PreferencePair) -> int:
    """Return 1 where the chosen side alone was asked to show the trait rightly, -1 the other, else 0."""
    if pair.chosen_level is None or pair.rejected_level is None:
        return 0
    return (pair.chosen_level in IN_CHARACTER) - (pair.rejected_level in IN_CHARACTER)


def _mean_where(rows: NDArray[np.bool_], values: Floats, held: Held, seed: int) -> PreferenceMeasure:
    return mean_of(values[rows], held.predicted.at(rows).cluster, seed)


def right_of(probability: Floats) -> Floats:
    """Return 1 for a probability above a half, 0 below, 0.5 for a half."""
    return np.asarray((np.sign(probability - 0.5) + 1) / 2)


def mean_of(values: Floats, cluster: Ints, seed: int) -> PreferenceMeasure:
    """Return the mean of values with its interval."""
    columns = np.column_stack([values, np.ones(len(values))])
    return _measures(columns, cluster, lambda sums: {"mean": sums[:, 0] / sums[:, 1]}, seed)["mean"]


def scope_of(predicted: Predicted, seed: int) -> EvaluationScope:
    """Return every figure over these pairs."""
    right, own = predicted.right, np.clip(predicted.probability, _LEAST, 1.0)
    bins = predicted.bins[:, None] == np.arange(NUM_BINS)
    columns = np.column_stack(
        [
            _by_length(right, predicted.longer),
            np.ones(len(right)),
            right,
            -np.log(own),
            (1 - predicted.probability) ** 2,
            (predicted.confidence - right)[:, None] * bins,
        ]
    )
    measures = _measures(columns, predicted.cluster, _scope_figures, seed)
    num_messages = len(np.unique(predicted.cluster))
    return EvaluationScope(num_pairs=len(right), num_messages=num_messages, **measures)


def _by_length(right: Floats, longer: Floats) -> Floats:
    """Return which pairs are right with the shorter side chosen, and which have that; then of the longer."""
    return np.column_stack([right * (longer < 0), longer < 0, right * (longer > 0), longer > 0])


def _length_figures(sums: Floats) -> dict[str, Floats]:
    shorter, longer = sums[:, 0] / sums[:, 1], sums[:, 2] / sums[:, 3]
    return {"shorter": shorter, "longer": longer, "length_balanced": (shorter + longer) / 2}


def _scope_figures(sums: Floats) -> dict[str, Floats]:
    accuracy, log_loss, brier = (sums[:, 5:8] / sums[:, 4:5]).T
    ece = np.abs(sums[:, 8:]).sum(axis=1) / sums[:, 4]
    return {**_length_figures(sums), "accuracy": accuracy, "log_loss": log_loss, "brier": brier, "ece": ece}


def reliability_of(predicted: Predicted, seed: int) -> tuple[ReliabilityBin, ...]:
    """Return the bins of confidence that hold pairs, from the least sure to the surest."""
    parts = {each: predicted.at(predicted.bins == each) for each in np.unique(predicted.bins).tolist()}
    return tuple(
        ReliabilityBin(
            low=0.5 + number / (2 * NUM_BINS),
            high=0.5 + (number + 1) / (2 * NUM_BINS),
            num_pairs=len(part.right),
            confidence=float(part.confidence.mean()),
            accuracy=mean_of(part.right, part.cluster, seed),
        )
        for number, part in parts.items()
    )


def _measures(columns: Floats, cluster: Ints, figures: Figures, seed: int) -> dict[str, PreferenceMeasure]:
    sums, _ = cluster_sums(columns.astype(np.float64), cluster)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = figures(sums.sum(axis=0, keepdims=True))
        samples = figures(resampled_sums(sums, seed=seed)) if len(sums) >= LEAST_GROUPS else {}
    return {
        name: _measure(float(value[0]), samples.get(name), biased=name == "ece")
        for name, value in values.items()
    }


def _measure(value: float, samples: Floats | None, *, biased: bool) -> PreferenceMeasure:
    """Return a figure with its interval; that of a ``biased`` one is moved by the bias that resampling shows.

    Every draw adds gaps of chance to a calibration error, so the plain interval would lie above the figure.
    """
    if np.isnan(value):
        return PreferenceMeasure()
    if samples is None:
        return PreferenceMeasure(value=value)
    _, low, high = percentile_interval(value, samples)
    if biased:
        low, high = (max(0.0, end - float(np.nanmean(samples) - value)) for end in (low, high))
    return PreferenceMeasure(value=value, low=low, high=high)
