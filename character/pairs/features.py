"""What can be counted in one text without understanding it: the features that may set two sides of a pair apart.

Every feature is a function from a ``Text`` to a number and stands in ``FEATURES``, which is the registry.
They are cheap (some 70 µs for all of them on a reply of 500 characters) and work in English and Chinese.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
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
    """A reply as the features see it: as it stands, its Latin words, and a line of them to find phrases in."""

    raw: str
    words: tuple[str, ...]
    line: str
    num_han: int
    trait: TraitWords

    @classmethod
    def of(cls, raw: str, trait: TraitWords = TraitWords()) -> MeasuredText:  # noqa: B008 - an immutable tuple
        """Return the text with what several features need counted once."""
        raw = raw.strip()
        found = tuple(words_of(raw))
        num_han = 0 if raw.isascii() else len(_HAN.findall(raw))
        return cls(raw, found, f" {' '.join(found)} ", num_han, trait)


Feature = Callable[[MeasuredText], float]
Scale = Literal["log", "count", "share"]
"""How differences of a feature are measured: of logarithms (a length), of log(1 + count), or as they are."""


def characters(text: MeasuredText) -> float:
    """Return the length in characters, outer blanks left out."""
    return float(len(text.raw))


def tokens(text: MeasuredText) -> float:
    """Return the estimated length in tokens (``count_tokens``)."""
    return float(count_tokens(text.raw))


def headers(text: MeasuredText) -> float:
    """Return the number of Markdown headings."""
    return float(len(_HEADER.findall(text.raw))) if "#" in text.raw else 0.0


def bold(text: MeasuredText) -> float:
    """Return the number of passages in Markdown bold."""
    return float(len(_BOLD.findall(text.raw))) if "**" in text.raw or "__" in text.raw else 0.0


def code(text: MeasuredText) -> float:
    """Return the number of code fences and inline code passages."""
    return float(len(_CODE.findall(text.raw))) if "`" in text.raw else 0.0


def tables(text: MeasuredText) -> float:
    """Return the number of table rows in Markdown."""
    return float(len(_TABLE_ROW.findall(text.raw))) if "|" in text.raw else 0.0


def list_items(text: MeasuredText) -> float:
    """Return the number of lines that are items of a list: ``-``, ``1.``, ``（1）``, ``一、`` and their like."""
    return float(len(_LIST_ITEM.findall(text.raw)))


def emoji(text: MeasuredText) -> float:
    """Return the number of emoji; a flag is one, a modifier none of its own."""
    return 0.0 if text.raw.isascii() else float(len(_EMOJI.findall(text.raw)))


def exclamations(text: MeasuredText) -> float:
    """Return the number of exclamation marks, of either width."""
    return float(text.raw.count("!") + text.raw.count("！"))


def questions(text: MeasuredText) -> float:
    """Return the number of question marks, of either width."""
    return float(text.raw.count("?") + text.raw.count("？"))


def refusals(text: MeasuredText) -> float:
    """Return how often words of refusal come (``i can't``, ``unable to``, 无法 …), in whatever sense."""
    return _phrases(text, "refusals")


def hedges(text: MeasuredText) -> float:
    """Return how often the text hedges (``perhaps``, ``i think``, 可能 …)."""
    return _phrases(text, "hedges")


def apologies(text: MeasuredText) -> float:
    """Return how often the text apologizes (``sorry``, 抱歉 …)."""
    return _phrases(text, "apologies")


def trait_words(text: MeasuredText) -> float:
    """Return how often words of the trait's own definition come (see ``feature_words.trait_words``)."""
    stems = sum(_stem(word) in text.trait.stems for word in text.words) if text.trait.stems else 0
    return float(stems + (sum(text.raw.count(piece) for piece in text.trait.han) if text.num_han else 0))


def first_person(text: MeasuredText) -> float:
    """Return the share of words that are I, me, my, we, 我 …, in 0..1; a Han character counts as a word."""
    number = len(text.words) + text.num_han
    found = sum(word in FIRST_PERSON for word in text.words) + text.raw.count("我")
    return found / number if number else 0.0


FEATURES: dict[str, Feature] = {
    "characters": characters,
    "tokens": tokens,
    "headers": headers,
    "bold": bold,
    "code": code,
    "tables": tables,
    "list_items": list_items,
    "emoji": emoji,
    "exclamations": exclamations,
    "questions": questions,
    "refusals": refusals,
    "hedges": hedges,
    "apologies": apologies,
    "trait_words": trait_words,
    "first_person": first_person,
}
"""All features by name, in the order in which reports show them."""
SCALES: dict[str, Scale] = {"characters": "log", "tokens": "log", "first_person": "share"}
"""The scale of a feature; one that is not named here is a count."""


def features_of(text: str, trait: TraitWords = TraitWords()) -> dict[str, float]:  # noqa: B008 - an immutable tuple
    """Return every feature of a text; without the trait's words ``trait_words`` is 0."""
    seen = MeasuredText.of(text, trait)
    return {name: feature(seen) for name, feature in FEATURES.items()}


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


def opener_counts(texts: list[str]) -> Counter[str]:
    """Return how often each opener comes among texts."""
    return Counter(opener(text) for text in texts)


def feature_word(name: str, language: str) -> str:
    """Return how a report calls a feature or an opener (``opener:well``); one without a word keeps its name."""
    if name.startswith("opener:"):
        return wording("audit.page", language)["opener_feature"].format(name.removeprefix("opener:"))
    return wording("audit.features", language).get(name, name)


def _phrases(text: MeasuredText, kind: str) -> float:
    count = sum(text.line.count(f" {phrase} ") for phrase in ENGLISH[kind]) if text.words else 0
    return float(count + (sum(text.raw.count(phrase) for phrase in CHINESE[kind]) if text.num_han else 0))


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    return stem(word)
