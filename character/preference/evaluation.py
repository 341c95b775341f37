"""What a preference model is worth on messages it has not seen, and beside what it must be seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
from character.preference.protocol import Judged, PreferenceModel, sigmoid, written_by_rehearsal
from character.records import PreferencePair
from character.statistics.arrays import Floats, Ints

NUM_DISAGREEMENTS = 20
Progress = Callable[[str], None]
Columns = dict[str, Floats]
"""Probabilities of the chosen side by what gave them."""


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

    @property
    def predicted(self) -> Predicted:
        """The predictions as columns."""
        return Predicted.of(self.pairs, self.probability, self.keys)


def evaluate(
    model: PreferenceModel,
    pairs: Sequence[PreferencePair],
    *,
    traits: Sequence[HasWords] = (),
    seed: int = 0,
) -> PreferenceEvaluation:
    """Return how well a fitted model does on those of the pairs whose messages it was not fitted on.

    ``traits`` give the confound classifier the words that count as a trait's own, and a model that reads them their
    descriptions. Pairs of the design ``neutral`` are left out. Raises InputError where nothing is left, and where the model
    can tell nothing of any of the traits (see ``asked_about``).
    """
    kept, left_out = measurable(pairs)
    unseen = [pair for pair in kept if message_key(pair) not in model.seen_messages]
    if not unseen:
        raise InputError(
            f"the model was fitted on the messages of all {len(kept)} pairs.",
            expected="pairs of messages it has not seen",
            fix="give other pairs, or leave the model out: then models are fitted and measured by cross-validation.",
        )
    asked = asked_about(model, (pair.trait for pair in unseen), traits)
    found = describe(asked.model, predict(asked.model, unseen, seed), traits, seed)
    return found.model_copy(
        update={
            "how": "held_out",
            "num_seen": len(kept) - len(unseen),
            "not_fitted": asked.not_fitted,
            "left_out": left_out,
        }
    )


def measurable(pairs: Sequence[PreferencePair]) -> tuple[list[PreferencePair], dict[str, int]]:
    """Return the pairs that say which side is better, and how many do not, by reason."""
    kept = [pair for pair in pairs if pair.design != "neutral"]
    return kept, {"neutral": len(pairs) - len(kept)} if len(kept) < len(pairs) else {}


def predict(model: PreferenceModel, pairs: Sequence[PreferencePair], seed: int) -> Held:
    """Return what a model says of pairs it has not seen."""
    other = _other_traits(pairs, seed)
    sides = [Judged(pair.prompt, text, pair.trait) for pair in pairs for text in (pair.chosen, pair.rejected)]
    strangers = [
        Judged(pair.prompt, pairs[place].chosen if place >= 0 else pair.chosen, pair.trait)
        for pair, place in zip(pairs, other, strict=True)
    ]
    scores = model.scores([*sides, *strangers])
    own, lost, theirs = scores[: 2 * len(pairs) : 2], scores[1 : 2 * len(pairs) : 2], scores[2 * len(pairs) :]
    specific = np.where(other >= 0, (np.sign(own - theirs) + 1) / 2, np.nan)
    return Held(pairs, [message_key(pair) for pair in pairs], sigmoid(own - lost), specific)


def _other_traits(pairs: Sequence[PreferencePair], seed: int) -> Ints:
    """Return for each pair the place of a pair of another trait in the same language, drawn with the seed; -1 for none."""
    rng = np.random.default_rng([seed, 7])
    found = np.full(len(pairs), -1, dtype=np.int64)
    places: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        places.setdefault(pair.language, []).append(place)
    for own in places.values():
        for place in own:
            strangers = [other for other in own if pairs[other].trait != pairs[place].trait]
            if strangers:
                found[place] = strangers[int(rng.integers(len(strangers)))]
    return found


def describe(
    model: PreferenceModel, held: Held, traits: Sequence[HasWords], seed: int, others: Columns | None = None
) -> PreferenceEvaluation:
    """Return the figures of what was predicted; ``others`` are further predictions for the same pairs, by name."""
    predicted = held.predicted
    return PreferenceEvaluation(
        model=model.kind,
        how="",
        seed=seed,
        length_free=getattr(model, "length_free", None),
        rehearsal=getattr(model, "rehearsal", None) or written_by_rehearsal(held.pairs),
        overall=scope_of(predicted, seed),
        groups=_groups(held, predicted, seed),
        reliability=reliability_of(predicted, seed),
        rivals=_rivals(held, predicted, traits, seed, others or {}),
        judge=_judge(held, predicted, seed),
        specificity=_specificity(held, predicted, seed),
        disagreements=most_certain(held.pairs, held.probability, NUM_DISAGREEMENTS),
    )


def _groups(held: Held, predicted: Predicted, seed: int) -> dict[str, dict[str, EvaluationScope]]:
    found: dict[str, dict[str, EvaluationScope]] = {}
    for field in ("trait", "kind", "language", "design"):
        names = np.array([getattr(pair, field) for pair in held.pairs], dtype=object)
        found[field] = {name: scope_of(predicted.at(names == name), seed) for name in dict.fromkeys(names)}
    return found


def _rivals(
    held: Held, predicted: Predicted, traits: Sequence[HasWords], seed: int, others: Columns
) -> tuple[Rival, ...]:
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


def _judge(held: Held, predicted: Predicted, seed: int) -> JudgeView:
    claims = np.array(
        [np.nan if p.probability is None else p.probability for p in held.pairs], dtype=np.float64
    )
    meant = np.array([_meant(pair) for pair in held.pairs])
    by_level, claimed = meant != 0, ~np.isnan(claims)
    model = np.where(meant > 0, predicted.right, 1 - predicted.right)
    return JudgeView(
        claimed=_mean_where(claims, claimed, predicted, seed),
        num_levels=int(by_level.sum()),
        judge=_mean_where((meant + 1) / 2, by_level, predicted, seed),
        model=_mean_where(model, by_level, predicted, seed),
    )


def _meant(pair: PreferencePair) -> int:
    """Return 1 where the chosen side alone was asked to show the trait as it should be, -1 where the other was, else 0."""
    if pair.chosen_level is None or pair.rejected_level is None:
        return 0
    return (pair.chosen_level in IN_CHARACTER) - (pair.rejected_level in IN_CHARACTER)


def _specificity(held: Held, predicted: Predicted, seed: int) -> dict[str, PreferenceMeasure]:
    names = np.array([pair.trait for pair in held.pairs], dtype=object)
    known = ~np.isnan(held.specific)
    found = {
        name: _mean_where(held.specific, known & (names == name), predicted, seed)
        for name in dict.fromkeys(names)
    }
    return {name: measure for name, measure in found.items() if measure.value is not None}


def _mean_where(values: Floats, rows: Any, predicted: Predicted, seed: int) -> PreferenceMeasure:
    return mean_of(values[rows], predicted.at(rows).cluster, seed)


def cross_predict(
    model: PreferenceModel,
    pairs: Sequence[PreferencePair],
    *,
    seed: int = 0,
    num_folds: int = NUM_FOLDS,
    keys: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Held:
    """Return what models fitted on the other folds say of each pair; pairs of one key are in one fold.

    ``keys`` are the messages' unless given. Raises InputError for fewer than two.
    """
    known = list(keys) if keys is not None else [message_key(pair) for pair in pairs]
    fold = folds_of(known, num_folds, seed)
    if len(set(fold.tolist())) < 2:
        raise InputError(
            f"the {len(pairs)} pairs are of {len(set(known))} message, so nothing can be held out.",
            expected="pairs of at least two messages",
        )
    probability, specific = np.empty(len(pairs)), np.empty(len(pairs))
    for each in np.unique(fold):
        if progress:
            progress(f"fold {each + 1} of {len(np.unique(fold))}")
        rows = [place for place, own in enumerate(fold) if own == each]
        fitted = model.fit([pair for pair, own in zip(pairs, fold, strict=True) if own != each], seed=seed)
        held = predict(fitted, [pairs[row] for row in rows], seed)
        probability[rows], specific[rows] = held.probability, held.specific
    return Held(pairs, known, probability, specific)
