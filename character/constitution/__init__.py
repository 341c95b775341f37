"""Constitutions: the traits, the file formats they are read from, and the checks on their wording."""

from character.constitution.models import Constitution, Trait

__all__ = ["Constitution", "Trait"]
