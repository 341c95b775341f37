"""An effect report as a page: what to look at first, the matrix of shifts, kinds, caricature, measures, examples."""

from __future__ import annotations

from collections.abc import Sequence

from character.evaluation.conditions import Contrast, condition_word, effect_word
from character.evaluation.page.findings import compared_word, findings, is_sure
from character.evaluation.page.opinion import opinion_section
from character.evaluation.page.revealed import revealed_section
from character.evaluation.page.reviews import review_notes, reviews_section
from character.evaluation.records import (
    DEGREE_SCORES,
    EffectFigure,
    EffectReport,
    Moved,
    OverdoneShare,
    Shift,
    Survival,
)
from character.locale import Language, listed, report_language, wording
from character.report import Chart, Example, Examples, Figures, Notes, Number, Page, Section, Table, Text
from character.report import Figure as BigNumber
from character.report.charts import Point, dots, heat_map, stacked
from character.report.parts import Cell, NumberStyle, Part
from character.report.wording import number_text

MOST_MEASURES = 40
"""Rows of what changed without a judge; every sure one is shown, however many there are."""
QUESTIONS = ("alone", "within", "character", "models")


def effect_page(report: EffectReport, language: Language | None = None) -> Page:
    """Return the report as a page, in English or Chinese; by default in that of the constitution."""
    spoken = language or report_language(report.language)
    words = wording("effect.page", spoken)
    models = [
        words["answered"].format(condition=condition_word(name, spoken), models=" → ".join(served))
        for name, served in report.models.items()
    ]
    sections = [
        _first(report, spoken),
        _matrix(report, spoken),
        opinion_section(report, spoken),
        _caricature(report, spoken),
        _coherence(report, spoken),
        _robustness(report, spoken),
        revealed_section(report, spoken),
        _measures(report, spoken),
        reviews_section(report, spoken),
        _examples(report, spoken),
    ]
    return Page(
        title=words["title"].format(name=report.constitution),
        subtitle=" · ".join(dict.fromkeys(models)) if len(models) <= 4 else listed(report.traits, spoken),
        sections=tuple(section for section in sections if section.parts),
        language=spoken,
        footer=words["made"].format(version=report.version, seed=report.seed),
    )


def _first(report: EffectReport, language: Language) -> Section:
    words = wording("effect.page", language)
    number = sum(n for group, n in report.num_messages.items() if group)
    figures = [BigNumber(words["messages"], Number(number, style="count"))]
    if report.num_messages.get(""):
        figures.append(BigNumber(words["neutral"], Number(report.num_messages[""], style="count")))
    figures.append(BigNumber(words["calls"], Number(report.usage.calls, style="count")))
    lost = sum(report.dropped.values())
    figures.append(BigNumber(words["dropped"], Number(lost, style="count")))
    return Section(
        words["first"],
        "",
        (Figures(tuple(figures)), Notes((*review_notes(report, language), *findings(report, language)))),
    )


def _matrix(report: EffectReport, language: Language) -> Section:
    words = wording("effect.page", language)
    parts: list[Part] = []
    for question in QUESTIONS:
        shifts = [shift for shift in report.shifts if shift.contrast.question == question]
        if shifts:
            parts += [
                _heat_map(report, question, shifts, language),
                _shift_table(report, shifts, language),
            ]
    if report.kinds:
        parts.append(_kinds(report, language))
    return Section(words["matrix"], words["matrix_text"], tuple(parts))


def _row_word(contrast: Contrast, language: Language) -> str:
    return contrast.group or wording("effect.page", language)["everyday"]


def _heat_map(report: EffectReport, question: str, shifts: Sequence[Shift], language: Language) -> Chart:
    words = wording("effect.page", language)
    rows = list(dict.fromkeys(_row_word(shift.contrast, language) for shift in shifts))
    cells = {(_row_word(shift.contrast, language), shift.trait): shift.shift.estimate for shift in shifts}
    return heat_map(
        words[question],
        rows,
        report.traits,
        [[cells.get((row, trait)) for trait in report.traits] for row in rows],
        names=(words["changed"], words["judged"], words["shift"]),
        middle=0.0,
        domain=(-3.0, 3.0),
    )


def _shift_table(report: EffectReport, shifts: Sequence[Shift], language: Language) -> Table:
    words = wording("effect.page", language)
    kept = sorted(shifts, key=lambda shift: (not shift.is_intended, shift.adjusted_p))
    kept = [shift for shift in kept if shift.is_intended or is_sure(shift, report)]
    numbers = {shift.num_messages for shift in kept}
    beside = (words["number"],) if len(numbers) > 1 else ()
    return Table(
        (words["effect"], words["shift"], words["adjusted"], *beside),
        tuple(
            (
                effect_word(shift.contrast.group, shift.trait, language),
                _number(shift.shift, "signed"),
                Number(shift.adjusted_p, digits=4),
                *((shift.num_messages,) if beside else ()),
            )
            for shift in kept
        ),
        caption=words["with_intervals"],
        note="" if beside else words["messages_each"].format(number=max(numbers, default=0)),
    )


def _kinds(report: EffectReport, language: Language) -> Chart:
    words = wording("effect.page", language)
    points = [
        Point(
            shift.trait,
            shift.shift.estimate,
            shift.shift.low,
            shift.shift.high,
            wording("effect.kinds", language)[shift.kind],
        )
        for shift in report.kinds
    ]
    return dots(
        words["by_kind"], points, names=(words["judged"], words["shift"], words["kind"]), reference=0.0
    )


def _caricature(report: EffectReport, language: Language) -> Section:
    words, degrees = wording("effect.page", language), wording("effect.degrees", language)
    if not report.overdone:
        return Section(words["caricature"])
    parts: list[Part] = []
    spread = [share for share in report.overdone if share.degrees]
    if spread:
        rows = [
            (
                f"{share.trait} · {_own_word(share, language)}",
                [share.degrees.get(each, 0) for each in DEGREE_SCORES],
            )
            for share in spread
        ]
        steps = [degrees[each] for each in DEGREE_SCORES]
        names = (words["judged"], words["degree"], words["share"])
        parts.append(stacked(words["degrees_chart"], rows, steps, names=names))
    table = Table(
        (words["judged"], words["condition"], words["overdone"], words["number"]),
        tuple(
            (share.trait, _own_word(share, language), _number(share.overdone, "share"), share.num_messages)
            for share in report.overdone
        ),
        caption=words["caricature_chart"],
    )
    return Section(words["caricature"], words["caricature_text"], (*parts, table))


def _own_word(share: OverdoneShare, language: Language) -> str:
    """Return a condition as it is called beside the trait that it is about."""
    name = share.condition.partition(": ")[0]
    if name != share.condition:
        return wording("effect.page", language)["alone_short"]
    return condition_word(name, language)


def _coherence(report: EffectReport, language: Language) -> Section:
    words = wording("effect.page", language)
    columns = ("changed", "points", "adjusted", "agreement", "number")
    rows = tuple(
        (
            compared_word(each.contrast, language),
            _number(each.points, "signed"),
            Number(each.adjusted_p, digits=4),
            Number(each.agreement, style="share"),
            each.num_messages,
        )
        for each in report.coherence
    )
    table = Table(tuple(words[name] for name in columns), rows)
    return Section(words["coherence"], words["coherence_text"], (table,) if rows else ())


def _robustness(report: EffectReport, language: Language) -> Section:
    words, pressures = wording("effect.page", language), wording("effect.pressures", language)
    if not report.robustness:
        return Section(words["robustness"])
    is_both = len({left.contrast.condition.partition(":")[0] for left in report.robustness}) > 1
    cells: dict[tuple[str, str], Survival] = {}
    for left in report.robustness:
        name = left.contrast.group
        row = f"{name} · {condition_word(left.contrast.condition, language)}" if is_both else name
        cells[row, pressures[left.contrast.pressure]] = left
    rows, columns = (list(dict.fromkeys(key[side] for key in cells)) for side in (0, 1))
    shares = [
        [cells[row, column].share if (row, column) in cells else None for column in columns] for row in rows
    ]
    chart = heat_map(
        words["share_chart"],
        rows,
        columns,
        [[None if share is None else share.estimate for share in line] for line in shares],
        names=(words["judged"], words["pressure"], words["share_left"]),
        percent=True,
        domain=(0.0, 1.0),
    )
    table = Table(
        (words["pressure"], words["calm"], words["pressed"], words["share_left"]),
        tuple(
            (
                f"{row} · {column}",
                _number(left.calm, "signed"),
                _number(left.pressed, "signed"),
                None if left.share is None else _number(left.share, "share"),
            )
            for (row, column), left in cells.items()
        ),
        caption=words["with_intervals_all"],
        note=words["no_share"] if any(left.share is None for left in report.robustness) else "",
    )
    parts = (chart, table) if any(left.share for left in report.robustness) else (table,)
    return Section(words["robustness"], words["robustness_text"], parts)


def _measures(report: EffectReport, language: Language) -> Section:
    words = wording("effect.page", language)
    told = sorted(report.measures, key=lambda each: each.adjusted_p)
    told = [each for place, each in enumerate(told) if place < MOST_MEASURES or is_sure(each, report)]
    measures = wording("effect.measures", language)
    rows: list[tuple[Cell, ...]] = [
        (
            f"{compared_word(each.contrast, language)} · {measures[each.measure]}",
            Number(each.reference, digits=2),
            _number(each.difference, "number" if each.measure == "characters" else "signed"),
            Number(each.adjusted_p, digits=4),
        )
        for each in told
    ]
    columns = ("measure", "reference", "difference", "adjusted")
    counts = {"shown": len(told), "number": len(report.measures)}
    note = words["measures_cut"].format(**counts) if len(told) < len(report.measures) else ""
    table = Table(tuple(words[name] for name in columns), tuple(rows), note=note)
    return Section(words["measures"], words["measures_text"], (table,) if rows else ())


def _examples(report: EffectReport, language: Language) -> Section:
    words = wording("effect.page", language)
    items = tuple(example_of(moved, language) for moved in report.moved)
    parts = (Examples(words["examples"], items, num_open=2),) if items else ()
    text = words["examples_text" if report.judged else "examples_text_unjudged"]
    return Section(words["examples"], text, parts)


def example_of(moved: Moved, language: Language) -> Example:
    """Return a message with its two responses, to be read side by side."""
    words, degrees = wording("effect.page", language), wording("effect.degrees", language)
    before, after = (
        condition_word(name, language) for name in (moved.contrast.reference, moved.contrast.condition)
    )
    heading = f"{moved.trait}: {number_text(Number(moved.odds, style='signed'), language)}"
    if moved.reference_degree and moved.condition_degree:
        first, second = degrees[moved.reference_degree], degrees[moved.condition_degree]
        heading = words["example"].format(trait=moved.trait, before=first, after=second)
        before, after = f"{before} · {first}", f"{after} · {second}"
    return Example(
        heading,
        (
            Text(words["message"], moved.message.text),
            Text(before, moved.reference_text),
            Text(after, moved.condition_text),
        ),
    )


def _number(figure: EffectFigure, style: NumberStyle) -> Number:
    return Number(figure.estimate, figure.low, figure.high, style)
