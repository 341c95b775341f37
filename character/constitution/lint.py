"""Checks on a constitution's wording, in English and Chinese: of each trait, of pairs, and of the whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations, product
from typing import Literal

from character.constitution.models import Constitution, Trait
from character.files import texts_beside, toml_beside
from character.locale import LANGUAGES, wording
from character.records import Record
from character.text import detect_language, fold, jaccard, shingles

MANY_TRAITS = 12
"""More traits than this rarely all show; about ten make a persona."""
_DATA = toml_beside(__file__, "lint")
_PRESCRIPTIVE = {key: re.compile("|".join(rules), re.I) for key, rules in _DATA["prescriptive"].items()}
_FIRST_PERSON = {key: re.compile(words, re.I) for key, words in _DATA["first_person"].items()}
_UNIT = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
_LETTER = re.compile(r"[\u3400-\u9fffA-Za-z]")
MOST_COMPARED = 300
"""Constitutions with more traits are not compared pair by pair."""
SAME_SHINGLES = 0.55
"""Jaccard of character 3-grams from which two wordings count as the same, if their words agree too."""
SAME_WORDS = 0.6
"""Jaccard of content words that has to go with it."""
REORDERED_WORDS = 0.8
"""Jaccard of content words that counts as the same wording in another order, from FEWEST_SHARED words on."""
COVERED = 0.6
"""Share of the shorter text's content words from which one trait's description is the other's opposite."""
FEWEST_SHARED = 4
_HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*")
_HAN_FILLER = re.compile(
    r"[我你他她它的了地得着过和与在是会也都就很对把被让给从到为以而且或不]|一个|自己|对方|别人"
)
_FILLER = frozenset(_DATA["filler"].split())
_ANTONYMS = [pair for language in LANGUAGES for pair in wording("antonyms", language).items()]
_POLE = re.compile(
    "|".join(rf"\b{word}\b" if word.isascii() else word for pair in _ANTONYMS for word in pair), re.I
)
_NEGATION = re.compile(r"\b(?:not|never|no|nor|without|than|instead)\b|n['’]t\b|[不非没无别勿]", re.I)
_CLAUSE_END = re.compile(r"[，。；：！？,.;:!?]")


class Finding(Record):
    """One remark on the wording of a constitution.

    A ``"warning"`` is likely to harm what is trained, a ``"note"`` may be as it is meant to be. ``trait`` is
    empty where the remark is on the constitution as a whole, ``field`` where it is on no field in
    particular. ``message`` says what was found and what to do.
    """

    severity: Literal["warning", "note"]
    code: str
    trait: str = ""
    field: str = ""
    message: str


def finding(code: str, trait: str = "", **values: object) -> Finding:
    """Return the remark of that code on a trait, or on all of them; ``values`` fill in its words."""
    return Finding.model_validate(
        {"code": code, "trait": trait, **texts_beside(__file__, "findings", code, values)}
    )


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
    if (primary := language.split("-")[0].lower()) in _FIRST_PERSON:
        yield from _prescriptive(trait)
        if trait.statement and not _FIRST_PERSON[primary].search(trait.statement):
            yield finding("not-first-person", trait.name, example="我……" if primary == "zh" else "I …")
        units = len(_UNIT.findall(trait.description))
        if units < _DATA["fewest_units"][primary]:
            yield finding("short-description", trait.name)
        elif units < _DATA["few_units"][primary] and not trait.clarification:
            yield finding("no-clarification", trait.name)
        yield from _mixed(trait, primary)
        yield from _circular(trait)
    if not trait.opposite:
        yield finding("no-opposite", trait.name)
    if not trait.not_:
        yield finding("no-not", trait.name)


def _prescriptive(trait: Trait) -> Iterator[Finding]:
    # What a trait is not, its opposite and its examples may well speak of rules.
    seen: set[str] = set()
    for field in ("description", "statement", "clarification"):
        text: str = getattr(trait, field)
        match = _PRESCRIPTIVE[detect_language(text)].search(text)
        if match and text not in seen:
            yield finding("prescriptive", trait.name, field=field, word=match[0])
        seen.add(text)


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


def check_pairs(traits: tuple[Trait, ...]) -> Iterator[Finding]:
    """Yield the remarks on pairs of traits, each on the later of the two."""
    if len(traits) > MOST_COMPARED:
        yield finding("not-compared", number=len(traits), most=MOST_COMPARED)
        return
    for first, second in combinations([_Wording(trait) for trait in traits], 2):
        one, other = first.trait.name, second.trait.name
        if first.repeats(second):
            yield finding("repetition", other, first=one)
        elif field := first.denies(second):
            yield finding("contradiction", other, first=one, field=field)
        elif field := second.denies(first):
            yield finding("contradiction", one, first=other, field=field)
        elif pair := _antonyms(first, second):
            yield finding("antonyms", other, first=one, there=pair[0], here=pair[1])


class _Wording:
    """A trait's texts, cut up once for all comparisons."""

    def __init__(self, trait: Trait) -> None:
        self.trait = trait
        own = (trait.description, trait.statement)
        self.own = [(shingles(text), _content(text)) for text in dict.fromkeys(own) if text]
        self.affirmed = [_content(" ".join(_affirmed_clauses(text))) for text in own]
        # A name made from the description itself says no more than the description does.
        is_derived = trait.description == trait.statement
        self.named = frozenset() if is_derived else _asserted(trait.name)
        self.asserted = self.named | _asserted(trait.description)
        self.denied = [
            (field, _content(text)) for field, text in (("opposite", trait.opposite), ("not", trait.not_))
        ]

    def repeats(self, other: _Wording) -> bool:
        """Say whether a text of one says the same as a text of the other."""
        for (left, left_words), (right, right_words) in product(self.own, other.own):
            alike = jaccard(left_words, right_words)
            if alike >= REORDERED_WORDS and len(left_words & right_words) >= FEWEST_SHARED:
                return True
            if alike >= SAME_WORDS and jaccard(left, right) >= SAME_SHINGLES:
                return True
        return False

    def denies(self, other: _Wording) -> str:
        """Return the field of this trait, ``opposite`` or ``not``, that describes the other, or ``""``."""
        for (field, denied), content in product(self.denied, other.affirmed):
            shared = len(denied & content)
            if shared >= FEWEST_SHARED and shared >= COVERED * min(len(denied), len(content)):
                return field
        return ""


def _content(text: str) -> frozenset[str]:
    """Return the words that carry meaning: English words, and pairs of Chinese characters."""
    content = {word.lower() for word in _WORD.findall(text)} - _FILLER
    for run in _HAN_RUN.findall(_HAN_FILLER.sub(" ", text)):
        content.update(run[i : i + 2] for i in range(len(run) - 1))
    return frozenset(content)


def _affirmed_clauses(text: str) -> list[str]:
    """Return the clauses without a negation: "I don't lecture" agrees with another's "not lecturing"."""
    return [clause for clause in _CLAUSE_END.split(text) if not _NEGATION.search(clause)]


def _antonyms(first: _Wording, second: _Wording) -> tuple[str, str] | None:
    """Return a word of the first trait and its antonym in the second; a name has to hold one of the two.

    Descriptions alone say too little: "even about serious matters" does not make a trait a serious one.
    """
    for left, right in _ANTONYMS:
        for one, other in ((left, right), (right, left)):
            if (one in first.named and other in second.asserted) or (
                one in first.asserted and other in second.named
            ):
                return one, other
    return None


def _asserted(text: str) -> frozenset[str]:
    """Return the words of the antonym list that the text uses without denying them."""
    return frozenset(
        match[0].lower() for clause in _affirmed_clauses(text) for match in _POLE.finditer(clause)
    )
