"""The records of a labelled set: what people said about the candidates of a message, for one trait."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from character.records import Record, Turn
from character.text import fingerprint, fold
from optimizers.labelled import splits, votes

Index = Annotated[int, Field(strict=True, ge=0)]
"""The position of a candidate in its item, from 0."""
Share = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]
"""A finite number in 0..1; a text or a truth value is none."""


class Label(Record):
    """What one rater said about the candidates of an item; any part may be missing.

    ``order`` holds groups of indices, best first, those in one group equally good; it may name only some
    candidates. ``scores`` has one number in 0..1 per candidate, higher fits better, None where the rater gave
    none. ``choices`` are (i, j, share): the share in 0..1 of the rater's verdicts that i is better than j (1
    or 0, 0.5 for a tie, or the share of several). ``answer`` stands instead of all these: ``unsuitable``
    where the rater found that no candidate can show the trait for this message, ``skip`` where they would not
    say.
    """

    rater: str = ""
    order: tuple[tuple[Index, ...], ...] = ()
    scores: tuple[Share | None, ...] = ()
    choices: tuple[tuple[Index, Index, Share], ...] = ()
    answer: Literal["", "unsuitable", "skip"] = ""

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing about any candidate."""
        return not (self.order or self.choices or any(score is not None for score in self.scores))


class LabelledItem(Record):
    """A message with its candidates, the trait they were judged for, and what each rater said.

    ``trait`` is JSON-native with at least ``name``; a trait without ``description`` has its name for one.
    ``levels`` are the levels of expression that the candidates were written for, where known. Items of one
    ``group`` are never parted between splits; without it the message makes the group. ``id`` follows from
    message, trait and candidates where it is not given. ``rehearsal`` says that candidates were written by a
    model that is there for trying and testing.
    """

    id: str = ""
    turns: tuple[Turn, ...] = Field(min_length=1)
    trait: dict[str, Any]
    kind: str = "question"
    language: str = "en"
    candidates: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=2)
    levels: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    group: str = ""
    rehearsal: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _check(self) -> Self:
        roles = [turn.role for turn in self.turns]
        if roles[-1] != "user" or any(a == b for a, b in pairwise(roles)):
            raise ValueError("the turns must alternate between user and assistant and end with the user's")
        _check_trait(self.trait)
        if self.levels and len(self.levels) != len(self.candidates):
            raise ValueError(f"found {len(self.levels)} levels for {len(self.candidates)} candidates")
        for number, label in enumerate(self.labels):
            _check_label(label, len(self.candidates), number)
        self.trait.setdefault("description", self.trait["name"])
        object.__setattr__(self, "id", self.id or fingerprint(["item", *self.content()]))
        object.__setattr__(self, "group", self.group or self.message_key)
        return self

    def content(self) -> list[Any]:
        """Return what makes it this item, JSON-native: turns, trait and candidates."""
        turns = [[turn.role, turn.content] for turn in self.turns]
        return [turns, self.trait, list(self.candidates)]

    @property
    def message(self) -> str | list[dict[str, str]]:
        """The message as rankers take it: a text, or turns with role and content where there are several."""
        if len(self.turns) == 1:
            return self.turns[0].content
        return [{"role": turn.role, "content": turn.content} for turn in self.turns]

    @property
    def message_key(self) -> str:
        """What items with the same message share: the turns without width, case, punctuation and spacing."""
        return fingerprint(["message", *([turn.role, folded(turn.content)] for turn in self.turns)])

    consensus = votes.consensus
    pairs = votes.pairs


class LabelledSet(Record):
    """Labelled items with different ids. ``dropped`` counts what was left out on the way in, by reason."""

    items: tuple[LabelledItem, ...] = ()
    name: str = ""
    dropped: dict[str, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        seen: set[str] = set()
        for item in self.items:
            if item.id in seen:
                raise ValueError(f"two items have the id {item.id!r}")
            seen.add(item.id)
        return self

    def __len__(self) -> int:
        """Return how many items there are."""
        return len(self.items)

    @property
    def fingerprint(self) -> str:
        """The hash of all items with their labels, independent of their order and of the set's name."""
        # neither puts one candidate before another
        left_out: Any = {"labels": {"__all__": {"answer"}}, "rehearsal": True}
        dumps = [item.model_dump(mode="json", exclude=left_out) for item in self.items]
        return fingerprint(sorted(map(fingerprint, dumps)))

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of the items, that of most items first."""
        return tuple(name for name, _ in Counter(item.language for item in self.items).most_common())

    @property
    def rehearsal(self) -> bool:
        """Whether a model that is there for trying and testing wrote candidates of any item."""
        return any(item.rehearsal for item in self.items)

    split = splits.split
    folds = splits.folds
    permuted = splits.permuted


def folded(text: str) -> str:
    """Return the letters and numbers of a text in one width and case; all of it where it has none."""
    return fold(text) or unicodedata.normalize("NFKC", text).casefold()


def _check_trait(trait: Mapping[str, Any]) -> None:
    name = trait.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ValueError("trait: found no name")
    try:
        json.dumps(trait, allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError("trait: found a value that JSON cannot hold") from None


def _check_label(label: Label, number: int, position: int) -> None:
    where = f"labels.{position}"
    if label.answer and not label.is_empty:
        raise ValueError(f"{where}.answer: found {label.answer!r} beside an order, scores or choices")
    if label.scores and len(label.scores) != number:
        raise ValueError(f"{where}.scores: found {len(label.scores)} scores for {number} candidates")
    named = [index for group in label.order for index in group]
    if any(not group for group in label.order) or len(set(named)) < len(named):
        raise ValueError(f"{where}.order: found an empty group, or a candidate named twice")
    compared = [index for i, j, _share in label.choices for index in (i, j)]
    if any(i == j for i, j, _share in label.choices):
        raise ValueError(f"{where}.choices: found a candidate compared with itself")
    if beyond := [index for index in (*named, *compared) if index >= number]:
        fault = f"found the index {beyond[0]}, the {number} candidates have 0 to {number - 1}"
        raise ValueError(f"{where}: {fault}")
