"""Pairs as numbers: one row per pair, so that audits and balancing hold no text and work on whole columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from character.pairs.feature_words import HasWords, WordsByTrait
from character.pairs.features import FEATURES, SCALES, MeasuredText, Scale, opener
from character.records import PreferencePair
from character.statistics.arrays import Floats, Ints

COMMON_OPENER_SHARE, LEAST_OPENERS, MOST_OPENERS = 0.01, 5, 30
"""An opener is looked at where it begins at least this share of all sides, and so many; the commonest few."""
_CACHED_TEXTS = 1_000
_TEXTS, _NUMBERS = ("ids", "traits", "languages"), ("chosen", "rejected", "opener_chosen", "opener_rejected")
"""The columns of a table with something for each pair, but for the numbers of the messages."""

_ON_SCALE: dict[Scale, Callable[[Floats], Floats]] = {
    "share": lambda values: values,
    "log": lambda values: np.asarray(np.log(np.maximum(values, 1.0))),  # an empty text has no logarithm
    "count": lambda values: np.asarray(np.log1p(values)),
}


@dataclass(frozen=True)
class PairTable:
    """The features of pairs, a row per pair in the order in which they came.

    ``chosen`` and ``rejected`` are (pairs, features) in the order of ``FEATURES``; ``opener_chosen`` and
    ``opener_rejected`` index into ``openers``; ``message`` numbers the message of each pair from 0.
    """

    ids: tuple[str, ...]
    traits: tuple[str, ...]
    languages: tuple[str, ...]
    message: Ints
    chosen: Floats
    rejected: Floats
    openers: tuple[str, ...]
    opener_chosen: Ints
    opener_rejected: Ints

    @property
    def num_messages(self) -> int:
        """How many different messages the pairs belong to."""
        return len(np.unique(self.message))

    def at(self, rows: Ints) -> PairTable:
        """Return the table of these rows, messages numbered anew."""
        _, message = np.unique(self.message[rows], return_inverse=True)
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in _NUMBERS}
        columns |= {name: tuple(getattr(self, name)[i] for i in rows) for name in _TEXTS}
        return replace(self, message=message.astype(np.int64), **columns)

    def differences(self) -> Floats:
        """Return chosen minus rejected per feature, on each feature's scale (see ``SCALES``)."""
        columns = []
        for place, name in enumerate(FEATURES):
            on_scale = _ON_SCALE[SCALES.get(name, "count")]
            columns.append(on_scale(self.chosen[:, place]) - on_scale(self.rejected[:, place]))
        return np.column_stack(columns)

    def signs(self) -> Floats:
        """Return per feature 1 where the chosen side has more, -1 where the rejected side has, else 0."""
        return np.asarray(np.sign(self.chosen - self.rejected))

    def common_openers(self) -> list[int]:
        """Return the places of the openers worth looking at, most frequent first; "" is none."""
        counts = np.bincount(
            np.concatenate([self.opener_chosen, self.opener_rejected]), minlength=len(self.openers)
        )
        least = max(LEAST_OPENERS, COMMON_OPENER_SHARE * 2 * len(self.ids))
        places = [i for i in np.argsort(-counts, kind="stable") if counts[i] >= least and self.openers[i]]
        return [int(i) for i in places[:MOST_OPENERS]]

    def opener_signs(self, places: Sequence[int]) -> Floats:
        """Return per opener 1 where the chosen side alone begins with it, -1 where the rejected, else 0."""
        wanted = np.asarray(places, dtype=np.int64)
        chosen = self.opener_chosen[:, None] == wanted
        return np.asarray(chosen.astype(np.float64) - (self.opener_rejected[:, None] == wanted))


def pair_table(pairs: Iterable[PreferencePair], traits: Iterable[HasWords] | None = None) -> PairTable:
    """Return the table of pairs, which are read once and not kept.

    ``traits`` give the words that count as a trait's own; a trait that is not among them has the words of
    its name alone.
    """
    words, openers = WordsByTrait(traits or ()), dict[str, int]()

    @lru_cache(maxsize=_CACHED_TEXTS)
    def measured(trait: str, text: str) -> tuple[Floats, int]:
        whole = MeasuredText.of(text, words[trait])
        counts = np.array([feature(whole) for feature in FEATURES.values()], dtype=np.float64)
        return counts, openers.setdefault(opener(text), len(openers))

    names, sides = [], []
    messages: dict[str, int] = {}
    for pair in pairs:
        number = messages.setdefault(pair.message_id, len(messages))
        names.append((pair.id, pair.trait, pair.language, number))
        sides.append([measured(pair.trait, text) for text in (pair.chosen, pair.rejected)])
    ids, trait_names, languages, message = zip(*names, strict=True) if names else ((), (), (), ())
    counts = [np.array([side[i][0] for side in sides]).reshape(-1, len(FEATURES)) for i in (0, 1)]
    opened = [np.array([side[i][1] for side in sides], dtype=np.int64) for i in (0, 1)]
    return PairTable(
        ids=ids,
        traits=trait_names,
        languages=languages,
        message=np.array(message, dtype=np.int64),
        chosen=counts[0],
        rejected=counts[1],
        openers=tuple(openers),
        opener_chosen=opened[0],
        opener_rejected=opened[1],
    )


def without_nan(values: Floats) -> list[float | None]:
    """Return the values, None where one is not known."""
    return [None if np.isnan(value) else float(value) for value in values]


def most_common(names: Sequence[str], places: Ints) -> tuple[str, float]:
    """Return the most frequent of the names that ``places`` index, and its share; "" and 0 for none."""
    if not len(places):
        return "", 0.0
    (place, number), *_ = Counter(places.tolist()).most_common(1)
    return names[place], number / len(places)
