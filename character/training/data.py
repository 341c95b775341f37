"""Rows of training data as they lie in files: read back, and asked for their texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from character.errors import InputError
from character.exports.models import SPLIT_NAMES, SplitName
from character.files import jsonl_sink
from character.text import fingerprint, fold
from character.training.methods import METHODS, MethodName

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TrainingData:
    """The rows of a training, by split; splits that have no file are not there."""

    folder: Path
    splits: dict[SplitName, list[dict[str, Any]]]

    @property
    def rows(self) -> Iterator[Row]:
        """All rows, those of train first."""
        for rows in self.splits.values():
            yield from rows

    def fingerprint(self) -> str:
        """Return the identity of all rows and of the splits they are in."""
        return fingerprint([[name, rows] for name, rows in self.splits.items()])


def read_data(folder: Path | str, method: MethodName) -> TrainingData:
    """Return the data that lies in a folder as ``train.jsonl``, ``validation.jsonl`` and ``test.jsonl``.

    Raises InputError where there is no train split, a line is no JSON object or a column of the method is
    missing.
    """
    folder = Path(folder)
    splits = {
        name: read_rows(folder / f"{name}.jsonl", METHODS[method].columns)
        for name in SPLIT_NAMES
        if (folder / f"{name}.jsonl").is_file()
    }
    if not splits.get("train"):
        raise InputError(
            f"{folder} has no rows to train on.", expected="a file train.jsonl with at least one row"
        )
    return TrainingData(folder, splits)


def write_data(folder: Path, splits: dict[SplitName, list[dict[str, Any]]]) -> TrainingData:
    """Write rows into a folder, one file for each split, and return them as the data that lie there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in splits.items():
        with jsonl_sink(folder / f"{name}.jsonl") as write:
            for row in rows:
                write(row)
    return TrainingData(folder, splits)


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a JSON Lines file; raises InputError naming the line."""
    rows = []
    try:
        # Only a line feed ends a line: texts may hold what Unicode also calls a line end.
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
            if line.strip():
                rows.append(_row(line, f"{path}, line {number}", columns))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.", expected="JSON Lines in UTF-8") from None
    return rows


def _row(line: str, place: str, columns: Sequence[str]) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"{place}: not valid JSON ({error}).", expected="one object per line") from None
    if not isinstance(row, dict):
        raise InputError(f"{place}: found a {type(row).__name__}.", expected="one object per line")
    missing = [name for name in columns if row.get(name) is None]
    if missing:
        raise InputError(
            f"{place}: the column {missing[0]!r} is missing.", expected=f"the columns {', '.join(columns)}"
        )
    return row


def text_of(value: Any) -> str:
    """Return the text of a column that holds a text or a list of turns."""
    if isinstance(value, list):
        return "\n".join(str(turn.get("content", "")) for turn in value if isinstance(turn, dict))
    return str(value)


def turns_of(value: Any, role: str) -> list[dict[str, str]]:
    """Return a column as turns; a plain text is one turn of ``role``."""
    if isinstance(value, list):
        return [turn for turn in value if isinstance(turn, dict)]
    return [{"role": role, "content": str(value)}]


def prompt_key(row: Row) -> str:
    """Return what two rows have in common where they belong to the same message: its last turn, folded."""
    prompt = row["prompt"]
    last = prompt[-1] if isinstance(prompt, list) and prompt else prompt
    text = str(last.get("content", "")) if isinstance(last, dict) else str(last)
    return fold(text) or text


def responses_of(row: Row) -> list[Any]:
    """Return the responses of a row, as they stand in its columns."""
    return [row[name] for name in ("chosen", "rejected", "completion") if name in row]
