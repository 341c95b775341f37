"""Rows of training data as they lie in files: read back, asked for their texts, and mixed with ordinary ones.

Ordinary rows are mixed in so that the character is not all that a model remembers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from character.errors import InputError
from character.exports.models import SPLIT_NAMES, SplitName
from character.files import jsonl_sink, problem
from character.text import fingerprint, fold
from character.training.methods import METHODS, Method, MethodName
from character.training.reports import Mixed

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
        raise problem(__file__, "no_rows", folder=folder)
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
        raise problem(__file__, "no_column", place=place, missing=missing, columns=", ".join(columns))
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


class Mix(NamedTuple):
    """A file of ordinary rows in the method's shape, and their share of the rows trained on, in 0..1."""

    file: Path
    share: float

    @classmethod
    def parse(cls, text: str) -> Mix:
        """Return what ``FILE:share`` says; raises InputError for anything else."""
        name, _, number = text.rpartition(":")
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if not name or not 0.0 < share < 1.0:
            raise problem(__file__, "mix", text=text)
        return cls(Path(name), share)


def mixed_rows(
    rows: Sequence[dict[str, Any]], mixes: Sequence[Mix], method: Method, *, held_out: set[str], seed: int
) -> tuple[list[dict[str, Any]], tuple[Mixed, ...]]:
    """Return our rows and the ordinary ones, shuffled, and how many of each file there are.

    All of ours stay; of each file so many rows are drawn that it makes its share of the whole. Ordinary rows
    have our other columns empty. Those whose prompt is among ``held_out`` or ours are left out and counted.
    Raises InputError where a file has too few rows, or the shares leave nothing for ours.
    """
    left = 1.0 - sum(mix.share for mix in mixes)
    if left <= 0.0:
        raise problem(__file__, "shares", total=1 - left)
    random = Random(seed)
    ours = {prompt_key(row) for row in rows}
    together, mixed = list(rows), []
    for mix in mixes:
        wanted = round(len(rows) * mix.share / left)
        drawn, skipped = _drawn(mix, wanted, method, held_out | ours, random)
        together += [_in_our_columns(row, rows[0], method) for row in drawn]
        mixed.append(Mixed(file=str(mix.file), share=mix.share, rows=len(drawn), skipped=dict(skipped)))
    random.shuffle(together)
    return together, tuple(mixed)


def _drawn(
    mix: Mix, wanted: int, method: Method, taken: set[str], random: Random
) -> tuple[list[dict[str, Any]], Counter[str]]:
    skipped: Counter[str] = Counter()
    usable = []
    for row in read_rows(mix.file, method.columns):
        if prompt_key(row) in taken:
            skipped["prompt_of_ours"] += 1
        elif any(isinstance(row[name], str) for name in method.columns if name != "label"):
            skipped["not_conversational"] += 1
        else:
            usable.append(row)
    if len(usable) < wanted:
        reasons = ", ".join(f"{number} {reason}" for reason, number in skipped.items())
        usable_rows = f"{len(usable)} usable rows{f' ({reasons} left out)' if reasons else ''}"
        raise problem(__file__, "too_few_rows", mix=mix, usable_rows=usable_rows, wanted=wanted)
    return random.sample(usable, wanted), skipped


def _in_our_columns(row: dict[str, Any], ours: dict[str, Any], method: Method) -> dict[str, Any]:
    # Every row needs the same columns of the same types, or the file cannot be loaded as one data set.
    empty = {name: type(value)() for name, value in ours.items()}
    return empty | {name: row[name] for name in method.columns}
