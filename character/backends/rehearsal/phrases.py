"""The shape of the phrase banks: what one concept of character sounds like in one language."""

from __future__ import annotations

from typing import NamedTuple


class Phrases(NamedTuple):
    """What a concept sounds like. Sentences may hold the slot ``{gist}``, a few words of the message.

    ``light`` barely shows the concept, ``natural`` shows it in what is done, ``overdone`` are mannerisms that
    get repeated, ``opposite`` comes from the other pole. ``calls`` are things people say that give the concept
    room, ``mirrors`` questions to the model about itself. ``cues`` and ``against`` are what the lexical judge
    looks for; they are written apart from the sentences and cover them only in part, like a judge's ear does.
    """

    light: tuple[str, ...]
    natural: tuple[str, ...]
    overdone: tuple[str, ...]
    opposite: tuple[str, ...]
    calls: tuple[str, ...]
    mirrors: tuple[str, ...]
    cues: tuple[str, ...]
    against: tuple[str, ...]


def cut(text: str) -> tuple[str, ...]:
    """Return the parts of a text between bars, without the spaces around them and without empty parts."""
    return tuple(part.strip() for part in text.split("|") if part.strip())
