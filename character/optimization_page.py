"""The report of an optimization as a page: the verdict first, then before and after, the learning curve, and what it took."""

from __future__ import annotations

from character.report import Figure, Figures, Note, Notes, Number, Page, Section, Table
from character.report.charts import Point, Step, dots, line
from character.report.parts import Weight
from optimizers.metrics import LOWER_IS_BETTER
from optimizers.report import Figure as Estimate
from optimizers.report import MetricGain, OptimizationReport

_METRIC_WORDS = {
    "pairwise_accuracy": "pairwise accuracy",
    "tau_b": "Kendall's tau-b",
    "top1": "top-1",
    "ndcg": "NDCG",
    "mean_absolute_error": "mean absolute error",
}


def optimization_page(report: OptimizationReport) -> Page:
    """Return the report as a page, in English."""
    sections = [_verdict(report), _before_and_after(report)]
    if len(report.curve) > 1:
        sections.append(_curve(report))
    if report.contenders:
        sections.append(_contenders(report))
    return Page(
        title=f"Tuning a ranker: {report.labelled or 'a labelled set'}",
        subtitle=f"{report.strategy} · {report.model} · seed {report.seed}",
        sections=(*sections, _calls(report)),
    )


def _verdict(report: OptimizationReport) -> Section:
    gain = report.gain
    verdict = f"{'Adopted' if report.adopted else 'Not adopted'}: {report.reason}."
    notes = [Note(verdict, "fine" if report.adopted else "look"), *_notes(report)]
    if report.warning:
        notes.insert(1, Note(f"With the tuned ranker {report.warning}", "look"))
    figures = [Figure("labelled items", Number(report.num_items, style="count"))]
    if gain is not None:
        shown = Number(gain.gain.estimate, gain.gain.low, gain.gain.high, "signed", 3)
        figures.append(Figure(f"gain in {_METRIC_WORDS[gain.metric]}", shown, "on held-out items"))
    figures.append(Figure("calls", Number(report.calls.total, style="count")))
    return Section("Verdict", "", (Notes(tuple(notes)), Figures(tuple(figures))))


def _notes(report: OptimizationReport) -> list[Note]:
    if report.design == "locked":
        how = (
            f"{report.num_test} items were locked away before anything was tried, and {report.num_train} were tuned on: "
            "no choice was made on the items that the gain is measured on."
        )
    else:
        how = (
            f"Nested cross-validation: the whole tuning ran {report.folds} times, each time without the items it was then "
            "measured on, and once more on all items. The gain is that of tuning in this way, on items not tuned on."
        )
    notes = [Note(how)]
    if report.gain is not None and report.chosen != "untuned" and len(report.curve) < 2:
        notes.append(
            Note("The calls did not reach for a learning curve, which tells whether more labels would pay.")
        )
    if report.unmeasured:
        notes.append(
            Note(f"{report.unmeasured} held-out items were not measured: the calls ran out.", "look")
        )
    if report.unusable:
        notes.append(
            Note(f"{report.unusable} items were left out: their labels tell nothing by this metric.")
        )
    if report.control is not None:
        weight: Weight = "look" if report.control.adopted else "fine"
        text = f"Control on permuted labels, where nothing can be learnt: {report.control.adopted} of {report.control.runs} would have been adopted."
        notes.append(Note(text, weight))
    return notes


def _before_and_after(report: OptimizationReport) -> Section:
    points = [
        Point(_METRIC_WORDS[each.metric], figure.estimate, figure.low, figure.high, group)
        for each in report.metrics
        for group, figure in (("before", each.before), ("after", each.after))
    ]
    chart = dots("Before and after, on held-out items", points, names=("metric", "value", "ranker"))
    table = Table(
        ("metric", "before", "after", "gain", "items"),
        tuple(_row(each) for each in report.metrics),
        note=f"Intervals at the level {report.level:g}, paired for the gain. A positive gain is better, also for errors.",
    )
    return Section(
        "Before and after", "How well the ranker agrees with the raters.", (chart, table) if points else ()
    )


def _row(each: MetricGain) -> tuple[str | int | Number, ...]:
    name = _METRIC_WORDS[each.metric] + (" (lower is better)" if each.metric in LOWER_IS_BETTER else "")
    gain = _number(each.gain, signed=True)
    return name, _number(each.before), _number(each.after), gain, each.num_items


def _number(figure: Estimate, *, signed: bool = False) -> Number:
    return Number(figure.estimate, figure.low, figure.high, "signed" if signed else "number", 3)


def _curve(report: OptimizationReport) -> Section:
    steps = [
        Step(point.num_items, point.gain.estimate, point.gain.low, point.gain.high) for point in report.curve
    ]
    rising = steps[-1].y - steps[-2].y
    said = (
        "It still rises: more labels would pay."
        if rising > 0.01
        else "It is flat: more labels of this kind would gain little."
    )
    chart = line(
        "Gain against the number of labelled items",
        steps,
        names=("labelled items tuned on", "held-out gain", ""),
        reference=0.0,
        description=said,
    )
    return Section("Would more labels pay?", "", (chart,))


def _contenders(report: OptimizationReport) -> Section:
    rows = tuple(
        (
            each.strategy,
            Number(each.gain, style="signed", digits=3),
            Number(each.standard_error, digits=3),
            each.calls,
        )
        for each in report.contenders
    )
    table = Table(
        ("strategy", "mean gain", "standard error", "calls"),
        rows,
        note=f"In cross-validation inside the training part. Picked: {report.chosen}, the simplest within a standard error of the best.",
    )
    return Section("What was tried", "", (table,))


def _calls(report: OptimizationReport) -> Section:
    calls = report.calls
    cost = "unknown" if calls.cost_usd is None else f"${calls.cost_usd:.4f}"
    rows = (
        ("calls to the judge", calls.ranking),
        ("calls to the model that proposes instructions", calls.reflection),
        ("calls allowed", calls.budget),
        ("tokens in", calls.prompt_tokens),
        ("tokens out", calls.completion_tokens),
        ("cost", cost),
        ("labels", report.num_labels),
    )
    return Section("What it took", "", (Table(("", "number"), rows),))
