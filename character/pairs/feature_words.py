"""The words that give a trait away: how they are found in its definition, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, Protocol

from character.locale import word_lists

ENGLISH, CHINESE = (word_lists("features", language) for language in ("en", "zh"))
FIRST_PERSON = frozenset(ENGLISH["first_person"])
STOPWORDS = frozenset(ENGLISH["stopwords"])
_COMMON_PAIRS = frozenset(CHINESE["common_pairs"])

_WORD = re.compile(r"[a-z\u00c0-\u024f]+(?:'[a-z]+)?")
_HAN_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_FUNCTION_RUN = re.compile(f"[{''.join(CHINESE['function_characters'])}]+")
_SUFFIXES = (
    "ability", "fulness", "osity", "ously", "iness", "ness", "ments", "ment", "fully", "ingly", "ings", "ous",
    "ing", "edly", "ied", "ies", "ful", "ily", "ly", "ed", "es", "ce", "cy", "s", "t", "y", "e",
)  # fmt: skip


class HasWords(Protocol):
    """What the words of a trait come from: a Trait has it."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def statement(self) -> str: ...


class TraitWords(NamedTuple):
    """The words that give a trait away: English stems, and Chinese strings of two to four characters."""

    stems: frozenset[str] = frozenset()
    han: tuple[str, ...] = ()


def words_of(text: str) -> list[str]:
    """Return the words in Latin letters, in lower case, with contractions whole."""
    return _WORD.findall(text.casefold().replace("’", "'"))


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Return a word without its commonest endings, never shorter than four letters: ``patient`` → ``patien``.

    Rough on purpose: ``patience``, ``patient`` and ``patiently`` must meet, and no more than that.
    """
    for _ in range(2):
        ending = next((s for s in _SUFFIXES if word.endswith(s) and len(word) - len(s) >= 4), "")
        word = word.removesuffix(ending)
    return f"{word[:-3]}or" if word.endswith("our") else word


def trait_words(name: str, *more: str) -> TraitWords:
    """Return the words of a trait's name and the content words of its description and statement.

    English: words of four letters or more that are no stop words, as stems (every word of the name counts,
    from three letters). Chinese: what lies between function characters (的, 在, 是 …), two to four
    characters long; a longer run is cut into pieces of two; the name also counts as a whole.
    """
    stems = {stem(word) for word in words_of(name) if len(word) >= 3 and word not in STOPWORDS}
    stems |= {
        stem(word)
        for text in more
        for word in words_of(text)
        if len(word) >= 4 and word not in STOPWORDS and word not in FIRST_PERSON
    }
    han = {run for run in _HAN_RUN.findall(name) if len(run) >= 2}
    for text in more:
        for run in _HAN_RUN.findall(text):
            han.update(piece for part in _FUNCTION_RUN.split(run) for piece in _pieces(part))
    return TraitWords(frozenset(stems), tuple(sorted(han)))


def words_of_trait(trait: HasWords) -> TraitWords:
    """Return the words that give this trait away (see ``trait_words``)."""
    return trait_words(trait.name, trait.description, trait.statement)


class WordsByTrait(dict[str, TraitWords]):
    """The words of each trait by its name; one that is not among the traits has those of its name alone."""

    def __init__(self, traits: Iterable[HasWords]) -> None:
        super().__init__({trait.name: words_of_trait(trait) for trait in traits})

    def __missing__(self, name: str) -> TraitWords:
        return self.setdefault(name, trait_words(name))


def signs_of_trait(trait: HasWords) -> TraitWords:
    """Return what shows a trait by its mere presence: the same stems, and every two Han characters in a row.

    Written Chinese does not part its words, so a longer run of characters is met by its pairs alone:
    顺手带一句俏皮话 holds 俏皮. Pairs that nearly any text has (问题, 自己 …) are left out, and so is what
    stands across a function character.
    """
    runs = (
        part
        for text in (trait.name, trait.description, trait.statement)
        for run in _HAN_RUN.findall(text)
        for part in _FUNCTION_RUN.split(run)
    )
    pairs = {part[i : i + 2] for part in runs for i in range(len(part) - 1)}
    return TraitWords(words_of_trait(trait).stems, tuple(sorted(pairs - _COMMON_PAIRS)))


def _pieces(run: str) -> list[str]:
    if len(run) <= 4:
        return [run] if len(run) >= 2 else []
    return [run[i : i + 2] for i in range(0, len(run) - 1, 2)]
