"""Which candidates cannot stand in a preference pair, each for a reason of one countable word.

Every check would rather miss than be wrong: a good reply that is thrown away costs a message its pair, a bad
one that is kept still meets the ranking. All work on English and Chinese replies; patterns of both languages
are tried on every reply, because replies mix them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from character.backends.reading.cleaning import NO_SPEAKERS, TALKS, asks_for_turns
from character.constitution import Trait
from character.records import Message
from character.responses.filter_patterns import is_about, is_meta, leaked_model, named_trait
from character.responses.scripts import is_in_script
from character.text import (
    NEAR_DUPLICATE_JACCARD,
    copied_from,
    count_tokens,
    is_beyond_quotation,
    is_made_of,
    is_refusal,
    jaccard,
    running_text,
    shingles,
    word_runs,
)

NEAR_IDENTICAL_JACCARD = 0.9
"""Jaccard similarity of character 3-grams from which a candidate repeats another one of its message."""
_SIMILAR_LENGTH = 0.75  # texts that differ more in length are not compared
_LONG_MESSAGE = 400  # characters; a longer message may hold a text to be worked on
_QUESTION = ("?", "？")
_LITTLE_MORE = 1.6  # a reply that has the message in it and is no more times as long says little else
_GIVEN_BACK, _LEAST_RUNS = 0.5, 5  # the share, and least number, of runs that make a reply the question again

_SPEAKER = re.compile(
    r"(?:^|(?<=[\n。！？.!?\"”]))[\s*_]{0,9}([^\W\d_][^\n:：。，,.!?！？*]{0,19}?)[*_]*\s*[:：]"
)
_MOST_SPEAKERS = 3


def unusable(
    text: str,
    *,
    message: Message,
    trait: Trait,
    kept: Sequence[str] = (),
    assistant_name: str = "",
    max_tokens: int | None = None,
) -> tuple[str, str]:
    """Return (reason, detail) for a reply that cannot be a candidate, ("", "") for one that can.

    Reasons, the first that holds: ``empty``; ``refusal``; ``too_long`` (an estimate of more than
    ``max_tokens``); ``wrong_language`` (hardly a letter of the message's language, where the message asks
    for no other); ``dialogue`` (is the talk of several speakers from its first word on, unasked);
    ``model_leak`` (claims to be a model that is sold under another name than
    ``assistant_name``, or to be trained by its maker); ``meta`` (talks of its instructions or its assigned
    character, or tells what the assistant does); ``names_trait`` (calls itself by the trait's name, which
    only messages of the kind ``self_reflection`` invite); ``copies_trait`` (has a stretch of the trait's own
    text, longer than a quotation); ``copies_message`` (says the message over again, opens with all of it, or
    is a part of it); ``identical`` and ``near_identical`` to one of the texts ``kept``. ``detail`` quotes
    what was found.
    """
    if not text.strip():
        return "empty", "a reply without text"
    if is_refusal(text):
        return "refusal", text[:80]
    if max_tokens is not None and (tokens := count_tokens(text)) > max_tokens:
        return "too_long", f"about {tokens} tokens, at most {max_tokens} are allowed: {text[:60]}"
    if speakers := told_in_turns(text, message.text):
        return "dialogue", speakers
    if is_wrong_language(text, message):
        return "wrong_language", f"not {message.language}: {text[:60]}"
    for reason, words in (
        ("model_leak", leaked_model(text, assistant_name)),
        ("meta", is_meta(text) or copied_from(text, _told())),
        ("names_trait", "" if message.kind == "self_reflection" else named_trait(text, trait.name)),
    ):
        if words:
            return reason, words
    return copied(text, message, trait, kept)


@lru_cache(maxsize=1)
def _told() -> tuple[str, ...]:
    """Return what system messages of a chat say, one text for each language."""
    from signatures.chat import WORDS  # it brings dspy, which readers of a run do without

    return tuple(map(str, WORDS.values()))


def copied(text: str, message: Message, trait: Trait | None, others: Sequence[str] = ()) -> tuple[str, str]:
    """Return (reason, detail) for a reply that copies the trait, its message or other replies, as above."""
    if trait and (found := copied_from(text, trait.texts(questions=False))):
        return "copies_trait", found
    return ("copies_message", text[:80]) if _is_echo(text, message.text) else _repeats(text, others)


def _is_echo(text: str, asked: str) -> bool:
    """Whether a reply is the message over again, changed a little at most, or opens with the whole of it.

    One is so that is made of the message's words, or has most of it and little else, unless it answers a
    question with a statement. A part of a long message, or of one that gives a text to be worked on or
    repeated, is no echo.
    """
    reply, message = running_text(text), running_text(asked)
    if not reply.replace(message.rstrip(), "").strip():
        is_wordless = not reply.strip() and len(text) <= _LONG_MESSAGE  # an emoji, say
        return not is_wordless or text.strip() == asked.strip()  # once or several times
    given = is_about("given", asked)
    near = not given and _SIMILAR_LENGTH * len(text) <= len(asked)
    if near and jaccard(_shingles(text), _shingles(asked)) >= NEAR_DUPLICATE_JACCARD:
        return not _answers(text, asked)
    if not given and _gives_back(text, asked):
        return True
    part, whole = sorted((reply, message), key=len)
    if not is_beyond_quotation(part):
        return False
    if reply.startswith(message):
        return True
    if given or len(asked) > _LONG_MESSAGE:
        return False
    if part == reply and part in whole:
        return True
    is_short = len(reply) <= _LITTLE_MORE * len(message) and not _answers(text, asked)
    return is_short and (is_made_of(text, asked) or is_made_of(asked, text))


def _gives_back(text: str, asked: str) -> bool:
    """Whether a reply that asks is made of the question that it should answer, however short."""
    is_short = len(text) <= min(2 * len(asked), _LONG_MESSAGE)
    asks = is_short and all(said.rstrip().endswith(_QUESTION) for said in (asked, text))
    return asks and len(word_runs(text, 3)) >= _LEAST_RUNS and is_made_of(text, asked, _GIVEN_BACK)


def _answers(text: str, asked: str) -> bool:
    return asked.rstrip().endswith(_QUESTION) and not any(mark in text for mark in _QUESTION)


def told_in_turns(text: str, asked: str) -> str:
    """Return the speakers of a reply that is nothing but their turns, one of them speaking again, else ""."""
    if not _SPEAKER.match(text) or asks_for_turns(asked):
        return ""
    speakers = [turn[1].strip().casefold() for turn in _SPEAKER.finditer(text)]
    different = dict.fromkeys(speakers)
    takes_turns = 1 < len(different) <= _MOST_SPEAKERS and all(a != b for a, b in pairwise(speakers))
    if len(speakers) <= len(different) or not takes_turns:
        return ""
    as_asked = any(re.search(rf"{re.escape(label)}\s*[:：]", asked, re.IGNORECASE) for label in different)
    is_list = not TALKS.search(_SPEAKER.sub(" ", text)) or not NO_SPEAKERS.isdisjoint(different)
    compares = all(running_text(label) in running_text(asked) for label in different)
    return "" if as_asked or is_list or compares else ", ".join(different)


def is_wrong_language(text: str, message: Message) -> bool:
    """Whether a reply has hardly a letter of the script its message's language is written in.

    Code blocks do not count. Nothing is wrong where the message speaks of another language or of translating,
    or is itself in another script than its language. Languages that share a script cannot be told apart.
    """
    if is_in_script(text, message.language) or is_about("language", message.text):
        return False
    return is_in_script(message.text, message.language, least_letters=1)


def _repeats(text: str, kept: Sequence[str]) -> tuple[str, str]:
    if text in kept:
        return "identical", text[:80]
    near = [
        other for other in kept if min(len(text), len(other)) >= _SIMILAR_LENGTH * max(len(text), len(other))
    ]
    if any(jaccard(_shingles(text), _shingles(other)) >= NEAR_IDENTICAL_JACCARD for other in near):
        return "near_identical", text[:80]
    return "", ""


_shingles = lru_cache(maxsize=256)(shingles)  # the candidates of a message meet each other several times
