"""Checks messages as a critical reader might: by whether they name the trait, say anything, and now and then by taste."""

from __future__ import annotations

from random import Random
from typing import Any

_LEAST_LETTERS = 4
_FUSSINESS = 0.08
_SAID = {
    "en": "With the trait the answer to message {number} would {verdict}.",
    "zh": "有没有这个特质，对第 {number} 条消息的回答{verdict}。",
}
_VERDICTS = {
    "en": {True: "take another turn than without it", False: "hardly differ from one without it"},
    "zh": {True: "会不一样", False: "几乎没有差别"},
}


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
    lines = [
        _SAID[language].format(number=number, verdict=_VERDICTS[language][passes])
        for number, passes in enumerate(reveals, 1)
    ]
    return {"reasoning": ("" if language == "zh" else " ").join(lines), "reveals": reveals}


def _passes(text: str, name: str, rng: Random) -> bool:
    fussy = rng.random() < _FUSSINESS
    says_something = sum(char.isalpha() for char in text) >= _LEAST_LETTERS
    return says_something and not fussy and not (name and name in text.casefold())
