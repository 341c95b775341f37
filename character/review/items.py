"""What a reviewer is shown for an item, blind and shuffled, and what was meant by a place on the page."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from character.locale import Language
from character.records import Message, PreferencePair, Turn
from character.review.answers import EFFECT_PREFIX, CheckAnswer, Target, Task, target_key
from character.review.index import facts_of
from character.review.sources import EffectItem, Subject
from character.review.store import ReviewStore
from character.text import fingerprint, stable_seed

if TYPE_CHECKING:
    from character.evaluation.page.cards import CardPart
LETTERS = "ABCDEFGHI"


class Option(NamedTuple):
    """One text to judge: its letter on the page and its number in the item."""

    letter: str
    number: int
    text: str


class Verdictable(NamedTuple):
    """Something to approve or veto: its key, what it is called on the page, and its text where it is one."""

    key: str
    what: Target
    letters: str
    text: str | None
    verdict: str
    note: str

    @property
    def stamp(self) -> str:
        """The identity of what was said when the page was made: only what differs from it is an answer."""
        return said_stamp(self.verdict, self.note)


class Shown(NamedTuple):
    """An item as one reviewer sees it; its texts are whole, a page shows them a part at a time.

    ``seen`` is the highest ``seq`` of that reviewer's answers to it, 0 for none.
    """

    task: Task
    item: str
    trait: dict[str, Any]
    kind: str
    language: str
    seen: int
    turns: Sequence[Turn] = ()
    options: Sequence[Option] = ()
    targets: Sequence[Verdictable] = ()
    candidates_id: str = ""
    facts: Sequence[CardPart] = ()
    of_models: bool = False

    @property
    def how(self) -> str:
        """The key of the words that say what to do."""
        is_effect = self.item.startswith(target_key("message", EFFECT_PREFIX))
        if self.task == "check" and is_effect:
            return "check_effect_how"
        return "effect_models_how" if self.of_models else f"{self.task}_how"


class _Source(NamedTuple):
    """What an item holds: its texts, the order in which this reviewer sees them, and its names in vetoes."""

    about: Message | EffectItem
    texts: list[str]
    order: list[int]
    key: str
    candidates_key: str
    candidates_id: str = ""
    pairs: Sequence[PreferencePair] = ()


def show(
    subject: Subject, reviews: ReviewStore, reviewer: str, task: Task, item: str, language: Language = "en"
) -> Shown | None:
    """Return an item as a reviewer sees it, None where there is none; ``language`` is the interface's."""
    facts = facts_of(reviews, task, item)
    if facts is None:
        return None
    if task == "sign":
        return _sign(subject, reviews, reviewer, item, language)
    name = item.partition(":")[2] if task == "check" else item
    if task == "check" and name.startswith(EFFECT_PREFIX):
        source = _of_effect(subject, reviewer, name.removeprefix(EFFECT_PREFIX))
    elif task == "effect":
        source = _of_effect(subject, reviewer, name)
    else:
        source = _of_run(subject, reviewer, task, name, facts)
    if source is None:
        return None
    about, trait, of_models = source.about, subject.trait(source.about.trait), False
    if task == "effect" and isinstance(about, EffectItem):
        of_models = about.compares == "models"
        if about.trait_description:
            trait = {**trait, "description": about.trait_description}
    order = enumerate(source.order)
    options = [Option(_letter(place), number, source.texts[number]) for place, number in order]
    targets = _targets(reviews, reviewer, source, options) if task == "check" else []
    seen = reviews.newest_seq(reviewer, task, [target.key for target in targets] or [item])
    return Shown(
        *(task, item, trait, about.kind, about.language, seen),
        *(about.turns, options, targets, source.candidates_id),
        of_models=of_models,
    )


def text_at(
    subject: Subject, reviews: ReviewStore, reviewer: str, task: Task, item: str, place: str
) -> str | None:
    """Return the whole text at a place of an item (``turn-0``, ``option-A``), None where there is none."""
    shown = show(subject, reviews, reviewer, task, item)
    if shown is None:
        return None
    texts = {f"turn-{number}": turn.content for number, turn in enumerate(shown.turns)}
    texts |= {f"option-{option.letter}": option.text for option in shown.options}
    return texts.get(place)


def said_stamp(verdict: str, note: str) -> str:
    """Return the identity of a verdict with its note."""
    return fingerprint([verdict, note])


def _of_effect(subject: Subject, reviewer: str, name: str) -> _Source | None:
    """Return an effect item, which is approved or vetoed as blind as it is guessed, and in the same order."""
    item = next((each for each in subject.effects.items if each.id == name), None)
    if item is None:
        return None
    key, order = EFFECT_PREFIX + name, _shuffled([0, 1], reviewer, "effect", name)
    return _Source(item, [item.with_trait, item.without_trait], order, key, key)


def _of_run(subject: Subject, reviewer: str, task: Task, name: str, facts: dict[str, Any]) -> _Source | None:
    """Return candidates to rank or compare, shuffled; or a message with all it has, to approve or veto."""
    rollout = subject.rollout(name)
    if rollout is None or (rollout.candidates is None and task != "check"):
        return None
    id_ = rollout.candidates.id if rollout.candidates else ""
    texts = rollout.candidates.texts if rollout.candidates else []
    order = [facts["left"], facts["right"]] if task == "compare" else list(range(len(texts)))
    if task != "check":
        order = _shuffled(order, reviewer, task, name)
    return _Source(rollout.message, texts, order, name, id_, id_, rollout.pairs)


def _shuffled(numbers: Sequence[int], reviewer: str, task: Task, item: str) -> list[int]:
    """Return numbers in the order in which this reviewer sees them: always that, and another for others."""
    shuffled = list(numbers)
    Random(stable_seed("review", reviewer, task, item)).shuffle(shuffled)
    return shuffled


def _sign(
    subject: Subject, reviews: ReviewStore, reviewer: str, item: str, language: Language
) -> Shown | None:
    name = item.partition(":")[2]
    if subject.report is None or name not in subject.report.traits:
        return None
    from character.evaluation.page.cards import card_parts, rehearsal_part, review_part, sign_off_part
    from character.review.effect_reviews import with_reviews

    report = with_reviews(subject.report, subject, reviews)
    parts = [
        *rehearsal_part(report, language),
        *card_parts(report, name, language),
        review_part(report, name, language),
        sign_off_part(report, name, language),
    ]
    seen = reviews.newest_seq(reviewer, "sign", [item])
    return Shown("sign", item, subject.trait(name), "", subject.report.language, seen, facts=parts)


def _targets(
    reviews: ReviewStore, reviewer: str, source: _Source, options: Sequence[Option]
) -> list[Verdictable]:
    """Return what of an item can be approved or vetoed, with what this reviewer says of it now."""

    def target(what: Target, key: str, letters: str = "", text: str | None = None) -> Verdictable:
        standing = reviews.answer_of(reviewer, "check", key)
        answer = standing.answer if standing else None
        verdict, note = (answer.verdict, answer.note) if isinstance(answer, CheckAnswer) else ("", "")
        return Verdictable(key, what, letters, text, verdict, note)

    targets = [target("message", target_key("message", source.key))]
    for option in options:
        key = target_key("candidate", source.candidates_key, option.number)
        targets.append(target("candidate", key, option.letter, option.text))
    for pair in source.pairs:
        chosen, rejected = (
            _letter(source.texts.index(text)) if text in source.texts else "?"
            for text in (pair.chosen, pair.rejected)
        )
        targets.append(target("pair", target_key("pair", pair.id), f"{chosen} > {rejected}"))
    return [*targets, target("trait", target_key("trait", source.about.trait))]


def _letter(index: int) -> str:
    return LETTERS[index] if index < len(LETTERS) else str(index + 1)
