"""JSON and JSON Lines with line numbers: one or more values, separated by white space."""

from __future__ import annotations

import json
import re
from typing import Final

from character.constitution.nodes import Lines, Node, NodeKind, add_member, check_depth
from character.constitution.problems import problem

_DECODER: Final = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_SPACE_OR_COMMA = re.compile(r"[ \t\n\r,]*")


def read_json(text: str, source: str) -> Node:
    """Return the document: its one value, or the list of its values where there are several (JSON Lines).

    A ``.jsonl`` file that is one JSON array and objects written over several lines are read alike.
    Raises ConstitutionError with line and column on bad syntax, and with both lines on a repeated key.
    """
    reader = _Reader(text, source)
    values: list[Node] = []
    at = reader.skip(0)
    while at < len(text):
        reader.check_syntax(at)
        node, end = reader.value(at, depth=1)
        values.append(node)
        at = reader.skip(end)
    return values[0] if len(values) == 1 else Node("list", values, values[0].line)


class _Reader:
    """Walks over JSON that ``check_syntax`` has found valid, and notes where each value stands."""

    def __init__(self, text: str, source: str) -> None:
        self.text, self.source, self.lines = text, source, Lines(text)

    def skip(self, at: int, what: re.Pattern[str] = _SPACE) -> int:
        match = what.match(self.text, at)
        return match.end() if match else at

    def check_syntax(self, at: int) -> None:
        try:
            _DECODER.raw_decode(self.text, at)
        except json.JSONDecodeError as error:
            line, reason = error.lineno, error.msg
            raise problem(self.source, line, "json", column=error.colno, reason=reason) from error
        except RecursionError as error:
            raise problem(self.source, self.lines.at(at), "json_nesting") from error
        except ValueError as error:  # a number with thousands of digits
            raise problem(self.source, self.lines.at(at), "json_value", error=error) from error

    def value(self, at: int, depth: int) -> tuple[Node, int]:
        line = self.lines.at(at)
        check_depth(depth, line, self.source)
        if self.text[at] == "{":
            return self.mapping(at, depth)
        if self.text[at] == "[":
            return self.list(at, depth)
        value, end = _DECODER.raw_decode(self.text, at)
        if isinstance(value, str):
            return Node("string", value, line), end
        kind: NodeKind = "null" if value is None else "boolean" if isinstance(value, bool) else "number"
        return Node(kind, self.text[at:end], line), end

    def list(self, at: int, depth: int) -> tuple[Node, int]:
        line, items = self.lines.at(at), []
        at = self.skip(at + 1)
        while self.text[at] != "]":
            item, end = self.value(at, depth + 1)
            items.append(item)
            at = self.skip(end, _SPACE_OR_COMMA)
        return Node("list", items, line), at + 1

    def mapping(self, at: int, depth: int) -> tuple[Node, int]:
        line = self.lines.at(at)
        members: dict[str, Node] = {}
        at = self.skip(at + 1)
        while self.text[at] != "}":
            key_line = self.lines.at(at)
            key, end = _DECODER.raw_decode(self.text, at)
            colon = self.skip(end)
            node, end = self.value(self.skip(colon + 1), depth + 1)
            add_member(members, key, Node(node.kind, node.value, key_line), self.source)
            at = self.skip(end, _SPACE_OR_COMMA)
        return Node("mapping", members, line), at + 1
