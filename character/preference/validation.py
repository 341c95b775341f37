"""Cross-validation: what fitting a model in this way is worth, with what only many fits can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from character.errors import InputError
from character.pairs.feature_words import HasWords
from character.preference.evaluation import (
    Columns,
    Held,
    Progress,
    cross_predict,
    describe,
    measurable,
    predict,
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
from character.records import PreferencePair

CURVE_SIZES = (4, 8, 16, 32, 64, 128, 256, 512)
NUM_DRAWS = 3
"""How often each size of the learning curve is drawn."""
MOST_UNSEEN = 8
"""How many traits are left out in turn, those of the most pairs first."""


def cross_validate(
    model: PreferenceModel,
    pairs: Sequence[PreferencePair],
    *,
    traits: Sequence[HasWords] = (),
    seed: int = 0,
    num_folds: int = NUM_FOLDS,
    keys: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> PreferenceEvaluation:
    """Return how well models of this kind do on messages they were not fitted on: every pair is predicted once.

    Pairs of one message, or of one key where ``keys`` are given, are held out together. A linear model is also
    measured with the other setting of ``length_free``. ``progress`` is told what is going on. Raises
    InputError where the pairs are of fewer than two messages.
    """
    kept, left_out = measurable(pairs)
    if keys is not None:
        keys = [key for key, pair in zip(keys, pairs, strict=True) if pair.design != "neutral"]
    say = progress or (lambda _said: None)
    held = cross_predict(model, kept, seed=seed, num_folds=num_folds, keys=keys, progress=progress)
    others: Columns = {}
    if isinstance(model, LinearPreference):
        say("the other length setting")
        other = replace(model, length_free=not model.length_free)
        name = "length_free" if other.length_free else "length_used"
        others[name] = cross_predict(other, kept, seed=seed, num_folds=num_folds, keys=keys).probability
    found = describe(model, held, traits, seed, others)
    return found.model_copy(
        update={
            "how": "cross_validated",
            "num_folds": num_folds,
            "left_out": left_out,
            "unseen": _unseen(model, kept, held.keys, seed, say),
            "curve": _curve(model, kept, held.keys, seed, say),
        }
    )


def _unseen(
    model: PreferenceModel, pairs: Sequence[PreferencePair], keys: Sequence[int], seed: int, say: Progress
) -> dict[str, EvaluationScope]:
    """Return how well each trait is predicted by a model that was fitted on other traits and other messages."""
    counts = Counter(pair.trait for pair in pairs)
    found: dict[str, EvaluationScope] = {}
    for trait, _ in counts.most_common(MOST_UNSEEN) if len(counts) > 1 else ():
        say(f"without the trait {trait}")
        own = [place for place, pair in enumerate(pairs) if pair.trait == trait]
        taken = {keys[place] for place in own}
        rest = [
            pair for pair, key in zip(pairs, keys, strict=True) if pair.trait != trait and key not in taken
        ]
        if not rest:
            continue
        held = predict(model.fit(rest, seed=seed), [pairs[place] for place in own], seed)
        found[trait] = scope_of(replace(held, keys=[keys[place] for place in own]).predicted, seed)
    return found


def _curve(
    model: PreferenceModel, pairs: Sequence[PreferencePair], keys: Sequence[int], seed: int, say: Progress
) -> tuple[PreferenceCurvePoint, ...]:
    """Return the accuracy on one fold after learning from a few messages of every trait, then more, then all others."""
    fold = folds_of(keys, NUM_FOLDS, seed)
    test = [place for place in range(len(pairs)) if fold[place] == 0]
    order: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        if fold[place] and keys[place] not in order.setdefault(pair.trait, []):
            order[pair.trait].append(keys[place])
    most = max((len(messages) for messages in order.values()), default=0)
    points = []
    for size in [*(size for size in CURVE_SIZES if size < most), most] if test and most else ():
        say(f"learning from {size} messages")
        points.append(
            _point(model, pairs, keys, order, test, size, draws=1 if size == most else NUM_DRAWS, seed=seed)
        )
    return tuple(point for point in points if point is not None)


def _point(
    model: PreferenceModel,
    pairs: Sequence[PreferencePair],
    keys: Sequence[int],
    order: dict[str, list[int]],
    test: list[int],
    size: int,
    *,
    draws: int,
    seed: int,
) -> PreferenceCurvePoint | None:
    tested = [pairs[place] for place in test]
    right, learnt = [], []
    for draw in range(draws):
        rng = np.random.default_rng([seed, 11, size, draw])
        drawn = {
            trait: {messages[i] for i in rng.permutation(len(messages))[:size]}
            for trait, messages in order.items()
        }
        taught = [pair for pair, key in zip(pairs, keys, strict=True) if key in drawn.get(pair.trait, ())]
        try:
            held = predict(model.fit(taught, seed=seed), tested, seed)
        except InputError:  # so few messages may hold nothing to learn from
            continue
        right.append(held.predicted.right)
        learnt.append(len(taught))
    if not right:
        return None
    cluster = replace(Held(tested, [keys[place] for place in test], right[0], right[0])).predicted.cluster
    return PreferenceCurvePoint(
        num_messages=size,
        num_pairs=float(np.mean(learnt)),
        accuracy=mean_of(np.mean(right, axis=0), cluster, seed),
    )
