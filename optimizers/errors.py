"""The errors of this package, under the same root as all others, and what they say: see ``texts.toml``."""

from __future__ import annotations

from character.errors import InputError
from character.files import texts_beside


class OptimizerError(InputError):
    """Base of what this package raises on purpose about what it was given."""


class LabelledError(OptimizerError):
    """A labelled set cannot be read, or cannot be used for what is asked of it."""


class ArtifactError(OptimizerError):
    """A saved ranker cannot be used, or a ranker cannot be saved as it is."""


def problem(what: str, /, **values: object) -> OptimizerError:
    """Return the error for a problem by its name in ``texts.toml``; ``values`` fill in its words."""
    return OptimizerError(**texts_beside(__file__, "texts", what, values))


def unusable(what: str, /, **values: object) -> ArtifactError:
    """Return such an error for a saved ranker, or one that cannot be saved."""
    return ArtifactError(**texts_beside(__file__, "texts", what, values))


def note(what: str, /, **values: object) -> str:
    """Return a note by its name in ``texts.toml``, its words filled in."""
    return texts_beside(__file__, "texts", what, values)["note"]
