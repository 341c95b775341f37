"""How pages and cards write what was measured: figures, what was compared, shifts as matrix and table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar, Unpack

from character.evaluation.conditions import CHARACTER, QUESTIONS, Contrast
from character.evaluation.records import (
    Coherence,
    EffectFigure,
    EffectReport,
    MeasureShift,
    Moved,
    OpinionShift,
    Shift,
)
from character.locale import Language, wording
from character.report import Example, Number, Table, Text
from character.report.charts import HeatScale, heat_map
from character.report.parts import Cell, NumberStyle, Part
from character.report.wording import cell_text, number_text

AnyShift = TypeVar("AnyShift", bound=Shift | OpinionShift)
Columns = Mapping[str, Callable[[AnyShift], Cell]]
"""Further columns of a table of shifts, by their names."""


def is_sure(shift: Shift | MeasureShift | Coherence | OpinionShift, report: EffectReport) -> bool:
    """Whether a difference is significant at the report's level, after adjustment."""
    return shift.adjusted_p < 1 - report.level


def number(figure: EffectFigure | None, style: NumberStyle = "signed") -> Number | None:
    """Return a figure with its interval as a cell."""
    return None if figure is None else Number(figure.estimate, figure.low, figure.high, style)


def written(figure: EffectFigure, language: str, style: NumberStyle = "signed") -> str:
    """Return a figure with its interval as text."""
    return cell_text(number(figure, style), language)


def condition_word(condition: str, language: str) -> str:
    """Return how a report calls a condition."""
    words = wording("effect.page", language)
    head, _, name = condition.partition(": ")
    if name:
        return words[head].format(name=name)
    return words["whole" if head == CHARACTER else head]


def changed_word(contrast: Contrast, language: str) -> str:
    """Return what was changed in a contrast, with the messages it was changed on where that is not plain."""
    if contrast.question in ("alone", "within"):
        return contrast.group
    return _on_messages(condition_word(contrast.condition, language), contrast, language)


def compared_word(contrast: Contrast, language: str) -> str:
    """Return what is compared with what, with the messages it was compared on where that is not plain."""
    compared = wording("effect.page", language)["compared"].format(
        condition=condition_word(contrast.condition, language),
        reference=condition_word(contrast.reference, language),
    )
    is_plain = contrast.question in ("alone", "within")
    return compared if is_plain else _on_messages(compared, contrast, language)


def _on_messages(text: str, contrast: Contrast, language: str) -> str:
    words = wording("effect.page", language)
    messages = words["messages_of"].format(name=contrast.group) if contrast.group else words["everyday"]
    return wording("report.marks", language)["brackets"].format(text, messages)


def shift_parts(
    report: EffectReport,
    shifts: Sequence[AnyShift],
    language: str,
    name: str,
    figure_of: Callable[[AnyShift], EffectFigure],
    beside: Callable[[Sequence[AnyShift]], tuple[Columns[AnyShift], str]],
    **scale: Unpack[HeatScale],
) -> Iterator[Part]:
    """Yield, for each question, the figures of shifts as a matrix, and those intended or sure as a table.

    ``name`` is what the figures are called; ``beside`` gives further columns of the table, and its note.
    """
    words = wording("effect.page", language)
    style: NumberStyle = "share" if scale.get("percent") else "signed"
    for question in QUESTIONS:
        asked = [shift for shift in shifts if shift.contrast.question == question]
        if not asked:
            continue
        changed = [shift.contrast.group or words["everyday"] for shift in asked]
        figures = {
            (row, shift.trait): figure_of(shift).estimate for row, shift in zip(changed, asked, strict=True)
        }
        rows = list(dict.fromkeys(changed))
        values = [[figures.get((row, trait)) for trait in report.traits] for row in rows]
        names = (words["changed"], words["judged"], name)
        yield heat_map(words[question], rows, report.traits, values, names=names, **scale)
        listed = [shift for shift in asked if shift.is_intended or is_sure(shift, report)]
        listed.sort(key=lambda shift: (not shift.is_intended, shift.adjusted_p))
        columns, note = beside(listed)
        cells = tuple(
            (
                _effect_word(shift, words["everyday"]),
                number(figure_of(shift), style),
                Number(shift.adjusted_p, digits=4),
                *(cell_of(shift) for cell_of in columns.values()),
            )
            for shift in listed
        )
        heading = (words["effect"], name, words["adjusted"], *columns)
        yield Table(heading, cells, caption=words["with_intervals"], note=note)


def _effect_word(shift: Shift | OpinionShift, everyday: str) -> str:
    """Return what was changed, and the trait that it moves where it is another."""
    changed = shift.contrast.group or everyday
    return changed if changed == shift.trait else f"{changed} → {shift.trait}"


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
    texts = (moved.message.text, moved.reference_text, moved.condition_text)
    return Example(heading, tuple(map(Text, (words["message"], before, after), texts)))
