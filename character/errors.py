"""The error tree: every error says what was found, what was expected, what to do, and knows its exit code."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class CharacterError(Exception):
    """Base of everything this package raises on purpose.

    ``found`` says what is wrong and where (file, line, field), ``expected`` what would have been
    right, ``fix`` what the user can do now. ``exit_code`` is what the command line ends with.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, found: str, *, expected: str = "", fix: str = "") -> None:
        self.found, self.expected, self.fix = found, expected, fix
        parts = [found, f"Expected: {expected}" if expected else "", f"To fix it: {fix}" if fix else ""]
        super().__init__("\n  ".join(part for part in parts if part))


class InputError(CharacterError, ValueError):
    """A file, an argument or a value given by the user cannot be used as it stands."""

    exit_code = 2


class ConstitutionError(InputError):
    """A constitution file or object cannot be read as traits."""


class MessagesError(InputError):
    """A messages file cannot be read as messages."""


class ConfigError(InputError):
    """The configuration (TOML, flags or Python) is not valid or names something unknown."""


class ModelFileError(InputError):
    """A saved preference model cannot be used as it stands, or a model cannot be saved."""


class UnknownNameError(InputError, LookupError):
    """A name (of a design, a format, a backend kind, a message …) is not among the known ones."""

    def __init__(self, what: str, name: str, names: Iterable[str], *, hint: str = "") -> None:
        names = sorted(names)
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else hint or "use one of these names."
        super().__init__(f"{what} {name!r} is not known.", expected=f"one of {', '.join(names)}", fix=hint)


class UnknownOptionError(UnknownNameError, TypeError):
    """A function was called with a keyword that it does not take."""


class MissingExtraError(CharacterError, ImportError):
    """A feature needs an optional dependency that is not installed."""

    exit_code = 2

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed.",
            fix=f"pip install 'character-framework[{extra}]'",
        )


class StoreError(CharacterError, OSError):
    """A run folder cannot be opened, read or written."""

    exit_code = 2


class BudgetReachedError(CharacterError):
    """A cap on cost, tokens or calls was reached; everything finished is kept."""

    exit_code = 3


class BackendUnavailableError(CharacterError, ConnectionError):
    """A backend is down or refuses the key; everything finished is kept and the run can go on later."""

    exit_code = 4


class InvalidReplyError(CharacterError, ValueError):
    """A step of a program returned something its contract does not allow (wrong shape, range or type)."""


class UnusableModelError(CharacterError):
    """Nothing that a model replies can be used, for one same reason, so that going on would only cost."""

    exit_code = 5


class StepFailedError(InvalidReplyError):
    """A step of somebody else's failed for every message, so that going on would help nobody."""
