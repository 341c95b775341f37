"""JSON and JSON Lines with line numbers: one or more values, separated by white space."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Final

from character.constitution.nodes import Lines, Node, NodeKind, add_member, check_depth, problem

_DECODER: Final = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]|[^\s"\[\]{},:]+')
_WORDS: dict[str, NodeKind] = {"null": "null", "true": "boolean", "false": "boolean"}


def read_json(text: str, source: str) -> Node:
    """Return the document: its one value, or the list of its values where there are several (JSON Lines).

    A ``.jsonl`` file that is one JSON array and objects written over several lines are read alike.
    Raises ConstitutionError with line and column on bad syntax, and with both lines on a repeated key.
    """
    lines, values, at = Lines(text), list[Node](), 0
    while (at := _SPACE.match(text, at).end()) < len(text):  # type: ignore[union-attr]  # it always matches
        start, at = at, _end_of_value(text, at, lines, source)
        tokens = ((match[0], lines.at(match.start())) for match in _TOKEN.finditer(text, start, at))
        values.append(_node(*next(tokens), tokens, source))
    return values[0] if len(values) == 1 else Node("list", values, values[0].line)


def _end_of_value(text: str, at: int, lines: Lines, source: str) -> int:
    try:
        return _DECODER.raw_decode(text, at)[1]
    except json.JSONDecodeError as error:
        raise problem(source, error.lineno, "json", column=error.colno, reason=error.msg) from error
    except RecursionError as error:
        raise problem(source, lines.at(at), "json_nesting") from error
    except ValueError as error:  # a number with thousands of digits
        raise problem(source, lines.at(at), "json_value", error=error) from error


def _node(mark: str, line: int, rest: Iterator[tuple[str, int]], source: str, depth: int = 1) -> Node:
    """Return the value that begins with a mark, made of valid JSON's further ones, each with its line."""
    check_depth(depth, line, source)
    if mark == "[":
        inner = takewhile(lambda each: each[0] != "]", rest)
        return Node("list", [_node(*each, rest, source, depth + 1) for each in inner], line)
    if mark == "{":
        members: dict[str, Node] = {}
        for key, key_line in takewhile(lambda each: each[0] != "}", rest):
            value = _node(*next(rest), rest, source, depth + 1)
            add_member(members, json.loads(key), Node(value.kind, value.value, key_line), source)
        return Node("mapping", members, line)
    if mark[0] == '"':
        return Node("string", json.loads(mark), line)
    return Node(_WORDS.get(mark, "number"), mark, line)
