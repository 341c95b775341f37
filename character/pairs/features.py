"""What can be counted in a text without understanding it: features that may set the sides of a pair apart.

Every feature is a function from a ``MeasuredText`` to a number and stands in ``FEATURES``, the registry.
They are cheap (some 70 µs for all of them on a reply of 500 characters) and work in English and Chinese.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from character.locale import wording
from character.pairs.feature_words import CHINESE, ENGLISH, FIRST_PERSON, TraitWords, stem, words_of
from character.text import count_tokens

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_EMOJI = re.compile(
    r"[\u203c\u2049\u231a-\u231b\u23e9-\u23fa\u25fe\u2600-\u27bf\u2b05-\u2b55\U0001f000-\U0001f1e5"
    r"\U0001f200-\U0001f3fa\U0001f400-\U0001faff]|[\U0001f1e6-\U0001f1ff]{2}"
)
_HEADER = re.compile(r"^ {0,3}#{1,6} \S", re.MULTILINE)
_BOLD = re.compile(r"\*\*\S(?:[^*\n]*\S)?\*\*|__\S(?:[^_\n]*\S)?__")
_CODE = re.compile(r"```|`[^`\n]+`")
_TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$", re.MULTILINE)
_LIST_ITEM = re.compile(
    r"^\s*(?:[-*+•·]\s+|\d{1,3}[.)、．]\s*|[（(]\d{1,2}[)）]\s*|[一二三四五六七八九十]{1,3}、)\S",
    re.MULTILINE,
)
_OPENING = re.compile(r"[^\W\d_][^\W_]*(?:['’][^\W_]+)?")
_OPENING_STOP = re.compile(r"[^\w\s'’]")


@dataclass(frozen=True)
class MeasuredText:
    """A reply as the features see it: as it stands, its Latin words, a line of them to find phrases in."""

    raw: str
    words: tuple[str, ...]
    line: str
    num_han: int
    trait: TraitWords

    @classmethod
    def of(cls, raw: str, trait: TraitWords = TraitWords()) -> MeasuredText:  # noqa: B008 - an immutable tuple
        """Return the text with what several features need counted once."""
        raw = raw.strip()
        words = tuple(words_of(raw))
        num_han = 0 if raw.isascii() else len(_HAN.findall(raw))
        return cls(raw, words, f" {' '.join(words)} ", num_han, trait)


Feature = Callable[[MeasuredText], float]
Scale = Literal["log", "count", "share"]
"""How differences of a feature are measured: of logarithms (a length), of log(1 + count), or as they are."""


def trait_words(text: MeasuredText) -> float:
    """Return how often words of the trait's own definition come (see ``feature_words.trait_words``)."""
    stems = sum(stem(word) in text.trait.stems for word in text.words) if text.trait.stems else 0
    return float(stems + (sum(text.raw.count(piece) for piece in text.trait.han) if text.num_han else 0))


def first_person(text: MeasuredText) -> float:
    """Return the share of words that are I, me, my, we, 我 …, in 0..1; a Han character counts as a word."""
    number = len(text.words) + text.num_han
    count = sum(word in FIRST_PERSON for word in text.words) + text.raw.count("我")
    return count / number if number else 0.0


def _matches(pattern: re.Pattern[str], *marks: str) -> Feature:
    """Return the feature that counts a pattern, which no text without one of the marks holds."""
    return lambda text: len(pattern.findall(text.raw)) if any(mark in text.raw for mark in marks) else 0


def _phrases(kind: str) -> Feature:
    """Return the feature that counts phrases of a kind, in whatever sense they are meant."""

    def count(text: MeasuredText) -> float:
        english = sum(text.line.count(f" {phrase} ") for phrase in ENGLISH[kind]) if text.words else 0
        return english + (sum(text.raw.count(phrase) for phrase in CHINESE[kind]) if text.num_han else 0)

    return count


FEATURES: dict[str, Feature] = {
    "characters": lambda text: len(text.raw),
    "tokens": lambda text: count_tokens(text.raw),  # an estimate
    "headers": _matches(_HEADER, "#"),
    "bold": _matches(_BOLD, "**", "__"),
    "code": _matches(_CODE, "`"),  # fences, and passages inline
    "tables": _matches(_TABLE_ROW, "|"),  # their rows
    "list_items": _matches(_LIST_ITEM, ""),  # lines that begin with `-`, `1.`, `（1）`, `一、` and their like
    "emoji": lambda text: 0 if text.raw.isascii() else len(_EMOJI.findall(text.raw)),  # a flag is one
    "exclamations": lambda text: text.raw.count("!") + text.raw.count("！"),
    "questions": lambda text: text.raw.count("?") + text.raw.count("？"),
    "refusals": _phrases("refusals"),  # i can't, unable to, 无法 …
    "hedges": _phrases("hedges"),  # perhaps, i think, 可能 …
    "apologies": _phrases("apologies"),  # sorry, 抱歉 …
    "trait_words": trait_words,
    "first_person": first_person,
}
"""All features by name, in the order in which reports show them; those without a scale of their own count."""
SCALES: dict[str, Scale] = {"characters": "log", "tokens": "log", "first_person": "share"}
"""The scale of a feature; one that is not named here is a count."""


def features_of(text: str, trait: TraitWords = TraitWords()) -> dict[str, float]:  # noqa: B008 - an immutable tuple
    """Return every feature of a text; without the trait's words ``trait_words`` is 0."""
    measured = MeasuredText.of(text, trait)
    return {name: float(feature(measured)) for name, feature in FEATURES.items()}


def opener(text: str) -> str:
    """Return how a text begins: its first two words, or its first four Han characters, in lower case.

    A punctuation mark ends the opener earlier (``Well, I`` → ``well``, 好的，我 → 好的); marks, emoji and
    Markdown before the first word do not count. Empty for a text without words.
    """
    head = text[:200]
    first = _OPENING.search(head)
    if first is None:
        return ""
    head = head[first.start() :]
    stop = _OPENING_STOP.search(head)
    phrase = (head[: stop.start()] if stop else head).split("\n")[0]
    if _HAN.match(phrase):
        return "".join(phrase.split())[:4].casefold()
    return " ".join(_OPENING.findall(phrase)[:2]).casefold().replace("’", "'")


def feature_word(name: str, language: str) -> str:
    """Return how a report calls a feature or an opener (``opener:well``): its name where there is no word."""
    if name.startswith("opener:"):
        return wording("audit.page", language)["opener_feature"].format(name.removeprefix("opener:"))
    return wording("audit.features", language).get(name, name)
