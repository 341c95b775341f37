"""How numbers are written in reports."""

from __future__ import annotations

import math

from character.locale import wording
from character.report.parts import Cell, Number

MINUS, NOTHING = "−", "–"


def cell_text(cell: Cell, language: str) -> str:
    """Return a table's cell as text: whole numbers with separators, others with two decimals, None a dash."""
    if cell is None:
        return NOTHING
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Number):
        return number_text(cell, language)
    return number_text(Number(cell, style="count" if isinstance(cell, int) else "number"), language)


def number_text(number: Number, language: str) -> str:
    """Return a figure as text, its interval in brackets; a share as per cent, an unknown one as a dash."""
    if number.value is None or not math.isfinite(number.value):
        return NOTHING
    fixed, share = wording("report.page", language), number.style == "share"
    text = _plain(number.value, number)
    figure = fixed["percent"].format(text) if share else text
    if number.low is None or number.high is None:
        return figure
    return fixed["interval"].format(figure, _plain(number.low, number), _plain(number.high, number))


def _plain(value: float, number: Number) -> str:
    sign = "+" if number.style == "signed" else ""
    if number.style == "share":
        percent = 100 * value
        digits = 1 if 0 < abs(percent) < 9.95 and round(percent, 1) != round(percent) else 0
        text = f"{percent:{sign}.{digits}f}"
    else:
        text = f"{value:{sign},.{0 if number.style == 'count' else number.digits}f}"
    if text.strip("+-0.,") == "":
        text = text.lstrip("+-")  # neither zero has a sign
    return text.replace("-", MINUS)
