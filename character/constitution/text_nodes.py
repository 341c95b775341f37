"""Plain text: one trait statement per line."""

from __future__ import annotations

import re

from character.constitution.nodes import Node
from character.constitution.problems import problem

_BULLET = re.compile(r"(?:[-*•]|\d{1,3}[.)])\s+|\d{1,3}、")


def read_lines(text: str, source: str) -> Node:
    """Return the list of statements, without bullets, blank lines and lines that start with ``#``."""
    items = []
    for number, line in enumerate(text.split("\n"), start=1):
        statement = line.strip()
        if not statement or statement.startswith("#"):
            continue
        statement = statement[bullet.end() :] if (bullet := _BULLET.match(statement)) else statement
        items.append(Node("string", statement, number))
    if not items:
        raise problem(source, None, "only_comments")
    return Node("list", items, items[0].line)
