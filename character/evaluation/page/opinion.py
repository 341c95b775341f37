"""A preference model in an effect report: its shifts beside the judge's, or in their place, and how far the two agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from character.evaluation.conditions import effect_word
from character.evaluation.records import EffectFigure, EffectReport, OpinionShift
from character.locale import Language, listed, wording
from character.report import Chart, Note, Number, Section, Table
from character.report.charts import heat_map
from character.report.parts import Cell, NumberStyle, Part
from character.report.wording import number_text

_QUESTIONS = ("alone", "within", "character", "models")
_INTENDED = ("alone", "within", "models")


def opinion_section(report: EffectReport, language: Language) -> Section:
    """Return the section of the preference model; without parts where there was none."""
    words, found = wording("effect.opinion", language), report.opinion
    heading = words["heading" if report.judged else "heading_alone"]
    if found is None:
        return Section(heading)
    parts: list[Part] = []
    for question in _QUESTIONS:
        shifts = [shift for shift in found.shifts if shift.contrast.question == question]
        if shifts:
            parts += [
                _heat_map(report, question, shifts, language),
                _table(report, question, shifts, language),
            ]
    text = words["text" if report.judged else "text_alone"].format(model=found.model)
    return Section(heading, text, tuple(parts))


def opinion_notes(report: EffectReport, language: str) -> Iterator[Note]:
    """Yield what stands out: the agreement with the judge, or the shifts themselves where no judge was called."""
    words, found = wording("effect.opinion", language), report.opinion
    if found is None:
        return
    if not report.judged:
        yield Note(words["stood_in"], "note")
        for shift in found.shifts:
            if shift.is_intended and shift.contrast.question in _INTENDED:
                yield _intended(shift, report, language)
    if found.agreement is not None:
        said = {
            "share": _text(found.agreement, language, "share"),
            "number": f"{found.num_compared:,}",
        }
        agrees = (found.agreement.low or 0.0) > 0.5
        yield Note(words["agree" if agrees else "disagree"].format(**said), "fine" if agrees else "look")
    if found.num_seen:
        yield Note(words["seen"].format(seen=f"{found.num_seen:,}", number=f"{found.num_messages:,}"), "look")
    if found.not_fitted:
        names = listed(found.not_fitted, language)
        yield Note(words["not_fitted"].format(traits=names), "look")


def opinion_facts(report: EffectReport, trait: str, language: str) -> list[tuple[str, str]]:
    """Return what a card says of one trait by the preference model: what was compared, and what was found."""
    return [
        (wording("effect.page", language)[shift.contrast.question], _found(shift, language))
        for shift in (report.opinion.shifts if report.opinion else ())
        if shift.trait == trait and shift.is_intended and shift.contrast.question in _INTENDED
    ]


def _found(shift: OpinionShift, language: str) -> str:
    words = wording("effect.opinion", language)
    line = words["line"].format(
        share=_text(shift.preferred, language, "share"),
        odds=_text(shift.odds, language),
        p=f"{shift.adjusted_p:.4f}",
    )
    if shift.judge is None:
        return line
    alike = words["nothing"] if shift.agreement is None else _text(shift.agreement, language, "share")
    return line + words["line_judge"].format(nearer=_text(shift.judge, language), alike=alike)


def _intended(shift: OpinionShift, report: EffectReport, language: str) -> Note:
    is_sure, better = shift.adjusted_p < 1 - report.level, shift.odds.estimate > 0
    key = "missing" if not is_sure else "found" if better else "backwards"
    said = wording("effect.opinion", language)[key].format(
        trait=shift.trait,
        where=wording("effect.page", language)[f"{shift.contrast.question}_where"],
        share=_text(shift.preferred, language, "share"),
    )
    return Note(said, "fine" if key == "found" else "look")


def _row_word(shift: OpinionShift, language: Language) -> str:
    return shift.contrast.group or wording("effect.page", language)["everyday"]


def _heat_map(
    report: EffectReport, question: str, shifts: Sequence[OpinionShift], language: Language
) -> Chart:
    words = wording("effect.page", language)
    rows = list(dict.fromkeys(_row_word(shift, language) for shift in shifts))
    cells = {(_row_word(shift, language), shift.trait): shift.preferred.estimate for shift in shifts}
    return heat_map(
        words[question],
        rows,
        report.traits,
        [[cells.get((row, trait)) for trait in report.traits] for row in rows],
        names=(words["changed"], words["judged"], wording("effect.opinion", language)["preferred"]),
        percent=True,
        middle=0.5,
        domain=(0.0, 1.0),
    )


def _table(report: EffectReport, question: str, shifts: Sequence[OpinionShift], language: Language) -> Table:
    words, own = wording("effect.page", language), wording("effect.opinion", language)
    beside = (own["nearer"], own["alike"]) if report.judged else ()
    told = [shift for shift in shifts if shift.is_intended or shift.adjusted_p < 1 - report.level]
    told.sort(key=lambda shift: (not shift.is_intended, shift.adjusted_p))
    return Table(
        (words["effect"], own["preferred"], words["adjusted"], *beside),
        tuple(_row(shift, language, judged=report.judged) for shift in told),
        caption=words["with_intervals"],
    )


def _row(shift: OpinionShift, language: Language, *, judged: bool) -> tuple[Cell, ...]:
    cells: tuple[Cell, ...] = (
        effect_word(shift.contrast.group, shift.trait, language),
        _number(shift.preferred, "share"),
        Number(shift.adjusted_p, digits=4),
    )
    return (*cells, _number(shift.judge, "signed"), _number(shift.agreement, "share")) if judged else cells


def _number(figure: EffectFigure | None, style: NumberStyle) -> Number | None:
    return None if figure is None else Number(figure.estimate, figure.low, figure.high, style)


def _text(figure: EffectFigure, language: str, style: NumberStyle = "signed") -> str:
    return number_text(Number(figure.estimate, figure.low, figure.high, style), language)
