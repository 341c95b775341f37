"""The evaluation of a preference model as a report, in English or Chinese."""

from __future__ import annotations

from character.locale import checked_language, listed, wording
from character.pairs.second_opinion import Disagreement
from character.preference.evaluation_records import EvaluationScope, PreferenceEvaluation, PreferenceMeasure
from character.report import (
    Example,
    Examples,
    Figure,
    Figures,
    Note,
    Notes,
    Number,
    Page,
    Section,
    Table,
    Text,
)
from character.report.charts import Point, Step, dots, line
from character.report.parts import NumberStyle, Part


def evaluation_page(found: PreferenceEvaluation, language: str = "en") -> Page:
    """Return the report; raises UnknownNameError for a language that reports do not speak."""
    spoken = checked_language(language)
    words = wording("preference.page", spoken)
    model = wording("preference.models", spoken).get(found.model, found.model)
    sections = [
        _first(found, spoken),
        _rivals(found, words),
        _calibration(found, words),
        _groups(found, spoken),
    ]
    if found.unseen or found.specificity:
        sections.append(_transfer(found, words))
    if found.curve:
        sections.append(_curve(found, words))
    sections.append(_disagreements(found, words))
    return Page(
        title=words["title"].format(name=found.name or model),
        subtitle=words[found.how].format(model=model, folds=found.num_folds),
        sections=tuple(sections),
        language=spoken,
        footer=words["made"].format(seed=found.seed),
    )


Words = dict[str, str]
_GROUPS = {"kind": "audit_messages.kinds", "language": "preference.languages", "design": "preference.designs"}
"""Where the groups of a field get their names from; one without a name keeps its own."""


def _number(measure: PreferenceMeasure, style: NumberStyle = "share", digits: int = 2) -> Number:
    return Number(measure.value, measure.low, measure.high, style, digits)


def _first(found: PreferenceEvaluation, language: str) -> Section:
    words, overall = wording("preference.page", language), found.overall
    notes = [Note(wording("report.page", language)["rehearsal"], "look")] if found.rehearsal else []
    for rival in found.rivals:
        if (
            rival.name in ("longer", "shorter", "confounds")
            and rival.gain.low is not None
            and rival.gain.low <= 0
        ):
            notes.append(Note(words["no_gain"].format(rival=words[rival.name]), "look"))
    if found.num_seen:
        notes.append(Note(words["seen"].format(number=found.num_seen)))
    if found.not_fitted:
        notes.append(Note(words["not_fitted"].format(traits=listed(found.not_fitted, language)), "look"))
    claimed = found.judge.claimed.value
    if claimed is not None and overall.accuracy.low is not None and overall.accuracy.low > claimed:
        notes.append(Note(words["above_judge"], "look"))
    if found.left_out:
        reasons = wording("drops", language)
        counts = (
            words["counted"].format(reason=reasons.get(reason, reason), number=number)
            for reason, number in found.left_out.items()
        )
        notes.append(Note(words["left_out"].format(reasons=listed(counts, language))))
    figures = (
        Figure(words["accuracy"], _number(overall.accuracy)),
        Figure(words["shorter_side"], _number(overall.shorter)),
        Figure(words["balanced"], _number(overall.length_balanced), words["balanced_note"]),
        Figure(words["log_loss"], _number(overall.log_loss, "number", 3), words["log_loss_note"]),
        Figure(words["ece"], _number(overall.ece, "number", 3), words["ece_note"]),
        Figure(words["pairs"], Number(overall.num_pairs, style="count")),
    )
    parts: tuple[Part, ...] = (Notes(tuple(notes)), Figures(figures)) if notes else (Figures(figures),)
    return Section(words["first"], "", parts)


def _rivals(found: PreferenceEvaluation, words: Words) -> Section:
    rows = [
        (
            words[rival.name],
            _number(rival.accuracy),
            _number(rival.length_balanced),
            _number(rival.gain, "signed"),
        )
        for rival in found.rivals
    ]
    table = Table((words["rival"], words["accuracy"], words["balanced"], words["gain"]), tuple(rows))
    judge = found.judge
    beside: list[tuple[str, Number]] = []
    if judge.claimed.value is not None:
        beside.append((words["claimed"], _number(judge.claimed)))
    if judge.num_levels:
        beside += [
            (words["judge_levels"], _number(judge.judge)),
            (words["model_levels"], _number(judge.model)),
        ]
    parts: tuple[Part, ...] = (
        (table, Table((words["judge"], words["share"]), tuple(beside))) if beside else (table,)
    )
    return Section(words["rivals"], words["rivals_text"], parts)


def _calibration(found: PreferenceEvaluation, words: Words) -> Section:
    steps = [Step(one.confidence, one.confidence, group=words["perfect"]) for one in found.reliability]
    steps += [
        Step(one.confidence, one.accuracy.value, one.accuracy.low, one.accuracy.high, words["measured"])
        for one in found.reliability
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
    rows = tuple(
        (
            f"{one.low:.2f} … {one.high:.2f}",
            one.num_pairs,
            Number(one.confidence, style="share"),
            _number(one.accuracy),
        )
        for one in found.reliability
    )
    table = Table((words["bin"], words["pairs"], words["confidence"], words["accuracy"]), rows)
    return Section(words["calibration"], "", (chart, table))


def _groups(found: PreferenceEvaluation, language: str) -> Section:
    words = wording("preference.page", language)
    parts: list[Part] = []
    for field, groups in found.groups.items():
        called = wording(_GROUPS[field], language) if field in _GROUPS else {}
        scopes = {called.get(name, name): scope for name, scope in groups.items()}
        if len(scopes) > 1 or field == "trait":
            parts += [_dots(words[field], scopes, words), _table(scopes, words[field], words)]
    return Section(words["groups"], "", tuple(parts))


def _dots(title: str, scopes: dict[str, EvaluationScope], words: Words) -> Part:
    points = [
        Point(name, measure.value, measure.low, measure.high, group)
        for name, scope in scopes.items()
        for group, measure in ((words["all"], scope.accuracy), (words["shorter_side"], scope.shorter))
    ]
    names = (title, words["accuracy"], words["pairs"])
    return dots(title, points, names=names, percent=True, domain=(0.0, 1.0), reference=0.5)


def _table(scopes: dict[str, EvaluationScope], title: str, words: Words) -> Table:
    rows = tuple(
        (
            name,
            scope.num_pairs,
            _number(scope.accuracy),
            _number(scope.shorter),
            _number(scope.length_balanced),
            _number(scope.log_loss, "number", 3),
            _number(scope.brier, "number", 3),
            _number(scope.ece, "number", 3),
        )
        for name, scope in scopes.items()
    )
    head = ("pairs", "accuracy", "shorter_side", "balanced", "log_loss", "brier", "ece")
    return Table((title, *(words[name] for name in head)), rows)


def _transfer(found: PreferenceEvaluation, words: Words) -> Section:
    parts: list[Part] = []
    if found.specificity:
        rows = tuple((trait, _number(measure)) for trait, measure in found.specificity.items())
        parts.append(Table((words["trait"], words["specificity"]), rows, note=words["specificity_note"]))
    if found.unseen:
        parts.append(_table(found.unseen, words["unseen"], words))
    return Section(words["transfer"], words["transfer_text"], tuple(parts))


def _curve(found: PreferenceEvaluation, words: Words) -> Section:
    steps = [
        Step(point.num_messages, point.accuracy.value, point.accuracy.low, point.accuracy.high)
        for point in found.curve
        if point.accuracy.value is not None
    ]
    chart = line(
        words["curve"], steps, names=(words["messages"], words["accuracy"], ""), percent=True, reference=0.5
    )
    rows = tuple(
        (point.num_messages, round(point.num_pairs), _number(point.accuracy)) for point in found.curve
    )
    table = Table((words["messages"], words["pairs"], words["accuracy"]), rows)
    return Section(words["more"], words["more_text"], (chart, table))


def _disagreements(found: PreferenceEvaluation, words: Words) -> Section:
    items = tuple(_example(one, words) for one in found.disagreements)
    return Section(words["disagreements"], words["disagreements_text"], (Examples(words["surest"], items),))


def _example(one: Disagreement, words: Words) -> Example:
    judge = "–" if one.judge_probability is None else f"{one.judge_probability:.2f}"
    return Example(
        heading=f"{one.trait} · {one.message_id[:10]} · {one.probability:.2f}",
        texts=(
            Text(words["message"], one.message),
            Text(words["chosen"], one.chosen),
            Text(words["rejected"], one.rejected),
        ),
        note=words["disagree"].format(model=f"{one.probability:.2f}", judge=judge),
    )
