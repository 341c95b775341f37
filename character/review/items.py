"""What a reviewer is shown for an item, blind and shuffled, and the way back from places on the page to what was meant."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from character.records import Rollout, Turn
from character.review.answers import Task, target_key
from character.review.index import facts_of
from character.review.sources import Subject
from character.review.store import ReviewStore
from character.review.texts import FIRST_PART, Part, part_of
from character.text import fingerprint, stable_seed

LETTERS = "ABCDEFGHI"


class Option(NamedTuple):
    """One text to judge: its letter on the page, its number in the item, and how much of it is shown at first."""

    letter: str
    number: int
    part: Part


class Verdictable(NamedTuple):
    """Something to approve or veto: its key, what it is called on the page, and the texts that make it up."""

    key: str
    what: str
    letters: str
    part: Part | None
    verdict: str
    note: str

    @property
    def stamp(self) -> str:
        """The identity of what was said when the page was made: only what differs from it is an answer."""
        return said_stamp(self.verdict, self.note)


class Shown(NamedTuple):
    """An item as one reviewer sees it. ``seen`` is the highest ``seq`` of that reviewer's answers to it, 0 for none."""

    task: Task
    item: str
    trait: dict[str, Any]
    kind: str
    language: str
    turns: list[tuple[str, Part]]
    options: list[Option]
    targets: list[Verdictable]
    candidates_id: str
    seen: int


def show(subject: Subject, reviews: ReviewStore, reviewer: str, task: Task, item: str) -> Shown | None:
    """Return an item as a reviewer sees it, None where there is no such item."""
    facts = facts_of(reviews, task, item)
    if facts is None:
        return None
    if task == "effect":
        return _effect(subject, reviews, reviewer, item)
    rollout = subject.rollout(item.partition(":")[2] if task == "check" else item)
    if rollout is None:
        return None
    if task == "check":
        return _check(subject, reviews, reviewer, rollout)
    chosen = [facts["left"], facts["right"]] if task == "compare" else None
    return _blind(subject, reviews, reviewer, task, rollout, chosen)


def text_at(
    subject: Subject, reviews: ReviewStore, reviewer: str, task: Task, item: str, place: str
) -> str | None:
    """Return the whole text at a place of an item (``turn-0``, ``option-A``), None where there is none."""
    shown = show(subject, reviews, reviewer, task, item)
    if shown is None:
        return None
    kind, _, name = place.partition("-")
    texts = _texts(subject, task, item)
    if kind == "turn" and name in map(str, range(len(texts.turns))):
        return texts.turns[int(name)].content
    if kind == "option":
        index = next((option.number for option in shown.options if option.letter == name), None)
        return None if index is None else texts.options[index]
    return None


def said_stamp(verdict: str, note: str) -> str:
    """Return the identity of a verdict with its note."""
    return fingerprint([verdict, note])


def shuffled(number: int, reviewer: str, task: Task, item: str) -> list[int]:
    """Return indices in the order in which this reviewer sees them: always the same, and another for others."""
    places = list(range(number))
    Random(stable_seed("review", reviewer, task, item)).shuffle(places)
    return places


class _Texts(NamedTuple):
    turns: tuple[Turn, ...]
    options: list[str]


def _texts(subject: Subject, task: Task, item: str) -> _Texts:
    if task == "effect":
        found = subject.effect(item)
        return _Texts(found.turns, [found.with_trait, found.without_trait]) if found else _Texts((), [])
    rollout = subject.rollout(item.partition(":")[2] if task == "check" else item)
    if rollout is None:
        return _Texts((), [])
    return _Texts(rollout.message.turns, rollout.candidates.texts if rollout.candidates else [])


def _options(texts: list[str], order: list[int]) -> list[Option]:
    return [Option(LETTERS[place % 9], index, part_of(texts[index])) for place, index in enumerate(order)]


def _turns(turns: tuple[Turn, ...]) -> list[tuple[str, Part]]:
    return [(turn.role, part_of(turn.content)) for turn in turns]


def _blind(
    subject: Subject,
    reviews: ReviewStore,
    reviewer: str,
    task: Task,
    rollout: Rollout,
    chosen: list[int] | None,
) -> Shown | None:
    message, candidates = rollout.message, rollout.candidates
    if candidates is None:
        return None
    indices = chosen or list(range(len(candidates.items)))
    order = [indices[place] for place in shuffled(len(indices), reviewer, task, message.id)]
    return Shown(
        task,
        message.id,
        subject.trait(message.trait),
        message.kind,
        message.language,
        _turns(message.turns),
        _options(candidates.texts, order),
        [],
        candidates.id,
        reviews.newest_seq(reviewer, task, [message.id]),
    )


def _effect(subject: Subject, reviews: ReviewStore, reviewer: str, item: str) -> Shown | None:
    found = subject.effect(item)
    if found is None:
        return None
    order = shuffled(2, reviewer, "effect", item)
    trait = subject.trait(found.trait)
    if found.trait_description:
        trait = {**trait, "description": found.trait_description}
    return Shown(
        "effect",
        item,
        trait,
        found.kind,
        found.language,
        _turns(found.turns),
        _options([found.with_trait, found.without_trait], order),
        [],
        "",
        reviews.newest_seq(reviewer, "effect", [item]),
    )


def _check(subject: Subject, reviews: ReviewStore, reviewer: str, rollout: Rollout) -> Shown:
    message, candidates = rollout.message, rollout.candidates
    texts = candidates.texts if candidates else []
    options = [
        Option(_letter(index), index, part_of(text, most=FIRST_PART)) for index, text in enumerate(texts)
    ]
    keys: list[tuple[str, str, str, Part | None]] = [("message", target_key("message", message.id), "", None)]
    if candidates:
        keys += [
            ("candidate", target_key("candidate", candidates.id, option.number), option.letter, option.part)
            for option in options
        ]
    for pair in rollout.pairs:
        sides = f"{_letter_of(texts, pair.chosen)} > {_letter_of(texts, pair.rejected)}"
        keys.append(("pair", target_key("pair", pair.id), sides, None))
    keys.append(("trait", target_key("trait", message.trait), "", None))
    targets = [
        Verdictable(key, what, letters, part, *_said(reviews, reviewer, key))
        for what, key, letters, part in keys
    ]
    return Shown(
        "check",
        target_key("message", message.id),
        subject.trait(message.trait),
        message.kind,
        message.language,
        _turns(message.turns),
        options,
        targets,
        candidates.id if candidates else "",
        reviews.newest_seq(reviewer, "check", [key for _, key, _, _ in keys]),
    )


def _said(reviews: ReviewStore, reviewer: str, key: str) -> tuple[str, str]:
    standing = reviews.answer_of(reviewer, "check", key)
    return (standing.answer.verdict, standing.answer.note) if standing else ("", "")  # type: ignore[attr-defined]


def _letter(index: int) -> str:
    return LETTERS[index] if index < len(LETTERS) else str(index + 1)


def _letter_of(texts: list[str], text: str) -> str:
    return _letter(texts.index(text)) if text in texts else "?"
