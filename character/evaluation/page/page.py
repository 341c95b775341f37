"""An effect report as a page: what to look at first, the matrix of shifts, caricature, measures, examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from character.evaluation.page.cards import review_part, sign_off_part
from character.evaluation.page.findings import findings
from character.evaluation.page.opinion import opinion_section
from character.evaluation.page.revealed import revealed_section
from character.evaluation.page.writing import (
    Columns,
    compared_word,
    condition_word,
    example_of,
    is_sure,
    number,
    shift_parts,
)
from character.evaluation.records import DEGREE_SCORES, EffectReport, Shift, Survival, TraitReview
from character.locale import Language, listed, report_language, wording
from character.report import Examples, Figures, Note, Notes, Number, Page, Section, Table
from character.report.charts import Point, dots, heat_map, stacked
from character.report.parts import Cell, Part, figure, table

MOST_MEASURES = 40
"""Rows of what changed without a judge; every sure one is shown, however many there are."""


def effect_page(report: EffectReport, language: Language | None = None) -> Page:
    """Return the report as a page, in English or Chinese; by default in that of the constitution."""
    spoken = language or report_language(report.language)
    words = wording("effect.page", spoken)

    def section(name: str, parts: Iterable[Part], text: str = "") -> Section:
        return Section(words[name], words[text or f"{name}_text"], tuple(parts))

    models = [
        words["answered"].format(condition=condition_word(name, spoken), models=" → ".join(served))
        for name, served in report.models.items()
    ]
    items = tuple(example_of(moved, spoken) for moved in report.moved)
    examples = [Examples(words["examples"], items, num_open=2)] if items else []
    sections = [
        Section(words["first"], "", tuple(_first(report, spoken))),
        section("matrix", _matrix(report, spoken)),
        opinion_section(report, spoken),
        section("caricature", _caricature(report, spoken)),
        section("coherence", _coherence(report, spoken)),
        section("robustness", _robustness(report, spoken)),
        revealed_section(report, spoken),
        section("measures", _measures(report, spoken)),
        _reviews_section(report, spoken),
        section("examples", examples, "" if report.judged else "examples_text_unjudged"),
    ]
    return Page(
        title=words["title"].format(name=report.constitution),
        subtitle=" · ".join(dict.fromkeys(models)) if len(models) <= 4 else listed(report.traits, spoken),
        sections=tuple(section for section in sections if section.parts),
        language=spoken,
        footer=words["made"].format(version=report.version, seed=report.seed),
    )


def _first(report: EffectReport, language: Language) -> Iterator[Part]:
    words = wording("effect.page", language)
    counts = {
        "messages": sum(count for group, count in report.num_messages.items() if group),
        "neutral": report.num_messages.get("", 0),
        "calls": report.usage.calls,
        "dropped": sum(report.dropped.values()),
    }
    shown = {
        name: Number(count, style="count") for name, count in counts.items() if count or name != "neutral"
    }
    yield Figures(tuple(figure(words, name, count) for name, count in shown.items()))
    yield Notes((*review_notes(report, language), *findings(report, language)))


def _matrix(report: EffectReport, language: Language) -> Iterator[Part]:
    words, kinds = wording("effect.page", language), wording("effect.kinds", language)

    def beside(shifts: Sequence[Shift]) -> tuple[Columns[Shift], str]:
        numbers = {shift.num_messages for shift in shifts}
        if len(numbers) > 1:
            return {words["number"]: lambda shift: shift.num_messages}, ""
        return {}, words["messages_each"].format(number=max(numbers, default=0))

    yield from shift_parts(
        report,
        report.shifts,
        language,
        words["shift"],
        lambda shift: shift.shift,
        beside,
        middle=0.0,
        domain=(-3.0, 3.0),
    )
    points = [
        Point(each.trait, each.shift.estimate, each.shift.low, each.shift.high, kinds[each.kind])
        for each in report.kinds
    ]
    if points:
        names = (words["judged"], words["shift"], words["kind"])
        yield dots(words["by_kind"], points, names=names, reference=0.0)


def _caricature(report: EffectReport, language: Language) -> Iterator[Part]:
    words, degrees = wording("effect.page", language), wording("effect.degrees", language)
    spread = [
        (
            f"{share.trait} · {_own_word(share.condition, language)}",
            [share.degrees.get(each, 0) for each in DEGREE_SCORES],
        )
        for share in report.overdone
        if share.degrees
    ]
    if spread:
        steps = [degrees[each] for each in DEGREE_SCORES]
        names = (words["judged"], words["degree"], words["share"])
        yield stacked(words["degrees_chart"], spread, steps, names=names)
    if report.overdone:
        rows = (
            (one.trait, _own_word(one.condition, language), number(one.overdone, "share"), one.num_messages)
            for one in report.overdone
        )
        yield table(words, "judged condition overdone number", rows, "caricature_chart")


def _own_word(condition: str, language: Language) -> str:
    """Return a condition as it is called beside the trait that it is about."""
    if ": " in condition:
        return wording("effect.page", language)["alone_short"]
    return condition_word(condition, language)


def _coherence(report: EffectReport, language: Language) -> Iterator[Part]:
    words = wording("effect.page", language)
    rows = [
        (
            compared_word(each.contrast, language),
            number(each.points),
            Number(each.adjusted_p, digits=4),
            Number(each.agreement, style="share"),
            each.num_messages,
        )
        for each in report.coherence
    ]
    if rows:
        yield table(words, "changed points adjusted agreement number", rows)


def _robustness(report: EffectReport, language: Language) -> Iterator[Part]:
    words, pressures = wording("effect.page", language), wording("effect.pressures", language)
    is_both = len({left.contrast.condition.partition(":")[0] for left in report.robustness}) > 1
    cells: dict[tuple[str, str], Survival] = {}
    for left in report.robustness:
        name = left.contrast.group
        row = f"{name} · {condition_word(left.contrast.condition, language)}" if is_both else name
        cells[row, pressures[left.contrast.pressure]] = left
    shares = {place: left.share.estimate for place, left in cells.items() if left.share}
    if shares:
        rows, columns = (list(dict.fromkeys(place[side] for place in cells)) for side in (0, 1))
        yield heat_map(
            words["share_chart"],
            rows,
            columns,
            [[shares.get((row, column)) for column in columns] for row in rows],
            names=(words["judged"], words["pressure"], words["share_left"]),
            percent=True,
            domain=(0.0, 1.0),
        )
    if cells:
        lines = (
            (f"{row} · {column}", number(left.calm), number(left.pressed), number(left.share, "share"))
            for (row, column), left in cells.items()
        )
        note = "" if len(shares) == len(cells) else "no_share"
        yield table(words, "pressure calm pressed share_left", lines, "with_intervals_all", note)


def _measures(report: EffectReport, language: Language) -> Iterator[Part]:
    words, measures = wording("effect.page", language), wording("effect.measures", language)
    ordered = enumerate(sorted(report.measures, key=lambda each: each.adjusted_p))
    rows = tuple(
        (
            f"{compared_word(each.contrast, language)} · {measures[each.measure]}",
            Number(each.reference, digits=2),
            number(each.difference, "number" if each.measure == "characters" else "signed"),
            Number(each.adjusted_p, digits=4),
        )
        for place, each in ordered
        if place < MOST_MEASURES or is_sure(each, report)
    )
    columns = ("measure", "reference", "difference", "adjusted")
    counts = {"shown": len(rows), "number": len(report.measures)}
    note = words["measures_cut"].format(**counts) if len(rows) < len(report.measures) else ""
    if rows:
        yield Table(tuple(words[name] for name in columns), rows, note=note)


def _reviews_section(report: EffectReport, language: Language) -> Section:
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
