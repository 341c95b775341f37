"""The errors of this package: each says what was found, what was expected and what to do."""

from __future__ import annotations

from typing import ClassVar


class OptimizerError(ValueError):
    """Base of what this package raises on purpose about what it was given.

    ``found`` says what is wrong and where (file, line, field), ``expected`` what would have been right,
    ``fix`` what the user can do now. ``exit_code`` is what the command line ends with.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, found: str, *, expected: str = "", fix: str = "") -> None:
        self.found, self.expected, self.fix = found, expected, fix
        parts = [found, f"Expected: {expected}" if expected else "", f"To fix it: {fix}" if fix else ""]
        super().__init__("\n  ".join(part for part in parts if part))


class LabelledError(OptimizerError):
    """A labelled set cannot be read, or cannot be used for what is asked of it."""
