"""TOML with line numbers, as far as the text gives them away."""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime, time
from typing import Any

from character.constitution.nodes import Node, NodeKind, check_depth, problem

Path = tuple[str | int, ...]

# A string without its end matches too: the parser names it, and no text makes the search start over and over.
_STRING_OR_COMMENT = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"""|\Z)'
    r"|'''.*?(?:'''|\Z)"
    r'|"(?:[^"\\\n]|\\[^\n])*"?'
    r"|'[^'\n]*'?"
    r"|\#[^\n]*",
    re.DOTALL,
)
_HEADER = re.compile(r"\s*(\[\[?)([\w. -]+)\]\]?\s*")
_KEY = re.compile(r"\s*([\w-]+)\s*=")
_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)")
_MAX_DOTS = 64
_KINDS: dict[type, NodeKind] = {str: "string", bool: "boolean", datetime: "date", date: "date", time: "date"}


def read_toml(text: str, source: str) -> Node:
    """Return the document; raises ConstitutionError with line and column on bad syntax."""
    masked = _STRING_OR_COMMENT.sub(lambda match: re.sub(r"[^\n]", "_", match[0]), text)
    # The parser's memory grows with the square of a dotted key's length: 100,000 parts exhaust any machine.
    for number, line in enumerate(masked.split("\n"), start=1):
        if line.count(".") > _MAX_DOTS:
            raise problem(source, number, "toml_dots", most=_MAX_DOTS)
    try:
        data = tomllib.loads(text)
    except RecursionError as error:
        raise problem(source, None, "toml_nesting") from error
    except ValueError as error:  # TOMLDecodeError, and integers with thousands of digits
        raise _syntax_problem(str(error), text, source) from error
    return _node(data, (), _lines_of_keys(masked), 1, source, depth=1)


def _syntax_problem(message: str, text: str, source: str) -> Exception:
    place = _AT_LINE.search(message)
    end = text.count("\n") + 1 if "(at end of document)" in message else None
    line = int(place[1]) if place else end
    column = f"column {place[2]}: " if place else ""
    return problem(source, line, "toml", place=column, reason=message.split(" (at ")[0].rstrip("."))


def _lines_of_keys(masked: str) -> dict[Path, int]:
    """Return the line of each table and key that starts a line, by its path in the document."""
    lines: dict[Path, int] = {}
    table: Path = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(masked.split("\n"), start=1):
        if header := _HEADER.fullmatch(line):
            name = header[2].strip()
            table = tuple(part.strip() for part in name.split("."))
            if header[1] == "[[":
                table = (*table, counts.setdefault(name, 0))
                counts[name] += 1
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, key[1]), number)
    return lines


def _node(
    data: Any, path: Path, lines: dict[Path, int], line: int | None, source: str, *, depth: int
) -> Node:
    line = lines.get(path, line)
    check_depth(depth, line, source)
    if isinstance(data, dict):
        members = {k: _node(v, (*path, k), lines, line, source, depth=depth + 1) for k, v in data.items()}
        return Node("mapping", members, line)
    if isinstance(data, list):
        items = [_node(v, (*path, i), lines, line, source, depth=depth + 1) for i, v in enumerate(data)]
        return Node("list", items, line)
    return Node(_KINDS.get(type(data), "number"), str(data), line)
