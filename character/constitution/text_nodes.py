"""Plain text: one trait statement per line."""

from __future__ import annotations

import re

from character.constitution.nodes import Node, problem

_BULLET = re.compile(r"(?:[-*•]|\d{1,3}[.)])\s+|\d{1,3}、")


def read_lines(text: str, source: str) -> Node:
    """Return the list of statements; blank lines and lines that start with ``#`` are left out, bullets removed."""
    items = []
    for number, line in enumerate(text.split("\n"), start=1):
        statement = line.strip()
        if not statement or statement.startswith("#"):
            continue
        statement = statement[bullet.end() :] if (bullet := _BULLET.match(statement)) else statement
        items.append(Node("string", statement, number))
    if not items:
        raise problem(
            source,
            None,
            "there is nothing in it but comments.",
            expected="one trait per line",
            fix="write at least one trait.",
        )
    return Node("list", items, items[0].line)
