"""What can be wrong with a run's store, said so that a person knows what to do."""

from __future__ import annotations

from pydantic import ValidationError

from character.errors import StoreError


def another_version(where: str, what: str, error: ValidationError) -> StoreError:
    """Return the error for something stored that this version cannot read."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return StoreError(
        f"{where} holds a {what} that cannot be read: {field}: {first['msg']}.",
        expected="a run of this version",
        fix="read it with the version of character that wrote it (run.json names it).",
    )


def check_layout(name: str, found: str | None, expected: str, *, do: str) -> None:
    """Raise StoreError where a database has another version's layout: one is to ``do`` it with that."""
    if found != expected:
        raise StoreError(
            f"{name} has the layout {found!r}.",
            expected=f"the layout {expected!r} of this version",
            fix=f"{do} with the version of character that wrote it.",
        )


def unusable(name: str, error: Exception) -> StoreError:
    """Return the error for a database that fails."""
    return StoreError(
        f"{name} cannot be used: {cause_of(error)}.",
        expected="a run written by character",
        fix="check the disk and the permissions; a copy of the whole folder can be examined with sqlite3.",
    )


def cause_of(error: Exception) -> str:
    """Return the first line of what a database said, without SQLAlchemy's words around it."""
    return str(getattr(error, "orig", error)).strip().split("\n")[0]
