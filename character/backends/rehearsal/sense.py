"""What a trait means to the rehearsal model: which sentences show it and which words give it away.

Traits of the banks are found by keywords in either language; phrases for others are made of their own words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from character.backends.rehearsal.phrases import BANKS, Phrases, read
from character.backends.rehearsal.words import chunks, content_words, runs, sentences
from character.locale import checked_language

_NEVER = re.compile(r"(?!)")
_SPOKEN_OPENINGS = frozenset(read("words")["en"]["spoken_openings"])
_PREPOSITION = re.compile(
    r"\b(?:with|from|of|about|through|for|by|using|the|an?|its|their)\s+(?=[a-z])", re.I
)
_TEMPLATES = read("derived")
_AGAINST: tuple[str, ...] = _TEMPLATES["en"]["against"] + _TEMPLATES["zh"]["against"]
"""Signs of the generic opposite pole, used where neither the banks nor the trait name one."""
KEYWORDS = {key: BANKS["en"][key].keywords + BANKS["zh"][key].keywords for key in BANKS["en"]}

_NAME_WEIGHT, _TEXT_WEIGHT, _ENOUGH = 3.0, 1.0, 1.0


def any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that finds any of the words, the first that fits; English ones where a word begins."""
    starts = {True: "(?<![a-z])", False: ""}
    return re.compile("|".join(starts[word[0].isascii()] + re.escape(word) for word in words))


_PATTERNS = {key: any_of(words) for key, words in KEYWORDS.items()}


class Sense(NamedTuple):
    """A trait as the rehearsal model takes it.

    ``phrases`` are the sentences for replies and messages; the patterns find cues, the trait's own words,
    signs of the opposite and mentions of the trait by name in a folded text. ``own_weight`` is what one of
    the trait's own words counts against a cue of the bank.
    """

    phrases: Phrases
    cues: re.Pattern[str]
    own: re.Pattern[str]
    against: re.Pattern[str]
    names: re.Pattern[str]
    own_weight: float
    target: str


def sense_of(trait: Any, language: str) -> Sense:
    """Return the sense of a trait, given as prompts show it (a dict), for replies in ``language``."""
    return _sense(json.dumps(_as_dict(trait), ensure_ascii=False, sort_keys=True), language)


def concepts_of(trait: Any) -> tuple[str, ...]:
    """Return the concepts that a trait is about, the best first; empty where no bank knows it."""
    data = _as_dict(trait)
    return find_concepts(_text(data.get("name")), _about(data))


def _as_dict(trait: Any) -> dict[str, Any]:
    return trait if isinstance(trait, dict) else {"name": str(trait or ""), "description": str(trait or "")}


def _about(trait: dict[str, Any]) -> str:
    return " ".join(_text(trait.get(key)) for key in ("description", "statement", "clarification"))


@lru_cache(maxsize=1024)
def _sense(trait_json: str, language: str) -> Sense:
    trait = json.loads(trait_json)
    name = _text(trait.get("name"))
    about = _about(trait)
    concepts = find_concepts(name, about)
    own, denied = content_words(f"{about} {_text(trait.get('examples'))}")
    opposite, _ = content_words(f"{_text(trait.get('opposite'))} {_text(trait.get('not'))}")
    banks = [BANKS[code][key] for key in concepts for code in BANKS]
    # The words by which a response would name the trait instead of showing it.
    keywords = [word for key in concepts for word in KEYWORDS[key]]
    names = tuple(dict.fromkeys([*keywords, name.casefold()]))
    against = [word for bank in banks for word in bank.against] if banks else list(_AGAINST)
    return Sense(
        phrases=_phrases(trait, concepts, language, names),
        cues=_pattern(word for bank in banks for word in bank.cues),
        own=_pattern(_unlike(own, names)),
        against=_pattern([*against, *denied, *_unlike(opposite, own)]),
        names=_pattern(names),
        own_weight=0.5 if concepts else 0.8,
        target=_text(trait.get("target")) or "natural",
    )


def _phrases(
    trait: dict[str, Any], concepts: tuple[str, ...], language: str, names: tuple[str, ...]
) -> Phrases:
    """Return the phrases of the banks' concepts, else such as are built around the trait's own themes."""
    if concepts:
        first, *others = (BANKS[checked_language(language)][key] for key in concepts)
        return first if not others else first._replace(natural=first.natural + others[0].natural[:2])
    # Without themes the sentences are about the matter itself and show nothing: the trait says too little.
    templates = _TEMPLATES[language]
    words = _unlike(_themes(_about(trait), language), names) or (templates["theme"],)
    poles = _unlike(_themes(_text(trait.get("opposite")), language), names)
    return Phrases(
        light=_fill(templates["light"], words),
        natural=_fill(templates["natural"], words) + _spoken(trait, names),
        overdone=_fill(templates["overdone"], words[:2]),
        opposite=_fill(templates["opposite"], poles) if poles else templates["opposite_plain"],
        calls=_fill(templates["calls"], words),
        mirrors=_fill(templates["mirrors"], words),
        cues=(),
        against=_AGAINST,
    )


def _themes(text: str, language: str) -> tuple[str, ...]:
    """Return up to six noun-like phrases of a description, best first."""
    if language == "zh":
        words = [chunk for chunk in chunks(text) if len(chunk) <= 6] or [chunk[:4] for chunk in chunks(text)]
        return tuple(dict.fromkeys(words))[:6]
    text = re.sub(r"^\s*\w+s\s+", "", text)  # "talks about …": the verb of a description is no theme
    split = [(part, runs(part)) for part in _PREPOSITION.split(text)[1:]]
    nouns = [words[0] for part, words in split if words and part.startswith(words[0][0])]
    candidates = nouns if len(nouns) >= 2 else [*nouns, *runs(text)]
    return tuple(dict.fromkeys(" ".join(run[:2]).lower() for run in candidates if len(run[0]) > 2))[:6]


def _spoken(trait: dict[str, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sentences of the examples that read like something said, not like a description."""
    given = trait.get("examples") or ()
    quoted = [part for text in given for part in re.findall(r"[“「\"]([^”」\"]{4,})[”」\"]", str(text))]
    lines = quoted or [line for text in given for line in sentences(str(text)) if _is_said(line)]
    return _unlike(tuple(lines), names)


def _is_said(sentence: str) -> bool:
    first = sentence.split(" ")[0].casefold()
    described = first.endswith(("s", "ing")) and first not in _SPOKEN_OPENINGS
    return not described and not re.match(r"(?:会|喜欢|善于|总是|在.{1,12}时)", sentence)


def _unlike(words: Iterable[str], taken: Iterable[str]) -> tuple[str, ...]:
    """Return the words that do not contain one of the taken ones and are not contained in one."""
    folded = [word.casefold() for word in taken if word]
    return tuple(word for word in words if not any(k in word.casefold() for k in folded))


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(str(part) for part in value)
    return "" if value is None else str(value)


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    ordered = sorted({word.casefold() for word in words if word.strip()}, key=lambda word: (-len(word), word))
    return any_of(ordered) if ordered else _NEVER


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


def _fill(templates: tuple[str, ...], words: tuple[str, ...]) -> tuple[str, ...]:
    following = (*words[1:], words[0])
    return tuple(
        template.replace("{w}", word).replace("{v}", other)
        for template in templates
        for word, other in zip(words, following, strict=True)
    )
