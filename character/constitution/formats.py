"""Which format a text is in: what it starts with decides, the file's extension only breaks ties."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath

from character.constitution.json_nodes import read_json
from character.constitution.nodes import Node
from character.constitution.problems import problem
from character.constitution.toml_nodes import read_toml
from character.constitution.yaml_nodes import read_yaml

_KEY = (
    r"(?:name|language|assistant_name|traits?|description|statement|clarification|not|opposite|examples"
    r"|questions|target)"
)
_JSON = re.compile(r'\s*(?:\{\s*["}]|\[\s*(?:["\]\[]|\{\s*["}]))')
_TOML_HEADER = re.compile(r"\[\[?[\w.\"' -]+\]\]?\s*(?:#.*)?")
_TOML_VALUE = re.compile(rf"(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')\s*=\s*[\"']|{_KEY}\s*=")
_YAML = re.compile(rf"---|%YAML|\{{|\? |-?\s*(?:\{{|[\"']?{_KEY}[\"']?\s*:(?:\s|$))")
_BULLET = re.compile(r"(?:[-*•]|\d{1,3}[.)])\s+|\d{1,3}、")

_BY_EXTENSION = {
    ".json": read_json,
    ".jsonl": read_json,
    ".ndjson": read_json,
    ".toml": read_toml,
    ".yaml": read_yaml,
    ".yml": read_yaml,
}


def read_nodes(text: str, source: str) -> Node:
    """Return the document in the text, which must not be blank; raises ConstitutionError on bad syntax."""
    return _reader(text, PurePath(source).suffix.lower())(text, source)


def _reader(text: str, extension: str) -> Callable[[str, str], Node]:
    first = next((line for line in map(str.strip, text.split("\n")) if line and line[0] != "#"), "")
    header = bool(_TOML_HEADER.fullmatch(first)) and not extension.startswith(".json")
    # '["x"]' is a JSON list as well as the header of a TOML table.
    if _JSON.match(text) and not (header and extension == ".toml"):
        return read_json
    if header or _TOML_VALUE.match(first):
        return read_toml
    if _YAML.match(first) and not (first[0] == "{" and extension.startswith(".json")):
        return read_yaml
    # Lines of text accept anything, so a file that calls itself something else is held to that.
    return _BY_EXTENSION.get(extension, read_lines)


def read_lines(text: str, source: str) -> Node:
    """Return the statements of plain text, one a line, without bullets, blank lines and ``#`` lines."""
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
