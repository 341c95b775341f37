"""What is no part of a reply: thoughts before it, and the tokens by which a chat template parts turns."""

from __future__ import annotations

import re
from bisect import bisect_right

from character.backends.reading.words import ENDING, OPENING, SPEAKERS, THINKING

_ENDING, _SPEAKERS = "|".join(map(re.escape, ENDING)), "|".join(SPEAKERS)
_OPENED = re.compile(rf"(?:\s*(?:{'|'.join(OPENING)}))+\s*", re.IGNORECASE)
_HEADED = ("]]", "】", "*", ":", "：", "`")
_ENDED = re.compile(
    rf"(?:{_ENDING})(?=\s*$|\s*\n|\s*(?:{_ENDING})|\s*(?:{_SPEAKERS})\s*[:：\n])", re.IGNORECASE
)
_MOST_THOUGHTS = 32  # each is looked for anew
_CODE = re.compile(r"```.*?(?:```|$)|`[^`\n]*`", re.DOTALL)


def split_reasoning(text: str) -> tuple[str, str]:
    """Return what a text says, and the thoughts that stood before it in tags.

    Tags are taken for such where the text begins with one, or where a closing one stands on a line of its own
    after none was opened; a text that speaks of them stays as it is. One that is opened and never closed
    makes all of it thoughts.
    """
    if not _has_signs(text):
        return text, ""
    thoughts: list[str] = []
    said = text
    while len(thoughts) < _MOST_THOUGHTS and (found := _first_thoughts(said)) is not None:
        thought, said = found
        thoughts.append(thought.strip())
    return (said if thoughts else text), "\n\n".join(thoughts)


def strip_template_tokens(text: str) -> str:
    """Return a text from the token that opens the turn to the one that ends it.

    One that is quoted in code, or spoken of, is none.
    """
    if not _has_signs(text):
        return text
    opened = _OPENED.match(text)
    text = text[opened.end() :] if opened else text
    code = [match.span() for match in _CODE.finditer(text)]
    for match in _ENDED.finditer(text):
        place = match.start()
        is_below_header = text[max(0, place - 40) : place].rstrip().endswith(_HEADED)
        if is_below_header and _OPENED.match(text, place):
            continue
        before = bisect_right(code, (place, len(text)))
        if not before or place >= code[before - 1][1]:
            return text[: match.start()].rstrip()
    return text


def _has_signs(text: str) -> bool:
    """Whether a tag or token may be in a text; looking for what all have is far cheaper than trying them."""
    if "<" in text or "◁" in text:
        return True
    return "[" in text and ("[/" in text or "[T" in text or "[t" in text)


def _first_thoughts(text: str) -> tuple[str, str] | None:
    """Return the thoughts a text begins with, and the rest; None where it begins with none."""
    begun = text.lstrip()
    for opening, closing in THINKING:
        if begun[: len(opening)].casefold() == opening.casefold():
            end = begun.casefold().find(closing.casefold())
            if end < 0:
                return begun[len(opening) :], ""
            return begun[len(opening) : end], begun[end + len(closing) :].lstrip()
        alone = re.search(rf"^[ \t]*{re.escape(closing)}[ \t]*$", text, re.MULTILINE | re.IGNORECASE)
        before = text[: alone.start()] if alone else ""
        if alone and opening.casefold() not in before.casefold() and "[[" not in before:
            return text[: alone.start()], text[alone.end() :].lstrip()
    return None
