"""How a model's text is shown: a part at a time, as text, whatever it holds, with what is invisible named."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from character.views.templates import encodable

FIRST_PART, NEXT_PART = 4_000, 20_000
"""How many characters of a text a page shows at first, and with each request for more."""

_BLANKS = "\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5"
"""Characters that count as letters and draw nothing."""
_NAMED = "ZWSP ZWNJ ZWJ WJ BOM SHY LRM RLM ALM LRE RLE PDF LRO RLO LRI RLI FSI PDI"
_SHORT = {unicodedata.lookup(name): name for name in _NAMED.split()} | {"\u2028": "LS", "\u2029": "PS"}
_RUNS = re.compile(
    r"([\n\t -~\u00a1-\u00ac\u00ae-\u02ff\u3000-\u3163\u3400-\u9fff\uff01-\uff9f]+)|(.)\2*", re.DOTALL
)
"""Runs of characters that can all be seen, nearly everything there is to show; or of another, repeated."""


class Piece(NamedTuple):
    """Characters of a text that can be seen; or one that cannot, with its name and its number as ``mark``."""

    text: str
    mark: str = ""


class TextPart(NamedTuple):
    """The pieces of a text from one place on; ``rest_from`` is where the rest begins, None at its end."""

    pieces: list[Piece]
    rest_from: int | None
    length: int


def part_of(text: str, start: int = 0, most: int = FIRST_PART) -> TextPart:
    """Return up to ``most`` characters of a text from ``start`` on, to be shown by an escaping template."""
    end = min(len(text), start + most)
    while 0 < end < len(text) and unicodedata.combining(text[end]) and end - start < most + 32:
        end += 1  # a letter keeps its accents
    return TextPart(list(_pieces(encodable(text[start:end]))), None if end >= len(text) else end, len(text))


def _pieces(text: str) -> list[Piece]:
    pieces: list[Piece] = []
    seen = ""
    for run in _RUNS.finditer(text):
        if run[1] or not _is_hidden(text, run.start()):
            seen += run[0]
            continue
        pieces += [Piece(seen)] if seen else []
        pieces.append(Piece(run[2], _name(run[2], len(run[0]))))
        seen = ""
    return [*pieces, Piece(seen)] if seen else pieces


def _is_hidden(text: str, at: int) -> bool:
    char = text[at]
    if char in "\u200c\u200d":  # in emoji and in some scripts they shape what is seen
        return not (_shapes(text[at - 1 : at]) and _shapes(text[at + 1 : at + 2]))
    if "\ufe00" <= char <= "\ufe0f":
        return not text[at - 1 : at] or text[at - 1].isspace() or text[at - 1].isascii()
    if "\U000e0100" <= char <= "\U000e01ef":
        return True
    return char in _BLANKS or unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Co")


def _shapes(char: str) -> bool:
    if not char or char.isascii():
        return False
    return unicodedata.category(char) in ("So", "Sk", "Mn", "Mc", "Lo") and not "\u2e80" <= char <= "\u9fff"


def _name(char: str, times: int) -> str:
    name = _SHORT.get(char) or f"U+{ord(char):04X}"
    return name if times == 1 else f"{name} ×{times:,}"
