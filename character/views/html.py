"""Records as HTML for a notebook: figures, tables and pairs side by side; every text is shown as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from character.views.short import cut, short_repr
from character.views.templates import html_environment

if TYPE_CHECKING:
    from character.records import PreferencePair

MOST_PAIRS = 5
"""So many pairs of many are shown, spread over all."""


def panel(*parts: str) -> str:
    """Return parts of HTML as one block, in which a notebook is not to look for formulas."""
    return f'<div class="tex2jax_ignore mathjax_ignore">{"".join(parts)}</div>'


def heading(text: str) -> str:
    """Return a line in bold."""
    return str(_macros().heading(text))


def note(text: str) -> str:
    """Return a paragraph; nothing for an empty text."""
    return str(_macros().note(text))


def figures(values: Mapping[str, Any]) -> str:
    """Return names and values, one a row."""
    return table((), [(name, _value(value)) for name, value in values.items()])


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts, its first column in bold; of many rows the first, with how many follow."""
    return str(_macros().table(header, list(rows)))


def pair_html(pair: PreferencePair) -> str:
    """Return the conversation, and under it the chosen and the rejected response side by side."""
    return str(_macros().pair(pair))


def pairs_html(pairs: Sequence[PreferencePair]) -> str:
    """Return up to five pairs, spread over all of them, with how many there are."""
    count = min(MOST_PAIRS, len(pairs))
    if not count:
        return note("no pairs")
    shown = "".join(pair_html(pairs[i * len(pairs) // count]) for i in range(count))
    return note(f"{count} of {len(pairs)} pairs:") + shown


@cache
def _macros() -> Any:
    environment = html_environment()
    environment.filters |= {"cut": cut, "number": "{:,}".format}
    return environment.from_string(Path(__file__).with_suffix(".jinja").read_text(encoding="utf-8")).module


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else short_repr(value)
