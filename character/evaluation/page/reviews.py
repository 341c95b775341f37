"""What reviewers said in an effect report: whether they could tell each trait, vetoes with their notes, and sign-offs."""

from __future__ import annotations

from collections.abc import Iterator

from character.evaluation.page.card_facts import CARD_WORDS, review_part, sign_off_part
from character.evaluation.page.words import WORDS
from character.evaluation.records import EffectFigure, EffectReport, TraitReview
from character.report import Note, Notes, Number, Section, Table
from character.report.parts import Cell, Language, Part

COLUMNS: dict[str, tuple[str, ...]] = {
    "en": ("trait", "answers", "right guesses", "could not tell", "overdone", "alpha", "vetoes", "sign-off"),
    "zh": ("特质", "回答", "猜对", "分不出", "过头", "α", "否决", "签核"),
}
_TEXT = {
    "en": "People saw two responses to one message and guessed which of them was meant to show the trait. 50 % is chance. A veto takes nothing out of the figures: they stay as they were measured, blind.",
    "zh": "评审人看同一条消息的两条回复，猜哪一条带有特质。50% 是随机水平。否决不改动任何数字：它们保持盲测时的样子。",
}
_VETOED = {"en": "{trait} was vetoed by {said}", "zh": "{trait}被否决：{said}"}
_REFUSED = {"en": "{trait} was not signed off: {said}", "zh": "{trait}未获签核：{said}"}


def reviews_section(report: EffectReport, language: Language) -> Section:
    """Return the section of reviews; without parts where nobody reviewed."""
    words = CARD_WORDS[language]
    if not report.reviews:
        return Section(words["reviews"])
    table = Table(COLUMNS[language], tuple(_row(each, language) for each in report.reviews))
    parts: list[Part] = [table]
    notes = [
        Note(f"{each.trait} · {fact.what}: {fact.said}")
        for each in report.reviews
        for part in (review_part(report, each.trait, language), sign_off_part(report, each.trait, language))
        for fact in part.facts
        if fact.said and fact.what != words["who"]
    ]
    return Section(words["reviews"], _TEXT[language], (*parts, *([Notes(tuple(notes))] if notes else [])))


def review_notes(report: EffectReport, language: str) -> Iterator[Note]:
    """Yield the traits that a reviewer vetoed or refused to sign off."""
    refused = CARD_WORDS[language]["refused"]
    for each in report.reviews:
        for fact in sign_off_part(report, each.trait, language).facts:
            if fact.what == refused:
                yield Note(_REFUSED[language].format(trait=each.trait, said=fact.said), "look")
        for veto in each.vetoes:
            if veto.what == "trait":
                said = f"{veto.reviewer}: {veto.note}" if veto.note else veto.reviewer
                yield Note(_VETOED[language].format(trait=each.trait, said=said), "look")


def _row(review: TraitReview, language: Language) -> tuple[Cell, ...]:
    words = CARD_WORDS[language]
    signed = {each.is_signed for each in review.sign_offs}
    state = " · ".join(words["signed" if each else "refused"] for each in sorted(signed, reverse=True))
    return (
        review.trait,
        review.num_answers,
        _number(review.right),
        review.num_untold,
        _number(review.overdone),
        None if review.alpha is None else Number(review.alpha, digits=2),
        len(review.vetoes),
        state or WORDS[language]["unsigned"],
    )


def _number(figure: EffectFigure | None) -> Number | None:
    return None if figure is None else Number(figure.estimate, figure.low, figure.high, "share")
