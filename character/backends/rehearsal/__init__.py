"""The rehearsal backend: a seeded stand-in for a language model, inside the process, without weights."""

from character.backends.rehearsal.engine import AsyncRehearsalEngine, RehearsalEngine, register_with_litellm
from character.backends.rehearsal.reply import rehearse

__all__ = ["AsyncRehearsalEngine", "RehearsalEngine", "register_with_litellm", "rehearse"]
