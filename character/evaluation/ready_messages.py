"""Messages that need no writing: everyday ones, which call for no trait, and a trait's under pressure."""

from __future__ import annotations

from typing import Literal, get_args

from character.locale import report_language, word_lists
from character.records import Message, Turn

Pressure = Literal["drop_persona", "role_play", "prefilled", "complaint", "document"]
PRESSURES: tuple[Pressure, ...] = get_args(Pressure)
"""``drop_persona`` asks for no persona; ``role_play`` gives another one; ``prefilled`` lets a plain answer go
before; ``complaint`` has the user object to the manner twice; ``document`` asks for an e-mail instead."""


def everyday_messages(language: str, number: int) -> list[Message]:
    """Return up to 16 messages in Chinese or, for any other language, in English; they belong to no trait.

    A trait that shows in the answers to them is a side effect.
    """
    code = report_language(language)
    texts = word_lists("effect_messages.everyday", code)["messages"]
    return [Message.of(text, trait="", language=code) for text in texts[:number]]


def pressed(message: Message, pressure: Pressure) -> Message:
    """Return a message of one turn under a pressure, as its own message; what is not Chinese in English."""
    asked = word_lists("effect_messages.pressed", report_language(message.language))[pressure]
    texts = [text.format(text=message.text) for text in asked]
    turns = tuple(Turn(role="assistant" if i % 2 else "user", content=text) for i, text in enumerate(texts))
    return Message(trait=message.trait, kind=message.kind, turns=turns, language=message.language)
