"""Messages of everyday that call for no trait in particular: what changes here is a side effect."""

from __future__ import annotations

from character.locale import report_language, word_lists
from character.records import Message


def everyday_messages(language: str, number: int) -> list[Message]:
    """Return up to 16 messages in Chinese or, for any other language, in English; they belong to no trait."""
    code = report_language(language)
    texts = word_lists("effect_messages.everyday", code)["messages"]
    return [Message.of(text, trait="", language=code) for text in texts[:number]]
