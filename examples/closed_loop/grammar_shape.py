"""The shape of the toy world's grammar in one language."""

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    """What messages and replies are made of.

    A message is one of ``asks`` about one of ``topics``. A reply is one of ``openings``, which names the
    topic, two sentences in the middle, and one of ``closings``. One sentence of the middle shows patience or
    nothing, the other humour or nothing; what shows nothing is ``neutral`` and about as long. ``space``
    stands between sentences.
    """

    code: str
    topics: tuple[str, ...]
    asks: tuple[str, ...]
    openings: tuple[str, ...]
    patience: tuple[str, ...]
    humour: tuple[str, ...]
    neutral: tuple[str, ...]
    closings: tuple[str, ...]
    space: str


def cut(text: str) -> tuple[str, ...]:
    """Return the parts of a text between bars, without the spaces around them."""
    return tuple(part.strip() for part in text.split("|"))
