"""Messages from a file: the recipe's JSON shape, JSON Lines of it, or plain text with one message per line.

JSON Lines and plain text are read line by line, however long the file is; a JSON list is read whole.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
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


class MessageFile:
    """A file of messages for a constitution, checked as a whole when it is opened and read again as it is needed.

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
            digest.update(
                json.dumps(row, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
            )
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
        """Yield the messages for a trait in the file's order; a repeated one comes again, with the same id."""
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
        if first.lstrip().startswith("["):
            rest = "\n".join([first, *(line for _n, line in lines)])
            yield from self._listed(rest, number)
        elif first.lstrip().startswith("{"):
            yield number, self._object(first, number)
            for n, line in lines:
                if line.strip():
                    yield n, self._object(line, n)
        elif first:
            yield number, {"prompt": first.strip()}
            yield from ((n, {"prompt": line.strip()}) for n, line in lines if line.strip())

    def _lines(self) -> Iterator[tuple[int, str]]:
        """Yield numbered lines. Only a line feed ends one: texts may hold what Unicode also calls a line end."""
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
            found = f"the byte 0x{raw[error.start]:02X} is not UTF-8."
            raise _problem(self._source, number, found, "UTF-8 text") from None
        return text.rstrip("\r\n")

    def _object(self, line: str, number: int) -> dict[str, Any]:
        row = self._json(line, number)
        if not isinstance(row, dict):
            raise _problem(self._source, number, f"found a {type(row).__name__} where a message should be.")
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
            if not isinstance(row, dict):
                raise _problem(self._source, line, f"found a {type(row).__name__} where a message should be.")
            yield line, row

    def _json(self, text: str, first: int) -> Any:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            line = first - 1 + error.lineno
            raise _problem(
                self._source, line, f"column {error.colno}: not valid JSON ({error.msg})."
            ) from None
        except (RecursionError, ValueError):
            raise _problem(
                self._source, first, "the JSON nests too deeply or holds a number that is too long."
            ) from None

    def _traits_of(self, row: dict[str, Any], line: int) -> list[Trait]:
        unknown = [key for key in row if key not in _KEYS]
        if unknown:
            found = f"the field {unknown[0]!r} is not known."
            raise _problem(self._source, line, found, f"the fields {', '.join(_KEYS)}")
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
            found = str(error).split("Value error, ")[-1].split("\n")[0]
            raise _problem(self._source, line, f"prompt: {found}") from None


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
    """Messages that are in memory already, as a source for a run."""

    def __init__(self, batches: dict[str, MessageBatch]) -> None:
        self._batches = batches
        self.fingerprint = fingerprint(
            {name: [m.id for m in batch.messages] for name, batch in batches.items()}
        )

    def count(self, trait: str) -> int:
        """Return how many messages there are for a trait."""
        batch = self._batches.get(trait)
        return len(batch.messages) if batch else 0

    def messages(self, trait: str) -> Iterator[Message]:
        """Yield the messages for a trait, in order."""
        batch = self._batches.get(trait)
        yield from batch.messages if batch else ()

    def drops(self, trait: str) -> tuple[Drop, ...]:
        """Return what was left out for a trait."""
        batch = self._batches.get(trait)
        return batch.drops if batch else ()


def as_source(
    given: Mapping[str, MessageBatch] | MessageSource | Path | str | None,
    constitution: Constitution,
    *,
    from_questions: bool = False,
) -> MessageSource | None:
    """Return messages given as batches by trait name, as a file's path or as a source; None where they are generated.

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
    return {
        trait.name: MessageBatch(
            messages=tuple(_question(text, trait, constitution) for text in trait.questions)
        )
        for trait in constitution.traits
    }


def _question(text: str, trait: Trait, constitution: Constitution) -> Message:
    turns = (Turn(role="user", content=text),)
    return Message(trait=trait.name, turns=turns, language=constitution.language, source="constitution")


def _turns(prompt: Any, source: str, line: int) -> tuple[Turn, ...]:
    if isinstance(prompt, str) and prompt.strip():
        return (Turn(role="user", content=_text(prompt.strip(), source, line)),)
    if isinstance(prompt, list) and prompt and all(_is_turn(turn) for turn in prompt):
        return tuple(Turn(role=turn["role"], content=_text(turn["content"], source, line)) for turn in prompt)
    found = "no text" if not prompt else f"{prompt!r:.60}"
    raise _problem(source, line, f"prompt: found {found}.", 'a text, or a list of {"role", "content"} turns')


def _text(text: str, source: str, line: int) -> str:
    unusable = re.search("[\x00\ud800-\udfff]", text)
    if unusable:
        found = "a NUL character" if unusable.group() == "\x00" else "half of a character (a lone surrogate)"
        raise _problem(source, line, f"prompt: found {found}.", "text that can be encoded and stored")
    return text


def _is_turn(turn: Any) -> bool:
    if not isinstance(turn, dict) or set(turn) != {"role", "content"}:
        return False
    return (
        turn["role"] in ("user", "assistant") and isinstance(turn["content"], str) and bool(turn["content"])
    )


def _kind(name: Any, source: str, line: int) -> Kind:
    if name is None:
        return "question"
    kinds: dict[str, Kind] = {**RECIPE_KINDS, **{kind: kind for kind in KINDS}}
    if not isinstance(name, str) or name not in kinds:
        raise _problem(source, line, f"type: {name!r} is not known.", f"one of {', '.join(kinds)}")
    return kinds[name]


def _problem(source: str, line: int, found: str, expected: str = _SHAPE) -> MessagesError:
    return MessagesError(f"{source}, line {line}: {found}", expected=expected, fix="correct that row.")
