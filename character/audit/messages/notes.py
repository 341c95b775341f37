"""What in an audit of messages a person should look at, in plain words, and from which figures on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from character.audit.messages.records import Count, LengthMix, MessageNote, MessageScope, Openers, Repeats
from character.locale import wording
from character.messages.diversity import Diversity

LEAST_MESSAGES = 20
"""A scope with fewer messages gets no remark on shares; only what is missing is remarked on."""
LENGTH_GAP = 0.1
"""The share of a band of length that is got may differ from the share asked for by so much."""
KIND_SHORTFALL = 0.1
"""So large a share of the messages asked for of a kind may be missing."""
OPENERS_COVERED = 0.35
"""The 14 commonest openers may begin so large a share of messages (where there are 50 messages and more)."""
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


def notes_on(name: str, scope: MessageScope) -> tuple[MessageNote, ...]:
    """Return the remarks on a scope, the most basic first; none where all is as it should be."""
    remarks = [*_kinds(scope.kinds)]
    if scope.num_messages >= LEAST_MESSAGES:
        remarks += [*_lengths(scope.lengths), *_openers(scope.openers, scope.num_messages)]
        remarks += [*_repeats(scope.repeats, scope.num_messages), *_diversity(scope.diversity)]
    words = wording("audit_messages.notes", "en")
    return tuple(
        MessageNote(code=code, scope=name, text=words[code].format(**figures)) for code, figures in remarks
    )


_Remarks = Iterator[tuple[str, dict[str, str | int | float]]]
"""The code of each remark and what its sentence is filled with."""


def _kinds(kinds: Mapping[str, Count]) -> _Remarks:
    for kind, count in kinds.items():
        if count.asked is not None and count.got < count.asked * (1 - KIND_SHORTFALL):
            yield "kind", {"kind": kind, "asked": count.asked, "got": count.got}


def _lengths(lengths: LengthMix) -> _Remarks:
    total = sum(lengths.asked.values())
    if total < LEAST_MESSAGES:
        return
    for band in lengths.asked:
        asked, got = lengths.asked[band] / total, lengths.got[band] / total
        if abs(asked - got) > LENGTH_GAP:
            yield "length", {"band": band, "asked": _percent(asked), "got": _percent(got)}


def _openers(openers: Openers, number: int) -> _Remarks:
    if openers.top and openers.top[0].share > TOP_OPENER:
        first = openers.top[0]
        yield "opener", {"opener": first.text, "share": _percent(first.share)}
    if number >= LEAST_FOR_OPENERS and openers.covered > OPENERS_COVERED:
        shown = min(14, openers.number)
        yield "openers", {"number": shown, "share": _percent(openers.covered)}


def _repeats(repeats: Repeats, number: int) -> _Remarks:
    if repeats.share > REPEATS:
        share = _percent(repeats.share)
        yield "near_duplicates", {"share": share, "clusters": repeats.clusters, "largest": repeats.largest}
    if repeats.shared > REPEATS * number:
        yield "shared", {"messages": repeats.shared, "clusters": repeats.across_traits}


def _diversity(diversity: Diversity) -> _Remarks:
    if diversity.self_bleu is not None and diversity.self_bleu > SELF_BLEU:
        yield "self_bleu", {"value": diversity.self_bleu, "bound": SELF_BLEU}
    if diversity.compression_ratio > COMPRESSION:
        yield "compression", {"value": diversity.compression_ratio, "bound": COMPRESSION}
    if diversity.vendi is not None and diversity.vendi < VENDI_SHARE * diversity.sample_size:
        yield "vendi", {"sample": diversity.sample_size, "value": diversity.vendi}


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
