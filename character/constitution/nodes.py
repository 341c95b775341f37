"""What every file format is read into first: values that still know the line they stand on."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from character.errors import ConstitutionError
from character.files import texts_beside


def problem(source: str, line: int | None, name: str, **values: object) -> ConstitutionError:
    """Return the error for a problem in ``source``, at ``line`` where known; ``values`` fill in its words."""
    texts = texts_beside(__file__, "problems", name, values)
    place = source if line is None else f"{source}, line {line}"
    return ConstitutionError(f"{place}: {texts.pop('found')}", **texts)


NodeKind = Literal["mapping", "list", "string", "null", "number", "boolean", "date"]
MAX_DEPTH = 32
"""Lists and objects may nest this deep; a constitution needs five levels."""

_UNUSABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a document.

    ``value`` is a dict of key to Node, a list of Nodes or a str; scalars that are no text keep their
    spelling in the file. ``line`` counts from 1 and is, for a member of a mapping, the line of its key;
    None where the format does not tell.
    """

    kind: NodeKind
    value: Any
    line: int | None


class Lines:
    """Turns offsets in a text into line numbers. Only a line feed ends a line."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def at(self, offset: int) -> int:
        """Return the line, from 1, that the character at ``offset`` stands on."""
        return bisect_right(self._starts, offset)


def quote(text: str, limit: int = 60) -> str:
    """Return the text as an error shows it: quoted, unprintable characters escaped, cut at ``limit``."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


def add_member(members: dict[str, Node], key: str, node: Node, source: str) -> None:
    """Add a key to a mapping; raises ConstitutionError, naming both lines, where the key is there already."""
    if key in members:
        raise problem(source, node.line, "repeated_key", key=quote(key), first=members[key].line)
    members[key] = node


def check_depth(depth: int, line: int | None, source: str) -> None:
    """Raise ConstitutionError where lists and objects nest deeper than MAX_DEPTH."""
    if depth > MAX_DEPTH:
        raise problem(source, line, "nesting", most=MAX_DEPTH)


def check_characters(text: str, line: int | None, source: str, where: str = "") -> None:
    """Raise ConstitutionError where the text holds a NUL or a lone surrogate, which no UTF-8 file can carry.

    ``where`` names the field. Without a ``line`` the text is a whole document, whose own line is named.
    """
    match = _UNUSABLE.search(text)
    if match is None:
        return
    line = line if line is not None else Lines(text).at(match.start())
    prefix = f"{where}: " if where else ""
    name = "nul" if match[0] == "\x00" else "surrogate"
    raise problem(source, line, name, prefix=prefix, code=ord(match[0]))


Members = dict[str, Node]


def check_keys(members: Members, names: Sequence[str], source: str, where: str) -> None:
    """Raise ConstitutionError on the first key that is no such name, with the near one where there is one."""
    for key, node in members.items():
        if key not in names:
            near = get_close_matches(key.lower(), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "rename or remove it."
            given = {"where": where, "key": quote(key), "names": ", ".join(names), "hint": hint}
            raise problem(source, node.line, "unknown_key", **given)


def read_string(members: Members, key: str, source: str, where: str) -> str:
    """Return the text of a field, ``""`` where the field is missing or null."""
    node = members.get(key)
    return "" if node is None or node.kind == "null" else string_of(node, source, f"{where}, field {key!r}")


def read_strings(members: Members, key: str, source: str, where: str) -> tuple[str, ...]:
    """Return the texts of a field that is a list, none where the field is missing or null."""
    items = read_items(members, key, source, where, "not_texts")
    return tuple(string_of(item, source, spot) for item, spot in items)


def read_items(members: Members, key: str, source: str, where: str, wrong: str) -> list[tuple[Node, str]]:
    """Return the items of such a field, each with where it stands; ``wrong`` names the error for no list."""
    node, place = members.get(key), f"{where}, field {key!r}"
    if node is None or node.kind == "null":
        return []
    if node.kind != "list":
        raise wrong_type(wrong, node, source, place)
    return [(item, f"{place}, item {i}") for i, item in enumerate(node.value, start=1)]


def string_of(node: Node, source: str, where: str) -> str:
    """Return a text that is neither blank nor unusable; raises ConstitutionError otherwise."""
    if node.kind != "string":
        is_scalar = node.kind in ("number", "boolean", "date")
        raise wrong_type("not_quoted" if is_scalar else "not_text", node, source, where)
    text = str(node.value)
    if not text.strip():
        raise problem(source, node.line, "empty_text", where=where)
    check_characters(text, node.line or 1, source, where)
    return text


def wrong_type(name: str, node: Node, source: str, where: str = "") -> Exception:
    """Return the error, by its name in ``problems.toml``, for a value of another type than expected."""
    names = {"mapping": "an object", "list": "a list", "null": "null"}
    what = names.get(node.kind) or f"a {node.kind} ({quote(str(node.value), 30)})"
    return problem(source, node.line, name, where=where, what=what)
