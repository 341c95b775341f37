"""Files that are either whole or not there, readable JSON, and reading no more than a bound allows."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from character.errors import CharacterError

METADATA_FILE = "export.json"
"""The file in which an export says what it is."""
_BREAKS = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029", "\x85": "\\u0085"})

E = TypeVar("E", bound=CharacterError)
Write = Callable[[dict[str, Any]], None]
"""Appends one row to a file."""


@cache
def toml_beside(module: str, name: str) -> dict[str, Any]:
    """Return the tables of ``NAME.toml``, which lies beside the file of a module."""
    return tomllib.loads(Path(module).with_name(f"{name}.toml").read_text(encoding="utf-8"))


def texts_beside(module: str, name: str, key: str, values: Mapping[str, object]) -> dict[str, str]:
    """Return the texts that such a file holds under a key, with these values filled in."""
    return {part: text.format(**values) for part, text in toml_beside(module, name)[key].items()}


def problem(module: str, kind: type[E], name: str, /, **values: object) -> E:
    """Return an error whose words ``problems.toml`` beside the file of a module holds by this name."""
    return kind(**texts_beside(module, "problems", name, values))


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return JSON with readable Chinese; characters that some readers take for line ends are escaped."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent).translate(_BREAKS)


def digest_of(paths: Iterable[Path]) -> str:
    """Return the hex digest of the files' bytes, in their order."""
    digest = hashlib.blake2b(digest_size=8)
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def write_whole(content: str | bytes, path: Path | str) -> None:
    """Write a file, whole or not at all, as UTF-8 with ``\\n``: no reader sees half of it. Raises OSError."""
    target = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    half = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with half.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)


def read_at_most(path: Path, limit: int) -> bytes | None:
    """Return a file's bytes, None where it holds more than ``limit`` of them. Raises OSError."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    return data if len(data) <= limit else None


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with ``\\n`` line ends and wait until it is on the disk."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def jsonl_sink(path: Path) -> Iterator[Write]:
    """Give a function that appends one row as one line of JSON."""
    with path.open("w", encoding="utf-8", newline="\n") as file:

        def write(row: dict[str, Any]) -> None:
            file.write(json_text(row) + "\n")

        yield write
        file.flush()
        os.fsync(file.fileno())
