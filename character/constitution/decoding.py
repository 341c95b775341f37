"""From a path to text: size, encoding and byte-order marks, before any format is looked at."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from character.constitution.nodes import check_characters
from character.constitution.problems import problem
from character.files import read_at_most

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


def printable(name: str) -> str:
    """Return a file name as it can be printed and stored: bytes that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a constitution file; raises ConstitutionError where it cannot be read as text."""
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
    return decode(data, source)


def _too_large(source: str) -> Exception:
    return problem(source, None, "too_large", most=MAX_BYTES // 1024 // 1024)


def decode(data: bytes, source: str) -> str:
    """Return the bytes as text; a byte-order mark decides the encoding, UTF-8 is the rule without one."""
    mark, encoding = next(((m, e) for m, e in _MARKS if data.startswith(m)), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1 if encoding == "utf-8" else None
        byte, offset = error.object[error.start], len(mark) + error.start
        values = {"byte": byte, "offset": offset, "encoding": encoding.upper()}
        raise problem(source, line, "encoding", **values) from error


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
