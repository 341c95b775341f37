"""What stands out in the messages of a run, in the audit's language; the audit of messages says where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from character.audit.messages.audit import COMMON_OPENERS
from character.audit.messages.notes import KIND_SHORTFALL, LEAST_MESSAGES, LENGTH_GAP
from character.audit.messages.records import MessageScope
from character.audit.records import AuditFinding, RunAudit
from character.locale import wording
from character.report import Number
from character.report.wording import number_text

NUM_SCOPED = 4
"""How many findings on single traits or languages are told; the section on messages has the figures of all."""
_Filled = Iterator[dict[str, Any]]


def message_findings(audit: RunAudit) -> Iterator[AuditFinding]:
    """Yield what stands out over the whole run, then in single traits and languages, each kind of finding once a scope."""
    sentences = wording("audit_messages.findings", audit.language)
    told = {note.code for note in audit.messages.notes if note.scope == "all"}
    for code in dict.fromkeys(note.code for note in audit.messages.notes if note.scope == "all"):
        for text in _texts(code, audit.messages.run, audit.language):
            yield AuditFinding(code=f"messages:{code}", weight="look", text=text)
    elsewhere = [note for note in audit.messages.notes if note.scope != "all" and note.code not in told]
    for scope_name, code in list(dict.fromkeys((note.scope, note.code) for note in elsewhere))[:NUM_SCOPED]:
        by, _, name = scope_name.partition(":")
        scope = (audit.messages.by_trait if by == "trait" else audit.messages.by_language)[name]
        for text in _texts(code, scope, audit.language):
            said = sentences["in_scope"].format(scope=name, text=text)
            yield AuditFinding(code=f"messages:{code}", weight="note", text=said)
    if "near_duplicates" not in told and audit.messages.run.num_messages >= LEAST_MESSAGES:
        share = number_text(Number(audit.messages.run.repeats.share, style="share"), audit.language)
        text = sentences["no_repeats"].format(share=share)
        yield AuditFinding(code="messages:no_repeats", weight="fine", text=text)


def _texts(code: str, scope: MessageScope, language: str) -> Iterator[str]:
    for values in _VALUES[code](scope, language):
        written = {
            name: number_text(value, language) if isinstance(value, Number) else value
            for name, value in values.items()
        }
        yield wording("audit_messages.findings", language)[code].format(**written)


def _kinds(scope: MessageScope, language: str) -> _Filled:
    called = wording("audit_messages.kinds", language)
    for kind, count in scope.kinds.items():
        if count.asked is not None and count.got < count.asked * (1 - KIND_SHORTFALL):
            yield {"kind": called.get(kind, kind), "asked": count.asked, "got": count.got}


def _lengths(scope: MessageScope, language: str) -> _Filled:
    bands, total = wording("audit_messages.bands", language), sum(scope.lengths.asked.values())
    for band, number in scope.lengths.asked.items():
        asked, got = number / total, scope.lengths.got[band] / total
        if abs(asked - got) > LENGTH_GAP:
            yield {"band": bands[band], "asked": _share(asked), "got": _share(got)}


def _opener(scope: MessageScope, _language: str) -> _Filled:
    first = scope.openers.top[0]
    yield {"opener": first.text, "share": _share(first.share)}


def _openers(scope: MessageScope, _language: str) -> _Filled:
    yield {"number": min(COMMON_OPENERS, scope.openers.number), "share": _share(scope.openers.covered)}


def _repeats(scope: MessageScope, _language: str) -> _Filled:
    repeats = scope.repeats
    yield {"share": _share(repeats.share), "clusters": repeats.clusters, "largest": repeats.largest}


def _shared(scope: MessageScope, _language: str) -> _Filled:
    yield {"clusters": scope.repeats.across_traits}


def _self_bleu(scope: MessageScope, _language: str) -> _Filled:
    yield {"value": Number(scope.diversity.self_bleu)}


def _compression(scope: MessageScope, _language: str) -> _Filled:
    yield {"value": Number(scope.diversity.compression_ratio, digits=1)}


def _vendi(scope: MessageScope, _language: str) -> _Filled:
    yield {"sample": scope.diversity.sample_size, "value": Number(scope.diversity.vendi, digits=0)}


def _share(value: float) -> Number:
    return Number(value, style="share")


_VALUES: dict[str, Callable[[MessageScope, str], _Filled]] = {
    "kind": _kinds,
    "length": _lengths,
    "opener": _opener,
    "openers": _openers,
    "near_duplicates": _repeats,
    "shared": _shared,
    "self_bleu": _self_bleu,
    "compression": _compression,
    "vendi": _vendi,
}
"""What each remark of ``message_notes`` is filled with."""
