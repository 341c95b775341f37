"""What can be wrong with a run's store, said so that a person knows what to do."""

from __future__ import annotations

from pydantic import ValidationError

from character.errors import InputError, StoreError
from character.files import texts_beside


def problem(what: str, **values: object) -> StoreError:
    """Return the error for a problem by its name in ``problems.toml``; ``values`` fill in its words."""
    return StoreError(**texts_beside(__file__, "problems", what, values))


def bad_url(what: str, **values: object) -> InputError:
    """Return such an error for a URL of a store that cannot be one."""
    return InputError(**texts_beside(__file__, "problems", what, values))


def another_version(where: str, what: str, error: ValidationError) -> StoreError:
    """Return the error for something stored that this version cannot read."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return problem("another_version", where=where, kind=what, field=field, message=first["msg"])


def check_layout(name: str, found: str | None, expected: str, *, do: str) -> None:
    """Raise StoreError where a database has another version's layout: one is to ``do`` it with that."""
    if found != expected:
        raise problem("layout", name=name, found=found, wanted=expected, do=do)


def unusable(name: str, error: Exception) -> StoreError:
    """Return the error for a database that fails."""
    return problem("unusable", name=name, cause=cause_of(error))


def cause_of(error: Exception) -> str:
    """Return the first line of what a database said, without SQLAlchemy's words around it."""
    return str(getattr(error, "orig", error)).strip().split("\n")[0]
