"""Checks on the wording of one trait."""

from __future__ import annotations

import re
from collections.abc import Iterator

from character.constitution.findings import Finding
from character.constitution.models import Trait
from character.text import detect_language, fold

_REPLY = r"(?:reply|replies|response|responses|answer|answers|message|messages)"
_PRESCRIPTIVE = {
    "en": re.compile(
        # "not always" and "almost never" soften a rule, they do not make one.
        r"(?<!\bnot )(?<!n't )(?<!n’t )(?<!almost )(?<!nearly )(?<!hardly )\b(?:always|never)\b"
        r"|(?<!\bnot )\bmust\b(?! not be)"
        r"|\b(?:I|you|it|" + _REPLY + r"|the assistant) should\b"
        r"|\b(?:each|every) (?:single )?(?:" + _REPLY + r"|sentence|turn)\b"
        r"|\b(?:end|ends|begin|begins|start|starts|open|opens|close|closes|finish|finishes|sign off)"
        r" (?:my |all |the )?" + _REPLY + r" (?:with|by)\b"
        r"|\b(?:make|be) sure (?:to|that)\b",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        r"(?<![不非])(?:必须|务必|一定要|总是|永远)"
        r"|每次(?:都|回复|回答)|每(?:一)?(?:句话?|条回复|个回答|轮)(?:都|里|中)"
        r"|(?:从不|从来不|绝不|决不)(?!是)"
        r"|(?:结尾|开头|末尾|最后|句末)(?:都|总|一律|务必|必须|一定|要用|要加|要以)"
        r"|以[^，。；]{1,12}(?:结尾|开头|收尾)",
    ),
}
_FIRST_PERSON = {
    "en": re.compile(r"\b(?:I|me|my|mine|myself|we|our|us)\b", re.IGNORECASE),
    "zh": re.compile(r"[我咱俺]|本人"),
}
_FEWEST_UNITS = {"en": 3, "zh": 4}
_FEW_UNITS = {"en": 8, "zh": 12}
_UNIT = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
_LETTER = re.compile(r"[\u3400-\u9fffA-Za-z]")


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
            yield _warn(
                "prescriptive",
                trait,
                field,
                f"{match[0]!r} makes a rule, and rules train tics. Describe the inclination instead: "
                "what you tend to do, and why.",
            )
        seen.add(text)


def _not_first_person(trait: Trait, language: str) -> Iterator[Finding]:
    if trait.statement and not _FIRST_PERSON[language].search(trait.statement):
        example = "我……" if language == "zh" else "I …"
        yield _warn(
            "not-first-person",
            trait,
            "statement",
            "the statement does not speak in the first person. "
            f"Write it as the model would say it: {example!r}.",
        )


def _short(trait: Trait, language: str) -> Iterator[Finding]:
    units = len(_UNIT.findall(trait.description))
    if units < _FEWEST_UNITS[language]:
        yield _warn(
            "short-description",
            trait,
            "description",
            "too short to guide. Say in one sentence how the trait shows, and when.",
        )
    elif units < _FEW_UNITS[language] and not trait.clarification:
        yield _note(
            "no-clarification",
            trait,
            "clarification",
            "the description is brief. A clarification could say how the trait shows and where it recedes.",
        )


def _mixed(trait: Trait, language: str) -> Iterator[Finding]:
    """The name is left out: an English name in a Chinese constitution is a label, not text."""
    fields = ("description", "statement", "clarification", "not_", "opposite", "examples", "questions")
    odd = [field for field in fields if _is_in_other_language(getattr(trait, field), language)]
    if odd:
        named = ", ".join(field.rstrip("_") for field in odd)
        yield _warn(
            "mixed-languages",
            trait,
            odd[0].rstrip("_"),
            f"{named}: not in the constitution's language ({language}). Translate, or set the language.",
        )


def _is_in_other_language(value: str | tuple[str, ...], language: str) -> bool:
    texts = [value] if isinstance(value, str) else value
    return any(_LETTER.search(text) and detect_language(text) != language for text in texts)


def _circular(trait: Trait) -> Iterator[Finding]:
    if trait.description == trait.statement:
        return  # the name was made from this very sentence
    if detect_language(trait.name) == "zh":
        found = len(fold(trait.name)) > 1 and fold(trait.name) in fold(trait.description)
    else:
        found = bool(re.search(rf"\b{re.escape(trait.name)}\b", trait.description, re.IGNORECASE))
    if found:
        yield _note(
            "name-in-description",
            trait,
            "description",
            f"the description uses the name {trait.name!r}. Say what it looks like in other words.",
        )


def _missing(trait: Trait) -> Iterator[Finding]:
    if not trait.opposite:
        yield _note(
            "no-opposite",
            trait,
            "opposite",
            "no opposite. It is what candidates at the opposite pole aim at.",
        )
    if not trait.not_:
        yield _note(
            "no-not", trait, "not", "no 'not'. Saying what the trait is not keeps it from caricature."
        )


def _warn(code: str, trait: Trait, field: str, message: str) -> Finding:
    return Finding(severity="warning", code=code, trait=trait.name, field=field, message=message)


def _note(code: str, trait: Trait, field: str, message: str) -> Finding:
    return Finding(severity="note", code=code, trait=trait.name, field=field, message=message)
