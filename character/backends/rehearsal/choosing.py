"""Choosing one of two traits to show, by leanings that are set, and telling which of two a reply shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from character.backends.rehearsal.asked import Asked
from character.backends.rehearsal.judge import Features, features_of
from character.backends.rehearsal.phrases import read
from character.backends.rehearsal.responses import compose, join
from character.backends.rehearsal.sense import concepts_of, sense_of

LEANINGS: Mapping[str, float] = {"patience": 1.2, "warmth": 0.8, "humour": -0.6, "sarcasm": -1.2}
"""How much rather than another trait the model shows one of these concepts, in log-odds; 0 for all others."""
_WORDS = {language: words["choices"] for language, words in read("judging").items()}
_LEAST_STRENGTH, _LEAST_LEAD = 0.2, 0.08


def choose(asked: Asked) -> dict[str, Any]:
    """Return a reply that shows one of two traits naturally.

    P(first) = 1 / (1 + exp(leaning of the second - leaning of the first)), in any order and for any message.
    """
    first, second = _pair(asked)
    odds = _leaning(first, asked.leanings) - _leaning(second, asked.leanings)
    chosen = first if asked.rng.random() < 1 / (1 + math.exp(-odds)) else second
    sense = sense_of(chosen, asked.language)
    return {"response": compose(asked.message, sense, "natural", asked.language, asked.rng)}


def _leaning(trait: Any, leanings: Mapping[str, float]) -> float:
    return next((leanings.get(concept, 0.0) for concept in concepts_of(trait)), 0.0)


def tell_trait(asked: Asked) -> dict[str, Any]:
    """Return which of two traits shows more strongly in a response, "neither" where none does or both do."""
    text = str(asked.values.get("response", ""))
    readings = [features_of(sense_of(trait, asked.language), text) for trait in _pair(asked)]
    first, second = (each.strength + asked.slip() for each in readings)
    return {"reasoning": _noted(readings, asked.language), "shown": _shown(first, second)}


def _shown(first: float, second: float) -> str:
    if max(first, second) < _LEAST_STRENGTH or abs(first - second) < _LEAST_LEAD:
        return "neither"
    return "first" if first > second else "second"


def _pair(asked: Asked) -> tuple[Any, Any]:
    return (*asked.listed("traits"), "", "")[:2]


def _noted(readings: list[Features], language: str) -> str:
    words = _WORDS[language]
    lines = [
        words["trait"].format(number=number, words=" · ".join(each.seen[:4]) or words["unseen"])
        for number, each in enumerate(readings, start=1)
    ]
    return join(lines, language)
