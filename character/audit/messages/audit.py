"""An audit of messages: whether the mix asked for is the mix got, and how much they repeat one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern

from character.audit.messages.notes import COMMON_OPENERS, notes_on
from character.audit.messages.records import (
    Cluster,
    ClusterMember,
    Count,
    LengthMix,
    MessageAudit,
    MessageScope,
    Opener,
    Openers,
    Repeats,
)
from character.errors import UnknownNameError
from character.messages.diversity import Embedder, TokenTable, diversity, effective_number
from character.messages.lengths import asked_band, length_band
from character.messages.near_duplicates import clusters
from character.pairs.features import opener
from character.records import KINDS, Message
from character.text import NEAR_DUPLICATE_JACCARD

Targets = Mapping[str, Mapping[str, int]]
"""How many messages were asked for, by trait and kind."""
SHOWN_OPENERS, SHOWN_CLUSTERS, SHOWN_MEMBERS, SHOWN_CHARACTERS = 20, 10, 5, 200
_BANDS = ("short", "medium", "long")


def audit_messages(
    messages: Iterable[Message],
    *,
    targets: Targets | None = None,
    threshold: float = NEAR_DUPLICATE_JACCARD,
    embedder: Embedder | None = None,
    seed: int = 0,
) -> MessageAudit:
    """Return the audit of messages, over all of them, per trait and per language.

    ``messages`` are read once; of each only the user's last turn and a few words on it are kept. ``targets``
    are the numbers asked for by trait and kind; a trait that got no message then shows as well.
    ``threshold`` is the similarity from which two messages repeat one another, in 0..1. ``embedder`` adds
    the diversity of meaning. The same seed draws the same samples. Raises UnknownNameError for a kind in
    ``targets``, and ValueError where the embedder returns something else than one row of numbers per text.
    """
    asked = _sum(targets)
    table = _Table()
    for message in messages:
        table.add(message)
    groups = clusters(table.texts, threshold)
    cluster_of = {row: number for number, group in enumerate(groups) for row in group}
    audit = _Scopes(table, cluster_of, embedder, seed)
    run = audit.scope(range(len(table.texts)), asked)
    by_trait = audit.by(table.traits, targets or {}, run)
    by_language = audit.by(table.languages, {}, run)
    named = [("all", run)]
    named += [(f"trait:{name}", scope) for name, scope in by_trait.items() if len(by_trait) > 1]
    named += [(f"language:{name}", scope) for name, scope in by_language.items() if len(by_language) > 1]
    return MessageAudit(
        run=run,
        by_trait=by_trait,
        by_language=by_language,
        clusters=tuple(_cluster(group, table) for group in groups[:SHOWN_CLUSTERS]),
        notes=tuple(note for name, scope in named for note in notes_on(name, scope)),
        threshold=threshold,
        seed=seed,
    )


@dataclass
class _Table:
    """The messages as columns, a place per message; equal texts of a column of few values are one object."""

    ids: list[str] = field(default_factory=list)
    traits: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    bands: list[str] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    registers: list[str] = field(default_factory=list)
    openers: list[str] = field(default_factory=list)
    has_brief: list[bool] = field(default_factory=list)
    tokens: TokenTable = field(default_factory=TokenTable)

    def add(self, message: Message) -> None:
        text, brief = message.text, message.brief
        self.ids.append(message.id)
        self.traits.append(intern(message.trait))
        self.languages.append(intern(message.language))
        self.kinds.append(intern(message.kind))
        self.texts.append(text)
        self.asked.append(asked_band(brief) if len(message.turns) == 1 else None)
        self.bands.append(length_band(text))
        self.topics.append(intern(brief.get("topic", "")))
        self.registers.append(intern(brief.get("register", "")))
        self.openers.append(intern(opener(text)))
        self.has_brief.append(bool(brief))
        self.tokens.add(text)


class _Scopes:
    def __init__(
        self, table: _Table, cluster_of: dict[int, int], embedder: Embedder | None, seed: int
    ) -> None:
        self._table, self._cluster_of, self._embedder, self._seed = table, cluster_of, embedder, seed
        self._cluster_traits: dict[int, set[str]] = {}
        for row, cluster in cluster_of.items():
            self._cluster_traits.setdefault(cluster, set()).add(table.traits[row])

    def by(self, names: list[str], targets: Targets, run: MessageScope) -> dict[str, MessageScope]:
        """Return a scope per name, sorted; the one of all messages where there is but one name."""
        rows: dict[str, list[int]] = {name: [] for name in targets}
        for row, name in enumerate(names):
            rows.setdefault(name, []).append(row)
        if len(rows) == 1:
            return dict.fromkeys(rows, run)
        return {name: self.scope(rows[name], targets.get(name)) for name in sorted(rows)}

    def scope(self, rows: Sequence[int], target: Mapping[str, int] | None) -> MessageScope:
        table = self._table
        topics = Counter(topic for row in rows if (topic := table.topics[row]))
        registers = Counter(register for row in rows if (register := table.registers[row]))
        return MessageScope(
            num_messages=len(rows),
            kinds=_kinds(Counter(table.kinds[row] for row in rows), target),
            lengths=_lengths(table, rows),
            topics=dict(topics.most_common()),
            registers=dict(registers.most_common()),
            no_brief=sum(not table.has_brief[row] for row in rows),
            openers=_openers(Counter(table.openers[row] for row in rows)),
            repeats=self._repeats(rows),
            diversity=diversity(table.texts, rows, table.tokens, seed=self._seed, embedder=self._embedder),
        )

    def _repeats(self, rows: Sequence[int]) -> Repeats:
        sizes = Counter(self._cluster_of[row] for row in rows if row in self._cluster_of)
        several = {cluster: size for cluster, size in sizes.items() if size > 1}
        across = {cluster: size for cluster, size in sizes.items() if len(self._cluster_traits[cluster]) > 1}
        in_one = sum(several.values())
        return Repeats(
            clusters=len(several),
            messages=in_one,
            share=in_one / len(rows) if rows else 0.0,
            across_traits=len(across),
            shared=sum(across.values()),
            largest=max(several.values(), default=0),
        )


def _sum(targets: Targets | None) -> dict[str, int] | None:
    if targets is None:
        return None
    total: Counter[str] = Counter()
    for asked in targets.values():
        total.update(asked)
    unknown = total.keys() - set(KINDS)
    if unknown:
        raise UnknownNameError("kind of message", min(unknown), KINDS)
    return dict(total)


def _kinds(got: Counter[str], target: Mapping[str, int] | None) -> dict[str, Count]:
    asked = dict(target) if target is not None else {}
    return {
        kind: Count(asked=asked.get(kind, 0) if target is not None else None, got=got[kind])
        for kind in KINDS
        if got[kind] or asked.get(kind)
    }


def _lengths(table: _Table, rows: Sequence[int]) -> LengthMix:
    cells = Counter((asked, table.bands[row]) for row in rows if (asked := table.asked[row]) is not None)
    total = sum(cells.values())
    every = Counter(table.bands[row] for row in rows)
    return LengthMix(
        asked={band: sum(cells[band, got] for got in _BANDS) for band in _BANDS},
        got={band: sum(cells[asked, band] for asked in _BANDS) for band in _BANDS},
        table={asked: {got: cells[asked, got] for got in _BANDS} for asked in _BANDS},
        kept=sum(cells[band, band] for band in _BANDS) / total if total else None,
        all_got={band: every[band] for band in _BANDS},
    )


def _openers(counts: Counter[str]) -> Openers:
    total = sum(counts.values())
    counts = Counter({text: count for text, count in counts.items() if text})
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Openers(
        top=tuple(
            Opener(text=text, count=count, share=count / total) for text, count in ordered[:SHOWN_OPENERS]
        ),
        covered=sum(count for _, count in ordered[:COMMON_OPENERS]) / total if total else 0.0,
        number=len(counts),
        effective_number=effective_number(counts.values()),
    )


def _cluster(group: list[int], table: _Table) -> Cluster:
    members = tuple(
        ClusterMember(
            message_id=table.ids[row], trait=table.traits[row], text=table.texts[row][:SHOWN_CHARACTERS]
        )
        for row in group[:SHOWN_MEMBERS]
    )
    return Cluster(
        size=len(group), traits=tuple(sorted({table.traits[row] for row in group})), members=members
    )
