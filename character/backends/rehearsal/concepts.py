"""Which concepts of character a trait is about, found by keywords in either language."""

from __future__ import annotations

import re
from collections.abc import Iterable

from character.backends.rehearsal.phrases import BANKS

KEYWORDS = {key: BANKS["en"][key].keywords + BANKS["zh"][key].keywords for key in BANKS["en"]}

_NAME_WEIGHT, _TEXT_WEIGHT, _ENOUGH = 3.0, 1.0, 1.0


def any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that finds any of the words, the first that fits; English ones at a word's beginning."""
    starts = {True: "(?<![a-z])", False: ""}
    return re.compile("|".join(starts[word[0].isascii()] + re.escape(word) for word in words))


_PATTERNS = {key: any_of(words) for key, words in KEYWORDS.items()}


def find_concepts(name: str, text: str) -> tuple[str, ...]:
    """Return up to two concepts of a trait, the best first; empty where the trait is about something else.

    The name counts three times as much as a word in the text. The second concept is only given where it
    is at least half as strong as the first.
    """
    name, text = name.casefold(), text.casefold()
    weights = {
        key: _NAME_WEIGHT * bool(pattern.search(name)) + _TEXT_WEIGHT * len(set(pattern.findall(text)))
        for key, pattern in _PATTERNS.items()
    }
    ordered = sorted(weights, key=lambda key: -weights[key])
    best = weights[ordered[0]]
    return tuple(key for key in ordered[:2] if weights[key] >= max(_ENOUGH, best / 2))


def parading(concepts: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return the words by which a response would name the trait instead of showing it."""
    words = [word for key in concepts for word in KEYWORDS[key]]
    return tuple(dict.fromkeys([*words, name.casefold()]))
