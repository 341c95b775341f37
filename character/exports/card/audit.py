"""The card's section on the audit of the run, where one was made."""

from __future__ import annotations

from character.exports.card.audit_summary import AuditSummary
from character.statistics.intervals import Interval

_HEAD = "Of the run as a whole, made by `character audit` when it had {messages} messages and {pairs} pairs."


_OTHER_PAIRS = (
    "The pairs of this export are not those of the run, so what the audit says of pairs is left out."
)
_AGREEMENT = {
    "passes": "Agreement of two passes over the same candidates (tau-b, -1 to 1)",
    "scores": "Agreement of the first and second scores of the candidates (tau-b, -1 to 1)",
    "orders": "Agreement of the two orders of a pair (1 always, 0 as by chance, -1 never)",
}


def audit_section(audit: AuditSummary | None, *, same_pairs: bool = True) -> str:
    """Return the section, empty where the run was not audited. Findings are in the language of the audit.

    Without ``same_pairs`` (the export's were rebuilt or balanced) it leaves out what is about the run's own pairs.
    """
    if audit is None:
        return ""
    figures = (
        (_AGREEMENT[audit.measure], audit.consistency),
        ("Pairs of levels ranked as intended (share)", audit.intended),
        (
            "Chosen told from rejected by surface features alone (held-out accuracy, 0.5 is chance)",
            audit.surface_accuracy if same_pairs else None,
        ),
    )
    lines = [f"- {label}: {_written(interval)}" for label, interval in figures if interval]
    if audit.flagged and same_pairs:
        lines.append(f"- Sets chosen apart from rejected: {_inline(', '.join(audit.flagged))}")
    findings = (*(audit.pair_findings if same_pairs else ()), *audit.findings)
    if findings:
        lines += ["", "What asks for attention:", "", *(f"- {_inline(text)}" for text in findings)]
    head = _HEAD.format(messages=audit.num_messages, pairs=audit.num_pairs)
    said = head if same_pairs else f"{head} {_OTHER_PAIRS}"
    return "\n".join(["## Audit", "", said, "", *lines])


def _written(interval: Interval) -> str:
    return f"{interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _inline(text: str) -> str:
    return " ".join(text.split())
