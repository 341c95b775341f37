"""Checks on a constitution's wording, in English and Chinese: of each trait, of pairs, and of the whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from character.constitution.findings import Finding, finding
from character.constitution.lint_pairs import check_pairs
from character.constitution.models import Constitution, Trait
from character.files import toml_beside
from character.text import detect_language, fold

MANY_TRAITS = 12
"""More traits than this rarely all show; about ten make a persona."""
_PRESCRIPTIVE = {
    language: re.compile("|".join(patterns), re.IGNORECASE)
    for language, patterns in toml_beside(__file__, "lint")["prescriptive"].items()
}
_FIRST_PERSON = {
    "en": re.compile(r"\b(?:I|me|my|mine|myself|we|our|us)\b", re.IGNORECASE),
    "zh": re.compile(r"[我咱俺]|本人"),
}
_FEWEST_UNITS = {"en": 3, "zh": 4}
_FEW_UNITS = {"en": 8, "zh": 12}
_UNIT = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
_LETTER = re.compile(r"[\u3400-\u9fffA-Za-z]")


def lint_constitution(constitution: Constitution) -> list[Finding]:
    """Return remarks on the wording: first trait by trait, then on pairs of traits, then on the whole.

    Codes: ``prescriptive``, ``not-first-person``, ``short-description``, ``mixed-languages``,
    ``name-in-description``, ``no-opposite``, ``no-not``, ``no-clarification``, ``contradiction``,
    ``antonyms``, ``repetition``, ``many-traits``. Checks that look at words skip languages other than
    English and Chinese.
    """
    traits = constitution.traits
    findings = [remark for trait in traits for remark in check_wording(trait, constitution.language)]
    findings += check_pairs(traits)
    if len(traits) > MANY_TRAITS:
        findings.append(finding("many-traits", number=len(traits), most=MANY_TRAITS))
    return findings


def check_wording(trait: Trait, language: str) -> Iterator[Finding]:
    """Yield the remarks on one trait of a constitution in this language."""
    if (primary := language.split("-")[0].lower()) in _FEWEST_UNITS:
        yield from _prescriptive(trait)
        yield from _not_first_person(trait, primary)
        yield from _short(trait, primary)
        yield from _mixed(trait, primary)
        yield from _circular(trait)
    yield from _missing(trait)


def _prescriptive(trait: Trait) -> Iterator[Finding]:
    # What a trait is not, its opposite and its examples may well speak of rules.
    seen: set[str] = set()
    for field in ("description", "statement", "clarification"):
        text: str = getattr(trait, field)
        match = _PRESCRIPTIVE[detect_language(text)].search(text)
        if match and text not in seen:
            yield finding("prescriptive", trait.name, field=field, word=match[0])
        seen.add(text)


def _not_first_person(trait: Trait, language: str) -> Iterator[Finding]:
    if trait.statement and not _FIRST_PERSON[language].search(trait.statement):
        yield finding("not-first-person", trait.name, example="我……" if language == "zh" else "I …")


def _short(trait: Trait, language: str) -> Iterator[Finding]:
    units = len(_UNIT.findall(trait.description))
    if units < _FEWEST_UNITS[language]:
        yield finding("short-description", trait.name)
    elif units < _FEW_UNITS[language] and not trait.clarification:
        yield finding("no-clarification", trait.name)


def _mixed(trait: Trait, language: str) -> Iterator[Finding]:
    """The name is left out: an English name in a Chinese constitution is a label, not text."""
    fields = ("description", "statement", "clarification", "not_", "opposite", "examples", "questions")
    odd = [field.rstrip("_") for field in fields if _is_in_other_language(getattr(trait, field), language)]
    if odd:
        values = {"field": odd[0], "fields": ", ".join(odd), "language": language}
        yield finding("mixed-languages", trait.name, **values)


def _is_in_other_language(value: str | tuple[str, ...], language: str) -> bool:
    texts = [value] if isinstance(value, str) else value
    return any(_LETTER.search(text) and detect_language(text) != language for text in texts)


def _circular(trait: Trait) -> Iterator[Finding]:
    if trait.description == trait.statement:
        return  # the name was made from this very sentence
    if detect_language(trait.name) == "zh":
        is_named = len(fold(trait.name)) > 1 and fold(trait.name) in fold(trait.description)
    else:
        is_named = bool(re.search(rf"\b{re.escape(trait.name)}\b", trait.description, re.IGNORECASE))
    if is_named:
        yield finding("name-in-description", trait.name, name=trait.name)


def _missing(trait: Trait) -> Iterator[Finding]:
    if not trait.opposite:
        yield finding("no-opposite", trait.name)
    if not trait.not_:
        yield finding("no-not", trait.name)
