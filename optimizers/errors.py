"""The errors of this package, which are under the same root as all others."""

from __future__ import annotations

from character.errors import InputError


class OptimizerError(InputError):
    """Base of what this package raises on purpose about what it was given."""


class LabelledError(OptimizerError):
    """A labelled set cannot be read, or cannot be used for what is asked of it."""
