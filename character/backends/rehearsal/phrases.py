"""All that the rehearsal model says, read from the data files beside it, one per subject and language."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from character.locale import LANGUAGES


class Phrases(NamedTuple):
    """What a concept of character sounds like.

    ``light`` barely shows the concept, ``natural`` shows it in what is done, ``overdone`` are mannerisms that
    get repeated, ``opposite`` comes from the other pole; their slot ``{gist}`` is a few words of the message.
    ``calls`` are things people say that give the concept room, ``mirrors`` questions to the model about
    itself. ``cues`` and ``against`` are what the lexical judge looks for; they are written apart from the
    sentences and cover them only in part, like a judge's ear does. ``keywords`` are the words by which the
    name or the description of a trait gives the concept away.
    """

    light: tuple[str, ...]
    natural: tuple[str, ...]
    overdone: tuple[str, ...]
    opposite: tuple[str, ...]
    calls: tuple[str, ...]
    mirrors: tuple[str, ...]
    cues: tuple[str, ...]
    against: tuple[str, ...]
    keywords: tuple[str, ...] = ()


class Grammar(NamedTuple):
    """One language's templates of messages. Slots are ``{topic}``, ``{sender}`` and the names in ``slots``.

    ``asks`` are the cores by kind of message, ``leads`` and ``tails`` stand around them, ``followups`` are
    later turns. ``greetings`` open casual messages, ``addresses`` formal ones. ``topics`` stand in for one
    that is not written in the language, ``pronoun`` for one that the message has named already.
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


class Replies(NamedTuple):
    """Neutral sentences by their place in a reply; ``selves`` answer questions about the assistant itself."""

    openings: tuple[str, ...]
    bodies: tuple[str, ...]
    selves: tuple[str, ...]
    closings: tuple[str, ...]
    anything: str


@cache
def read(subject: str) -> dict[str, dict[str, Any]]:
    """Return by language what the data files of a subject hold, its lists as tuples."""
    folder = files(__package__).joinpath("data")
    texts = {
        language: folder.joinpath(language, f"{subject}.toml").read_text("utf-8") for language in LANGUAGES
    }
    return {language: _with_tuples(tomllib.loads(text)) for language, text in texts.items()}


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_tuples(inner) for key, inner in value.items()}
    return tuple(value) if isinstance(value, list) else value


BANKS: dict[str, dict[str, Phrases]] = {
    language: {key: Phrases(**part) for key, part in (read("manner")[language] | concepts).items()}
    for language, concepts in read("stance").items()
}
"""The phrases of every concept, by language."""
GRAMMARS = {language: Grammar(**parts) for language, parts in read("grammar").items()}
REPLIES = {language: Replies(**parts) for language, parts in read("replies").items()}
