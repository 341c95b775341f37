"""Constitutions: the traits, the file formats they are read from, and the checks on their wording."""

from character.constitution.dumping import DumpFormat, dump_constitution
from character.constitution.findings import Finding
from character.constitution.lint import lint_constitution
from character.constitution.models import Constitution, Target, Trait
from character.constitution.reading import load_constitution, parse_constitution

__all__ = [
    "Constitution",
    "DumpFormat",
    "Finding",
    "Target",
    "Trait",
    "dump_constitution",
    "lint_constitution",
    "load_constitution",
    "parse_constitution",
]
