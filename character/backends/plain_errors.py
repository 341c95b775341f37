"""What DSPy's client says of a model it cannot use, in words for whoever configures a backend here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

from character.backends.secrets import on_one_line, redact
from character.errors import BackendUnavailableError, CharacterError, ConfigError
from character.files import toml_beside

_DATA = toml_beside(__file__, "plain_errors")


class PlainError(NamedTuple):
    """What is wrong, what would be right, and what to do; the latter two are empty where nothing is known."""

    found: str
    expected: str = ""
    fix: str = ""


def plain_error(text: str) -> PlainError:
    """Return an error of the client in our words; one that is not known stays as it is, on one line."""
    for error in _DATA["errors"]:
        if match := re.search(error["says"], text):
            words = match.groupdict()
            near = get_close_matches(words.get("wrong", ""), words.get("providers", "").split(", "), n=1)
            words["hint"] = f"did you mean {near[0]}? " if near else ""
            return PlainError(*(error.get(part, "").format(**words) for part in PlainError._fields))
    return PlainError(text.strip().split("\n")[0])


def told(error: BaseException) -> str:
    """Return what is wrong and what to do on one line, of an error of ours or of the client's."""
    ours = error.__cause__ if isinstance(error.__cause__, CharacterError) else error
    if isinstance(ours, CharacterError):
        return redact(". ".join(line.strip().rstrip(".") for line in str(ours).splitlines()) + ".")
    plain = plain_error(redact(str(error)))
    return " ".join(part for part in (plain.found, plain.fix) if part)


def unavailable(what: str, model: str, detail: str) -> BackendUnavailableError:
    """Return the error that stops a run because its backend refuses, does not answer or cannot be reached."""
    return BackendUnavailableError(
        f"the backend {what} (model {model}): {detail}",
        fix=f"{remedy_of(what)}; the same command then goes on where it stopped.",
    )


def remedy_of(what: str) -> str:
    """Return what to do where a backend ``refuses the key``, ``cannot be reached`` and the like."""
    return str(_DATA["remedies"].get(what) or _DATA["remedies"]["cannot be reached"])


def no_such_model(model: str, detail: str, models: Sequence[str] = ()) -> ConfigError:
    """Return the error that stops a run because its server has not got the model, or is not at this address.

    ``models`` are those that the server lists; without any, or with this one, it may be the address.
    """
    prefix, _, asked = model.partition("/")
    names = {on_one_line(name)[:80] for name in models}
    if not names or asked in names:
        return ConfigError(
            f"the server does not know the address or the model (model {model}): {detail}",
            fix=_DATA["remedies"]["is not there"],
        )
    near = get_close_matches(asked, names, n=_MOST_NAMED, cutoff=0.0)
    more = f" and {len(names) - len(near):,} more" if len(names) > len(near) else ""
    return ConfigError(
        f"the server does not have the model {model}: {detail}",
        expected=f"a model that it has: {', '.join(near)}{more}",
        fix=f'set model = "{prefix}/{near[0]}", or another of these, in the backend\'s section (--lm).',
    )


_MOST_NAMED = 12
