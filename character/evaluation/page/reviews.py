"""What reviewers said in an effect report: whether they could tell each trait, vetoes, and sign-offs."""

from __future__ import annotations

from collections.abc import Iterator

from character.evaluation.page.cards import review_part, sign_off_part
from character.evaluation.page.writing import number
from character.evaluation.records import EffectReport, TraitReview
from character.locale import Language, wording
from character.report import Note, Notes, Number, Section, Table
from character.report.parts import Cell, Part


def reviews_section(report: EffectReport, language: Language) -> Section:
    """Return the section of reviews; without parts where nobody reviewed."""
    words = wording("effect.card", language)
    if not report.reviews:
        return Section(words["reviews"])
    columns = tuple(wording("effect.review_columns", language).values())
    parts: list[Part] = [Table(columns, tuple(_row(each, language) for each in report.reviews))]
    notes = tuple(
        Note(f"{each.trait} · {fact.what}: {fact.said}")
        for each in report.reviews
        for part in (review_part(report, each.trait, language), sign_off_part(report, each.trait, language))
        for fact in part.facts
        if fact.said and fact.what != words["who"]
    )
    parts += [Notes(notes)] if notes else []
    return Section(words["reviews"], wording("effect.reviews", language)["text"], tuple(parts))


def review_notes(report: EffectReport, language: str) -> Iterator[Note]:
    """Yield the traits that a reviewer vetoed or refused to sign off."""
    words, refused = wording("effect.reviews", language), wording("effect.card", language)["refused"]
    for each in report.reviews:
        for fact in sign_off_part(report, each.trait, language).facts:
            if fact.what == refused:
                yield Note(words["refused"].format(trait=each.trait, said=fact.said), "look")
        for veto in each.vetoes:
            if veto.what == "trait":
                text = f"{veto.reviewer}: {veto.note}" if veto.note else veto.reviewer
                yield Note(words["vetoed"].format(trait=each.trait, said=text), "look")


def _row(review: TraitReview, language: Language) -> tuple[Cell, ...]:
    words = wording("effect.card", language)
    signed = {each.is_signed for each in review.sign_offs}
    state = " · ".join(words["signed" if each else "refused"] for each in sorted(signed, reverse=True))
    return (
        review.trait,
        review.num_answers,
        number(review.right, "share"),
        review.num_untold,
        number(review.overdone, "share"),
        None if review.alpha is None else Number(review.alpha, digits=2),
        len(review.vetoes),
        state or wording("effect.page", language)["unsigned"],
    )
