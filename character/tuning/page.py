"""The report of an optimization as a page: the verdict first, then what changed, and what it took."""

from __future__ import annotations

import math
from collections.abc import Iterator
from difflib import ndiff

from character.locale import Language, checked_language, counted, listed, report_language, wording
from character.report import Example, Examples, Figure, Figures, Note, Notes, Number, Page, Section
from character.report.charts import Point, Step, dots, line
from character.report.parts import Part, Table, Text, Weight, table
from character.report.wording import number_text
from character.statistics.intervals import LEAST_GROUPS
from optimizers.artifact.records import MetricFigure
from optimizers.calibration.calibration import Calibration
from optimizers.metrics.functions import LOWER_IS_BETTER
from optimizers.validation.report import MetricGain, OptimizationReport, Tuned

MOST_LINES = 40
"""Lines of a diff that are shown; the saved ranker has the whole instruction."""


def optimization_page(report: OptimizationReport, language: str | None = None) -> Page:
    """Return the report as a page, in the language of most labels unless told otherwise.

    Raises UnknownNameError for a language that reports do not speak.
    """
    of_labels = report_language(report.languages[0] if report.languages else "")
    spoken = of_labels if language is None else checked_language(language)
    words = wording("tuning.page", spoken)
    sections = [_verdict(report, spoken), _before_and_after(report, spoken), _changes(report, spoken)]
    if len(report.curve) > 1:
        sections.append(_curve(report, spoken))
    if report.contenders:
        sections.append(_contenders(report, spoken))
    measured = report.gain.num_items if report.gain else 0
    name = report.labelled or words["a_set"]
    strategy = wording("tuning.strategies", spoken).get(report.strategy, report.strategy)
    return Page(
        title=words["title"].format(name=name, measured=measured, given=report.num_items + report.unusable),
        subtitle=words["subtitle"].format(strategy=strategy, model=report.model, seed=report.seed),
        sections=(*sections, _calls(report, spoken)),
        language=spoken,
    )


def _verdict(report: OptimizationReport, language: Language) -> Section:
    words, gain = wording("tuning.page", language), report.gain
    verdict = words["adopted" if report.adopted else "not_adopted"].format(reason=_reason(report, language))
    notes = [Note(verdict, "fine" if report.adopted else "look")]
    if report.rehearsal:
        notes.append(Note(wording("report.page", language)["rehearsal"], "look"))
    if report.warning:
        notes.append(Note(_length(report, language), "look"))
    notes += _notes(report, language)
    figures = [Figure(words["items"], Number(report.num_items, style="count"))]
    if gain is not None:
        label = words["gain_in"].format(metric=wording("tuning.metrics", language)[gain.metric])
        figures.append(Figure(label, _number(gain.gain, signed=True), words["on_held_out"]))
    figures.append(Figure(words["calls"], Number(report.calls.total, style="count")))
    return Section(words["verdict"], "", (Notes(tuple(notes)), Figures(tuple(figures))))


def _reason(report: OptimizationReport, language: Language) -> str:
    if language == "en":
        return report.reason
    template, gain = wording("tuning.verdicts", language)[report.verdict], report.gain
    if gain is None:
        return template
    return template.format(
        metric=wording("tuning.metrics", language)[gain.metric],
        items=gain.num_items,
        gain=number_text(_number(gain.gain, signed=True), language),
        level=report.level,
        groups=gain.num_groups,
        least=LEAST_GROUPS,
    )


def _length(report: OptimizationReport, language: Language) -> str:
    words, calibration = wording("tuning.page", language), report.tuned.calibration
    if language == "en" or calibration is None:
        return words["length"].format(warning=report.warning)
    more = calibration.length_credit > 0
    return words["length"].format(
        direction=words["more" if more else "less"],
        moved=abs(calibration.length_credit) * math.log(2),
        share=calibration.length_share,
        favoured=words["longer" if more else "shorter"],
    )


def _notes(report: OptimizationReport, language: Language) -> list[Note]:
    words = wording("tuning.page", language)
    facts = {"test": report.num_test, "train": report.num_train, "folds": report.folds}
    notes = [Note(words[report.design].format(**facts))]
    if report.gain is not None and report.chosen != "untuned" and len(report.curve) < 2:
        notes.append(Note(words["no_curve"]))
    if report.unmeasured:
        notes.append(Note(words["unmeasured"].format(number=report.unmeasured), "look"))
    if any(report.not_ranked.values()):
        lost = {when: counted(reasons, language) for when, reasons in report.not_ranked.items()}
        measured = report.gain.num_items if report.gain else 0
        notes.append(Note(words["not_ranked"].format(**facts, measured=measured, **lost), "look"))
    if report.unusable:
        notes.append(Note(words["unusable"].format(number=report.unusable)))
    if report.control is not None:
        weight: Weight = "look" if report.control.adopted else "fine"
        text = words["control"].format(adopted=report.control.adopted, runs=report.control.runs)
        notes.append(Note(text, weight))
    return notes


def _before_and_after(report: OptimizationReport, language: Language) -> Section:
    words, called = wording("tuning.page", language), wording("tuning.metrics", language)
    points = [
        Point(called[each.metric], figure.estimate, figure.low, figure.high, group)
        for each in report.metrics
        for group, figure in ((words["before"], each.before), (words["after"], each.after))
    ]
    names = (words["metric"], words["value"], words["ranker"])
    chart = dots(words["before_after_chart"], points, names=names)
    rows = [_row(each, language) for each in report.metrics]
    filled = {**words, "intervals": words["intervals"].format(level=report.level)}
    figures = table(filled, "metric before after gain num_items", rows, note="intervals")
    return Section(words["before_after"], words["before_after_text"], (chart, figures) if points else ())


def _row(each: MetricGain, language: Language) -> tuple[str | int | Number, ...]:
    name = wording("tuning.metrics", language)[each.metric]
    if each.metric in LOWER_IS_BETTER:
        name = wording("tuning.page", language)["lower"].format(metric=name)
    gain = _number(each.gain, signed=True)
    return name, _number(each.before), _number(each.after), gain, each.num_items


def _number(figure: MetricFigure, *, signed: bool = False) -> Number:
    return Number(figure.estimate, figure.low, figure.high, "signed" if signed else "number", 3)


def _curve(report: OptimizationReport, language: Language) -> Section:
    words = wording("tuning.page", language)
    steps = [
        Step(point.num_items, point.gain.estimate, point.gain.low, point.gain.high) for point in report.curve
    ]
    rising = steps[-1].y - steps[-2].y
    chart = line(
        words["curve_chart"],
        steps,
        names=(words["tuned_on"], words["held_out_gain"], ""),
        reference=0.0,
        description=words["rising" if rising > 0.01 else "flat"],
    )
    return Section(words["curve"], "", (chart,))


def _contenders(report: OptimizationReport, language: Language) -> Section:
    words, called = wording("tuning.page", language), wording("tuning.strategies", language)
    rows = (
        (
            called.get(each.strategy, each.strategy),
            Number(each.gain, style="signed", digits=3),
            Number(each.standard_error, digits=3),
            each.calls,
        )
        for each in report.contenders
    )
    chosen = called.get(report.chosen, report.chosen)
    filled = {**words, "tried_note": words["tried_note"].format(chosen=chosen)}
    tried = table(filled, "strategy mean_gain error calls", rows, note="tried_note")
    return Section(words["tried"], "", (tried,))


def _calls(report: OptimizationReport, language: Language) -> Section:
    words, calls = wording("tuning.page", language), report.calls
    rows = (
        (words["judge_calls"], calls.ranking),
        (words["reflection_calls"], calls.reflection),
        (words["allowed"], calls.budget),
        (words["tokens_in"], calls.prompt_tokens),
        (words["tokens_out"], calls.completion_tokens),
        (words["cost"], words["unknown"] if calls.cost_usd is None else f"${calls.cost_usd:.4f}"),
        (words["labels"], report.num_labels),
    )
    return Section(words["took"], "", (Table(("", words["number"]), rows),))


def _changes(report: OptimizationReport, language: str) -> Section:
    """Return what is different from the ranker before, the instruction line by line."""
    words, lines = wording("tuning.page", language), instruction_diff(report.tuned)
    rows = tuple(_changed(report.tuned, lines, language))
    if not rows:
        return Section(words["changed"], "", (Notes((Note(words["unchanged"]),)),))
    parts: list[Part] = [table(words, "part before after", rows)]
    if lines:
        some = [*lines[:MOST_LINES], *(["…"] if len(lines) > MOST_LINES else [])]
        text = Text(words["instruction"], "\n".join(some))
        parts.append(Examples(words["diff"], (Example(words["diff_heading"], (text,)),)))
    strategy = wording("tuning.strategies", language).get(report.chosen, report.chosen)
    return Section(words["changed"], words["changed_text"].format(strategy=strategy), tuple(parts))


def instruction_diff(tuned: Tuned) -> list[str]:
    """Return the lines of the instruction that went, after ``− ``, and those that came, after ``+ ``."""
    lines = ndiff(tuned.instructions_before.split("\n"), tuned.instructions.split("\n"))
    signs = {"- ": "− ", "+ ": "+ "}
    return [f"{signs[each[:2]]}{each[2:]}" for each in lines if each[:2] in signs]


def _changed(tuned: Tuned, lines: list[str], language: str) -> Iterator[tuple[str, str, str]]:
    words = wording("tuning.page", language)
    if lines:
        removed = sum(each.startswith("−") for each in lines)
        yield words["instruction"], "", words["lines"].format(removed=removed, added=len(lines) - removed)
    if tuned.num_demos != tuned.num_demos_before:
        yield words["demos"], str(tuned.num_demos_before), str(tuned.num_demos)
    if tuned.temperature != tuned.temperature_before:
        before, after = (
            words["model_own"] if each is None else f"{each:g}"
            for each in (tuned.temperature_before, tuned.temperature)
        )
        yield words["temperature"], before, after
    if tuned.recalibrated:
        yield words["calibration"], "", _calibration(tuned.calibration, language)


def _calibration(calibration: Calibration | None, language: str) -> str:
    words = wording("tuning.page", language)
    if calibration is None:
        return words["no_calibration"]
    facts = [words["fitted"].format(labels=calibration.num_labels)]
    if calibration.places:
        sizes = listed((str(len(row)) for row in calibration.places), language)
        facts.append(words["places"].format(sizes=sizes))
    if calibration.length_slope:
        facts.append(words["length_bias"])
    if calibration.length_credit:
        facts.append(words["length_counts"].format(share=calibration.length_share))
    if any(abs(x - y) > 1e-6 for x, y in calibration.knots):
        facts.append(words["bends"])
    return wording("report.marks", language)["semicolon"].join(facts)
