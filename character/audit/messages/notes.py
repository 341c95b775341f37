"""What in an audit of messages a person should look at, in plain words, and from which figures on."""

from __future__ import annotations

from collections.abc import Iterator

from character.audit.messages.records import MessageNote, MessageScope
from character.locale import wording
from character.report import Number
from character.report.parts import share

LEAST_MESSAGES = 20
"""A scope with fewer messages gets no remark on shares; only what is missing is remarked on."""
LENGTH_GAP = 0.1
"""The share of a band of length that is got may differ from the share asked for by so much."""
KIND_SHORTFALL = 0.1
"""So large a share of the messages asked for of a kind may be missing."""
COMMON_OPENERS = 14
"""How many of the commonest openers ``Openers.covered`` counts."""
OPENERS_COVERED = 0.35
"""These may begin so large a share of messages (where there are 50 messages and more)."""
LEAST_FOR_OPENERS = 50
TOP_OPENER = 0.1
"""One opener may begin so large a share of messages."""
REPEATS = 0.02
"""So large a share of messages may be in a cluster of near duplicates."""
# Measured on eleven public sets of 40 to 7,600 requests, in English and Chinese, the next three came to
# .13 to .27, 2.1 to 3.7 and .65 to .99.
SELF_BLEU = 0.4
"""Self-BLEU may be so high."""
COMPRESSION = 4.5
"""The texts may be compressed so many times."""
VENDI_SHARE = 0.5
"""The Vendi score may be so low a share of its sample."""
Remarks = Iterator[tuple[str, dict[str, str | float | Number]]]
"""The code of each remark and what its sentence is filled with."""


def notes_on(name: str, scope: MessageScope) -> tuple[MessageNote, ...]:
    """Return the remarks on a scope, the most basic first; none where all is as it should be."""
    words = wording("audit_messages.notes", "en")
    return tuple(
        MessageNote(
            code=code,
            scope=name,
            text=words[code].format(**{key: _plain(value) for key, value in values.items()}),
        )
        for code, values in remarks(scope)
    )


def remarks(scope: MessageScope) -> Remarks:
    """Yield what to look at in a scope, the most basic first, kinds and bands by their names in records."""
    yield from _kinds(scope)
    if scope.num_messages >= LEAST_MESSAGES:
        yield from _lengths(scope)
        yield from _openers(scope)
        yield from _repeats(scope)
        yield from _diversity(scope)


def _kinds(scope: MessageScope) -> Remarks:
    for kind, count in scope.kinds.items():
        if count.asked is not None and count.got < count.asked * (1 - KIND_SHORTFALL):
            yield "kind", {"kind": kind, "asked": count.asked, "got": count.got}


def _lengths(scope: MessageScope) -> Remarks:
    lengths, total = scope.lengths, sum(scope.lengths.asked.values())
    for band in lengths.asked if total >= LEAST_MESSAGES else ():
        asked, got = lengths.asked[band] / total, lengths.got[band] / total
        if abs(asked - got) > LENGTH_GAP:
            yield "length", {"band": band, "asked": share(asked), "got": share(got)}


def _openers(scope: MessageScope) -> Remarks:
    openers = scope.openers
    if openers.top and openers.top[0].share > TOP_OPENER:
        yield "opener", {"opener": openers.top[0].text, "share": share(openers.top[0].share)}
    if scope.num_messages >= LEAST_FOR_OPENERS and openers.covered > OPENERS_COVERED:
        number = min(COMMON_OPENERS, openers.number)
        yield "openers", {"number": number, "share": share(openers.covered)}


def _repeats(scope: MessageScope) -> Remarks:
    repeats = scope.repeats
    if repeats.share > REPEATS:
        figures = {"clusters": repeats.clusters, "largest": repeats.largest}
        yield "near_duplicates", {"share": share(repeats.share), **figures}
    if repeats.shared > REPEATS * scope.num_messages:
        yield "shared", {"messages": repeats.shared, "clusters": repeats.across_traits}


def _diversity(scope: MessageScope) -> Remarks:
    diversity = scope.diversity
    if diversity.self_bleu is not None and diversity.self_bleu > SELF_BLEU:
        yield "self_bleu", {"value": Number(diversity.self_bleu), "bound": SELF_BLEU}
    if diversity.compression_ratio > COMPRESSION:
        yield "compression", {"value": Number(diversity.compression_ratio, digits=1), "bound": COMPRESSION}
    if diversity.vendi is not None and diversity.vendi < VENDI_SHARE * diversity.sample_size:
        yield "vendi", {"sample": diversity.sample_size, "value": Number(diversity.vendi, digits=0)}


def _plain(value: str | float | Number) -> str | float | None:
    """Return a figure as notes write it: a share in whole per cent, another as its sentence formats it."""
    if not isinstance(value, Number):
        return value
    return f"{100 * (value.value or 0):.0f} %" if value.style == "share" else value.value
