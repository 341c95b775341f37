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

    ``stage_direction``: all of it stands in brackets, and nobody speaks or asks there. ``narration``: it
    tells of the user and how, and nobody speaks or asks in it. ``assistant_reply``: it begins and ends as an
    assistant does, declines, or comforts, and nothing in it is a user's. ``copies_trait``: it has a stretch
    of the trait's own text, longer than a quotation. What may be a message is taken for one.
    """

    def has(name: str) -> bool:
        return _PATTERNS[name].search(text) is not None

    if has("stage_direction") and not has("stage_direction_asks"):
        return "stage_direction", text[:80]
    if has("narration") and has("narration_tells") and not has("narration_speaks"):
        return "narration", text[:80]
    serves = has("assistant_begins") and has("assistant_ends")
    declines = is_refusal(text) and has("assistant_addresses")
    comforts = has("assistant_comforts") and not has("user_asks")
    if comforts or ((serves or declines) and not has("user_speaks")):
        return "assistant_reply", text[:80]
    copied = copied_from(text, trait.texts()) if trait else ""
    return ("copies_trait", copied) if copied else ("", "")
