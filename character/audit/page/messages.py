"""The section on messages: asked for and got, openers, near-duplicates, diversity."""

from __future__ import annotations

from collections.abc import Mapping

from character.audit.messages.notes import LEAST_FOR_OPENERS
from character.audit.messages.records import Cluster, MessageScope
from character.audit.records import RunAudit
from character.locale import listed, wording
from character.report import Chart, Example, Examples, Figure, Figures, Number, Section, Table, Text
from character.report.charts import Point, bars
from character.report.parts import Part, figure, share, table
from character.report.wording import number_text

NUM_OPENERS, NUM_ASKED, NUM_CLUSTERS = 14, 12, 5
"""How many openers are drawn, how many topics and registers are listed, how many clusters are shown."""
Words = Mapping[str, str]


def messages_section(audit: RunAudit) -> Section:
    """Return what the messages are, with the parts that the run has something for."""
    page = wording("audit.page", audit.language)
    words: Words = {**page, **wording("audit_messages.page", audit.language)}
    scope = audit.messages.run
    kinds = wording("audit_messages.kinds", audit.language)
    rows = ((kinds.get(kind, kind), count.asked, count.got) for kind, count in scope.kinds.items())
    parts: list[Part] = [_figures(words, scope), table(words, "kind asked got", rows, "kinds")]
    if any(scope.lengths.asked.values()):
        parts.append(_lengths(words, scope, audit.language))
    if scope.openers.top:
        points = [Point(row.text, row.share) for row in scope.openers.top[:NUM_OPENERS]]
        names, text = (words["opener"], words["share"], ""), words["openers_text"]
        parts.append(bars(words["openers"], points, names=names, percent=True, description=text))
    parts.append(_scopes(words, audit))
    for name, counts in (("topic", scope.topics), ("register", scope.registers)):
        if counts:
            commonest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:NUM_ASKED]
            parts.append(table(words, f"{name} number", commonest, f"{name}s"))
    if audit.messages.clusters:
        clusters = audit.messages.clusters[:NUM_CLUSTERS]
        items = tuple(_cluster(words, cluster, audit.language) for cluster in clusters)
        parts.append(Examples(words["clusters"], items))
    return Section(page["messages"], words["text"], tuple(parts))


def _figures(words: Words, scope: MessageScope) -> Figures:
    diversity = scope.diversity
    items = [
        figure(words, "clustered", share(scope.repeats.share)),
        figure(words, "covered", share(scope.openers.covered)),
        figure(words, "effective", Number(scope.openers.effective_number, digits=0)),
        figure(words, "compression", Number(diversity.compression_ratio, digits=1)),
        figure(words, "distinct", share(diversity.distinct_2)),
    ]
    if diversity.self_bleu is not None:
        items.append(figure(words, "self_bleu", Number(diversity.self_bleu)))
    if diversity.vendi is not None and diversity.sample_size:
        note = words["vendi_note"].format(sample=diversity.sample_size)
        items.append(Figure(words["vendi"], Number(diversity.vendi / diversity.sample_size), note))
    return Figures(tuple(items))


def _lengths(words: Words, scope: MessageScope, language: str) -> Chart:
    bands, lengths = wording("audit_messages.bands", language), scope.lengths
    total = sum(lengths.asked.values())
    points = [
        Point(bands[band], counts[band] / total, group=words[group])
        for band in lengths.asked
        for group, counts in (("asked", lengths.asked), ("got", lengths.got))
    ]
    names = (words["band"], words["share"], "")
    text = words["lengths_text"].format(kept=number_text(share(lengths.kept), language))
    return bars(words["lengths"], points, names=names, percent=True, description=text)


def _scopes(words: Words, audit: RunAudit) -> Table:
    by = {"trait": audit.messages.by_trait, "language": audit.messages.by_language}
    rows = (
        (
            words[kind],
            name,
            scope.num_messages,
            share(scope.repeats.share),
            share(scope.openers.covered if scope.num_messages >= LEAST_FOR_OPENERS else None),
            Number(scope.diversity.self_bleu),
            Number(scope.diversity.compression_ratio, digits=1),
        )
        for kind, scopes in by.items()
        for name, scope in scopes.items()
    )
    head = "by name number_messages clustered covered self_bleu compression"
    return table(words, head, rows, caption="by_trait")


def _cluster(words: Words, cluster: Cluster, language: str) -> Example:
    heading = words["cluster"].format(size=cluster.size, traits=listed(cluster.traits, language))
    texts = (Text(f"{member.trait} · {member.message_id[:10]}", member.text) for member in cluster.members)
    return Example(heading, tuple(texts))
