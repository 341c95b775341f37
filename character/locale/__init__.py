"""The service of words: every text that stands in both English and Chinese, as data, looked up by its place.

``wording("effect.page", "zh")`` is the table ``[zh.page]`` of ``effect.toml``, ``wording("drops", "en")`` the
table ``[en]`` of ``drops.toml``. A language, a table or a key that is not there raises UnknownNameError.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from character.errors import UnknownNameError

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
FOLDER = Path(__file__).parent

Entry = TypeVar("Entry")


class Entries(dict[str, Entry]):
    """What a table holds in one language, by key; a key that it lacks raises UnknownNameError."""

    def __init__(self, subject: str, language: str, entries: Mapping[str, Entry]) -> None:
        super().__init__(entries)
        self._place = f"In the words of {subject!r} in {language!r} the key"

    def __missing__(self, key: str) -> Entry:
        raise UnknownNameError(self._place, key, self)


def report_language(tag: str) -> Language:
    """Return the language in which reports on texts of a language are written; ``tag`` is a BCP 47 tag."""
    return "zh" if tag.casefold().startswith("zh") else "en"


def checked_language(name: str) -> Language:
    """Return a language that was asked for; raises UnknownNameError for one that reports do not speak."""
    for language in LANGUAGES:
        if name == language:
            return language
    raise UnknownNameError("The report language", name, LANGUAGES)


@cache
def wording(subject: str, language: str) -> Entries[str]:
    """Return a table of texts in a language, by key."""
    return Entries(subject, language, _table(subject, language))


@cache
def word_lists(subject: str, language: str) -> Entries[tuple[str, ...]]:
    """Return a table of lists of texts in a language, by key, in their order."""
    lists = _table(subject, language)
    return Entries(subject, language, {key: tuple(texts) for key, texts in lists.items()})


def listed(names: Iterable[str], language: str) -> str:
    """Return names side by side, parted as the language does it."""
    return wording("report.marks", language)["comma"].join(names)


def counted(counts: Mapping[str, int], language: str) -> str:
    """Return counts side by side, each after its reason in words (table ``drops``); "0" without any."""
    words = wording("drops", language)
    return listed((f"{words.get(name, name)} {number:,}" for name, number in counts.items()), language) or "0"


def _table(subject: str, language: str) -> Mapping[str, Any]:
    file, _, name = subject.partition(".")
    tables = Entries[Any](file, language, _read(file)[checked_language(language)])
    return tables[name] if name else tables


@cache
def _read(file: str) -> dict[str, dict[str, Any]]:
    with (FOLDER / f"{file}.toml").open("rb") as source:
        return tomllib.load(source)
