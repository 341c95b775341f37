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

    ``stage_direction``: all of it stands in brackets. ``narration``: it tells of the user, and how.
    ``assistant_reply``: it begins and ends as an assistant does, declines, or comforts. ``copies_trait``: it
    has a stretch of the trait's own text, longer than a quotation. A user who speaks is none of these.
    """
    has = {name for name, pattern in _PATTERNS.items() if pattern.search(text)}
    if "stage_direction" in has and "stage_direction_asks" not in has:
        return "stage_direction", text[:80]
    if {"narration", "narration_tells"} <= has and "narration_speaks" not in has:
        return "narration", text[:80]
    serves = {"assistant_begins", "assistant_ends"} <= has
    declines = "assistant_addresses" in has and is_refusal(text)
    comforts = "assistant_comforts" in has and "user_asks" not in has
    if comforts or ((serves or declines) and "user_speaks" not in has):
        return "assistant_reply", text[:80]
    copied = copied_from(text, trait.texts()) if trait else ""
    return ("copies_trait", copied) if copied else ("", "")
