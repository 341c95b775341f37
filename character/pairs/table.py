"""Pairs as numbers: one row per pair, so that audits and balancing hold no text and work on whole columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from character.pairs.feature_words import HasWords, TraitWords, trait_words, words_of_trait
from character.pairs.features import FEATURES, SCALES, MeasuredText, opener
from character.records import PreferencePair
from character.statistics.arrays import Floats, Ints

COMMON_OPENER_SHARE, LEAST_OPENERS, MOST_OPENERS = 0.01, 5, 30
"""An opener is looked at where it begins at least this share of all sides, and at least so many; the commonest few."""
_CACHED_TEXTS = 1_000


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
        return PairTable(
            ids=tuple(self.ids[i] for i in rows),
            traits=tuple(self.traits[i] for i in rows),
            languages=tuple(self.languages[i] for i in rows),
            message=message.astype(np.int64),
            chosen=self.chosen[rows],
            rejected=self.rejected[rows],
            openers=self.openers,
            opener_chosen=self.opener_chosen[rows],
            opener_rejected=self.opener_rejected[rows],
        )

    def differences(self) -> Floats:
        """Return chosen minus rejected per feature, on each feature's scale (see ``SCALES``)."""
        columns = []
        for place, name in enumerate(FEATURES):
            sides = self.chosen[:, place], self.rejected[:, place]
            scale = SCALES.get(name, "count")
            if scale == "share":
                columns.append(sides[0] - sides[1])
            else:
                least = 1.0 if scale == "log" else 0.0  # an empty text has no logarithm
                columns.append(_log(sides[0], least) - _log(sides[1], least))
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
        """Return per opener 1 where the chosen side alone begins with it, -1 where the rejected side alone, else 0."""
        wanted = np.asarray(places, dtype=np.int64)
        chosen = self.opener_chosen[:, None] == wanted
        return np.asarray(chosen.astype(np.float64) - (self.opener_rejected[:, None] == wanted))


def _log(values: Floats, least: float) -> Floats:
    return np.asarray(np.log(np.maximum(values, least)) if least else np.log1p(values))


def pair_table(pairs: Iterable[PreferencePair], traits: Iterable[HasWords] | None = None) -> PairTable:
    """Return the table of pairs, which are read once and not kept.

    ``traits`` give the words that count as a trait's own; a trait that is not among them has the words of
    its name alone.
    """
    words = {trait.name: words_of_trait(trait) for trait in traits or ()}
    rows = _Rows(words)
    for pair in pairs:
        rows.add(pair)
    return rows.table()


class _Rows:
    """Collects the rows; a text that comes again is not counted again."""

    def __init__(self, words: dict[str, TraitWords]) -> None:
        self.words = words
        self.names: list[tuple[str, str, str]] = []
        self.message: list[int] = []
        self.sides: tuple[list[Any], list[Any]] = ([], [])
        self.opened: tuple[list[int], list[int]] = ([], [])
        self.messages: dict[str, int] = {}
        self.openers: dict[str, int] = {}
        self.seen: dict[tuple[str, str], tuple[Floats, int]] = {}

    def add(self, pair: PreferencePair) -> None:
        self.names.append((pair.id, pair.trait, pair.language))
        self.message.append(self.messages.setdefault(pair.message_id, len(self.messages)))
        for side, text in enumerate((pair.chosen, pair.rejected)):
            numbers, place = self.look(pair.trait, text)
            self.sides[side].append(numbers)
            self.opened[side].append(place)

    def look(self, trait: str, text: str) -> tuple[Floats, int]:
        known = self.seen.get((trait, text))
        if known is None:
            if len(self.seen) >= _CACHED_TEXTS:
                self.seen.clear()
            words = self.words.get(trait)
            if words is None:
                words = self.words[trait] = trait_words(trait)
            seen = MeasuredText.of(text, words)
            numbers = np.array([feature(seen) for feature in FEATURES.values()])
            known = numbers, self.openers.setdefault(opener(text), len(self.openers))
            self.seen[trait, text] = known
        return known

    def table(self) -> PairTable:
        chosen, rejected = (
            np.array(side, dtype=np.float64).reshape(-1, len(FEATURES)) for side in self.sides
        )
        ids, traits, languages = zip(*self.names, strict=True) if self.names else ((), (), ())
        return PairTable(
            ids=ids,
            traits=traits,
            languages=languages,
            message=np.array(self.message, dtype=np.int64),
            chosen=chosen,
            rejected=rejected,
            openers=tuple(self.openers),
            opener_chosen=np.array(self.opened[0], dtype=np.int64),
            opener_rejected=np.array(self.opened[1], dtype=np.int64),
        )


def most_common(names: Sequence[str], places: Ints) -> tuple[str, float]:
    """Return the most frequent of the names that ``places`` index, and its share; "" and 0 for none."""
    if not len(places):
        return "", 0.0
    (place, number), *_ = Counter(places.tolist()).most_common(1)
    return names[place], number / len(places)
