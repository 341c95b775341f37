"""What can be wrong with a constitution's text: each problem by its name, its words in ``problems.toml``."""

from __future__ import annotations

from character.errors import ConstitutionError
from character.files import texts_beside


def problem(source: str, line: int | None, name: str, **values: object) -> ConstitutionError:
    """Return the error for a problem in ``source``, at ``line`` where known; ``values`` fill in its words."""
    texts = texts_beside(__file__, "problems", name, values)
    place = source if line is None else f"{source}, line {line}"
    return ConstitutionError(f"{place}: {texts.pop('found')}", **texts)
