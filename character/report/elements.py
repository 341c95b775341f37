"""Each part of a page as HTML. Every text passes ``escape``; nothing here writes a style attribute or a handler."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from character.locale import wording
from character.report.escaping import embedded_json, escape
from character.report.parts import (
    Cell,
    Chart,
    Example,
    Examples,
    Figure,
    Figures,
    Notes,
    Number,
    Part,
    Section,
    Table,
)
from character.report.wording import cell_text


def section_html(section: Section, number: int, language: str) -> str:
    """Return a section with its heading, its introduction and its parts; ``number`` makes its anchor."""
    body = "".join(part_html(part, language) for part in section.parts)
    text = f"<p>{escape(section.text)}</p>" if section.text else ""
    return f'<section id="s{number}"><h2>{escape(section.heading)}</h2>{text}{body}</section>\n'


def part_html(part: Part, language: str) -> str:
    """Return one part as HTML."""
    return _WRITERS[type(part)](part, language)


def _table(table: Table, language: str) -> str:
    if not table.rows:
        caption = f"<h3>{escape(table.caption)}</h3>" if table.caption else ""
        return f'{caption}<p class="quiet">{escape(wording("report.page", language)["nothing"])}</p>'
    numeric = [all(_is_number(row[i]) for row in table.rows) for i in range(len(table.columns))]
    classes = [' class="number"' if number else "" for number in numeric]
    head = "".join(
        f'<th scope="col"{kind}>{escape(name)}</th>'
        for name, kind in zip(table.columns, classes, strict=True)
    )
    cell = partial(cell_text, language=language)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td{kind} dir="auto">{escape(cell(value))}</td>'
            for value, kind in zip(row, classes, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    note = f'<p class="quiet">{escape(table.note)}</p>' if table.note else ""
    return (
        f'<div class="scroll" tabindex="0"><table>{caption}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{note}"
    )


def _is_number(cell: Cell) -> bool:
    return cell is None or not isinstance(cell, str)


def _chart(chart: Chart, language: str) -> str:
    fixed = wording("report.page", language)
    label = ". ".join(text for text in (chart.title, chart.description) if text)
    text = f'<p class="quiet">{escape(chart.description)}</p>' if chart.description else ""
    return (
        f'<figure data-failed="{escape(fixed["not_drawn"])}"><figcaption>{escape(chart.title)}</figcaption>{text}'
        f'<div class="scroll"><div class="chart" data-min-width="{chart.min_width}" role="img" aria-label="{escape(label)}"></div></div>'
        f'<script type="application/json">{embedded_json({**chart.spec, "description": label})}</script>'
        f"<details><summary>{escape(fixed['numbers'])}</summary>{_table(chart.table, language)}</details></figure>"
    )


def _figures(figures: Figures, language: str) -> str:
    return f'<dl class="figures">{"".join(_figure(figure, language) for figure in figures.items)}</dl>'


def _figure(figure: Figure, language: str) -> str:
    number, low_high = figure.number, ""
    if isinstance(number, Number) and number.low is not None and number.value is not None:
        shown = cell_text(number, language)
        value, _, low_high = shown.partition(" [")
        low_high = f"<small>[{escape(low_high)}</small>"
    else:
        value = cell_text(number, language)
    note = f"<small>{escape(figure.note)}</small>" if figure.note else ""
    return f"<div><dt>{escape(figure.label)}</dt><dd>{escape(value)}{low_high}{note}</dd></div>"


def _examples(examples: Examples, language: str) -> str:
    if not examples.items:
        nothing = wording("report.page", language)["nothing"]
        return f'<h3>{escape(examples.title)}</h3><p class="quiet">{escape(nothing)}</p>'
    items = "".join(
        _example(example, language, is_open=i < examples.num_open) for i, example in enumerate(examples.items)
    )
    return f'<div class="examples"><h3>{escape(examples.title)}</h3>{items}</div>'


def _example(example: Example, language: str, *, is_open: bool) -> str:
    empty = wording("report.page", language)["empty"]
    texts = "".join(
        f'<div><h4>{escape(text.label)}</h4><div class="text" dir="auto">{escape(text.content or empty)}</div></div>'
        for text in example.texts
    )
    note = f"<p>{escape(example.note)}</p>" if example.note else ""
    return (
        f'<details class="example"{" open" if is_open else ""}><summary>{escape(example.heading)}</summary>{note}'
        f'<div class="texts">{texts}</div></details>'
    )


def _notes(notes: Notes, language: str) -> str:
    fixed = wording("report.page", language)
    items = "".join(
        f'<li class="{note.weight}"><span class="weight">{escape(fixed[note.weight])}</span>{escape(note.text)}'
        f"{_listed(note.items)}</li>"
        for note in notes.items
    )
    return f'<ul class="notes">{items}</ul>' if items else f'<p class="quiet">{escape(fixed["nothing"])}</p>'


def _listed(items: tuple[str, ...]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>" if items else ""


_WRITERS: dict[type, Callable[[Any, str], str]] = {
    Table: _table,
    Chart: _chart,
    Figures: _figures,
    Examples: _examples,
    Notes: _notes,
}
