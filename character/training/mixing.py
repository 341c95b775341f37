"""Ordinary data mixed into the training rows, so that the character is not all that a model remembers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from character.errors import InputError
from character.training.data import prompt_key, read_rows
from character.training.methods import Method
from character.training.reports import Mixed


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
            raise InputError(
                f"{text!r} says not what to mix in.",
                expected="FILE:share, the share between 0 and 1, such as ordinary.jsonl:0.5",
            )
        return cls(Path(name), share)


def mixed_rows(
    rows: Sequence[dict[str, Any]],
    mixes: Sequence[Mix],
    method: Method,
    *,
    held_out: set[str],
    seed: int,
) -> tuple[list[dict[str, Any]], tuple[Mixed, ...]]:
    """Return our rows and the ordinary ones, shuffled, and how many of each file there are.

    All of ours stay; of each file so many rows are drawn that it makes its share of the whole. Ordinary rows
    have our other columns empty. Those whose prompt is among ``held_out`` or ours are left out and counted.
    Raises InputError where a file has too few rows, or the shares leave nothing for ours.
    """
    left = 1.0 - sum(mix.share for mix in mixes)
    if left <= 0.0:
        raise InputError(
            f"the shares of what is mixed in add up to {1 - left:g}.", expected="less than 1 together"
        )
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
        raise InputError(
            f"{mix.file} has {len(usable)} usable rows{f' ({reasons} left out)' if reasons else ''}.",
            expected=f"{wanted} rows, so that they make {mix.share:.0%} of all",
            fix="name a larger file or a smaller share.",
        )
    return random.sample(usable, wanted), skipped


def _in_our_columns(row: dict[str, Any], ours: dict[str, Any], method: Method) -> dict[str, Any]:
    # Every row needs the same columns of the same types, or the file cannot be loaded as one data set.
    empty = {name: type(value)() for name, value in ours.items()}
    return empty | {name: row[name] for name in method.columns}
