"""What many pages are put together with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from character.report.parts import Cell, Example, Figure, Number, Table, Text


def share(value: float | None) -> Number:
    """Return a share in 0..1, None where it is unknown, as it is written: in per cent."""
    return Number(value, style="share")


def figure(words: Mapping[str, str], name: str, number: Number) -> Figure:
    """Return a big number under its word, with the note that explains it where ``words`` has one."""
    return Figure(words[name], number, words.get(f"{name}_note", ""))


def table(
    words: Mapping[str, str], head: str, rows: Iterable[tuple[Cell, ...]], caption: str = "", note: str = ""
) -> Table:
    """Return a table; ``head`` names the words of its columns, parted by blanks, the others one word each."""
    caption, note = (words[name] if name else "" for name in (caption, note))
    return Table(tuple(words[name] for name in head.split()), tuple(rows), caption, note)


def pair_example(
    words: Mapping[str, str], heading: str, texts: tuple[str, str, str], note: str = ""
) -> Example:
    """Return a pair to read: ``texts`` are its message, its chosen side and its rejected one."""
    labels = (words[name] for name in ("message", "chosen", "rejected"))
    return Example(heading, tuple(map(Text, labels, texts)), note)
