"""A preference model in an effect report: its shifts beside the judge's or in their place, agreement."""

from __future__ import annotations

from collections.abc import Iterator

from character.evaluation.conditions import INTENDED
from character.evaluation.page.writing import Columns, is_sure, number, shift_parts, written
from character.evaluation.records import EffectReport, OpinionShift
from character.locale import Language, listed, wording
from character.report import Note, Section


def opinion_section(report: EffectReport, language: Language) -> Section:
    """Return the section of the preference model; without parts where there was none."""
    words, opinion = wording("effect.opinion", language), report.opinion
    heading = words["heading" if report.judged else "heading_alone"]
    if opinion is None:
        return Section(heading)
    by_judge: Columns[OpinionShift] = {
        words["nearer"]: lambda shift: number(shift.judge),
        words["alike"]: lambda shift: number(shift.agreement, "share"),
    }
    parts = shift_parts(
        report,
        opinion.shifts,
        language,
        words["preferred"],
        lambda shift: shift.preferred,
        lambda _shifts: (by_judge if report.judged else {}, ""),
        percent=True,
        middle=0.5,
        domain=(0.0, 1.0),
    )
    text = words["text" if report.judged else "text_alone"].format(model=opinion.model)
    return Section(heading, text, tuple(parts))


def opinion_notes(report: EffectReport, language: str) -> Iterator[Note]:
    """Yield what stands out: the agreement with the judge, or the shifts themselves where there was none."""
    words, opinion = wording("effect.opinion", language), report.opinion
    if opinion is None:
        return
    if not report.judged:
        yield Note(words["stood_in"], "note")
        where = wording("effect.page", language)
        for shift in filter(_is_own, opinion.shifts):
            is_better = shift.odds.estimate > 0
            key = "missing" if not is_sure(shift, report) else "found" if is_better else "backwards"
            text = words[key].format(
                trait=shift.trait,
                where=where[f"{shift.contrast.question}_where"],
                share=written(shift.preferred, language, "share"),
            )
            yield Note(text, "fine" if key == "found" else "look")
    if opinion.agreement is not None:
        share, number_compared = written(opinion.agreement, language, "share"), f"{opinion.num_compared:,}"
        agrees = (opinion.agreement.low or 0.0) > 0.5
        text = words["agree" if agrees else "disagree"].format(share=share, number=number_compared)
        yield Note(text, "fine" if agrees else "look")
    if opinion.num_seen:
        counts = {"seen": f"{opinion.num_seen:,}", "number": f"{opinion.num_messages:,}"}
        yield Note(words["seen"].format(**counts), "look")
    if opinion.not_fitted:
        yield Note(words["not_fitted"].format(traits=listed(opinion.not_fitted, language)), "look")


def opinion_facts(report: EffectReport, trait: str, language: str) -> Iterator[tuple[str, str]]:
    """Yield what a card says of one trait by the preference model: what was compared, and what was found."""
    words = wording("effect.opinion", language)
    for shift in report.opinion.shifts if report.opinion else ():
        if shift.trait != trait or not _is_own(shift):
            continue
        share, odds = written(shift.preferred, language, "share"), written(shift.odds, language)
        line = words["line"].format(share=share, odds=odds, p=f"{shift.adjusted_p:.4f}")
        if shift.judge is not None:
            agreement = shift.agreement
            alike = words["nothing"] if agreement is None else written(agreement, language, "share")
            line += words["line_judge"].format(nearer=written(shift.judge, language), alike=alike)
        yield wording("effect.page", language)[shift.contrast.question], line


def _is_own(shift: OpinionShift) -> bool:
    return shift.is_intended and shift.contrast.question in INTENDED
