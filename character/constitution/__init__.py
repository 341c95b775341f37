"""Constitutions: the traits, the file formats they are read from, and the checks on their wording."""

from character.constitution.dumping import DumpFormat as DumpFormat
from character.constitution.dumping import dump_constitution as dump_constitution
from character.constitution.lint import Finding as Finding
from character.constitution.lint import lint_constitution as lint_constitution
from character.constitution.models import Constitution as Constitution
from character.constitution.models import Target as Target
from character.constitution.models import Trait as Trait
from character.constitution.reading import load_constitution as load_constitution
from character.constitution.reading import parse_constitution as parse_constitution
