"""What reviewers said of an evaluation, trait by trait, and its report and cards written anew with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from character.evaluation.figures import grouped_mean
from character.evaluation.reading import EffectResult, read_report
from character.evaluation.records import EffectReport, SignOff, TraitReview, Veto
from character.locale import Language
from character.review.agreement import Unit, alpha_of, ratings_of
from character.review.answers import EFFECT_PREFIX, CheckAnswer, EffectAnswer, SignAnswer
from character.review.sources import EffectItem, Subject, open_subject
from character.review.store import ReviewStore, StandingAnswer
from character.store.vetoes import FILE_NAME


def with_reviews(report: EffectReport, subject: Subject, reviews: ReviewStore) -> EffectReport:
    """Return the report with what reviewers say now; as it was where nobody answered anything."""
    items = {item.id: item for item in subject.effects.items}
    guesses: dict[str, list[StandingAnswer]] = defaultdict(list)
    for each in reviews.answers("effect"):
        if each.item in items and not each.answer.skipped:
            guesses[items[each.item].trait].append(each)
    vetoes: dict[str, list[Veto]] = defaultdict(list)
    for each in reviews.answers("check"):
        for trait, veto in _vetoes(each, items):
            vetoes[trait].append(veto)
    signed: dict[str, list[SignOff]] = defaultdict(list)
    for each in reviews.answers("sign"):
        if isinstance(answer := each.answer, SignAnswer) and answer.is_signed is not None:
            sign_off = SignOff(
                reviewer=each.reviewer, at=each.at, is_signed=answer.is_signed, note=answer.note
            )
            signed[each.item.partition(":")[2]].append(sign_off)
    if not (guesses or vetoes or signed):
        return report
    of_traits = (
        _of_trait(trait, guesses[trait], report.seed).model_copy(
            update={"vetoes": tuple(vetoes[trait]), "sign_offs": tuple(signed[trait])}
        )
        for trait in report.traits
    )
    return report.model_copy(update={"reviews": tuple(of_traits)})


def _of_trait(trait: str, guesses: Sequence[StandingAnswer], seed: int) -> TraitReview:
    answers = [(each.item, each.answer) for each in guesses if isinstance(each.answer, EffectAnswer)]
    made = [(item, float(answer.is_right)) for item, answer in answers if answer.is_right is not None]
    overdone = [
        (item, float(answer.overdone))
        for item, answer in answers
        if answer.is_right and answer.overdone is not None
    ]
    given: dict[str, dict[Unit, float]] = defaultdict(dict)
    for each in guesses:
        given[each.reviewer] |= ratings_of(each)
    alpha, num_shared = alpha_of(given, "nominal")
    return TraitReview(
        trait=trait,
        reviewers=tuple(sorted(given)),
        num_answers=len(answers),
        num_items=len({item for item, _ in answers}),
        num_untold=sum(answer.is_right is None for _, answer in answers),
        right=grouped_mean([value for _, value in made], [item for item, _ in made], seed),
        overdone=grouped_mean([value for _, value in overdone], [item for item, _ in overdone], seed),
        alpha=alpha,
        num_shared=num_shared,
    )


def _vetoes(each: StandingAnswer, items: Mapping[str, EffectItem]) -> list[tuple[str, Veto]]:
    """Return an answer's veto with the trait it concerns, nothing for approvals and what belongs to a run."""
    if not isinstance(each.answer, CheckAnswer) or each.answer.verdict != "veto":
        return []
    what, _, name = each.item.partition(":")
    by = {"reviewer": each.reviewer, "note": each.answer.note}
    if what == "trait":
        return [(name, Veto(what="trait", **by))]
    key, _, place = name.removeprefix(EFFECT_PREFIX).partition("/")
    item = items.get(key) if name.startswith(EFFECT_PREFIX) else None
    if item is None:
        return []
    if what == "message":
        return [(item.trait, Veto(what="message", text=item.turns[-1].content, **by))]
    text = item.with_trait if place == "0" else item.without_trait
    return [(item.trait, Veto(what="candidate", text=text, **by))]


def is_reviewed(folder: Path) -> bool:
    """Whether anybody reviewed what a folder holds."""
    return (folder / FILE_NAME).is_file()


def write_reviewed(folder: Path, language: Language | None = None) -> EffectReport:
    """Write an evaluation's ``effect.html`` and cards anew, with what reviewers said, and return its report.

    No model is called. Raises StoreError where the folder holds no finished evaluation or cannot be written.
    """
    report = read_report(folder)
    if is_reviewed(folder):
        with closing(open_subject(folder)) as subject, ReviewStore(folder, write=False) as reviews:
            report = with_reviews(report, subject, reviews)
    result = EffectResult.in_folder(report, folder)
    result.write_report(language)
    return result
