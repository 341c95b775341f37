"""The toy world: a grammar of messages and replies in two languages, and the truth about every reply.

Replies show patience or not and humour or not, each for itself. Because replies are made of known sentences,
what a reply shows can be read off without a judge. That is all this world is for: it proves that the
machinery moves what it says it moves and measures what it says it measures. A trait of a real model is no
list of sentences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import NamedTuple

from character.constitution import Constitution, Trait
from character.records import Message
from closed_loop.grammar_en import ENGLISH
from closed_loop.grammar_zh import CHINESE
from closed_loop.measured import Measure

LANGUAGES = {language.code: language for language in (ENGLISH, CHINESE)}
SHOWN_SHARE = 0.28
"""How often a reply of the toy world shows a trait before any training."""

PATIENCE = Trait(
    name="patience",
    description="Takes the time an explanation needs and stays kind when asked again.",
    opposite="curt and hurried",
)
HUMOUR = Trait(
    name="humour", description="Lets the comical side of a matter be seen.", opposite="solemn and stiff"
)
CONSTITUTION = Constitution(name="toy world", language="en", traits=(PATIENCE, HUMOUR))
"""The character: patience is trained, humour is the trait that should stay where it is."""

_END = re.compile(r"(?<=[.?!。？！])\s*")


class Topic(NamedTuple):
    """A message before it is written: its language, what it is about, and how it asks."""

    language: str
    topic: str
    ask: int

    @property
    def text(self) -> str:
        """The message as it is written."""
        return LANGUAGES[self.language].asks[self.ask].format(topic=self.topic)


class Reading(NamedTuple):
    """What a reply truly holds: its topic, how many sentences show each trait, and how many there are.

    ``unknown`` counts sentences that are no sentences of the grammar: a model that lost its language makes
    such.
    """

    topic: str
    patience: int
    humour: int
    unknown: int
    sentences: int


def all_topics(num_topics: int, seed: int) -> list[Topic]:
    """Return all messages about the first ``num_topics`` topics of each language, shuffled by the seed."""
    found = [
        Topic(language.code, topic, ask)
        for language in LANGUAGES.values()
        for topic in language.topics[:num_topics]
        for ask in range(len(language.asks))
    ]
    Random(seed).shuffle(found)
    return found


def message_of(topic: Topic) -> Message:
    """Return the message as a record, for the trait that is trained."""
    return Message.of(topic.text, trait=PATIENCE.name, language=topic.language)


def write_reply(topic: Topic, random: Random) -> str:
    """Return a reply of the grammar, each trait shown by chance."""
    language = LANGUAGES[topic.language]
    manner = random.choice(language.patience if random.random() < SHOWN_SHARE else language.neutral)
    colour = random.choice(language.humour if random.random() < SHOWN_SHARE else language.neutral)
    middle = [manner, colour]
    random.shuffle(middle)
    opening = random.choice(language.openings).format(topic=topic.topic)
    return language.space.join([opening, *middle, random.choice(language.closings)])


def read_reply(text: str) -> Reading:
    """Return what a reply truly holds, whatever its language."""
    sentences = [part for part in _END.split(text.strip()) if part]
    openings, kinds = _openings(), _kinds()
    topics = [openings[part] for part in sentences if part in openings]
    known = [kinds.get(part, "opening" if part in openings else "") for part in sentences]
    return Reading(
        topic=topics[0] if topics else "",
        patience=known.count("patience"),
        humour=known.count("humour"),
        unknown=known.count(""),
        sentences=len(sentences),
    )


@lru_cache(maxsize=1)
def _openings() -> dict[str, str]:
    return {
        opening.format(topic=topic): topic
        for language in LANGUAGES.values()
        for opening in language.openings
        for topic in language.topics
    }


@lru_cache(maxsize=1)
def _kinds() -> dict[str, str]:
    return {
        sentence: kind
        for language in LANGUAGES.values()
        for kind in ("patience", "humour", "neutral", "closings")
        for sentence in getattr(language, kind)
    }


@lru_cache(maxsize=1)
def _messages() -> dict[str, str]:
    longest = max(len(language.topics) for language in LANGUAGES.values())
    return {topic.text: topic.topic for topic in all_topics(longest, 0)}


def is_on_topic(message: Message, text: str) -> bool:
    """Whether a reply opens with the very topic that the message asks about."""
    return read_reply(text).topic == _messages()[message.text]


def truth_measures() -> tuple[Measure, ...]:
    """Return what the grammar's truth measures in replies: the trait, the other trait, what is to be kept."""
    return (
        Measure("patience", "target", lambda _m, texts: [float(read_reply(t).patience > 0) for t in texts]),
        Measure("humour", "other", lambda _m, texts: [float(read_reply(t).humour > 0) for t in texts]),
        Measure("on topic", "kept", _on_topic),
        Measure("well formed", "kept", lambda _m, texts: [float(read_reply(t).unknown == 0) for t in texts]),
        Measure("overdone", "plain", lambda _m, texts: [float(read_reply(t).patience > 1) for t in texts]),
    )


def _on_topic(messages: Sequence[Message], texts: Sequence[str]) -> list[float]:
    return [float(is_on_topic(message, text)) for message, text in zip(messages, texts, strict=True)]
