"""What a report is made of: a page of sections, the few parts a section may hold, and short ways to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from character.locale import Language

NumberStyle = Literal["count", "number", "signed", "share"]
Weight = Literal["look", "note", "fine"]


@dataclass(frozen=True)
class Number:
    """A figure with its interval where there is one.

    ``value`` is None where it is unknown. ``low`` and ``high`` bound its interval, both or neither. ``style``
    says how it is written: ``count`` as a whole number, ``number`` and ``signed`` with ``digits`` decimals,
    ``share`` (a number in 0..1) in per cent.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    style: NumberStyle = "number"
    digits: int = 2


Cell = str | int | float | Number | None
"""What a table's cell may hold: a text as it stands, a figure, or None for nothing."""


@dataclass(frozen=True)
class Table:
    """Rows under named columns; every row has as many cells as there are columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(row)} cells stands under {len(self.columns)} columns: {row}")


@dataclass(frozen=True)
class Chart:
    """A drawn figure: a Vega-Lite spec with its own data, what it shows in words, and its numbers in a table.

    The spec names no colours and no fonts: the page gives them, for light and dark. On a screen narrower than
    ``min_width`` pixels the chart is scrolled sideways.
    """

    title: str
    spec: Mapping[str, Any]
    table: Table
    description: str = ""
    min_width: int = 0


@dataclass(frozen=True)
class Figure:
    """One big number with a label; ``note`` says what it means."""

    label: str
    number: Number | str
    note: str = ""


@dataclass(frozen=True)
class Figures:
    """Big numbers in a row."""

    items: tuple[Figure, ...]


@dataclass(frozen=True)
class Text:
    """A text of somebody, such as a model, under a label. It is shown exactly as it stands."""

    label: str
    content: str


@dataclass(frozen=True)
class Example:
    """Texts to be read side by side; ``heading`` names the example, ``note`` says why it is here."""

    heading: str
    texts: tuple[Text, ...]
    note: str = ""


@dataclass(frozen=True)
class Examples:
    """Examples under a title, each folded but the first ``num_open``."""

    title: str
    items: tuple[Example, ...]
    num_open: int = 1


@dataclass(frozen=True)
class Note:
    """One finding in plain words. ``look`` asks for attention, ``note`` informs, ``fine`` reassures.

    ``items`` are listed below the text, where one sentence stands for several findings.
    """

    text: str
    weight: Weight = "note"
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notes:
    """Findings, in the order in which they should be read."""

    items: tuple[Note, ...]


Part = Table | Chart | Figures | Examples | Notes


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading, an introduction in plain words, and its parts in order."""

    heading: str
    text: str = ""
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Page:
    """A report: its title, what stands below it, its sections, and the language of its fixed words."""

    title: str
    sections: tuple[Section, ...]
    subtitle: str = ""
    language: Language = "en"
    footer: str = ""


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
