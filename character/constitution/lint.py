"""Checks on a constitution's wording, in English and Chinese."""

from __future__ import annotations

from character.constitution.findings import Finding, finding
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
    traits = constitution.traits
    findings = [remark for trait in traits for remark in check_wording(trait, constitution.language)]
    findings += check_pairs(traits)
    if len(traits) > MANY_TRAITS:
        findings.append(finding("many-traits", number=len(traits), most=MANY_TRAITS))
    return findings
