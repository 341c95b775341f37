"""Messages from a file: the recipe's JSON shape, JSON Lines of it, or plain text with one message per line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from character.constitution import Constitution, Trait
from character.constitution.decoding import normalize, read_text
from character.constitution.json_nodes import read_json
from character.constitution.nodes import Node
from character.errors import ConstitutionError, MessagesError, UnknownNameError
from character.records import KINDS, RECIPE_KINDS, Drop, Kind, Message, MessageBatch, Turn
from character.text import detect_language

_KEYS = ("type", "prompt", "trait", "language")
_SHAPE = (
    '[{"type": "问题型", "prompt": "…"}], one such object per line, or one message per line of plain text'
)


def load_messages(path: Path | str, constitution: Constitution) -> dict[str, MessageBatch]:
    """Return the messages of a file, per trait name, in the file's order.

    A row is an object with ``prompt`` (a text, or a list of ``{"role", "content"}`` turns that ends with the
    user's) and optionally ``type`` (the recipe's 问题型, 情境型, 自我反思型, or question, situation,
    self_reflection; without it question), ``trait`` (without it the message is for every trait) and
    ``language``. Repeated messages are dropped and counted. Raises MessagesError naming file, line and field.
    """
    source = str(path)
    try:
        text = normalize(read_text(path), source)
        rows = list(_rows(text, source))
    except ConstitutionError as error:
        raise MessagesError(
            error.found, expected=_SHAPE, fix=error.fix.replace("constitution", "messages")
        ) from None
    collected: dict[str, dict[str, Message]] = {trait.name: {} for trait in constitution.traits}
    drops: dict[str, list[Drop]] = {trait.name: [] for trait in constitution.traits}
    for line, row in rows:
        for trait in _traits_of(row, constitution, source, line):
            message = _message(row, trait, constitution, source, line)
            if message.id in collected[trait.name]:
                detail = f"{source}, line {line}: {message.text[:80]}"
                drops[trait.name].append(Drop(stage="messages", reason="duplicate", detail=detail))
            else:
                collected[trait.name][message.id] = message
    return {
        name: MessageBatch(messages=tuple(messages.values()), drops=tuple(drops[name]))
        for name, messages in collected.items()
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


def _rows(text: str, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    if text.lstrip()[0] not in "[{":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield number, {"prompt": line.strip()}
        return
    document = read_json(text, source)
    nodes = document.value if document.kind == "list" else [document]
    if not nodes:
        raise _problem(source, document.line or 1, "the list is empty.")
    for node in nodes:
        if node.kind != "mapping":
            raise _problem(source, node.line or 1, f"found a {node.kind} where a message should be.")
        yield node.line or 1, _plain(node)


def _plain(node: Node) -> Any:
    if node.kind == "mapping":
        return {key: _plain(value) for key, value in node.value.items()}
    if node.kind == "list":
        return [_plain(value) for value in node.value]
    return node.value if node.kind == "string" else None


def _traits_of(row: dict[str, Any], constitution: Constitution, source: str, line: int) -> list[Trait]:
    unknown = [key for key in row if key not in _KEYS]
    if unknown:
        raise _problem(
            source, line, f"the field {unknown[0]!r} is not known.", f"the fields {', '.join(_KEYS)}"
        )
    if row.get("trait") is None:
        return list(constitution.traits)
    try:
        return [constitution.trait(str(row["trait"]))]
    except UnknownNameError as error:
        raise _problem(source, line, f"trait: {error.found}", error.expected) from None


def _message(
    row: dict[str, Any], trait: Trait, constitution: Constitution, source: str, line: int
) -> Message:
    turns = _turns(row.get("prompt"), source, line)
    language = row.get("language") or detect_language(turns[-1].content)
    if not isinstance(language, str):
        raise _problem(source, line, "language: found no text.", "a language tag such as zh or en")
    try:
        return Message(
            trait=trait.name,
            kind=_kind(row.get("type"), source, line),
            turns=turns,
            language=language,
            source="file",
        )
    except ValueError as error:
        raise _problem(
            source, line, f"prompt: {str(error).split('Value error, ')[-1].splitlines()[0]}"
        ) from None


def _turns(prompt: Any, source: str, line: int) -> tuple[Turn, ...]:
    if isinstance(prompt, str) and prompt.strip():
        return (Turn(role="user", content=prompt.strip()),)
    if isinstance(prompt, list) and prompt and all(_is_turn(turn) for turn in prompt):
        return tuple(Turn(role=turn["role"], content=turn["content"]) for turn in prompt)
    found = "no text" if not prompt else f"{prompt!r:.60}"
    raise _problem(source, line, f"prompt: found {found}.", 'a text, or a list of {"role", "content"} turns')


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
    if name not in kinds:
        raise _problem(source, line, f"type: {name!r} is not known.", f"one of {', '.join(kinds)}")
    return kinds[name]


def _problem(source: str, line: int, found: str, expected: str = _SHAPE) -> MessagesError:
    return MessagesError(f"{source}, line {line}: {found}", expected=expected, fix="correct that row.")
