"""The section on messages: asked for and got, openers, near-duplicates, diversity."""

from __future__ import annotations

from collections.abc import Mapping

from character.audit.messages.notes import LEAST_FOR_OPENERS
from character.audit.messages.records import Cluster, MessageScope
from character.audit.records import RunAudit
from character.locale import listed, wording
from character.report import Chart, Example, Examples, Figure, Figures, Number, Section, Table, Text
from character.report.charts import Point, bars
from character.report.parts import Part
from character.report.wording import number_text

NUM_OPENERS, NUM_ASKED, NUM_CLUSTERS = 14, 12, 5
"""How many openers are drawn, how many topics and registers are listed, how many clusters are shown."""


def messages_section(audit: RunAudit) -> Section:
    """Return what the messages are, with the parts that the run has something for."""
    words, page = wording("audit_messages.page", audit.language), wording("audit.page", audit.language)
    scope = audit.messages.run
    parts: list[Part] = [_figures(audit, scope), _kinds(audit, scope)]
    if any(scope.lengths.asked.values()):
        parts.append(_lengths(audit, scope))
    if scope.openers.top:
        parts.append(_openers(audit, scope))
    parts.append(_scopes(audit))
    parts += [
        _asked(words[f"{name}s"], (words[name], page["number"]), counts)
        for name, counts in (("topic", scope.topics), ("register", scope.registers))
        if counts
    ]
    if audit.messages.clusters:
        shown = audit.messages.clusters[:NUM_CLUSTERS]
        parts.append(Examples(words["clusters"], tuple(_cluster(audit, cluster) for cluster in shown)))
    return Section(page["messages"], words["text"], tuple(parts))


def _figures(audit: RunAudit, scope: MessageScope) -> Figures:
    words, found = wording("audit_messages.page", audit.language), scope.diversity
    items = [
        Figure(words["clustered"], _share(scope.repeats.share), words["clustered_note"]),
        Figure(words["covered"], _share(scope.openers.covered)),
        Figure(words["effective"], Number(scope.openers.effective_number, digits=0)),
        Figure(words["compression"], Number(found.compression_ratio, digits=1), words["compression_note"]),
        Figure(words["distinct"], _share(found.distinct_2)),
    ]
    if found.self_bleu is not None:
        items.append(Figure(words["self_bleu"], Number(found.self_bleu), words["self_bleu_note"]))
    if found.vendi is not None and found.sample_size:
        note = words["vendi_note"].format(sample=found.sample_size)
        items.append(Figure(words["vendi"], Number(found.vendi / found.sample_size), note))
    return Figures(tuple(items))


def _kinds(audit: RunAudit, scope: MessageScope) -> Table:
    words = wording("audit_messages.page", audit.language)
    called = wording("audit_messages.kinds", audit.language)
    rows = tuple((called.get(kind, kind), count.asked, count.got) for kind, count in scope.kinds.items())
    return Table((words["kind"], words["asked"], words["got"]), rows, caption=words["kinds"])


def _lengths(audit: RunAudit, scope: MessageScope) -> Chart:
    words = wording("audit_messages.page", audit.language)
    bands, lengths = wording("audit_messages.bands", audit.language), scope.lengths
    total = sum(lengths.asked.values())
    points = [
        Point(bands[band], counts[band] / total, group=words[group])
        for band in lengths.asked
        for group, counts in (("asked", lengths.asked), ("got", lengths.got))
    ]
    kept = number_text(Number(lengths.kept, style="share"), audit.language)
    return bars(
        words["lengths"],
        points,
        names=(words["band"], words["share"], ""),
        percent=True,
        description=words["lengths_text"].format(kept=kept),
    )


def _openers(audit: RunAudit, scope: MessageScope) -> Chart:
    words = wording("audit_messages.page", audit.language)
    return bars(
        words["openers"],
        [Point(row.text, row.share) for row in scope.openers.top[:NUM_OPENERS]],
        names=(words["opener"], words["share"], ""),
        percent=True,
        description=words["openers_text"],
    )


def _scopes(audit: RunAudit) -> Table:
    words, page = wording("audit_messages.page", audit.language), wording("audit.page", audit.language)
    scopes = [("trait", name, scope) for name, scope in audit.messages.by_trait.items()]
    scopes += [("language", name, scope) for name, scope in audit.messages.by_language.items()]
    rows = tuple(
        (
            page[by],
            name,
            scope.num_messages,
            _share(scope.repeats.share),
            _share(scope.openers.covered if scope.num_messages >= LEAST_FOR_OPENERS else None),
            Number(scope.diversity.self_bleu),
            Number(scope.diversity.compression_ratio, digits=1),
        )
        for by, name, scope in scopes
    )
    head = (page["by"], page["name"], page["number_messages"])
    more = tuple(words[name] for name in ("clustered", "covered", "self_bleu", "compression"))
    return Table((*head, *more), rows, caption=words["by_trait"])


def _asked(caption: str, head: tuple[str, str], counts: Mapping[str, int]) -> Table:
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Table(head, tuple(rows[:NUM_ASKED]), caption=caption)


def _cluster(audit: RunAudit, cluster: Cluster) -> Example:
    words = wording("audit_messages.page", audit.language)
    return Example(
        heading=words["cluster"].format(size=cluster.size, traits=listed(cluster.traits, audit.language)),
        texts=tuple(
            Text(f"{member.trait} · {member.message_id[:10]}", member.text) for member in cluster.members
        ),
    )


def _share(value: float | None) -> Number:
    return Number(value, style="share")
