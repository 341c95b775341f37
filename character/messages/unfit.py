"""What no user would send: a direction, a narration, an assistant's reply, a brief, the trait's own text."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files

from character.constitution import Trait
from character.text import copied_from, is_beyond_quotation, is_made_of, is_refusal, running_text

_COPIED = 0.6  # the share of a message's words that makes it a copy of the trait's text
_LEAST_PART = 6  # words or Han characters; a shorter part of a question may be anybody's words

_TABLE = tomllib.loads(files(__package__).joinpath("unfit.toml").read_text("utf-8"))
_TOLD = _TABLE["patterns"].pop("trait_told")
_PATTERNS = {
    name: re.compile(pattern, re.IGNORECASE | re.DOTALL) for name, pattern in _TABLE["patterns"].items()
}


def unfit(text: str, trait: Trait | None) -> tuple[str, str]:
    """Return why a text is no message of a user, as a countable word, and what was found; else two times "".

    ``stage_direction``: all of it stands in brackets. ``narration``: it tells of the user, and how.
    ``assistant_reply``: it begins and ends as an assistant does, offers to help, declines, comforts, gives
    advice. ``no_message``: it is a placeholder, or the brief of a message.
    ``copies_trait``: it has a stretch of the trait's own text, longer than a quotation, is made of one of its
    texts, tells what it is, or is a part of one of its questions. A user who speaks is none of these.
    """
    has = {name for name, pattern in _PATTERNS.items() if pattern.search(text)}
    has |= {"declines"} if is_refusal(text) else set()
    has |= {"trait_told"} if trait and _told(trait.name).search(text) else set()
    for kind in _TABLE["kinds"]:
        if has.issuperset(kind["signs"]) and kind.get("unless") not in has:
            return str(kind["reason"]), text[:80]
    copied = _copied(text, trait) if trait else ""
    return ("copies_trait", copied) if copied else ("", "")


@lru_cache(maxsize=256)
def _told(name: str) -> re.Pattern[str]:
    return re.compile(_TOLD.replace("TRAIT", re.escape(name)), re.IGNORECASE)


def _copied(text: str, trait: Trait) -> str:
    sources, said = trait.texts(), running_text(text)
    if found := copied_from(text, sources):
        return found
    if is_beyond_quotation(said):
        return text[:80] if any(is_made_of(text, source, _COPIED) for source in sources) else ""
    is_part = said.count(" ") > _LEAST_PART and any(said in running_text(each) for each in trait.questions)
    return text[:80] if is_part else ""
