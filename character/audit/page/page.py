"""The audit of a run as a report: what to look at first, then messages, candidates, rankings, pairs, examples."""

from __future__ import annotations

from character.audit.examples import PairExample, RankingExample
from character.audit.page.messages import messages_section
from character.audit.page.opinion import opinion_section
from character.audit.page.pairs import pairs_section
from character.audit.page.rankings import rankings_section
from character.audit.records import RunAudit
from character.locale import listed, wording
from character.pairs.features import feature_word
from character.report import (
    Chart,
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
from character.report.charts import Point, bars
from character.report.wording import number_text


def audit_page(audit: RunAudit) -> Page:
    """Return the report of an audit, in its language. A run without messages has the findings alone."""
    words = wording("audit.page", audit.language)
    sections = [_first(audit)]
    if audit.states.get("messages"):
        sections += [
            messages_section(audit),
            _candidates(audit),
            rankings_section(audit),
            pairs_section(audit),
            *([opinion_section(audit.second_opinion, audit.language)] if audit.second_opinion else []),
            _examples(audit),
        ]
    stages = wording("audit.stages", audit.language)
    models = [
        words["models"].format(stage=stages.get(stage, stage), models=listed(names, audit.language))
        for stage, names in audit.models.items()
    ]
    return Page(
        title=words["title"].format(name=audit.constitution),
        subtitle="\n".join([listed(audit.traits, audit.language), *models]),
        sections=tuple(sections),
        language=audit.language,
        footer=words["made"].format(version=audit.version, seed=audit.seed),
    )


def _first(audit: RunAudit) -> Section:
    words, rankings = wording("audit.page", audit.language), audit.rankings
    notes = Notes(tuple(Note(finding.text, finding.weight) for finding in audit.findings))
    figures = [
        Figure(words["number_messages"], Number(audit.states.get("messages", 0), style="count")),
        Figure(words["number_pairs"], Number(audit.num_pairs, style="count")),
    ]
    if rankings.consistency:
        figures.append(
            Figure(words["consistency"], Number(*rankings.consistency), words[f"{rankings.measure}_note"])
        )
    if rankings.intended:
        share = Number(*rankings.intended, style="share")
        figures.append(Figure(words["intended"], share, words["intended_note"]))
    classifier = audit.confounds.classifier if audit.confounds else None
    if classifier and classifier.accuracy is not None:
        share = Number(classifier.accuracy, classifier.low, classifier.high, "share")
        figures.append(Figure(words["surface"], share, words["surface_note"]))
    return Section(words["first"], "", (notes, Figures(tuple(figures))))


def _candidates(audit: RunAudit) -> Section:
    words, levels = wording("audit.page", audit.language), wording("audit.levels", audit.language)
    rows = audit.candidates.by_level
    names = [levels.get(row.level, row.level) or words["no_level"] for row in rows]
    lengths = bars(
        words["length_chart"],
        [Point(name, row.mean_characters, row.low, row.high) for name, row in zip(names, rows, strict=True)],
        names=(words["level"], words["mean_length"], ""),
        description=words["length_chart_text"],
    )
    table = Table(
        (words["level"], words["number"], words["mean_length"]),
        tuple(
            (name, row.number, Number(row.mean_characters, row.low, row.high, digits=0))
            for name, row in zip(names, rows, strict=True)
        ),
    )
    parts: tuple[Table | Chart, ...] = (table, lengths) if rows else ()
    return Section(words["candidates"], words["candidates_text"], (*parts, _drops(audit)))


def _drops(audit: RunAudit) -> Table:
    words, stages = wording("audit.page", audit.language), wording("audit.stages", audit.language)
    reasons, rows = wording("drops", audit.language), []
    for stage in stages:
        lost, again = audit.dropped.get(stage, {}), audit.reasked.get(stage, {})
        rows += [
            (stages[stage], reasons.get(reason, reason), lost.get(reason, 0), again.get(reason, 0))
            for reason in dict.fromkeys([*lost, *again])
        ]
    head = (words["stage"], words["reason"], words["lost"], words["recovered"])
    return Table(head, tuple(rows), caption=words["drops"])


def _examples(audit: RunAudit) -> Section:
    words, shown = wording("audit.page", audit.language), audit.examples
    groups = (
        ("least_consistent", tuple(_ranking(audit, example) for example in shown.rankings)),
        ("confounded", tuple(_pair(audit, example) for example in shown.pairs)),
        ("set_aside", tuple(_ranking(audit, example) for example in shown.set_aside)),
    )
    parts = tuple(Examples(words[name], items) for name, items in groups if items)
    return Section(words["examples"], words["examples_text"], parts)


def _ranking(audit: RunAudit, example: RankingExample) -> Example:
    words, levels = wording("audit.page", audit.language), wording("audit.levels", audit.language)
    notes = (
        [words["tau"].format(number_text(Number(example.consistency), audit.language))]
        if example.consistency is not None
        else []
    )
    candidates = (
        Text(
            " · ".join(
                [
                    levels.get(one.level, one.level) or words["no_level"],
                    *([f"{one.score:.2f}"] if one.score is not None else []),
                ]
            ),
            one.text,
        )
        for one in example.candidates
    )
    return Example(
        heading=f"{example.trait} · {example.message_id[:10]}",
        texts=(Text(words["message"], example.message), *candidates),
        note="\n".join([*notes, *([example.reason] if example.reason else [])]),
    )


def _pair(audit: RunAudit, example: PairExample) -> Example:
    words = wording("audit.page", audit.language)
    texts = (
        (words["message"], example.message),
        (words["chosen"], example.chosen),
        (words["rejected"], example.rejected),
    )
    return Example(
        heading=f"{feature_word(example.name, audit.language)} · {example.trait} · {example.message_id[:10]}",
        texts=tuple(Text(label, content) for label, content in texts),
    )
