"""Writes replies to a message, plain ones and ones that show a trait to a given degree."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from character.backends.rehearsal.phrases import REPLIES, Phrases, read
from character.backends.rehearsal.prompt import Assignment
from character.backends.rehearsal.sense import Sense, concepts_of, sense_of
from character.backends.rehearsal.words import capitalized, gist

LEANINGS: Mapping[str, float] = {"patience": 1.2, "warmth": 0.8, "humour": -0.6, "sarcasm": -1.2}
"""How much rather than another trait the model shows one of these concepts, in log-odds; 0 for all others."""
_ABOUT_SELF = re.compile("|".join(words["self"] for words in read("words").values()), re.I)
_BODIES = {"absent": (2, 7), "subtle": (2, 5), "natural": (1, 4), "overdone": (1, 2), "opposite": (1, 3)}
"""Least and most neutral sentences per level; absent reaches highest, so that length gives no level away."""
_LEVEL = re.compile("|".join(_BODIES))


def respond(asked: Assignment) -> dict[str, Any]:
    """Return a reply to the last message of the conversation, at the level that ``expression`` asks for."""
    if "expression" not in asked.values:
        return {"response": _in_character(asked)}
    return {"response": _at_level(asked, asked.values["expression"])}


def respond_at_each(asked: Assignment) -> dict[str, Any]:
    """Return one reply to the last message of the conversation for each of the ``expressions``."""
    given = asked.values["expressions"]
    expressions = given if isinstance(given, list) else [given]
    return {"responses": [_at_level(asked, expression) for expression in expressions]}


def _at_level(asked: Assignment, expression: Any) -> str:
    level = _LEVEL.search(str(expression).casefold())
    name = asked.values.get("focus_trait")
    traits = [trait for trait in asked.listed("character") if isinstance(trait, dict)]
    focus = next((trait for trait in traits if trait.get("name") == name), name)
    sense = sense_of(focus, asked.language)
    return compose(asked.message, sense, level[0] if level else "natural", asked.language, asked.rng)


def _in_character(asked: Assignment) -> str:
    """Return a reply in which up to three traits of the character show naturally, a plain one without any."""
    traits, rng = asked.listed("character"), asked.rng
    senses = [sense_of(trait, asked.language) for trait in rng.sample(traits, min(3, len(traits)))]
    # As many sentences as without traits, whose place nothing else may take.
    parts = _neutral(asked.message, "absent", asked.language, rng)
    for sense in senses:
        parts = _insert(parts, rng.sample(sense.phrases.natural, 2 if len(senses) < 3 else 1), rng)
    return _text(parts, asked.message, asked.language)


def choose(asked: Assignment) -> dict[str, Any]:
    """Return a reply that shows one of two traits naturally.

    P(first) = 1 / (1 + exp(leaning of the second - leaning of the first)), in any order and for any message.
    """
    first, second = asked.pair
    odds = _leaning(first, asked.leanings) - _leaning(second, asked.leanings)
    chosen = first if asked.rng.random() < 1 / (1 + math.exp(-odds)) else second
    sense = sense_of(chosen, asked.language)
    return {"response": compose(asked.message, sense, "natural", asked.language, asked.rng)}


def _leaning(trait: Any, leanings: Mapping[str, float]) -> float:
    return next((leanings.get(concept, 0.0) for concept in concepts_of(trait)), 0.0)


def compose(message: str, sense: Sense | None, level: str, language: str, rng: Random) -> str:
    """Return a reply to ``message`` that shows the trait at the level; without a trait it is plain."""
    parts = _neutral(message, level, language, rng)
    if sense is not None and level != "absent":
        parts = _shaped(parts, sense.phrases, level, rng)
    return _text(parts, message, language)


def _text(parts: list[str], message: str, language: str) -> str:
    topic = gist(message, language) or REPLIES[language].anything
    return join([capitalized(part.replace("{gist}", topic)) for part in parts], language)


def join(parts: list[str], language: str) -> str:
    """Return the sentences as one text, with spaces between English ones only."""
    return ("" if language == "zh" else " ").join(parts)


def _neutral(message: str, level: str, language: str, rng: Random) -> list[str]:
    pool = REPLIES[language]
    bodies = pool.bodies
    if _ABOUT_SELF.search(message):
        bodies = pool.selves + tuple(rng.sample(pool.bodies, 3))
    parts = rng.sample(bodies, rng.randint(*_BODIES[level]))
    if rng.random() < 0.7:
        parts.insert(0, rng.choice(pool.openings))
    if rng.random() < 0.4:
        parts.append(rng.choice(pool.closings))
    return parts


def _shaped(parts: list[str], phrases: Phrases, level: str, rng: Random) -> list[str]:
    """Return neutral sentences with such as show the trait at a level among them."""
    if level == "subtle":
        return _insert(parts, rng.sample(phrases.light, 1), rng)
    if level == "natural":
        return _insert(parts, rng.sample(phrases.natural, 2), rng)
    if level == "opposite":
        number = min(rng.randint(1, 2), len(phrases.opposite))
        return _insert(parts, rng.sample(phrases.opposite, number), rng)
    # A mannerism after nearly every sentence, from a small stock, so that it comes back.
    stock = rng.sample(phrases.overdone, min(2, len(phrases.overdone)))
    sentences = _insert(parts, rng.sample(phrases.natural, rng.randint(1, 2)), rng)
    return [
        part for sentence in sentences for part in (sentence, rng.choice(stock))[: 1 + (rng.random() < 0.85)]
    ]


def _insert(parts: list[str], added: list[str], rng: Random) -> list[str]:
    result = list(parts)
    for sentence in added:
        result.insert(rng.randint(0, len(result)), sentence)
    return result
