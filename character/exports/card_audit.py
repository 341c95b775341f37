"""The card's section on the audit of the run, where one was made."""

from __future__ import annotations

from character.audit.summary import AuditSummary
from optimizers.statistics import Interval

_HEAD = "Of the run as a whole, made by `character audit` when it had {messages} messages and {pairs} pairs."


def audit_section(audit: AuditSummary | None) -> str:
    """Return the section, empty where the run was not audited. Findings are in the language of the audit."""
    if audit is None:
        return ""
    figures = (
        ("Agreement of two passes over the same candidates (tau-b, -1 to 1)", audit.consistency),
        ("Pairs of levels ranked as intended (share)", audit.intended),
        (
            "Chosen told from rejected by surface features alone (held-out accuracy, 0.5 is chance)",
            audit.surface_accuracy,
        ),
    )
    lines = [f"- {label}: {_written(interval)}" for label, interval in figures if interval]
    if audit.flagged:
        lines.append(f"- Sets chosen apart from rejected: {_inline(', '.join(audit.flagged))}")
    if audit.findings:
        lines += ["", "What asks for attention:", "", *(f"- {_inline(text)}" for text in audit.findings)]
    return "\n".join(
        ["## Audit", "", _HEAD.format(messages=audit.num_messages, pairs=audit.num_pairs), "", *lines]
    )


def _written(interval: Interval) -> str:
    return f"{interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _inline(text: str) -> str:
    return " ".join(text.split())
