"""The audit of a run as a report: what to look at first, then its messages, rankings, pairs and examples."""

from __future__ import annotations

from character.audit.examples import PairExample, RankingExample
from character.audit.page.messages import messages_section
from character.audit.page.opinion import opinion_section
from character.audit.page.pairs import pairs_section
from character.audit.page.rankings import rankings_section
from character.audit.records import RunAudit
from character.locale import listed, wording
from character.pairs.features import feature_word
from character.report import Example, Examples, Figure, Figures, Note, Notes, Number, Page, Section, Text
from character.report.charts import Point, bars
from character.report.parts import Part, figure, pair_example, share, table
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
        figure(words, "copied", share(audit.copied.share)),
        figure(words, "unfit", share(audit.unfit.share)),
        figure(words, "number_messages", Number(audit.states.get("messages", 0), style="count")),
        figure(words, "number_pairs", Number(audit.num_pairs, style="count")),
    ]
    if rankings.consistency:
        note = words[f"{rankings.measure}_note"]
        figures.append(Figure(words["consistency"], Number(*rankings.consistency), note))
    if rankings.intended:
        figures.append(figure(words, "intended", Number(*rankings.intended, "share")))
    classifier = audit.confounds.classifier if audit.confounds else None
    if classifier and classifier.accuracy is not None:
        accuracy = Number(classifier.accuracy, classifier.low, classifier.high, "share")
        figures.append(figure(words, "surface", accuracy))
    return Section(words["first"], "", (Figures(tuple(figures)), notes))


def _candidates(audit: RunAudit) -> Section:
    words, levels = wording("audit.page", audit.language), wording("audit.levels", audit.language)
    parts: list[Part] = []
    if audit.candidates.by_level:
        names = {
            row.level: levels.get(row.level, row.level) or words["no_level"]
            for row in audit.candidates.by_level
        }
        rows = [
            (names[row.level], row.number, Number(row.mean_characters, row.low, row.high, digits=0))
            for row in audit.candidates.by_level
        ]
        points = [Point(name, number.value, number.low, number.high) for name, _, number in rows]
        titles, text = (words["level"], words["mean_length"], ""), words["length_chart_text"]
        lengths = bars(words["length_chart"], points, names=titles, description=text)
        parts = [table(words, "level number mean_length", rows), lengths]
    reasons, stages = wording("drops", audit.language), wording("audit.stages", audit.language)
    drops = (
        (
            word,
            reasons.get(reason, reason),
            audit.dropped.get(stage, {}).get(reason, 0),
            audit.reasked.get(stage, {}).get(reason, 0),
        )
        for stage, word in stages.items()
        for reason in {**audit.dropped.get(stage, {}), **audit.reasked.get(stage, {})}
    )
    parts.append(table(words, "stage reason lost recovered", drops, "drops"))
    return Section(words["candidates"], words["candidates_text"], tuple(parts))


def _examples(audit: RunAudit) -> Section:
    words, examples = wording("audit.page", audit.language), audit.examples
    groups = (
        ("least_consistent", tuple(_ranking(audit, example) for example in examples.rankings)),
        ("confounded", tuple(_pair(audit, example) for example in examples.pairs)),
        ("set_aside", tuple(_ranking(audit, example) for example in examples.set_aside)),
    )
    parts = tuple(Examples(words[name], items) for name, items in groups if items)
    return Section(words["examples"], words["examples_text"], parts)


def _ranking(audit: RunAudit, example: RankingExample) -> Example:
    words, levels = wording("audit.page", audit.language), wording("audit.levels", audit.language)
    texts = [Text(words["message"], example.message)]
    for each in example.candidates:
        label = levels.get(each.level, each.level) or words["no_level"]
        texts.append(Text(label if each.score is None else f"{label} · {each.score:.2f}", each.text))
    notes = [example.reason] if example.reason else []
    if example.consistency is not None:
        notes.insert(0, words["tau"].format(number_text(Number(example.consistency), audit.language)))
    heading = f"{example.trait} · {example.message_id[:10]}"
    return Example(heading, tuple(texts), note="\n".join(notes))


def _pair(audit: RunAudit, example: PairExample) -> Example:
    feature = feature_word(example.name, audit.language)
    heading = f"{feature} · {example.trait} · {example.message_id[:10]}"
    texts = (example.message, example.chosen, example.rejected)
    return pair_example(wording("audit.page", audit.language), heading, texts)
