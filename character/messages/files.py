"""Messages from a file: the recipe's JSON shape, JSON Lines of it, or plain text with one message per line.

JSON Lines and plain text are read line by line, however long the file is; a JSON list is read whole.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from character.constitution import Constitution, Trait
from character.constitution.nodes import Lines
from character.errors import MessagesError, UnknownNameError
from character.records import KINDS, RECIPE_KINDS, Drop, Kind, Message, MessageBatch, Turn
from character.text import detect_language, fingerprint

_KEYS = ("type", "prompt", "trait", "language")
_SHAPE = (
    '[{"type": "问题型", "prompt": "…"}], one such object per line, or one message per line of plain text'
)
_NOTHING = MessageBatch(messages=())


class MessageFile:
    """A file of messages for a constitution, checked as a whole when it is opened and read again as needed.

    A row is an object with ``prompt`` (a text, or a list of ``{"role", "content"}`` turns that ends with the
    user's) and optionally ``type`` (the recipe's 问题型, 情境型, 自我反思型, or question, situation,
    self_reflection; without it question), ``trait`` (without it the message is for every trait) and
    ``language``. Repeated messages are dropped and counted. Raises MessagesError naming file, line and field.
    """

    def __init__(self, path: Path | str, constitution: Constitution) -> None:
        self._path, self._constitution = Path(path), constitution
        self._source = str(path)
        self._counts = {trait.name: 0 for trait in constitution.traits}
        self._drops: dict[str, list[Drop]] = {name: [] for name in self._counts}
        digest = hashlib.blake2b(digest_size=8)
        seen: set[int] = set()
        for line, row in self._rows():
            spelled = json.dumps(row, sort_keys=True, ensure_ascii=False)
            digest.update(spelled.encode("utf-8", "surrogatepass"))
            for trait in self._traits_of(row, line):
                message = self._message(row, trait, line)
                key = hash((trait.name, message.id))
                if key in seen:
                    detail = f"{self._source}, line {line}: {message.text[:80]}"
                    self._drops[trait.name].append(Drop(stage="messages", reason="duplicate", detail=detail))
                else:
                    seen.add(key)
                    self._counts[trait.name] += 1
        if not any(self._counts.values()):
            raise MessagesError(f"{self._source}: there is nothing in it.", expected=_SHAPE)
        self.fingerprint = digest.hexdigest()

    def count(self, trait: str) -> int:
        """Return how many different messages the file has for a trait."""
        return self._counts.get(trait, 0)

    def messages(self, trait: str) -> Iterator[Message]:
        """Yield the messages for a trait in the file's order; a repeated one comes again, with its id."""
        for line, row in self._rows():
            for each in self._traits_of(row, line):
                if each.name == trait:
                    yield self._message(row, each, line)

    def drops(self, trait: str) -> tuple[Drop, ...]:
        """Return what was left out for a trait."""
        return tuple(self._drops.get(trait, ()))

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        lines = self._lines()
        number, first = next(((n, line) for n, line in lines if line.strip()), (0, ""))
        opening = first.lstrip()[:1]
        if opening == "[":
            yield from self._listed("\n".join([first, *(line for _n, line in lines)]), number)
            return
        for n, line in chain([(number, first)], lines):
            if line.strip():
                yield n, self._object(self._json(line, n), n) if opening == "{" else {"prompt": line.strip()}

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Yield numbered lines. Only a line feed ends one: texts may hold other line ends of Unicode."""
        try:
            with self._path.open("rb") as file:
                for number, raw in enumerate(file, 1):
                    yield number, self._decoded(raw, number)
        except OSError as error:
            fix = "give the path of a messages file, as seen from the current directory."
            raise MessagesError(f"{self._source}: cannot be read ({error.strerror}).", fix=fix) from None

    def _decoded(self, raw: bytes, number: int) -> str:
        if number == 1 and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise _problem(self._source, 1, "the file is UTF-16.", "UTF-8 text")
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            fault = f"the byte 0x{raw[error.start]:02X} is not UTF-8."
            raise _problem(self._source, number, fault, "UTF-8 text") from None
        return text.rstrip("\r\n")

    def _object(self, row: Any, line: int) -> dict[str, Any]:
        if not isinstance(row, dict):
            raise _problem(self._source, line, f"found a {type(row).__name__} where a message should be.")
        return row

    def _listed(self, text: str, first: int) -> Iterator[tuple[int, dict[str, Any]]]:
        rows = self._json(text, first)
        if not rows or not isinstance(rows, list):
            raise _problem(self._source, first, "the list is empty.")
        starts = Lines(text)
        at = text.index("[") + 1
        decoder = json.JSONDecoder()
        for row in rows:
            while text[at] in " \t\r\n,":
                at += 1
            line = first - 1 + starts.at(at)
            _value, at = decoder.raw_decode(text, at)
            yield line, self._object(row, line)

    def _json(self, text: str, first: int) -> Any:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            fault = f"column {error.colno}: not valid JSON ({error.msg})."
            raise _problem(self._source, first - 1 + error.lineno, fault) from None
        except (RecursionError, ValueError):
            fault = "the JSON nests too deeply or holds a number that is too long."
            raise _problem(self._source, first, fault) from None

    def _traits_of(self, row: dict[str, Any], line: int) -> list[Trait]:
        unknown = [key for key in row if key not in _KEYS]
        if unknown:
            fault = f"the field {unknown[0]!r} is not known."
            raise _problem(self._source, line, fault, f"the fields {', '.join(_KEYS)}")
        if row.get("trait") is None:
            return list(self._constitution.traits)
        try:
            return [self._constitution.trait(str(row["trait"]))]
        except UnknownNameError as error:
            raise _problem(self._source, line, f"trait: {error.found}", error.expected) from None

    def _message(self, row: dict[str, Any], trait: Trait, line: int) -> Message:
        turns = _turns(row.get("prompt"), self._source, line)
        language = row.get("language") or detect_language(turns[-1].content, self._constitution.language)
        if not isinstance(language, str):
            raise _problem(self._source, line, "language: found no text.", "a language tag such as zh or en")
        kind = _kind(row.get("type"), self._source, line)
        try:
            return Message(trait=trait.name, kind=kind, turns=turns, language=language, source="file")
        except ValueError as error:
            fault = str(error).split("Value error, ")[-1].split("\n")[0]
            raise _problem(self._source, line, f"prompt: {fault}") from None


class MessageSource(Protocol):
    """Where a run gets messages that are not generated: a MessageFile, or GivenMessages in memory."""

    fingerprint: str

    def count(self, trait: str) -> int:
        """Return how many different messages there are for a trait."""

    def messages(self, trait: str) -> Iterator[Message]:
        """Yield the messages for a trait, in order."""

    def drops(self, trait: str) -> tuple[Drop, ...]:
        """Return what was left out for a trait."""


class GivenMessages:
    """Messages that are in memory already, as a source for a run (see MessageSource)."""

    def __init__(self, batches: dict[str, MessageBatch]) -> None:
        self._batches = batches
        ids = {name: [message.id for message in batch.messages] for name, batch in batches.items()}
        self.fingerprint = fingerprint(ids)

    def count(self, trait: str) -> int:
        return len(self._batches.get(trait, _NOTHING).messages)

    def messages(self, trait: str) -> Iterator[Message]:
        return iter(self._batches.get(trait, _NOTHING).messages)

    def drops(self, trait: str) -> tuple[Drop, ...]:
        return self._batches.get(trait, _NOTHING).drops


def as_source(
    given: Mapping[str, MessageBatch] | MessageSource | Path | str | None,
    constitution: Constitution,
    *,
    from_questions: bool = False,
) -> MessageSource | None:
    """Return messages given as batches by trait name, as a file's path or as a source; None without any.

    ``from_questions`` takes the constitution's own questions where nothing is given.
    """
    if isinstance(given, str | Path):
        return MessageFile(given, constitution)
    if isinstance(given, Mapping):
        return GivenMessages(dict(given))
    if given is None and from_questions:
        return GivenMessages(messages_from_questions(constitution))
    return given


def load_messages(path: Path | str, constitution: Constitution) -> dict[str, MessageBatch]:
    """Return the messages of a file, per trait name, in the file's order (see MessageFile for the shapes)."""
    file = MessageFile(path, constitution)
    return {
        trait.name: MessageBatch(
            messages=tuple({message.id: message for message in file.messages(trait.name)}.values()),
            drops=file.drops(trait.name),
        )
        for trait in constitution.traits
    }


def messages_from_questions(constitution: Constitution) -> dict[str, MessageBatch]:
    """Return the constitution's own questions as messages, per trait name."""
    asked: dict[str, Any] = {"language": constitution.language, "source": "constitution"}
    batches = {}
    for trait in constitution.traits:
        turns = [(Turn(role="user", content=text),) for text in trait.questions]
        messages = tuple(Message(trait=trait.name, turns=each, **asked) for each in turns)
        batches[trait.name] = MessageBatch(messages=messages)
    return batches


def _turns(prompt: Any, source: str, line: int) -> tuple[Turn, ...]:
    if isinstance(prompt, str) and prompt.strip():
        return (Turn(role="user", content=_text(prompt.strip(), source, line)),)
    if isinstance(prompt, list) and prompt and all(_is_turn(turn) for turn in prompt):
        return tuple(Turn(role=turn["role"], content=_text(turn["content"], source, line)) for turn in prompt)
    given = "no text" if not prompt else f"{prompt!r:.60}"
    raise _problem(source, line, f"prompt: found {given}.", 'a text, or a list of {"role", "content"} turns')


def _text(text: str, source: str, line: int) -> str:
    unusable = re.search("[\x00\ud800-\udfff]", text)
    if unusable:
        what = "a NUL character" if unusable.group() == "\x00" else "half of a character (a lone surrogate)"
        raise _problem(source, line, f"prompt: found {what}.", "text that can be encoded and stored")
    return text


def _is_turn(turn: Any) -> bool:
    if not isinstance(turn, dict) or set(turn) != {"role", "content"}:
        return False
    content = turn["content"]
    return turn["role"] in ("user", "assistant") and isinstance(content, str) and bool(content)


def _kind(name: Any, source: str, line: int) -> Kind:
    if name is None:
        return "question"
    kinds: dict[str, Kind] = {**RECIPE_KINDS, **{kind: kind for kind in KINDS}}
    if not isinstance(name, str) or name not in kinds:
        raise _problem(source, line, f"type: {name!r} is not known.", f"one of {', '.join(kinds)}")
    return kinds[name]


def _problem(source: str, line: int, fault: str, expected: str = _SHAPE) -> MessagesError:
    return MessagesError(f"{source}, line {line}: {fault}", expected=expected, fix="correct that row.")
