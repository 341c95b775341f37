"""What a reviewer is shown for an item, blind and shuffled, and the way back from places on the page to what was meant."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from character.locale import Language
from character.records import Rollout, Turn
from character.review.answers import EFFECT_PREFIX, Task, effect_key, target_key
from character.review.effect_items import EffectItem
from character.review.index import facts_of
from character.review.sources import Subject
from character.review.store import ReviewStore
from character.review.texts import FIRST_PART, TextPart, part_of
from character.text import fingerprint, stable_seed

if TYPE_CHECKING:
    from character.evaluation.page.card_facts import CardPart
LETTERS = "ABCDEFGHI"


class Option(NamedTuple):
    """One text to judge: its letter on the page, its number in the item, and how much of it is shown at first."""

    letter: str
    number: int
    part: TextPart


class Verdictable(NamedTuple):
    """Something to approve or veto: its key, what it is called on the page, and the texts that make it up."""

    key: str
    what: str
    letters: str
    part: TextPart | None
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
    turns: list[tuple[str, TextPart]]
    options: list[Option]
    targets: list[Verdictable]
    candidates_id: str
    seen: int
    facts: Sequence[CardPart] = ()
    of_models: bool = False

    @property
    def how(self) -> str:
        """The key of the words that say what to do."""
        is_effect = self.item.startswith(target_key("message", EFFECT_PREFIX))
        if self.task == "check" and is_effect:
            return "check_effect_how"
        return "effect_models_how" if self.of_models else f"{self.task}_how"


def show(
    subject: Subject, reviews: ReviewStore, reviewer: str, task: Task, item: str, language: Language = "en"
) -> Shown | None:
    """Return an item as a reviewer sees it, None where there is no such item; ``language`` is the interface's."""
    facts = facts_of(reviews, task, item)
    if facts is None:
        return None
    if task == "effect":
        return _effect(subject, reviews, reviewer, item)
    if task == "sign":
        return _sign(subject, reviews, reviewer, item, language)
    effect = _effect_item(subject, item) if task == "check" else None
    if effect is not None:
        return _check_effect(subject, reviews, reviewer, effect)
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
    found = subject.effect(item) if task == "effect" else _effect_item(subject, item)
    if task in ("effect", "sign") or found:
        return _Texts(found.turns, [found.with_trait, found.without_trait]) if found else _Texts((), [])
    rollout = subject.rollout(item.partition(":")[2] if task == "check" else item)
    if rollout is None:
        return _Texts((), [])
    return _Texts(rollout.message.turns, rollout.candidates.texts if rollout.candidates else [])


def _options(texts: list[str], order: list[int]) -> list[Option]:
    return [Option(LETTERS[place % 9], index, part_of(texts[index])) for place, index in enumerate(order)]


def _turns(turns: tuple[Turn, ...]) -> list[tuple[str, TextPart]]:
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
        of_models=found.compares == "models",
    )


def _effect_item(subject: Subject, item: str) -> EffectItem | None:
    """Return the effect item that a key among what can be vetoed names, None for a key of something else."""
    name = item.partition(":")[2]
    return subject.effect(name.removeprefix(EFFECT_PREFIX)) if name.startswith(EFFECT_PREFIX) else None


def _check_effect(subject: Subject, reviews: ReviewStore, reviewer: str, found: EffectItem) -> Shown:
    """Return an effect item to approve or veto: as blind as it is guessed, and in the same order."""
    name, texts = effect_key(found.id), [found.with_trait, found.without_trait]
    options = _options(texts, shuffled(2, reviewer, "effect", found.id))
    keys: list[tuple[str, str, str, TextPart | None]] = [("message", target_key("message", name), "", None)]
    keys += [
        ("candidate", target_key("candidate", name, option.number), option.letter, option.part)
        for option in options
    ]
    keys.append(("trait", target_key("trait", found.trait), "", None))
    return Shown(
        "check",
        target_key("message", name),
        subject.trait(found.trait),
        found.kind,
        found.language,
        _turns(found.turns),
        options,
        _targets(reviews, reviewer, keys),
        "",
        reviews.newest_seq(reviewer, "check", [key for _, key, _, _ in keys]),
    )


def _sign(
    subject: Subject, reviews: ReviewStore, reviewer: str, item: str, language: Language
) -> Shown | None:
    name = item.partition(":")[2]
    if subject.report is None or name not in subject.report.traits:
        return None
    from character.evaluation.page.card_facts import card_parts, rehearsal_part, review_part, sign_off_part
    from character.review.effect_reviews import with_reviews

    trait = subject.trait(name)
    report = with_reviews(subject.report, subject, reviews)
    return Shown(
        "sign",
        item,
        trait,
        "",
        subject.report.language,
        [],
        [],
        [],
        "",
        reviews.newest_seq(reviewer, "sign", [item]),
        [
            *rehearsal_part(report, language),
            *card_parts(report, name, language),
            review_part(report, name, language),
            sign_off_part(report, name, language),
        ],
    )


def _targets(
    reviews: ReviewStore, reviewer: str, keys: list[tuple[str, str, str, TextPart | None]]
) -> list[Verdictable]:
    return [
        Verdictable(key, what, letters, part, *_said(reviews, reviewer, key))
        for what, key, letters, part in keys
    ]


def _check(subject: Subject, reviews: ReviewStore, reviewer: str, rollout: Rollout) -> Shown:
    message, candidates = rollout.message, rollout.candidates
    texts = candidates.texts if candidates else []
    options = [
        Option(_letter(index), index, part_of(text, most=FIRST_PART)) for index, text in enumerate(texts)
    ]
    keys: list[tuple[str, str, str, TextPart | None]] = [
        ("message", target_key("message", message.id), "", None)
    ]
    if candidates:
        keys += [
            ("candidate", target_key("candidate", candidates.id, option.number), option.letter, option.part)
            for option in options
        ]
    for pair in rollout.pairs:
        sides = f"{_letter_of(texts, pair.chosen)} > {_letter_of(texts, pair.rejected)}"
        keys.append(("pair", target_key("pair", pair.id), sides, None))
    keys.append(("trait", target_key("trait", message.trait), "", None))
    return Shown(
        "check",
        target_key("message", message.id),
        subject.trait(message.trait),
        message.kind,
        message.language,
        _turns(message.turns),
        options,
        _targets(reviews, reviewer, keys),
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
