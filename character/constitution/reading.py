"""Reading a constitution from a file or a text, whatever its shape."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable
from itertools import chain
from pathlib import Path, PurePath

from character.constitution.json_nodes import read_json
from character.constitution.models import Constitution
from character.constitution.nodes import Node, check_characters, problem
from character.constitution.shapes import interpret
from character.constitution.toml_nodes import read_toml
from character.constitution.yaml_nodes import read_yaml
from character.files import read_at_most
from character.text import detect_language

MAX_BYTES = 2 * 1024 * 1024
"""Larger files are refused: four hundred traits with forty questions each stay below this."""

# The mark of UTF-32-LE starts with that of UTF-16-LE, so it has to be tried first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

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
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")


def printable(name: str) -> str:
    """Return a file name as it can be printed and stored: bytes that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a constitution file; raises ConstitutionError where it cannot be read as text.

    A byte-order mark decides the encoding, UTF-8 is the rule without one.
    """
    source = printable(os.fspath(path))
    try:
        data = read_at_most(Path(path), MAX_BYTES)  # so that a device or pipe without an end is refused too
    except FileNotFoundError as error:
        raise problem(source, None, "no_file") from error
    except IsADirectoryError as error:
        raise problem(source, None, "directory") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise problem(source, None, "unreadable_file", error=error) from error
    if data is None:
        raise _too_large(source)
    mark, encoding = next(((m, e) for m, e in _MARKS if data.startswith(m)), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1 if encoding == "utf-8" else None
        byte, offset = error.object[error.start], len(mark) + error.start
        values = {"byte": byte, "offset": offset, "encoding": encoding.upper()}
        raise problem(source, line, "encoding", **values) from error


def _too_large(source: str) -> Exception:
    return problem(source, None, "too_large", most=MAX_BYTES // 1024 // 1024)


def normalize(text: str, source: str) -> str:
    """Return the text without a byte-order mark and with ``\\n`` as its only line end.

    Raises ConstitutionError where it is blank, too large, or holds a NUL or half a surrogate pair.
    """
    if len(text) > MAX_BYTES:
        raise _too_large(source)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise problem(source, None, "blank")
    check_characters(text, None, source)
    return text


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


def load_constitution(
    path: str | os.PathLike[str], *, language: str | None = None, name: str | None = None
) -> Constitution:
    """Return the constitution in a file of JSON, JSON Lines, TOML, YAML or plain text.

    The content decides how the file is read, its extension only where the content leaves it open.
    ``language`` and ``name`` apply where the file does not say; failing these, the language is detected
    from the traits and the name is the file's, without its extension.

    Raises ConstitutionError, naming file, line and field, where the file cannot be read as traits.
    """
    return parse_constitution(
        read_text(path), source=printable(os.fspath(path)), language=language, name=name
    )


def parse_constitution(
    text: str, *, source: str, language: str | None = None, name: str | None = None
) -> Constitution:
    """Return the constitution in a text; like ``load_constitution`` for what is no file.

    ``source`` is what error messages call the text; an extension at its end counts like a file's.
    """
    text = normalize(text, source)
    header, traits = interpret(_reader(text, PurePath(source).suffix.lower())(text, source), source)
    texts = ((each.description, each.statement, each.clarification, *each.questions) for each in traits)
    tag = header.get("language") or language or detect_language("\n".join(chain.from_iterable(texts)))
    if not _LANGUAGE_TAG.fullmatch(tag):
        raise problem(source, None, "language", tag=tag)
    return Constitution(
        name=printable(header.get("name") or name or PurePath(source).stem or "constitution"),
        language=tag,
        traits=traits,
        **({"assistant_name": header["assistant_name"]} if "assistant_name" in header else {}),
    )
