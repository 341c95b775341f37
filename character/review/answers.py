"""What a reviewer can say, task by task, and how it is named where it is kept."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal, get_args

from pydantic import Field

from character.files import problem
from character.records import Record

Task = Literal["rank", "compare", "effect", "check", "sign"]
"""Ranking candidates, comparing two, checking an effect, approving or vetoing, signing a trait off."""
TASKS: tuple[Task, ...] = get_args(Task)
Target = Literal["message", "candidate", "pair", "trait"]
"""What can be approved or vetoed."""
MOST_RANKED = 9
"""How many candidates can be ranked at once: as many as there are digits."""
MOST_NOTE, MOST_NAME = 4_000, 60
Index = Annotated[int, Field(ge=0)]


class Answer(Record):
    """Base of what a reviewer says of one item. ``skipped``: seen, and left to others."""

    skipped: bool = False


class RankAnswer(Answer):
    """An order of all candidates, best first, those in a group equally good; or that the message suits none.

    Indices are those of the candidates as the run made them; ``candidates_id`` says which candidates.
    """

    candidates_id: str
    order: tuple[tuple[Index, ...], ...] = ()
    unsuitable: bool = False


class CompareAnswer(Answer):
    """``share`` is 1 if ``left`` fits better than ``right``, 0 if worse, 0.5 for a tie, None if skipped."""

    candidates_id: str
    left: Index
    right: Index
    share: float | None = Field(default=None, ge=0.0, le=1.0)


class EffectAnswer(Answer):
    """``is_right`` says whether the text with the trait was told from the one without; None: it could not.

    ``overdone`` is None where the question was left open.
    """

    is_right: bool | None = None
    overdone: bool | None = None


class CheckAnswer(Answer):
    """A verdict on a message, candidate, pair or trait, and why; an empty one: looked at, nothing to say."""

    verdict: Literal["approve", "veto", ""] = ""
    note: str = Field(default="", max_length=MOST_NOTE)


class SignAnswer(Answer):
    """Whether a trait, with the effect that was measured, is signed off; a refusal says why in its note."""

    is_signed: bool | None = None
    note: str = Field(default="", max_length=MOST_NOTE)


ANSWERS: dict[Task, type[Answer]] = {
    "rank": RankAnswer,
    "compare": CompareAnswer,
    "effect": EffectAnswer,
    "check": CheckAnswer,
    "sign": SignAnswer,
}


def reviewer_name(text: str) -> str:
    """Return a name as it is kept: trimmed, in one Unicode form.

    Raises InputError for an empty or overlong one, or one with characters that cannot be seen.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(name) <= MOST_NAME or any(unicodedata.category(char)[0] == "C" for char in name):
        raise problem(__file__, "reviewer_name", text=text[:80], most_name=MOST_NAME)
    return name


EFFECT_PREFIX = "effect/"
"""What an effect item's name begins with among what can be vetoed, apart from the messages of a run."""


def target_key(what: Target, name: str, place: int | None = None) -> str:
    """Return how what can be vetoed is named: ``message:ID``, ``candidate:CANDIDATES_ID/PLACE``, …"""
    return f"{what}:{name}" if place is None else f"{what}:{name}/{place}"
