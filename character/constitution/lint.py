"""Checks on a constitution's wording, in English and Chinese."""

from __future__ import annotations

from character.constitution.findings import Finding
from character.constitution.lint_pairs import check_pairs
from character.constitution.lint_wording import check_wording
from character.constitution.models import Constitution

MANY_TRAITS = 12
"""More traits than this rarely all show; about ten make a persona."""


def lint_constitution(constitution: Constitution) -> list[Finding]:
    """Return remarks on the wording: first trait by trait, then on pairs of traits, then on the whole.

    Codes: ``prescriptive``, ``not-first-person``, ``short-description``, ``mixed-languages``,
    ``name-in-description``, ``no-opposite``, ``no-not``, ``no-clarification``, ``contradiction``,
    ``antonyms``, ``repetition``, ``many-traits``. Checks that look at words skip languages other than
    English and Chinese.
    """
    findings = [
        finding for trait in constitution.traits for finding in check_wording(trait, constitution.language)
    ]
    findings += check_pairs(constitution.traits)
    if (number := len(constitution.traits)) > MANY_TRAITS:
        message = f"{number} traits. More than about {MANY_TRAITS} seldom all show: keep the telling ones, or train in parts."
        findings.append(Finding(severity="note", code="many-traits", message=message))
    return findings
