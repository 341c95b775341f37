"""What no user would send: a stage direction, a narration, an assistant's reply, the trait's own text."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

from character.constitution import Trait
from character.text import copied_from, is_refusal

_PATTERNS = {
    name: re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for name, pattern in tomllib.loads(files(__package__).joinpath("unfit.toml").read_text("utf-8")).items()
}


def unfit(text: str, trait: Trait | None) -> tuple[str, str]:
    """Return why a text is no message of a user, as a countable word, and what was found; else two times "".

    ``stage_direction``: all of it stands in brackets. ``narration``: it tells of the user, and nobody speaks
    or asks in it. ``assistant_reply``: it begins and ends as an assistant does, declines, or comforts.
    ``copies_trait``: it has a stretch of the trait's own text, longer than a quotation.
    """
    if _PATTERNS["stage_direction"].match(text):
        return "stage_direction", text[:80]
    if _PATTERNS["narration"].match(text) and not _PATTERNS["narration_speaks"].search(text):
        return "narration", text[:80]
    begins_and_ends = _PATTERNS["assistant_begins"].match(text) and _PATTERNS["assistant_ends"].search(text)
    declines = is_refusal(text) and "?" not in text and "？" not in text
    declines = declines and _PATTERNS["addresses"].search(text) is not None
    if begins_and_ends or declines or _PATTERNS["assistant_alone"].match(text):
        return "assistant_reply", text[:80]
    copied = copied_from(text, trait.texts()) if trait else ""
    return ("copies_trait", copied) if copied else ("", "")
