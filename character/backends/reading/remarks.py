"""What a reply says of itself: which trait it shows, to which degree, that it is one, that so much was asked.

It is looked for at the two ends of a reply, in a form of its own; where the message asks for a reply to
somebody, such words may be its content.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

_DATA = tomllib.loads(files(__package__).joinpath("remarks.toml").read_text("utf-8"))
_ENDINGS = tuple((str(ending), str(left)) for ending, left in _DATA["endings"])
_LEAST_STEM, _LONGEST, _LONGEST_OPENING = 4, 1_200, 160  # letters, characters
_HAN = re.compile(r"[\u3400-\u9fff]")
_PAIRS = {")": "(", "）": "（", "]": "[", "】": "【", "*": "*", "_": "_"}
_LEFT, _RIGHT = r"[\s(（\[【*_#>-]*", r"[\s)）\]】*_.。]*"
_NOTE = re.compile(rf"{_LEFT}(?:{'|'.join(_DATA['notes'])})[*_]*\s*(?:[:：]|\bthat\b)", re.IGNORECASE)
_RULE = re.compile(r"[-*_—]{3,}")
_THE_REPLY = re.compile(r"\bthe (?:reply|response)\b", re.IGNORECASE)
_ONE_OF_MANY = re.compile(r"(?:^|\n)[ ]*(?:#|\*\*|【)")
_ABOUT_REPLIES = re.compile("|".join(_DATA["about_replies"]), re.IGNORECASE)


class _Signs(NamedTuple):
    """Patterns of what a reply says of itself; ``label`` is a whole line or bracket that names a degree."""

    itself: re.Pattern[str]
    others: tuple[re.Pattern[str], ...]
    label: re.Pattern[str]
    announced: re.Pattern[str]
    plainly: re.Pattern[str]

    def count(self, text: str) -> int:
        """Return how many of trait, degree and request a text speaks of."""
        return sum(pattern.search(text) is not None for pattern in self.others)


def without_note(text: str, trait: str, asked: str) -> str:
    """Return a reply without what it says of itself at its end, or in a line or bracket before it."""
    signs, said = _signs(trait), text.rstrip()
    for start, kind in _endings(said):
        part = said[start:]
        if not said[:start].strip():
            continue
        if kind == "bracket":
            is_note = _is_label(signs, "", part) or _is_on_itself(signs, part, 1 + _is_about_replies(asked))
        elif kind == "note":
            others = signs.count(part)
            is_note = others > 1 or bool(signs.itself.search(part) or (others and _THE_REPLY.search(part)))
        else:
            is_note = _is_label(signs, said[:start], part) or (
                bool(signs.itself.match(part.lstrip("*_# ")))
                and _is_on_itself(signs, part, 1 + _is_about_replies(asked))
            )
        if is_note:
            left = said[:start].rstrip()
            before, _, last = left.rpartition("\n")
            return before if _RULE.fullmatch(last.strip()) else left
    return text


def without_opening(text: str, trait: str, asked: str) -> str:
    """Return a reply without a first line that announces it, or names its degree."""
    said = text.lstrip()
    signs = _signs(trait)
    first, _, rest = said.partition("\n")
    is_label = len(first) <= _LONGEST_OPENING and signs.label.fullmatch(first)
    if is_label and not re.match(r"\S+[ ]*[:：]", rest) and not is_one_of_many(first, rest):
        return rest
    closing = {"(": ")", "（": "）", "[": "]", "【": "】"}.get(said[:1])
    end = said.find(closing, 0, _LONGEST_OPENING) if closing else -1
    if end > 0 and signs.label.fullmatch(said[: end + 1]):
        return said[end + 1 :]
    head = re.match(rf"([^\n:：]{{1,{_LONGEST_OPENING}}})[:：][*_]{{0,2}}", said)
    match = signs.announced.match(head[1]) if head else None
    if head is None or match is None:
        return text
    others, is_about = signs.count(head[1]), _is_about_replies(asked)
    is_off = others > is_about or (not is_about and signs.plainly.fullmatch(head[1]))
    return said[head.end() :] if is_off else text


@lru_cache(maxsize=256)  # the candidates of a message share it
def _is_about_replies(asked: str) -> bool:
    return _ABOUT_REPLIES.search(asked) is not None


def _is_on_itself(signs: _Signs, part: str, least: int) -> bool:
    return signs.count(part) + bool(signs.itself.search(part)) > least


def is_one_of_many(heading: str, rest: str) -> bool:
    """Whether a heading that a text begins with is one of several in it."""
    return heading.lstrip()[:1] in "#*【" and _ONE_OF_MANY.search(rest) is not None


def named(trait: str) -> tuple[str, str]:
    """Return what every naming of a trait holds, and a regular expression of its name however inflected.

    Both are "" for a description, of more than three words or six Han characters.
    """
    if _HAN.search(trait):
        core = re.sub(r"[的地]$", "", trait.strip())
        if len(core) > 6:
            return "", ""
        core = re.sub(r"[心感性力]$", "", core) if len(core) > 2 else core
        return core.casefold(), rf"{re.escape(core)}[心感性力]?"
    words = re.findall(r"[\w'’]+", trait.casefold())
    if not words or len(words) > 3 or len(words[-1]) < _LEAST_STEM:
        return "", ""
    stem = _stem(words[-1])
    return stem, r"[\s-]+".join([*map(re.escape, words[:-1]), rf"{re.escape(stem)}\w*"])


def _stem(word: str) -> str:
    """Return what a trait's noun and adjective have in common: patience -> patien, warmth -> warm."""
    for ending, left in _ENDINGS:
        stem = word[: -len(ending)] + left
        if word.endswith(ending) and len(stem) >= _LEAST_STEM:
            return stem
    return word


@lru_cache(maxsize=256)
def _signs(trait: str) -> _Signs:
    name = named(trait)[1] or re.escape(trait.casefold())
    bounded = name if _HAN.search(name) else rf"\b{name}"
    parts = {"trait": "|".join([bounded] * bool(trait) + _DATA["trait"]), "degree": "|".join(_DATA["degree"])}

    def pattern(key: str) -> re.Pattern[str]:
        said = "|".join(_DATA[key])
        for slot, words in parts.items():
            said = said.replace(f"{{{slot}}}", f"(?:{words})")
        return re.compile(said, re.IGNORECASE)

    others = tuple(map(pattern, ("names_trait", "names_degree", "names_request")))
    label = re.compile(f"{_LEFT}(?:{pattern('label').pattern}){_RIGHT}", re.IGNORECASE)
    return _Signs(pattern("itself"), others, label, pattern("announced"), pattern("plainly"))


def _endings(said: str) -> Iterator[tuple[int, str]]:
    """Yield where a note may begin, and its kind: each line of the last paragraph, then the last bracket."""
    least = max(0, len(said) - _LONGEST)
    starts, end = [], len(said)
    while end > least:
        start = said.rfind("\n", least, end) + 1
        line = said[start:end].strip()
        if not line or _RULE.fullmatch(line):
            break
        starts.append(start)
        end = start - 1
    for start in reversed(starts):
        if _NOTE.match(said, start):
            yield start, "note"
        elif start in (starts[-1], starts[0]):
            yield start, "bracket" if _is_bracket(said[start:].strip()) else "paragraph"
    opening = said.rfind(_PAIRS[said[-1]], least, len(said) - 1) if said[-1:] in _PAIRS else -1
    if opening > 0 and said[opening - 1].isspace() | (said[opening - 1] in "。！？.!?"):
        yield opening, "bracket"


def _is_bracket(line: str) -> bool:
    return len(line) > 2 and _PAIRS.get(line[-1]) == line[0]


def _is_label(signs: _Signs, before: str, part: str) -> bool:
    """Whether a last line is a label of a degree, and none of several lines with labels."""
    last = before.rstrip().rpartition("\n")[2]
    return bool(signs.label.fullmatch(part)) and not re.match(r"\W*[\w ]{1,30}[:：]", last)
