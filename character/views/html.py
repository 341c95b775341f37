"""Records as HTML for a notebook: figures, tables and pairs side by side; every text is shown as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from character.views.escaping import escape
from character.views.short import cut, short_repr

if TYPE_CHECKING:
    from character.records import PreferencePair

MOST_PAIRS = 5
"""So many pairs of many are shown, spread over all."""
_MOST_TEXT, _MOST_TURN, _MOST_CELL = 800, 400, 240
_MOST_TURNS, _MOST_ROWS = 3, 25
_CELL = "text-align:left;vertical-align:top;padding:.3em .6em;border:1px solid #8884;"
_TEXT = "white-space:pre-wrap;overflow-wrap:anywhere;"


def panel(*parts: str) -> str:
    """Return parts of HTML as one block, in which a notebook is not to look for formulas."""
    return f'<div class="tex2jax_ignore mathjax_ignore">{"".join(parts)}</div>'


def heading(text: str) -> str:
    """Return a line in bold."""
    return f"<p><strong>{escape(cut(text, 200))}</strong></p>"


def note(text: str) -> str:
    """Return a paragraph; nothing for an empty text."""
    return f'<p style="{_TEXT}" dir="auto">{escape(cut(text, _MOST_TEXT))}</p>' if text else ""


def figures(values: Mapping[str, Any]) -> str:
    """Return names and values, one a row."""
    return table((), [(name, _value(value)) for name, value in values.items()])


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts, its first column in bold; of many rows the first, with how many follow."""
    rows = list(rows)
    head = "".join(f'<th style="{_CELL}">{escape(cell)}</th>' for cell in header)
    body = "".join(_row(row) for row in rows[:_MOST_ROWS])
    more = f"<p>… {len(rows) - _MOST_ROWS:,} more</p>" if len(rows) > _MOST_ROWS else ""
    thead = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<table style="border-collapse:collapse">{thead}<tbody>{body}</tbody></table>{more}'


def pair_html(pair: PreferencePair) -> str:
    """Return the conversation, and under it the chosen and the rejected response side by side."""
    turns = pair.prompt[-_MOST_TURNS:]
    said = [f"{turn.role}: {cut(turn.content, _MOST_TURN)}" for turn in turns]
    if len(pair.prompt) > len(turns):
        said.insert(0, f"… {len(pair.prompt) - len(turns):,} earlier turns")
    heads = (
        _side("chosen", pair.score_chosen, pair.chosen_level),
        _side("rejected", pair.score_rejected, pair.rejected_level),
    )
    texts = (cut(pair.chosen, _MOST_TEXT), cut(pair.rejected, _MOST_TEXT))
    head = "".join(f'<th style="{_CELL}width:50%">{escape(text)}</th>' for text in heads)
    body = "".join(f'<td style="{_CELL}{_TEXT}" dir="auto">{escape(text)}</td>' for text in texts)
    return (
        f"<p><strong>{escape(cut(pair.trait, 200))}</strong>, margin {pair.margin:.2f}</p>"
        f'<p style="{_TEXT}" dir="auto">{escape(chr(10).join(said))}</p>'
        f'<table style="border-collapse:collapse;table-layout:fixed;width:100%">'
        f"<thead><tr>{head}</tr></thead><tbody><tr>{body}</tr></tbody></table>"
    )


def pairs_html(pairs: Sequence[PreferencePair]) -> str:
    """Return up to five pairs, spread over all of them, with how many there are."""
    count = min(MOST_PAIRS, len(pairs))
    if not count:
        return note("no pairs")
    shown = "".join(pair_html(pairs[i * len(pairs) // count]) for i in range(count))
    return note(f"{count} of {len(pairs)} pairs:") + shown


def _row(row: Sequence[str]) -> str:
    first, *others = (escape(cut(cell, _MOST_CELL)) for cell in row)
    cells = "".join(f'<td style="{_CELL}{_TEXT}" dir="auto">{cell}</td>' for cell in others)
    return f'<tr><th style="{_CELL}">{first}</th>{cells}</tr>'


def _side(name: str, score: float, level: str | None) -> str:
    return f"{name} ({score:.2f}{f', {level}' if level else ''})"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else short_repr(value)
