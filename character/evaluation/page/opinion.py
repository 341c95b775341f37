"""A preference model in an effect report: its shifts beside the judge's, or in their place, and how far the two agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from character.evaluation.page.words import WORDS, effect_word
from character.evaluation.records import EffectFigure, EffectReport, OpinionShift
from character.report import Chart, Note, Number, Section, Table
from character.report.charts import heat_map
from character.report.parts import Cell, Language, NumberStyle, Part
from character.report.wording import number_text

OPINION_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "heading": "The preference model, beside the judge",
        "heading_alone": "The preference model, in the judge's place",
        "text": "A fitted preference model ({model}) on the same responses: how surely a response under the condition fits the trait better than the one it is compared with. 50 % is no difference. The judge's shift is in degrees nearer to the trait's target.",
        "text_alone": "No judge was called. A fitted preference model ({model}) says how surely a response under the condition fits the trait better than the one it is compared with. 50 % is no difference; it does not tell missing from overdone.",
        "preferred": "preferred",
        "odds": "shift, log-odds",
        "nearer": "judge, degrees nearer",
        "alike": "judge and model alike",
        "stood_in": "A preference model stood in for the judge: it says which response fits a trait better, not how strongly the trait shows.",
        "agree": "Where the judge prefers one of two responses, the preference model prefers the same in {share} of {number} intended comparisons.",
        "disagree": "Judge and preference model are not surely of one mind: on {share} of {number} intended comparisons they prefer the same response. Read some of these before you trust either.",
        "seen": "The preference model was fitted on {seen} of the {number} messages.",
        "not_fitted": "The preference model was not fitted on {traits}: there it says what the traits it knows have in common.",
        "found": "{trait}, by the preference model, fits better {where}: preferred in {share}.",
        "missing": "{trait}, by the preference model, does not surely fit better {where}: preferred in {share}.",
        "backwards": "{trait}, by the preference model, fits worse {where}: preferred in {share}.",
        "line": "preferred in {share}, {odds} log-odds (p {p})",
        "line_judge": "; judge {nearer} degrees nearer, alike in {alike}",
        "nothing": "not compared",
    },
    "zh": {
        "heading": "偏好模型，与评判对照",
        "heading_alone": "偏好模型，代替评判",
        "text": "拟合好的偏好模型（{model}）看同样的回复：该条件下的回复有多确定地比对照的更符合特质。50% 表示没有差别。评判的变化按“离特质的目标近了几个程度”计算。",
        "text_alone": "没有请评判模型。拟合好的偏好模型（{model}）说出：该条件下的回复有多确定地比对照的更符合特质。50% 表示没有差别；它分不清“没有”和“过头”。",
        "preferred": "被偏好",
        "odds": "变化（对数优势）",
        "nearer": "评判：近了几个程度",
        "alike": "评判与模型一致",
        "stood_in": "偏好模型代替了评判：它说出哪条回复更符合特质，不说特质有多明显。",
        "agree": "在评判有所偏好的 {number} 次预期比较中，偏好模型有 {share} 偏好同一条回复。",
        "disagree": "评判与偏好模型的意见并不确定一致：{number} 次预期比较中，{share} 偏好同一条回复。请先读几条，再决定相信哪一个。",
        "seen": "{number} 条消息中有 {seen} 条是偏好模型拟合时用过的。",
        "not_fitted": "偏好模型没有在{traits}上拟合：对此它只能说出已知特质的共同之处。",
        "found": "按偏好模型，{trait}{where}更符合：{share} 被偏好。",
        "missing": "按偏好模型，{trait}{where}并没有确定地更符合：{share} 被偏好。",
        "backwards": "按偏好模型，{trait}{where}反而更不符合：{share} 被偏好。",
        "line": "{share} 被偏好，{odds} 对数优势（p {p}）",
        "line_judge": "；评判近了 {nearer} 个程度，一致 {alike}",
        "nothing": "没有比较",
    },
}
_QUESTIONS = ("alone", "within", "character", "models")
_INTENDED = ("alone", "within", "models")


def opinion_section(report: EffectReport, language: Language) -> Section:
    """Return the section of the preference model; without parts where there was none."""
    words, found = OPINION_WORDS[language], report.opinion
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
    words, found = OPINION_WORDS[language], report.opinion
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
        names = ("、" if language == "zh" else ", ").join(found.not_fitted)
        yield Note(words["not_fitted"].format(traits=names), "look")


def opinion_facts(report: EffectReport, trait: str, language: str) -> list[tuple[str, str]]:
    """Return what a card says of one trait by the preference model: what was compared, and what was found."""
    return [
        (WORDS[language][shift.contrast.question], _found(shift, language))
        for shift in (report.opinion.shifts if report.opinion else ())
        if shift.trait == trait and shift.is_intended and shift.contrast.question in _INTENDED
    ]


def _found(shift: OpinionShift, language: str) -> str:
    words = OPINION_WORDS[language]
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
    said = OPINION_WORDS[language][key].format(
        trait=shift.trait,
        where=WORDS[language][f"{shift.contrast.question}_where"],
        share=_text(shift.preferred, language, "share"),
    )
    return Note(said, "fine" if key == "found" else "look")


def _row_word(shift: OpinionShift, language: Language) -> str:
    return shift.contrast.group or WORDS[language]["everyday"]


def _heat_map(
    report: EffectReport, question: str, shifts: Sequence[OpinionShift], language: Language
) -> Chart:
    words = WORDS[language]
    rows = list(dict.fromkeys(_row_word(shift, language) for shift in shifts))
    cells = {(_row_word(shift, language), shift.trait): shift.preferred.estimate for shift in shifts}
    return heat_map(
        words[question],
        rows,
        report.traits,
        [[cells.get((row, trait)) for trait in report.traits] for row in rows],
        names=(words["changed"], words["judged"], OPINION_WORDS[language]["preferred"]),
        percent=True,
        middle=0.5,
        domain=(0.0, 1.0),
    )


def _table(report: EffectReport, question: str, shifts: Sequence[OpinionShift], language: Language) -> Table:
    words, own = WORDS[language], OPINION_WORDS[language]
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
