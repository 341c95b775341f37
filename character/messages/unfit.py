"""What no user would send: a stage direction, a narration, an assistant's reply, the trait's own text."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

from character.constitution import Trait
from character.text import copied_from, is_beyond_quotation, is_made_of, is_refusal, running_text

_COPIED = 0.6  # the share of a message's words that makes it a copy of the trait's text
_LEAST_PART = 6  # words or Han characters; a shorter part of a question may be anybody's words

_PATTERNS = {
    name: re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for name, pattern in tomllib.loads(files(__package__).joinpath("unfit.toml").read_text("utf-8")).items()
}


def unfit(text: str, trait: Trait | None) -> tuple[str, str]:
    """Return why a text is no message of a user, as a countable word, and what was found; else two times "".

    ``stage_direction``: all of it stands in brackets. ``narration``: it tells of the user, and how.
    ``assistant_reply``: it begins and ends as an assistant does, offers to help, declines, or comforts.
    ``copies_trait``: it has a stretch of the trait's own text, longer than a quotation, is made of one of its
    texts, or is a part of one of its questions. A user who speaks is none of these.
    """
    has = {name for name, pattern in _PATTERNS.items() if pattern.search(text)}
    if "stage_direction" in has and "stage_direction_asks" not in has:
        return "stage_direction", text[:80]
    if {"narration", "narration_tells"} <= has and "narration_speaks" not in has:
        return "narration", text[:80]
    serves = {"assistant_begins", "assistant_ends"} <= has
    declines = "assistant_addresses" in has and is_refusal(text)
    comforts = "assistant_comforts" in has and "user_asks" not in has
    if "assistant_serves" in has or comforts or ((serves or declines) and "user_speaks" not in has):
        return "assistant_reply", text[:80]
    copied = _copied(text, trait) if trait else ""
    return ("copies_trait", copied) if copied else ("", "")


def _copied(text: str, trait: Trait) -> str:
    sources, said = trait.texts(), running_text(text)
    if found := copied_from(text, sources):
        return found
    if is_beyond_quotation(said):
        return text[:80] if any(is_made_of(text, source, _COPIED) for source in sources) else ""
    is_part = said.count(" ") > _LEAST_PART and any(said in running_text(each) for each in trait.questions)
    return text[:80] if is_part else ""
