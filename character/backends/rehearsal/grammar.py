"""The shape of a message grammar: templates by kind, the sentences around them, and what fills their slots."""

from __future__ import annotations

from typing import NamedTuple


class Grammar(NamedTuple):
    """One language's templates. Slots are ``{topic}``, ``{sender}`` and the names in ``slots``.

    ``asks`` are the cores by kind of message, ``leads`` and ``tails`` stand around them, ``followups`` are later
    turns. ``greetings`` open casual messages, ``addresses`` formal ones. ``topics`` stand in for a topic that is
    not written in the language, ``pronoun`` for a
    topic that the message has named already.
    """

    slots: dict[str, tuple[str, ...]]
    asks: dict[str, tuple[str, ...]]
    leads: tuple[str, ...]
    tails: tuple[str, ...]
    followups: tuple[str, ...]
    senders: tuple[str, ...]
    greetings: tuple[str, ...]
    addresses: tuple[str, ...]
    topics: tuple[str, ...]
    pronoun: str
