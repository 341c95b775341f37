"""What a card says of one trait, part by part, before it becomes Markdown, HTML or a page to sign off."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import starmap
from typing import NamedTuple

from character.evaluation.page.opinion import opinion_facts
from character.evaluation.page.revealed import rating_facts
from character.evaluation.page.writing import condition_word, is_sure, written
from character.evaluation.records import EffectReport, Shift, SignOff, TraitReview, Veto
from character.locale import listed, wording


class Fact(NamedTuple):
    """A line of a card: what it is about, what was found, and what a person said about it, in their words."""

    what: str
    found: str = ""
    said: str = ""


class CardPart(NamedTuple):
    """A heading with its facts, and what stands there where there are none."""

    heading: str
    facts: tuple[Fact, ...]
    nothing: str = ""


def card_parts(report: EffectReport, name: str, language: str) -> list[CardPart]:
    """Return what was measured of a trait, in order; parts with nothing to say are left out."""
    words, page = wording("effect.card", language), wording("effect.page", language)
    opinion = wording("effect.opinion", language)["heading" if report.judged else "heading_alone"]
    revealed = wording("effect.revealed", language)["heading"]
    others = words["no_side_effects" if report.num_messages.get(name) else "not_measured"]
    judged: list[tuple[str, Iterable[Fact], str]] = [
        (words["effect"], _shifts(report, name, language, intended=True), words["no_effect"]),
        (page["by_kind"], _kinds(report, name, language), ""),
        (words["side_effects"], _shifts(report, name, language, intended=False), others),
        (page["everyday"], _everyday(report, name, language), ""),
    ]
    always: list[tuple[str, Iterable[Fact], str]] = [
        (opinion, starmap(Fact, opinion_facts(report, name, language)), ""),
        (words["caricature"], _shares(report, name, language), ""),
        (page["robustness"], _survivals(report, name, language), ""),
        (revealed, starmap(Fact, rating_facts(report, name, language)), ""),
        (words["confounds"], _measures(report, name, language), words["no_side_effects"]),
    ]
    named = [*judged, *always] if report.judged else always
    parts = [CardPart(heading, tuple(facts), nothing) for heading, facts, nothing in named]
    return [part for part in parts if part.facts or part.nothing]


def rehearsal_part(report: EffectReport, language: str) -> list[CardPart]:
    """Return the warning that the rehearsal model had a hand in what was measured, where it had."""
    heading = wording("effect.card", language)["rehearsal"]
    warning = CardPart(heading, (), wording("effect.page", language)["rehearsal"])
    return [warning] if report.rehearsal else []


def review_part(report: EffectReport, trait: str, language: str) -> CardPart:
    """Return what reviewers said of a trait, but for their last word."""
    words, review = wording("effect.card", language), review_of(report, trait)
    facts: list[Fact] = []
    if review.num_answers:
        names = listed(review.reviewers, language)
        answers = words["answers"].format(number=review.num_answers, items=review.num_items, names=names)
        facts.append(Fact(words["who"], said=answers))
    if review.right is not None:
        guesses = review.num_answers - review.num_untold
        share = written(review.right, language, "share")
        facts.append(Fact(words["guesses"], words["guessed"].format(share=share, number=guesses)))
    if review.num_untold:
        facts.append(Fact(words["untold"], str(review.num_untold)))
    if review.overdone is not None:
        facts.append(Fact(words["overdone"], written(review.overdone, language, "share")))
    if review.alpha is not None:
        alpha = words["alpha"].format(alpha=f"{review.alpha:.2f}", number=review.num_shared)
        facts.append(Fact(words["agreement"], alpha))
    facts += [_veto(veto, language) for veto in review.vetoes]
    return CardPart(words["reviews"], tuple(facts), words["no_reviews"])


def sign_off_part(report: EffectReport, trait: str, language: str) -> CardPart:
    """Return who signed a trait off and who refused."""
    words = wording("effect.card", language)
    facts = tuple(_signed(each, language) for each in review_of(report, trait).sign_offs)
    return CardPart(words["sign_off"], facts, words["unsigned"])


def review_of(report: EffectReport, trait: str) -> TraitReview:
    """Return what reviewers said of a trait, an empty review where they said nothing."""
    return next((each for each in report.reviews if each.trait == trait), TraitReview(trait=trait))


def _signed(each: SignOff, language: str) -> Fact:
    words = wording("effect.card", language)
    who = words["by_on"].format(reviewer=each.reviewer, day=each.at[:10])
    what = words["signed" if each.is_signed else "refused"]
    return Fact(what, said=words["pair"].format(what=who, said=each.note) if each.note else who)


def _veto(veto: Veto, language: str) -> Fact:
    words = wording("effect.card", language)
    who = words["by"].format(reviewer=veto.reviewer)
    text = f"“{veto.text}”" if veto.text else ""
    note = words["pair"].format(what=who, said=veto.note) if veto.note else who
    return Fact(words[f"veto_{veto.what}"], said=" · ".join(filter(None, (text, note))))


def _kinds(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    for shift in report.kinds:
        if shift.trait == trait:
            figures = {"shift": written(shift.shift, language), "number": shift.num_messages}
            line = wording("effect.card", language)["of_few"].format(**figures)
            yield Fact(wording("effect.kinds", language)[shift.kind], line)


def _shifts(report: EffectReport, trait: str, language: str, *, intended: bool) -> Iterable[Fact]:
    for shift in report.shifts:
        question = shift.contrast.question
        if shift.is_intended is not intended or question == "character" or not shift.contrast.group:
            continue
        # Alone, a trait moves others on its own messages; between two models it turns up on those of others.
        if trait != (shift.trait if question == "models" else shift.contrast.group):
            continue
        if intended or is_sure(shift, report):
            where = wording("effect.page", language)["messages_of"].format(name=shift.contrast.group)
            what = where if question == "models" else shift.trait
            how = wording("effect.card", language)[question]
            yield Fact(how if intended else _qualified(what, how, language), _tested(shift, language))


def _everyday(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    """Yield how much more of the trait everyday messages get, sure or not: they call for none of it."""
    for shift in report.shifts:
        if not shift.contrast.group and shift.trait == trait:
            yield Fact(wording("effect.card", language)[shift.contrast.question], _tested(shift, language))


def _shares(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    for share in report.overdone:
        if share.trait == trait:
            yield Fact(condition_word(share.condition, language), written(share.overdone, language, "share"))


def _survivals(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    for left in report.robustness:
        if left.contrast.group == trait:
            figures = [written(left.pressed, language)]
            if left.share is not None:
                name = wording("effect.page", language)["share_left"]
                figures.append(f"{name} {written(left.share, language, 'share')}")
            line = wording("report.marks", language)["clause_comma"].join(figures)
            yield Fact(wording("effect.pressures", language)[left.contrast.pressure], line)


def _measures(report: EffectReport, trait: str, language: str) -> Iterable[Fact]:
    for each in report.measures:
        if each.contrast.group == trait and is_sure(each, report):
            is_ratio = each.measure == "characters"
            figure = written(each.difference, language, "number" if is_ratio else "signed")
            how = wording("effect.card", language)[each.contrast.question]
            what = _qualified(wording("effect.measures", language)[each.measure], how, language)
            yield Fact(what, f"× {figure}" if is_ratio else figure)


def _tested(shift: Shift, language: str) -> str:
    return wording("effect.card", language)["tested"].format(
        shift=written(shift.shift, language), p=f"{shift.adjusted_p:.4f}", number=shift.num_messages
    )


def _qualified(what: str, how: str, language: str) -> str:
    return wording("effect.card", language)["qualified"].format(what=what, how=how)
