"""The evaluation of a preference model as a report, in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterator

from character.locale import checked_language, counted, listed, wording
from character.preference.evaluation_records import (
    Disagreement,
    EvaluationScope,
    PreferenceEvaluation,
    PreferenceMeasure,
)
from character.report import Example, Examples, Figures, Note, Notes, Number, Page, Section, Table
from character.report.charts import Point, Step, dots, line
from character.report.parts import Cell, NumberStyle, Part, figure, pair_example, share, table

Words = dict[str, str]
_GROUPS = {"kind": "audit_messages.kinds", "language": "preference.languages", "design": "preference.designs"}
"""Where the groups of a field get their names from; one without a name keeps its own."""
_FIGURES: dict[str, tuple[str, NumberStyle, int]] = {
    "accuracy": ("accuracy", "share", 2),
    "shorter_side": ("shorter", "share", 2),
    "balanced": ("length_balanced", "share", 2),
    "log_loss": ("log_loss", "number", 3),
    "brier": ("brier", "number", 3),
    "ece": ("ece", "number", 3),
}
"""The figures of a scope, by the word for each: its field, and how it is written."""


def evaluation_page(evaluation: PreferenceEvaluation, language: str = "en") -> Page:
    """Return the report; raises UnknownNameError for a language that reports do not speak."""
    spoken = checked_language(language)
    words = wording("preference.page", spoken)
    model = wording("preference.models", spoken).get(evaluation.model, evaluation.model)
    surest = tuple(disagreement_example(words, pair, "disagree") for pair in evaluation.disagreements)
    sections = (
        _first(evaluation, words, spoken),
        _rivals(evaluation, words),
        _calibration(evaluation, words),
        _groups(evaluation, words, spoken),
        _transfer(evaluation, words) if evaluation.unseen or evaluation.specificity else None,
        _curve(evaluation, words) if evaluation.curve else None,
        Section(words["disagreements"], words["disagreements_text"], (Examples(words["surest"], surest),)),
    )
    return Page(
        title=words["title"].format(name=evaluation.name or model),
        subtitle=words[evaluation.how].format(model=model, folds=evaluation.num_folds),
        sections=tuple(section for section in sections if section),
        language=spoken,
        footer=words["made"].format(seed=evaluation.seed),
    )


def measured(measure: PreferenceMeasure, style: NumberStyle = "share", digits: int = 2) -> Number:
    """Return a figure with its interval as a page writes it."""
    return Number(measure.value, measure.low, measure.high, style, digits)


def _figure(scope: EvaluationScope, word: str) -> Number:
    field, style, digits = _FIGURES[word]
    return measured(getattr(scope, field), style, digits)


def _first(evaluation: PreferenceEvaluation, words: Words, language: str) -> Section:
    first = ("accuracy", "shorter_side", "balanced", "log_loss", "ece")
    figures = [figure(words, word, _figure(evaluation.overall, word)) for word in first]
    figures.append(figure(words, "pairs", Number(evaluation.overall.num_pairs, style="count")))
    notes = tuple(_notes(evaluation, words, language))
    return Section(words["first"], "", (*([Notes(notes)] if notes else []), Figures(tuple(figures))))


def _notes(evaluation: PreferenceEvaluation, words: Words, language: str) -> Iterator[Note]:
    if evaluation.rehearsal:
        yield Note(wording("report.page", language)["rehearsal"], "look")
    for rival in evaluation.rivals:
        simple = rival.name in ("longer", "shorter", "confounds")
        if simple and rival.gain.low is not None and rival.gain.low <= 0:
            yield Note(words["no_gain"].format(rival=words[rival.name]), "look")
    if evaluation.num_seen:
        yield Note(words["seen"].format(number=evaluation.num_seen))
    if evaluation.not_fitted:
        yield Note(words["not_fitted"].format(traits=listed(evaluation.not_fitted, language)), "look")
    claimed, surely = evaluation.judge.claimed.value, evaluation.overall.accuracy.low
    if claimed is not None and surely is not None and surely > claimed:
        yield Note(words["above_judge"], "look")
    if evaluation.left_out:
        yield Note(words["left_out"].format(reasons=counted(evaluation.left_out, language)))


def _rivals(evaluation: PreferenceEvaluation, words: Words) -> Section:
    rows = [
        (words[way.name], measured(way.accuracy), measured(way.length_balanced), measured(way.gain, "signed"))
        for way in evaluation.rivals
    ]
    parts = [table(words, "rival accuracy balanced gain", rows)]
    judge = evaluation.judge
    beside = [(words["claimed"], measured(judge.claimed))] if judge.claimed.value is not None else []
    if judge.num_levels:
        beside.append((words["judge_levels"], measured(judge.judge)))
        beside.append((words["model_levels"], measured(judge.model)))
    if beside:
        parts.append(table(words, "judge share", beside))
    return Section(words["rivals"], words["rivals_text"], tuple(parts))


def _calibration(evaluation: PreferenceEvaluation, words: Words) -> Section:
    steps = [Step(one.confidence, one.confidence, group=words["perfect"]) for one in evaluation.reliability]
    steps += [
        Step(one.confidence, one.accuracy.value, one.accuracy.low, one.accuracy.high, words["measured"])
        for one in evaluation.reliability
        if one.accuracy.value is not None
    ]
    chart = line(
        words["reliability"],
        steps,
        names=(words["confidence"], words["accuracy"], ""),
        percent=True,
        domain=(0.0, 1.0),
        description=words["reliability_text"],
    )
    rows = [
        (f"{one.low:.2f} … {one.high:.2f}", one.num_pairs, share(one.confidence), measured(one.accuracy))
        for one in evaluation.reliability
    ]
    bins = table(words, "bin pairs confidence accuracy", rows)
    return Section(words["calibration"], "", (chart, bins))


def _groups(evaluation: PreferenceEvaluation, words: Words, language: str) -> Section:
    parts: list[Part] = []
    for field, groups in evaluation.groups.items():
        called = wording(_GROUPS[field], language) if field in _GROUPS else {}
        scopes = {called.get(name, name): scope for name, scope in groups.items()}
        if len(scopes) > 1 or field == "trait":
            points = [
                Point(name, measure.value, measure.low, measure.high, group)
                for name, scope in scopes.items()
                for group, measure in ((words["all"], scope.accuracy), (words["shorter_side"], scope.shorter))
            ]
            names = (words[field], words["accuracy"], words["pairs"])
            chart = dots(words[field], points, names=names, percent=True, domain=(0.0, 1.0), reference=0.5)
            parts += [chart, _table(scopes, words[field], words)]
    return Section(words["groups"], "", tuple(parts))


def _table(scopes: dict[str, EvaluationScope], title: str, words: Words) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, scope in scopes.items():
        rows.append((name, scope.num_pairs, *(_figure(scope, word) for word in _FIGURES)))
    return Table((title, words["pairs"], *(words[word] for word in _FIGURES)), tuple(rows))


def _transfer(evaluation: PreferenceEvaluation, words: Words) -> Section:
    parts: list[Part] = []
    if evaluation.specificity:
        rows = [(trait, measured(measure)) for trait, measure in evaluation.specificity.items()]
        parts.append(table(words, "trait specificity", rows, note="specificity_note"))
    if evaluation.unseen:
        parts.append(_table(evaluation.unseen, words["unseen"], words))
    return Section(words["transfer"], words["transfer_text"], tuple(parts))


def _curve(evaluation: PreferenceEvaluation, words: Words) -> Section:
    steps = [
        Step(point.num_messages, point.accuracy.value, point.accuracy.low, point.accuracy.high)
        for point in evaluation.curve
        if point.accuracy.value is not None
    ]
    chart = line(
        words["curve"], steps, names=(words["messages"], words["accuracy"], ""), percent=True, reference=0.5
    )
    rows = [
        (point.num_messages, round(point.num_pairs), measured(point.accuracy)) for point in evaluation.curve
    ]
    sizes = table(words, "messages pairs accuracy", rows)
    return Section(words["more"], words["more_text"], (chart, sizes))


def disagreement_example(words: Words, one: Disagreement, note: str) -> Example:
    """Return a pair that model and ranking have in different orders; ``note`` names the word that tells."""
    model = f"{one.probability:.2f}"
    judge = "–" if one.judge_probability is None else f"{one.judge_probability:.2f}"
    heading = f"{one.trait} · {one.message_id[:10]} · {model}"
    told = words[note].format(model=model, judge=judge)
    return pair_example(words, heading, (one.message, one.chosen, one.rejected), told)
