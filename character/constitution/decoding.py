"""From a path to text: size, encoding and byte-order marks, before any format is looked at."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from character.constitution.nodes import check_characters, problem
from character.errors import ConstitutionError

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
    return decode(_read_bytes(Path(path), source), source)


def _read_bytes(path: Path, source: str) -> bytes:
    hint = "give the path of a constitution file, as seen from the current directory."
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # bounded, so that a device or pipe without an end is refused too
    except FileNotFoundError as error:
        raise ConstitutionError(f"{source}: there is no such file.", fix=hint) from error
    except IsADirectoryError as error:
        raise ConstitutionError(f"{source}: this is a directory.", expected="a file", fix=hint) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ConstitutionError(f"{source}: the file cannot be read ({error}).", fix=hint) from error
    if len(data) > MAX_BYTES:
        raise too_large(source)
    return data


def too_large(source: str) -> ConstitutionError:
    """Return the error for more text than a constitution can reasonably hold."""
    return ConstitutionError(
        f"{source}: larger than {MAX_BYTES // 1024 // 1024} MiB.",
        expected="a constitution of a few traits",
        fix="check that this is the right file, or split it.",
    )


def decode(data: bytes, source: str) -> str:
    """Return the bytes as text; a byte-order mark decides the encoding, UTF-8 is the rule without one."""
    mark, encoding = next(((m, e) for m, e in _MARKS if data.startswith(m)), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1 if encoding == "utf-8" else None
        raise problem(
            source,
            line,
            f"the byte 0x{error.object[error.start]:02X} at offset {len(mark) + error.start} is not {encoding.upper()}.",
            expected="UTF-8 text",
            fix="save the file as UTF-8; for a file in a Chinese Windows encoding: iconv -f GB18030 -t UTF-8.",
        ) from error


def normalize(text: str, source: str) -> str:
    """Return the text without a byte-order mark and with ``\\n`` as its only line end.

    Raises ConstitutionError where it is blank, too large, or holds a NUL or half a surrogate pair.
    """
    if len(text) > MAX_BYTES:
        raise too_large(source)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ConstitutionError(
            f"{source}: there is nothing in it.", expected="traits", fix="write at least one trait."
        )
    check_characters(text, None, source)
    return text
