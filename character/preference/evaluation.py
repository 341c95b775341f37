"""Predictions for messages that a preference model has not seen, and what they are worth.

``evaluate`` asks a fitted model about other messages; ``cross_validate`` says what fitting one in this way is
worth, with what only many fits can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from character.errors import InputError
from character.files import problem
from character.pairs.feature_words import HasWords
from character.preference.evaluation_records import (
    EvaluationScope,
    PreferenceCurvePoint,
    PreferenceEvaluation,
)
from character.preference.folds import NUM_FOLDS, folds_of, message_key
from character.preference.linear import LinearPreference
from character.preference.measures import Columns, Held, describe, mean_of, rows_by, scope_of
from character.preference.protocol import Judged, PreferenceModel, asked_about, both_sides, sigmoid
from character.records import PreferencePair
from character.statistics.arrays import Ints

CURVE_SIZES = (4, 8, 16, 32, 64, 128, 256, 512)
NUM_DRAWS = 3
"""How often each size of the learning curve is drawn."""
MOST_UNSEEN = 8
"""How many traits are left out in turn, those of the most pairs first."""

Pairs = Sequence[PreferencePair]
Keys = Sequence[int]
Progress = Callable[[str], None]
"""Is told what is going on."""


def evaluate(
    model: PreferenceModel, pairs: Sequence[PreferencePair], *, traits: Sequence[HasWords] = (), seed: int = 0
) -> PreferenceEvaluation:
    """Return how well a fitted model does on those of the pairs whose messages it was not fitted on.

    ``traits`` give the confound classifier the words that count as a trait's own, and a model that reads them
    their descriptions. Pairs of the design ``neutral`` are left out. Raises InputError where nothing is left,
    and where the model can tell nothing of any of the traits (see ``asked_about``).
    """
    measured, left_out = _measurable(pairs)
    unseen = [pair for pair in measured if message_key(pair) not in model.seen_messages]
    if not unseen:
        raise problem(__file__, "all_seen", number=len(measured))
    asked = asked_about(model, (pair.trait for pair in unseen), traits)
    held = _predict(asked.model, unseen, [message_key(pair) for pair in unseen], seed)
    facts = {"how": "held_out", "not_fitted": asked.not_fitted, "left_out": left_out}
    evaluation = describe(asked.model, held, traits, seed)
    return evaluation.model_copy(update={**facts, "num_seen": len(measured) - len(unseen)})


evaluate_preference = evaluate  # its public name


def cross_validate(
    model: PreferenceModel,
    pairs: Pairs,
    *,
    traits: Sequence[HasWords] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> PreferenceEvaluation:
    """Return how well models of this kind do on messages not fitted on: every pair is predicted once.

    Pairs of one message are held out together. A linear model is also measured with the other setting of
    ``length_free``. ``progress`` is told what is going on. Raises InputError where the pairs are of fewer
    than two messages.
    """
    measured, left_out = _measurable(pairs)
    keys = [message_key(pair) for pair in measured]
    held = _cross_predict(model, measured, keys, seed, progress)
    say = progress or (lambda _step: None)
    others: Columns = {}
    if isinstance(model, LinearPreference):
        say("the other length setting")
        other = replace(model, length_free=not model.length_free)
        name = "length_free" if other.length_free else "length_used"
        others[name] = _cross_predict(other, measured, keys, seed).probability
    facts = {"how": "cross_validated", "num_folds": NUM_FOLDS, "left_out": left_out}
    fits = {"unseen": _unseen(model, held, seed, say), "curve": tuple(_curve(model, held, seed, say))}
    return describe(model, held, traits, seed, others).model_copy(update={**facts, **fits})


def _measurable(pairs: Pairs) -> tuple[list[PreferencePair], dict[str, int]]:
    """Return the pairs that say which side is better, and how many do not, by reason."""
    measured = [pair for pair in pairs if pair.design != "neutral"]
    return measured, {"neutral": len(pairs) - len(measured)} if len(measured) < len(pairs) else {}


def _predict(model: PreferenceModel, pairs: Pairs, keys: Keys, seed: int) -> Held:
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


def _predict_others(
    model: PreferenceModel,
    pairs: Pairs,
    keys: Keys,
    taught: Iterable[bool],
    asked: NDArray[np.bool_],
    seed: int,
) -> Held:
    """Return what a model fitted on the pairs marked as ``taught`` says of those marked as ``asked``."""
    fitted = model.fit(list(compress(pairs, taught)), seed=seed)
    return _predict(fitted, list(compress(pairs, asked)), list(compress(keys, asked)), seed)


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


def _cross_predict(
    model: PreferenceModel, pairs: Pairs, keys: Keys, seed: int, progress: Progress | None = None
) -> Held:
    """Return what models fitted on the other folds say of each pair; pairs of one key are in one fold."""
    fold = folds_of(keys, NUM_FOLDS, seed)
    folds = np.unique(fold).tolist()
    if len(folds) < 2:
        raise problem(__file__, "one_message", number=len(pairs), messages=len(set(keys)))
    probability, specific = np.empty(len(pairs)), np.empty(len(pairs))
    for each in folds:
        if progress:
            progress(f"fold {each + 1} of {len(folds)}")
        rows = fold == each
        held = _predict_others(model, pairs, keys, ~rows, rows, seed)
        probability[rows], specific[rows] = held.probability, held.specific
    return Held(pairs, keys, probability, specific)


def _unseen(model: PreferenceModel, held: Held, seed: int, say: Progress) -> dict[str, EvaluationScope]:
    """Return how well each trait is predicted by a model fitted on other traits and other messages."""
    traits = sorted(rows_by("trait", held.pairs).items(), key=lambda trait: -trait[1].sum())
    scopes: dict[str, EvaluationScope] = {}
    for trait, rows in traits[:MOST_UNSEEN] if len(traits) > 1 else ():
        say(f"without the trait {trait}")
        own_keys = set(compress(held.keys, rows))
        others = [key not in own_keys for key in held.keys]
        if any(others):
            unseen = _predict_others(model, held.pairs, held.keys, others, rows, seed)
            scopes[trait] = scope_of(unseen.predicted, seed)
    return scopes


def _curve(model: PreferenceModel, held: Held, seed: int, say: Progress) -> Iterator[PreferenceCurvePoint]:
    """Yield the accuracy on one fold after learning from a few messages of every trait, more, and all."""
    fold = folds_of(held.keys, NUM_FOLDS, seed)
    learnable = [(pair.trait, key) for pair, key, own in zip(held.pairs, held.keys, fold, strict=True) if own]
    messages: dict[str, list[int]] = {}
    for trait, key in dict.fromkeys(learnable):
        messages.setdefault(trait, []).append(key)
    most = max(map(len, messages.values()), default=0)
    tested = fold == 0
    for size in [*(size for size in CURVE_SIZES if size < most), most] if tested.any() and most else ():
        say(f"learning from {size} messages")
        measured, num_taught = [], []
        for draw in range(1 if size == most else NUM_DRAWS):
            rng = np.random.default_rng([seed, 11, size, draw])
            drawn = {
                (trait, keys[place])
                for trait, keys in messages.items()
                for place in rng.permutation(len(keys))[:size]
            }
            taught = [(pair.trait, key) in drawn for pair, key in zip(held.pairs, held.keys, strict=True)]
            with suppress(InputError):  # so few messages may hold nothing to learn from
                measured.append(_predict_others(model, held.pairs, held.keys, taught, tested, seed).predicted)
                num_taught.append(sum(taught))
        if measured:
            right = np.mean([predicted.right for predicted in measured], axis=0)
            yield PreferenceCurvePoint(
                num_messages=size,
                num_pairs=float(np.mean(num_taught)),
                accuracy=mean_of(right, measured[0].cluster, seed),
            )
