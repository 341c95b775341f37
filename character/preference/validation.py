"""Cross-validation: what fitting a model in this way is worth, with what only many fits can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from character.errors import InputError
from character.pairs.feature_words import HasWords
from character.preference.evaluation import (
    Columns,
    Held,
    Keys,
    Pairs,
    Progress,
    cross_predict,
    describe,
    measurable,
    predict_others,
    rows_by,
)
from character.preference.evaluation_records import (
    EvaluationScope,
    PreferenceCurvePoint,
    PreferenceEvaluation,
)
from character.preference.folds import NUM_FOLDS, folds_of
from character.preference.linear import LinearPreference
from character.preference.measures import mean_of, scope_of
from character.preference.protocol import PreferenceModel

CURVE_SIZES = (4, 8, 16, 32, 64, 128, 256, 512)
NUM_DRAWS = 3
"""How often each size of the learning curve is drawn."""
MOST_UNSEEN = 8
"""How many traits are left out in turn, those of the most pairs first."""


def cross_validate(
    model: PreferenceModel,
    pairs: Pairs,
    *,
    traits: Sequence[HasWords] = (),
    seed: int = 0,
    num_folds: int = NUM_FOLDS,
    keys: Keys | None = None,
    progress: Progress | None = None,
) -> PreferenceEvaluation:
    """Return how well models of this kind do on messages not fitted on: every pair is predicted once.

    Pairs of one message, or of one key where ``keys`` are given, are held out together. A linear model is
    also measured with the other setting of ``length_free``. ``progress`` is told what is going on. Raises
    InputError where the pairs are of fewer than two messages.
    """
    kept, left_out = measurable(pairs)
    if keys is not None:
        keys = [key for key, pair in zip(keys, pairs, strict=True) if pair.design != "neutral"]
    say = progress or (lambda _step: None)
    held = cross_predict(model, kept, seed=seed, num_folds=num_folds, keys=keys, progress=progress)
    others: Columns = {}
    if isinstance(model, LinearPreference):
        say("the other length setting")
        other = replace(model, length_free=not model.length_free)
        name = "length_free" if other.length_free else "length_used"
        others[name] = cross_predict(other, kept, seed=seed, num_folds=num_folds, keys=keys).probability
    return describe(
        model,
        held,
        traits,
        seed,
        others,
        how="cross_validated",
        num_folds=num_folds,
        left_out=left_out,
        unseen=_unseen(model, held, seed, say),
        curve=_curve(model, held, seed, say),
    )


def _unseen(model: PreferenceModel, held: Held, seed: int, say: Progress) -> dict[str, EvaluationScope]:
    """Return how well each trait is predicted by a model fitted on other traits and other messages."""
    traits = sorted(rows_by("trait", held.pairs).items(), key=lambda trait: -trait[1].sum())
    scopes: dict[str, EvaluationScope] = {}
    for trait, rows in traits[:MOST_UNSEEN] if len(traits) > 1 else ():
        say(f"without the trait {trait}")
        own_keys = set(compress(held.keys, rows))
        others = [key not in own_keys for key in held.keys]
        if any(others):
            unseen = predict_others(model, held.pairs, held.keys, others, rows, seed)
            scopes[trait] = scope_of(unseen.predicted, seed)
    return scopes


def _curve(model: PreferenceModel, held: Held, seed: int, say: Progress) -> tuple[PreferenceCurvePoint, ...]:
    """Return the accuracy on one fold after learning from a few messages of every trait, more, and all."""
    fold = folds_of(held.keys, NUM_FOLDS, seed)
    taught = [(pair.trait, key) for pair, key, own in zip(held.pairs, held.keys, fold, strict=True) if own]
    messages: dict[str, list[int]] = {}
    for trait, key in dict.fromkeys(taught):
        messages.setdefault(trait, []).append(key)
    most = max(map(len, messages.values()), default=0)
    tested = fold == 0
    points = []
    for size in [*(size for size in CURVE_SIZES if size < most), most] if tested.any() and most else ():
        say(f"learning from {size} messages")
        points.append(_point(model, held, tested, messages, size, 1 if size == most else NUM_DRAWS, seed))
    return tuple(point for point in points if point is not None)


def _point(
    model: PreferenceModel,
    held: Held,
    tested: NDArray[np.bool_],
    messages: dict[str, list[int]],
    size: int,
    num_draws: int,
    seed: int,
) -> PreferenceCurvePoint | None:
    measured, learnt = [], []
    for draw in range(num_draws):
        rng = np.random.default_rng([seed, 11, size, draw])
        drawn = {trait: {own[i] for i in rng.permutation(len(own))[:size]} for trait, own in messages.items()}
        taught = [key in drawn.get(pair.trait, ()) for pair, key in zip(held.pairs, held.keys, strict=True)]
        try:
            own = predict_others(model, held.pairs, held.keys, taught, tested, seed)
        except InputError:  # so few messages may hold nothing to learn from
            continue
        measured.append(own.predicted)
        learnt.append(sum(taught))
    if not measured:
        return None
    right = np.mean([predicted.right for predicted in measured], axis=0)
    return PreferenceCurvePoint(
        num_messages=size,
        num_pairs=float(np.mean(learnt)),
        accuracy=mean_of(right, measured[0].cluster, seed),
    )
