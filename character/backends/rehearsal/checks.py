"""Checks messages as a critical reader might: by whether they name the trait, say anything, and now and then by taste."""

from __future__ import annotations

from random import Random
from typing import Any

from character.backends.rehearsal.phrases import read
from character.backends.rehearsal.responses import join

_LEAST_LETTERS = 4
_FUSSINESS = 0.08
_WORDS = {language: words["checks"] for language, words in read("judging").items()}


def check_messages(values: dict[str, Any], language: str, rng: Random) -> dict[str, Any]:
    """Return for each message whether it passes, with a sentence of reasoning on each.

    A message fails that has hardly a letter, or that names the trait though its kind is not self-reflection,
    and about one in twelve of the others.
    """
    trait, messages = values.get("trait"), values.get("messages")
    name = str(trait.get("name", "")) if isinstance(trait, dict) else ""
    may_name = "reflect" in str(values.get("kind", "")).casefold()
    shown = [str(message) for message in messages] if isinstance(messages, list) else []
    reveals = [_passes(text, "" if may_name else name.casefold(), rng) for text in shown]
    words = _WORDS[language]
    lines = [
        words["message"].format(number=number, verdict=words["passes" if passes else "fails"])
        for number, passes in enumerate(reveals, 1)
    ]
    return {"reasoning": join(lines, language), "reveals": reveals}


def _passes(text: str, name: str, rng: Random) -> bool:
    fussy = rng.random() < _FUSSINESS
    says_something = sum(char.isalpha() for char in text) >= _LEAST_LETTERS
    return says_something and not fussy and not (name and name in text.casefold())
