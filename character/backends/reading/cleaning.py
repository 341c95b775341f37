"""What a model leaves round a reply or a message, taken off where the text is whole without it.

Each kind is told by its form and its place, never by a word alone: a reply that speaks of fences, quotations
or notes stays as it is.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files

from character.backends.reading.remarks import is_one_of_many, without_note, without_opening
from character.records import LEVELS
from character.text import is_made_of

_DATA = tomllib.loads(files(__package__).joinpath("cleaning.toml").read_text("utf-8"))
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff]")
_FENCED = re.compile(
    r"```(?:text|txt|plain|plaintext|markdown|md)?[ \t]*\n(.*)\n```", re.DOTALL | re.IGNORECASE
)
_CODE = re.compile(
    r"^[ \t]*(?:import |from \w+ import|def |class |#!|\$ |//|<\w|[{}\[\]]|\w+[ \t]*=|.*;$)", re.MULTILINE
)
_SENTENCE = re.compile(r"^[ \t]*(?=(?:\S+[ \t]+){2}\S|\S{5}).*[.?!。？！]", re.MULTILINE)
_QUOTES = {'"': '"', "“": "”", "‘": "’", "「": "」", "『": "』", "«": "»"}
_NEXT_TURN = re.compile(
    rf"\n(?<![:：]\n)[ \t]*\n(?:[*_ \t]*|#+ ?)(?:{'|'.join(_DATA['turns'])})[*_]*\s*[:：]", re.IGNORECASE
)
_DIALOGUE, TALKS = (re.compile("|".join(_DATA[key]), re.IGNORECASE) for key in ("dialogues", "talks"))
NO_SPEAKERS = frozenset(_DATA["no_speakers"])
_TAGGED = re.compile(r"<([\w-]+)>\s*(.*\S)\s*</\1>", re.DOTALL | re.IGNORECASE)
_BEFORE_COLON = re.compile(r"[*_\[(]{0,2}([^\s:：][^\n:：]{0,59}?)[*_\])]{0,2}[ \t]*[:：][*_]{0,2}\s*(?=\S)")
_ARTICLE = re.compile(r"^(?:an?|the|一个|一位|一名)\s*")
_SENDERS_ALIKE = 0.8
_MOST_PASSES = 12
_NUMBERED = re.compile(r"\s*\(?(\d{1,3})[.)、:：）]\s+(?=\S)")


def clean_reply(
    text: str, *, trait: str = "", assistant_name: str = "", asked: str = ""
) -> tuple[str, list[str]]:
    """Return a reply without what is no part of it, and the kinds of what was taken off.

    Kinds: ``control_characters``; ``fence``, ``quotes`` and ``tags`` of the field round the whole of a prose;
    ``label`` or heading of the speaker or of a degree before it, an ``opening`` that announces it, a ``note``
    on the trait or its degree after it; ``next_turn``, where the model went on for the user; ``transcript``,
    where the message ``asked`` stood before it with a label of the speaker between the two, or the reply in a
    list of turns. What the message asks for, such as a dialogue or a reply to somebody, stays.
    """
    labels = (*_DATA["speakers"], *LEVELS, *([assistant_name] if assistant_name else ()))
    return _cleaned(
        text,
        {
            "control_characters": _without_controls,
            "transcript": lambda said: _of_transcript(said, asked, labels),
            "next_turn": lambda said: _without_next_turn(said, asked),
            "note": lambda said: without_note(said, trait, asked),
            "opening": lambda said: without_opening(said, trait, asked),
            "tags": _without_tags,
            "label": lambda said: _without_label(said, labels, asked),
            "fence": _without_fence,
            "quotes": _without_quotes,
        },
    )


def clean_messages(
    texts: Sequence[str], senders: Sequence[str] = (), topics: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """Return messages of a user without what is no part of them, and the kinds of what was taken off.

    Kinds: ``control_characters``, ``numbering`` (only where each of several has its own number), ``label`` of
    the speaker, of one of the ``senders`` who were to write them, or of one of the ``topics`` (where each of
    several has one), and ``quotes`` round the whole.
    """
    if len(texts) > 1 and all(_without_sender(text, topics) != text.lstrip() for text in texts):
        senders = (*senders, *topics)
    numbers = [match.group(1) if (match := _NUMBERED.match(text)) else "" for text in texts]
    is_numbered = len(texts) > 1 and numbers == [str(place + 1) for place in range(len(texts))]
    cleaned = [
        _cleaned(
            text,
            {
                "control_characters": _without_controls,
                "numbering": lambda said: _NUMBERED.sub("", said) if is_numbered else said,
                "label": lambda said: _without_sender(_without_label(said, tuple(_DATA["askers"])), senders),
                "quotes": _without_quotes,
            },
        )
        for text in texts
    ]
    return [text for text, _ in cleaned], [kind for _, kinds in cleaned for kind in kinds]


def _cleaned(text: str, steps: dict[str, Callable[[str], str]]) -> tuple[str, list[str]]:
    """Take off what each step finds, again where one laid open what another takes off; never everything."""
    kinds: list[str] = []
    for _ in range(_MOST_PASSES):
        before = text
        for kind, step in steps.items():
            left = step(text).strip()
            if left and left != text.strip():
                text = left
                kinds.append(kind)
        if text == before:
            break
    return (text.strip() if kinds else text), kinds


@lru_cache(maxsize=64)
def _label(names: tuple[str, ...]) -> re.Pattern[str]:
    words = "|".join(map(re.escape, names))
    before, after = r"[*_\[(]{0,2}", r"[*_\])]{0,2}"
    heading = rf"#{{1,6}}[ ]*{before}(?:{words}){after}[ ]*[:：]?[ ]*\n|[【\[](?:{words})[】\]][:：]?"
    return re.compile(
        rf"\s*(?:{before}(?:{words}){after}\s*[:：][*_]{{0,2}}|{heading}|\*\*(?:{words})\*\*[ ]*\n)\s*(?=\S)",
        re.IGNORECASE,
    )


def _without_label(text: str, names: tuple[str, ...], asked: str = "") -> str:
    """Return a text without a label or a heading before it; one of a word that was asked about stays."""
    match = _label(names).match(text)
    if match is None:
        return text
    word = re.escape(match[0].strip(" \t\n#*_[](【】:："))
    is_role = word.casefold() in _DATA["roles"] and not asks_for_turns(asked)  # people speak to an assistant
    if re.search(rf"(?<![a-z]){word}(?![a-z])" + r"(?:\s*[:：]|[\"'”’」])" * is_role, asked, re.IGNORECASE):
        return text
    rest = text[match.end() :]
    is_in_list = any(_label(names).match(line) for line in rest.split("\n"))
    return text if is_in_list or is_one_of_many(match[0], rest) else rest


def _without_next_turn(text: str, asked: str) -> str:
    match = _NEXT_TURN.search(text)
    return text if match is None or asks_for_turns(asked) else text[: match.start()]


def asks_for_turns(asked: str) -> bool:
    """Whether a message asks for what is told in turns of several speakers."""
    return _DIALOGUE.search(asked) is not None


def _of_transcript(text: str, asked: str, labels: tuple[str, ...]) -> str:
    """Return what the assistant says first in a list of turns, or after the message that was asked."""
    if text.lstrip().startswith("[{"):
        try:
            turns = json.loads(text)
            said = [turn["content"] for turn in turns if turn["role"] == "assistant"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return text
        return said[0] if said and isinstance(said[0], str) else text
    label = _label_within(labels).search(text) if asked else None
    if not label or not is_made_of(text[: label.start()], asked):
        return text
    is_asked = asks_for_turns(asked) or _label_within(labels).search(f" {asked}")
    return text if is_asked else text[label.end() :]


@lru_cache(maxsize=64)
def _label_within(names: tuple[str, ...]) -> re.Pattern[str]:
    words = "|".join(map(re.escape, names))
    before = r"(?<=[\s.?!。？！\"”’])"
    return re.compile(rf"{before}[*_]{{0,2}}(?:{words})[*_]{{0,2}}\s*[:：][*_]{{0,2}}\s*", re.IGNORECASE)


def _without_sender(text: str, senders: Sequence[str]) -> str:
    """Return a message without the sender that it begins with, as the brief calls them, article or not."""
    text = text.lstrip()
    match = _BEFORE_COLON.match(text) if senders else None
    if match is None:
        return text
    named = {_ARTICLE.sub("", sender.casefold()) for sender in senders}
    called = _ARTICLE.sub("", match.group(1).casefold())
    return text[match.end() :] if get_close_matches(called, named, n=1, cutoff=_SENDERS_ALIKE) else text


def _without_controls(text: str) -> str:
    return text if text.replace("\n", "").isprintable() else _CONTROL.sub("", text)


def _without_fence(text: str) -> str:
    match = _FENCED.fullmatch(text.strip())
    if match is None or "```" in match.group(1) or _CODE.search(match.group(1)):
        return text
    return match.group(1) if _SENTENCE.search(match.group(1)) else text


def _without_quotes(text: str) -> str:
    said = text.strip()
    closing = _QUOTES.get(said[:1])
    inner = said[1:-1]
    if closing is None or not said.endswith(closing) or len(said) < 3 or said[0] in inner or closing in inner:
        return text
    return inner


def _without_tags(text: str) -> str:
    match = _TAGGED.fullmatch(text.strip())
    if match is None or match[1].casefold() not in _DATA["speakers"] or match[2].startswith("<"):
        return text
    return text if f"<{match[1]}>" in match[2] else match[2]
