"""Every text is there in both languages, filled in by the same figures; a missing one says where."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from string import Formatter
from typing import Any

import pytest

from character.errors import UnknownNameError
from character.locale import FOLDER, LANGUAGES, checked_language, listed, report_language, word_lists, wording

LENGTH_IN_CHINESE = {"length", "more", "less", "longer", "shorter"}
IN_ONE_LANGUAGE: dict[str, set[str] | None] = {
    "antonyms": None,  # words of a language, not texts that say the same
    "effect_messages.other_traits": None,
    "audit_messages.notes": None,  # what the audit's data holds is in English
    "card": {"balanced", "balanced_by_subset", "balanced_by_weights", "net_effect", "weight_ignored"}
    | {"unfinished", "no_license"},  # the Chinese part of a card is short
    "drops": None,  # a reason without a word keeps its name
    "features": {"first_person", "stopwords", "function_characters", "common_pairs"},
    "filters.names": {"ai_makers", "other_makers", "makers"},
    "labelled.notes": None,  # nor have reports on labelled sets
    "labelled.traits": None,
    "preference.designs": None,  # as are the names of designs and strategies
    "tuning.strategies": None,
    "tuning.verdicts": None,  # in English the report holds the sentence itself
    "tuning.page": LENGTH_IN_CHINESE,  # and so it does of length
}
"""Keys that a table has in one language alone, or with other figures; None where that may be any of them."""

Tables = dict[str, dict[str, dict[str, Any]]]


def tables() -> Tables:
    """Return every table by subject and language."""
    found: Tables = {}
    for path in sorted(FOLDER.glob("*.toml")):
        for language, entries in tomllib.loads(path.read_text(encoding="utf-8")).items():
            for subject, table in _parts(path.stem, entries):
                found.setdefault(subject, {})[language] = table
    return found


def _parts(file: str, entries: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if not any(isinstance(entry, dict) for entry in entries.values()):
        yield file, entries
        return
    for name, table in entries.items():
        yield f"{file}.{name}", table


TABLES = tables()


def _fields(text: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("subject", TABLES)
def test_both_languages_have_the_same_keys_filled_in_by_the_same_figures(subject: str) -> None:
    exempt = IN_ONE_LANGUAGE.get(subject, set())
    by_language = TABLES[subject]
    assert set(by_language) <= set(LANGUAGES)
    if exempt is None:
        return
    assert set(by_language) == set(LANGUAGES)
    english, chinese = (by_language[language] for language in LANGUAGES)
    assert set(english) - exempt == set(chinese) - exempt
    for key in set(english) - exempt:
        assert type(english[key]) is type(chinese[key]), key
        if isinstance(english[key], str):
            assert _fields(english[key]) == _fields(chinese[key]), key


def test_what_a_language_may_lack_is_there_in_the_other() -> None:
    assert set(IN_ONE_LANGUAGE) <= set(TABLES)
    for subject, keys in IN_ONE_LANGUAGE.items():
        known = {key for table in TABLES[subject].values() for key in table}
        assert (keys or set()) <= known, subject


@pytest.mark.parametrize("subject", [name for name in TABLES if name != "filters.names"])
def test_no_text_is_empty_and_no_chinese_stands_in_english(subject: str) -> None:
    for language, table in TABLES[subject].items():
        for key, entry in table.items():
            texts = [entry] if isinstance(entry, str) else entry
            assert texts, key
            assert all(isinstance(text, str) and text for text in texts), key
            if language == "en":
                assert not any(re.search(r"[\u4e00-\u9fff]", text) for text in texts), key


@pytest.mark.parametrize("subject", TABLES)
def test_every_table_is_looked_up_by_its_subject_and_language(subject: str) -> None:
    for language, table in TABLES[subject].items():
        is_of_lists = any(isinstance(entry, list) for entry in table.values())
        entries = word_lists(subject, language) if is_of_lists else wording(subject, language)
        assert list(entries) == list(table), "in the order of the file"


def test_a_missing_text_names_its_subject_its_language_and_its_key() -> None:
    with pytest.raises(
        UnknownNameError, match=r"(?s)'effect\.page' in 'zh' the key 'titel'.*did you mean 'title'"
    ) as error:
        wording("effect.page", "zh")["titel"]
    assert isinstance(error.value, LookupError)
    with pytest.raises(UnknownNameError, match="'effect' in 'en' the key 'pages'"):
        wording("effect.pages", "en")
    with pytest.raises(UnknownNameError, match="'briefs' in 'en' the key 'topics'"):
        word_lists("briefs", "en")["topics"]


def test_a_language_that_reports_do_not_speak_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="The report language 'fr' is not known"):
        wording("effect.page", "fr")
    with pytest.raises(UnknownNameError, match="one of en, zh"):
        checked_language("zh-TW")
    assert [checked_language(language) for language in LANGUAGES] == list(LANGUAGES)


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("zh", "zh"),
        ("zh-TW", "zh"),
        ("ZH-Hans", "zh"),
        ("en", "en"),
        ("en-GB", "en"),
        ("de", "en"),
        ("", "en"),
    ],
)
def test_reports_on_chinese_texts_are_in_chinese_and_all_others_in_english(tag: str, language: str) -> None:
    assert report_language(tag) == language


def test_names_are_listed_as_the_language_does_it() -> None:
    assert listed(["a", "b"], "en") == "a, b"
    assert listed(["a", "b"], "zh") == "a、b"
