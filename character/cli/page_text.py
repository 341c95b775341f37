"""A report's page on a terminal: its findings, figures and tables. Charts and examples are for the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table as RichTable
from rich.text import Text

from character.cli.printing import new_console
from character.locale import wording
from character.report import Figures, Notes, Number, Page, Table
from character.report.parts import Part
from character.report.wording import cell_text

MOST_ROWS = 15
"""Rows of a table that are printed; the file has all."""
COLOURS = {"look": "yellow", "note": "", "fine": "green"}


def print_page(page: Page, html: Path | None = None) -> None:
    """Print a page section by section, and where its file and the same as JSON lie."""
    console = new_console()
    console.print(Text(page.title, style="bold"))
    for section in page.sections:
        parts = [line for part in section.parts for line in _part(part, page.language)]
        if parts:
            console.print(Text(f"\n{section.heading}", style="bold"))
        for part in parts:
            console.print(part)
    if html is not None:
        console.print(f"report: {html}\nas JSON: {html.with_suffix('.json')}", style="dim")


def _part(part: Part, language: str) -> Iterator[Any]:
    if isinstance(part, Notes):
        yield from _notes(part, language)
    elif isinstance(part, Figures) and part.items:
        yield _figures(part, language)
    elif isinstance(part, Table) and part.rows:
        yield _table(part, language)


def _notes(notes: Notes, language: str) -> Iterator[Any]:
    fixed = wording("report.page", language)
    for note in notes.items:
        yield Text(fixed["said"].format(fixed[note.weight], note.text), style=COLOURS[note.weight])
        for item in note.items:
            yield Text(f"    {item}", style=COLOURS[note.weight])


def _figures(figures: Figures, language: str) -> Any:
    grid = RichTable.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(justify="right")
    for figure in figures.items:
        grid.add_row(Text(figure.label), Text(cell_text(figure.number, language)))
    return grid


def _table(table: Table, language: str) -> Any:
    grid = RichTable(title=Text(table.caption) if table.caption else None, title_justify="left")
    for i, name in enumerate(table.columns):
        number = all(row[i] is None or isinstance(row[i], (int, float, Number)) for row in table.rows)
        grid.add_column(Text(name), justify="right" if number else "left", overflow="fold")
    for row in table.rows[:MOST_ROWS]:
        grid.add_row(*(Text(cell_text(cell, language)) for cell in row))
    if len(table.rows) > MOST_ROWS:
        grid.add_row(*("…" for _ in table.columns))
    return grid
