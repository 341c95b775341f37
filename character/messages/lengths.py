"""How long a message is against how long it was asked to be, in bands that hold for every script."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Band = Literal["short", "medium", "long"]

SHORT_WORDS, LONG_WORDS = 20.0, 50.0
"""A text up to the first is short, from the second on long, between them medium; in English words."""

_LETTERS_PER_WORD = 6.0  # with the space after it
_CHARACTERS_PER_WORD = 1.6  # of Chinese characters and kana
_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_ASKED: dict[Band, tuple[str, ...]] = {
    "short": ("short", "短"),
    "medium": ("medium", "中"),
    "long": ("long", "长"),
}


def count_words(text: str) -> float:
    """Return how long a text is, in English words: 6 letters, or 1.6 Chinese characters, to a word.

    Counts characters, not spaces between words, so that it holds for scripts that do without them.
    """
    ideographs = len(_IDEOGRAPHS.findall(text))
    return ideographs / _CHARACTERS_PER_WORD + (len(text) - ideographs) / _LETTERS_PER_WORD


def length_band(text: str) -> Band:
    """Return which band the length of a text is in."""
    words = count_words(text.strip())
    if words <= SHORT_WORDS:
        return "short"
    return "long" if words >= LONG_WORDS else "medium"


def asked_band(brief: Mapping[str, str]) -> Band | None:
    """Return the band that a brief's ``length`` opens with ("long: a short paragraph"), None without one."""
    asked = brief.get("length", "").strip().casefold()
    return next((band for band, openings in _ASKED.items() if asked.startswith(openings)), None)


def is_wrong_length(text: str, brief: Mapping[str, str]) -> bool:
    """Whether a text misses the asked-for band by a whole band: short asked and long got, or the reverse.

    Bands that touch are let pass: their border is a convention, and models count no words.
    """
    asked = asked_band(brief)
    return asked is not None and {asked, length_band(text)} == {"short", "long"}
