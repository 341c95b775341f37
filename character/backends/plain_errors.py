"""What DSPy's client says of a model it cannot use, in words for whoever configures a backend here."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import NamedTuple

from character.errors import BackendUnavailableError

_NO_KEY = re.compile(
    r"no (?:API key found|credential) for .*?provider '?([\w-]+)'?[\s\S]*?\b([A-Z][A-Z0-9_]{3,})\b"
)
_NO_LOGIN = re.compile(r"No \S+ OAuth credential found")
_NO_PROVIDER = re.compile(r"'([^']*)' is not a provider prefix[^(]*\(known: ([^)]*)\)")
_REMEDIES = {
    "refuses the key": "check the key's variable and the account",
    "refuses the account": "check billing and quota",
}


class PlainError(NamedTuple):
    """What is wrong, what would be right, and what to do; the latter two are empty where nothing is known."""

    found: str
    expected: str = ""
    fix: str = ""


def plain_error(text: str) -> PlainError:
    """Return an error of the client in our words; one that is not known stays as it is, on one line."""
    no_key = _NO_KEY.search(text)
    if no_key:
        variable = no_key[2]
        return PlainError(
            f"there is no key for it: the variable {variable} is not set.",
            fix=f"set {variable}, or name the variable that holds the key with api_key_env (--api-key-env).",
        )
    if _NO_LOGIN.search(text):
        return PlainError(
            "there is no key for it.",
            fix="name the variable that holds the key with api_key_env (--api-key-env).",
        )
    no_provider = _NO_PROVIDER.search(text)
    if no_provider:
        wrong, providers = no_provider[1], no_provider[2].split(", ")
        near = get_close_matches(wrong, providers, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return PlainError(
            f"{wrong!r} is no provider that it can reach.",
            expected=f"a model such as openai/gpt-4.1-mini, its provider one of {', '.join(providers)}",
            fix=f'{hint}for other providers use kind = "litellm" (--backend litellm).',
        )
    return PlainError(text.strip().split("\n")[0])


def unavailable(what: str, model: str, detail: str) -> BackendUnavailableError:
    """Return the error that stops a run because its backend refuses, does not answer or cannot be reached."""
    remedy = _REMEDIES.get(what, "check that the server runs and api_base is right")
    return BackendUnavailableError(
        f"the backend {what} (model {model}): {detail}",
        fix=f"{remedy}; the same command then goes on where it stopped.",
    )
