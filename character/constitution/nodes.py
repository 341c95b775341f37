"""What every file format is read into first: values that still know the line they stand on."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Literal

from character.constitution.problems import problem

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


def describe(node: Node) -> str:
    """Return what a node is, in words, for an error message."""
    names = {"mapping": "an object", "list": "a list", "null": "null"}
    if node.kind in names:
        return names[node.kind]
    article = "a string" if node.kind == "string" else f"a {node.kind}"
    return f"{article} ({quote(str(node.value), 30)})"


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
