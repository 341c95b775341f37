"""What stands out in the messages of a run, in the audit's language; the audit of messages says where."""

from __future__ import annotations

from collections.abc import Iterator

from character.audit.messages.notes import LEAST_MESSAGES, remarks
from character.audit.messages.records import MessageScope
from character.audit.records import AuditFinding, RunAudit
from character.locale import wording
from character.report import Number
from character.report.parts import share
from character.report.wording import number_text

NUM_SCOPED = 4
"""How many findings on single traits or languages are told; the section on messages has all figures."""


def message_findings(audit: RunAudit) -> Iterator[AuditFinding]:
    """Yield what stands out in the whole run, then in single traits and languages, each kind once a scope."""
    messages, sentences = audit.messages, wording("audit_messages.findings", audit.language)
    noted = list(dict.fromkeys((note.scope, note.code) for note in messages.notes))
    overall = [code for scope_name, code in noted if scope_name == "all"]
    for code in overall:
        for text in _texts(code, messages.run, audit.language):
            yield AuditFinding(code=f"messages:{code}", weight="look", text=text)
    elsewhere = [(name, code) for name, code in noted if name != "all" and code not in overall]
    for scope_name, code in elsewhere[:NUM_SCOPED]:
        by, _, name = scope_name.partition(":")
        scope = (messages.by_trait if by == "trait" else messages.by_language)[name]
        for text in _texts(code, scope, audit.language):
            scoped = sentences["in_scope"].format(scope=name, text=text)
            yield AuditFinding(code=f"messages:{code}", weight="note", text=scoped)
    if "near_duplicates" not in overall and messages.run.num_messages >= LEAST_MESSAGES:
        repeated = number_text(share(messages.run.repeats.share), audit.language)
        text = sentences["no_repeats"].format(share=repeated)
        yield AuditFinding(code="messages:no_repeats", weight="fine", text=text)


def _texts(code: str, scope: MessageScope, language: str) -> Iterator[str]:
    """Yield the sentences of one kind of remark on a scope."""
    sentence = wording("audit_messages.findings", language)[code]
    for other, values in remarks(scope):
        if other == code:
            yield sentence.format(**{name: _written(name, value, language) for name, value in values.items()})


def _written(name: str, value: str | float | Number, language: str) -> str | float:
    if isinstance(value, Number):
        return number_text(value, language)
    if name in ("kind", "band"):
        return wording(f"audit_messages.{name}s", language).get(str(value), str(value))
    return value
