"""What a preference model is worth on messages it has not seen, and beside what it must be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from character.errors import InputError
from character.pairs.confound_classifier import held_out
from character.pairs.designs import IN_CHARACTER
from character.pairs.feature_words import HasWords
from character.pairs.second_opinion import most_certain
from character.pairs.table import pair_table
from character.preference.evaluation_records import (
    EvaluationScope,
    JudgeView,
    PreferenceEvaluation,
    PreferenceMeasure,
    Rival,
)
from character.preference.folds import NUM_FOLDS, folds_of, message_key
from character.preference.known_traits import asked_about
from character.preference.measures import Predicted, balanced_of, mean_of, reliability_of, right_of, scope_of
from character.preference.protocol import (
    Judged,
    PreferenceModel,
    both_sides,
    sigmoid,
    written_by_rehearsal,
)
from character.records import PreferencePair
from character.statistics.arrays import Floats, Ints

NUM_DISAGREEMENTS = 20
Progress = Callable[[str], None]
Pairs = Sequence[PreferencePair]
Keys = Sequence[int]
Columns = dict[str, Floats]
"""Probabilities of the chosen side by what gave them."""


@dataclass(frozen=True)
class Held:
    """Pairs with what was predicted for them without having seen their messages.

    ``specific`` is 1 where the chosen reply scores higher on its trait than a chosen reply of another trait,
    NaN where there is none to compare it with.
    """

    pairs: Pairs
    keys: Keys
    probability: Floats
    specific: Floats

    @cached_property
    def predicted(self) -> Predicted:
        """The predictions as columns."""
        return Predicted.of(self.pairs, self.probability, self.keys)


def evaluate(
    model: PreferenceModel,
    pairs: Pairs,
    *,
    traits: Sequence[HasWords] = (),
    seed: int = 0,
) -> PreferenceEvaluation:
    """Return how well a fitted model does on those of the pairs whose messages it was not fitted on.

    ``traits`` give the confound classifier the words that count as a trait's own, and a model that reads them
    their descriptions. Pairs of the design ``neutral`` are left out. Raises InputError where nothing is left,
    and where the model can tell nothing of any of the traits (see ``asked_about``).
    """
    kept, left_out = measurable(pairs)
    unseen = [pair for pair in kept if message_key(pair) not in model.seen_messages]
    if not unseen:
        raise InputError(
            f"the model was fitted on the messages of all {len(kept)} pairs.",
            expected="pairs of messages it has not seen",
            fix="give other pairs, or leave the model out: "
            "then models are fitted and measured by cross-validation.",
        )
    asked = asked_about(model, (pair.trait for pair in unseen), traits)
    held = predict(asked.model, unseen, [message_key(pair) for pair in unseen], seed)
    return describe(
        asked.model,
        held,
        traits,
        seed,
        how="held_out",
        num_seen=len(kept) - len(unseen),
        not_fitted=asked.not_fitted,
        left_out=left_out,
    )


def measurable(pairs: Pairs) -> tuple[list[PreferencePair], dict[str, int]]:
    """Return the pairs that say which side is better, and how many do not, by reason."""
    kept = [pair for pair in pairs if pair.design != "neutral"]
    return kept, {"neutral": len(pairs) - len(kept)} if len(kept) < len(pairs) else {}


def predict(model: PreferenceModel, pairs: Pairs, keys: Keys, seed: int) -> Held:
    """Return what a model says of pairs whose messages, known by ``keys``, it has not seen."""
    other = _other_traits(pairs, seed)
    strangers = [
        Judged(pair.prompt, pairs[place].chosen if place >= 0 else pair.chosen, pair.trait)
        for pair, place in zip(pairs, other, strict=True)
    ]
    scores = model.scores([*both_sides(pairs), *strangers])
    chosen, rejected = scores[: 2 * len(pairs)].reshape(-1, 2).T
    specific = np.where(other >= 0, (np.sign(chosen - scores[2 * len(pairs) :]) + 1) / 2, np.nan)
    return Held(pairs, keys, sigmoid(chosen - rejected), specific)


def predict_others(
    model: PreferenceModel, pairs: Pairs, keys: Keys, taught: Iterable[bool], asked: Iterable[bool], seed: int
) -> Held:
    """Return what a model fitted on the pairs marked as ``taught`` says of those marked as ``asked``."""
    others = list(asked)
    fitted = model.fit(list(compress(pairs, taught)), seed=seed)
    return predict(fitted, list(compress(pairs, others)), list(compress(keys, others)), seed)


def _other_traits(pairs: Pairs, seed: int) -> Ints:
    """Return for each pair the place of one of another trait in its language, by the seed; -1 for none."""
    rng = np.random.default_rng([seed, 7])
    others = np.full(len(pairs), -1, dtype=np.int64)
    for rows in rows_by("language", pairs).values():
        places = np.flatnonzero(rows).tolist()
        for place in places:
            strangers = [other for other in places if pairs[other].trait != pairs[place].trait]
            if strangers:
                others[place] = strangers[int(rng.integers(len(strangers)))]
    return others


def describe(
    model: PreferenceModel,
    held: Held,
    traits: Sequence[HasWords],
    seed: int,
    others: Columns | None = None,
    **facts: Any,
) -> PreferenceEvaluation:
    """Return the figures of what was predicted, beside the ``facts`` of how that was done.

    ``others`` are further predictions for the same pairs, by name.
    """
    return PreferenceEvaluation(
        model=model.kind,
        seed=seed,
        length_free=getattr(model, "length_free", None),
        rehearsal=getattr(model, "rehearsal", None) or written_by_rehearsal(held.pairs),
        overall=scope_of(held.predicted, seed),
        groups={field: _scopes(field, held, seed) for field in ("trait", "kind", "language", "design")},
        reliability=reliability_of(held.predicted, seed),
        rivals=_rivals(held, traits, seed, others or {}),
        judge=_judge(held, seed),
        specificity=_specificity(held, seed),
        disagreements=most_certain(held.pairs, held.probability, NUM_DISAGREEMENTS),
        **facts,
    )


def rows_by(field: str, pairs: Pairs) -> dict[str, NDArray[np.bool_]]:
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
            length_balanced=balanced_of(right, predicted.longer, predicted.cluster, seed),
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


def _specificity(held: Held, seed: int) -> dict[str, PreferenceMeasure]:
    compared = ~np.isnan(held.specific)
    return {
        trait: _mean_where(rows & compared, held.specific, held, seed)
        for trait, rows in rows_by("trait", held.pairs).items()
        if (rows & compared).any()
    }


def _mean_where(rows: NDArray[np.bool_], values: Floats, held: Held, seed: int) -> PreferenceMeasure:
    return mean_of(values[rows], held.predicted.at(rows).cluster, seed)


def cross_predict(
    model: PreferenceModel,
    pairs: Pairs,
    *,
    seed: int = 0,
    num_folds: int = NUM_FOLDS,
    keys: Keys | None = None,
    progress: Progress | None = None,
) -> Held:
    """Return what models fitted on the other folds say of each pair; pairs of one key are in one fold.

    ``keys`` are the messages' unless given. Raises InputError for fewer than two.
    """
    keys = list(keys) if keys is not None else [message_key(pair) for pair in pairs]
    fold = folds_of(keys, num_folds, seed)
    folds = np.unique(fold).tolist()
    if len(folds) < 2:
        raise InputError(
            f"the {len(pairs)} pairs are of {len(set(keys))} message, so nothing can be held out.",
            expected="pairs of at least two messages",
        )
    probability, specific = np.empty(len(pairs)), np.empty(len(pairs))
    for each in folds:
        if progress:
            progress(f"fold {each + 1} of {len(folds)}")
        rows = fold == each
        held = predict_others(model, pairs, keys, ~rows, rows, seed)
        probability[rows], specific[rows] = held.probability, held.specific
    return Held(pairs, keys, probability, specific)
