"""The errors of this package, under the same root as all others: each says what was found, expected, and to be done."""

from __future__ import annotations

from character.errors import InputError


class OptimizerError(InputError):
    """Base of what this package raises on purpose about what it was given."""


class LabelledError(OptimizerError):
    """A labelled set cannot be read, or cannot be used for what is asked of it."""
