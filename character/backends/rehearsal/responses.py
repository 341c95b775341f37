"""Writes replies to a message, plain ones and ones that show a trait to a given degree."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from character.backends.rehearsal.phrases import REPLIES, Phrases
from character.backends.rehearsal.sense import Sense, sense_of
from character.backends.rehearsal.words import gist

LEVELS = ("absent", "subtle", "natural", "overdone", "opposite")
_LEVEL = re.compile("|".join(LEVELS))
_ABOUT_SELF = re.compile(
    r"\b(?:yourself|do you (?:ever|think|believe|feel|have|hold)|are you|would you|as an ai|have you ever"
    r"|could you be)\b"
    r"|你(?:自己|会不会|觉得|是不是|有没有|算|愿意|怎么看待|是什么)|你是",
    re.I,
)
_SENTENCE_START = re.compile(r"(?:^|(?<=[.?!] ))[a-z]")
_BODIES = {"absent": (2, 7), "subtle": (2, 5), "natural": (1, 4), "overdone": (1, 2), "opposite": (1, 3)}
"""Least and most neutral sentences per level; absent reaches highest, so that length gives no level away."""


def respond(values: dict[str, Any], language: str, rng: Random) -> str:
    """Return a reply to the last message of the conversation, at the level that ``expression`` asks for."""
    turns = values.get("conversation")
    message = last_content(turns)
    if "expression" not in values:
        return _in_character(message, values.get("character"), language, rng)
    level = _LEVEL.search(str(values["expression"]).casefold())
    sense = sense_of(focus(values), language)
    return compose(message, sense, level[0] if level else "natural", language, rng)


def _in_character(message: str, character: Any, language: str, rng: Random) -> str:
    """Return a reply in which up to three traits of the character show naturally, a plain one without any."""
    traits = character if isinstance(character, list) else []
    senses = [sense_of(trait, language) for trait in rng.sample(traits, min(3, len(traits)))]
    topic = gist(message, language) or REPLIES[language].anything
    parts = _neutral(
        message, "absent", language, rng
    )  # as many as without traits, whose place nothing else may take
    for sense in senses:
        parts = _insert(parts, rng.sample(sense.phrases.natural, 2 if len(senses) < 3 else 1), rng)
    return join([_slot(part, topic) for part in parts], language)


def respond_at_each(values: dict[str, Any], language: str, rng: Random) -> list[str]:
    """Return one reply to the last message of the conversation for each of the ``expressions``."""
    asked = values["expressions"]
    return [
        respond({**values, "expression": expression}, language, rng)
        for expression in (asked if isinstance(asked, list) else [asked])
    ]


def focus(values: dict[str, Any]) -> Any:
    """Return the trait of the character that ``focus_trait`` names, its bare name where there is none."""
    name, character = values.get("focus_trait"), values.get("character")
    for trait in character if isinstance(character, list) else []:
        if isinstance(trait, dict) and trait.get("name") == name:
            return trait
    return name


def last_content(turns: Any) -> str:
    """Return what the last turn of a conversation says, "" for none."""
    if isinstance(turns, list) and turns:
        last = turns[-1]
        return str(last.get("content", "")) if isinstance(last, dict) else str(last)
    return str(turns or "")


def compose(message: str, sense: Sense | None, level: str, language: str, rng: Random) -> str:
    """Return a reply to ``message`` that shows the trait at the level; without a trait it is plain."""
    topic = gist(message, language) or REPLIES[language].anything
    parts = _neutral(message, level, language, rng)
    if sense is not None and level != "absent":
        parts = _SHAPES[level](parts, sense.phrases, rng)
    return join([_slot(part, topic) for part in parts], language)


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


def _subtle(parts: list[str], phrases: Phrases, rng: Random) -> list[str]:
    return _insert(parts, rng.sample(phrases.light, 1), rng)


def _natural(parts: list[str], phrases: Phrases, rng: Random) -> list[str]:
    return _insert(parts, rng.sample(phrases.natural, 2), rng)


def _overdone(parts: list[str], phrases: Phrases, rng: Random) -> list[str]:
    # A mannerism after nearly every sentence, from a small stock, so that it comes back.
    stock = rng.sample(phrases.overdone, min(2, len(phrases.overdone)))
    sentences = _insert(parts, rng.sample(phrases.natural, rng.randint(1, 2)), rng)
    return [
        part for sentence in sentences for part in (sentence, rng.choice(stock))[: 1 + (rng.random() < 0.85)]
    ]


def _opposite(parts: list[str], phrases: Phrases, rng: Random) -> list[str]:
    return _insert(parts, rng.sample(phrases.opposite, min(rng.randint(1, 2), len(phrases.opposite))), rng)


_SHAPES = {"subtle": _subtle, "natural": _natural, "overdone": _overdone, "opposite": _opposite}


def _insert(parts: list[str], added: list[str], rng: Random) -> list[str]:
    result = list(parts)
    for sentence in added:
        result.insert(rng.randint(0, len(result)), sentence)
    return result


def _slot(sentence: str, topic: str) -> str:
    filled = sentence.replace("{gist}", topic)
    return _SENTENCE_START.sub(lambda match: match[0].upper(), filled)
