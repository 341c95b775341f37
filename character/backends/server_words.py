"""What a server says of a call that it refuses: its words, whatever their shape, and what they mean."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources import files
from typing import Any

from dspy import lm15

from character.backends.dspy_compat import ReadTimeout
from character.backends.secrets import on_one_line

_TABLE = tomllib.loads(files(__package__).joinpath("server_words.toml").read_text("utf-8"))
_CLASSES: dict[str, type[lm15.ProviderError]] = {
    "account_empty": lm15.BillingError,
    "context_overflow": lm15.ContextLengthError,
    "no_such_model": lm15.UnsupportedModelError,
}
ENDED_BY: dict[str, str] = {word: by for by, words in _TABLE["ended_by"].items() for word in words}
"""What a reply was ended by, in the words of servers, by what the client calls it."""
_LIBRARY = re.compile(r"^(?:(?:litellm\.)?\w+(?:Error|Exception)(?: - |: ))+(?:Error code: \d+ - )?")
_MOST_PARTS, _MOST_DEPTH = 4, 8


def understood(error: lm15.LM15Error) -> lm15.LM15Error:
    """Return an error of a server's in the server's own words, and of the class that they mean.

    DSPy's client reads errors in the shape of OpenAI's alone, and knows few of the words. A wait that was
    longer than ``timeout_s`` is no failure of the connection.
    """
    if isinstance(error.__cause__, ReadTimeout):
        waited = re.search(r"\bno bytes for (\S+)s\b", error.message)
        return lm15.TimeoutError(_TABLE["too_late"].format(waited=waited[1] if waited else "…"))
    if not isinstance(error, lm15.ProviderError):
        return error
    text, codes = words_of(_body_of(error))
    text = text or on_one_line(_LIBRARY.sub("", error.message.split("\n\n")[0]))
    said = " ".join([text, *(codes or [error.provider_code or ""])])
    meaning = meaning_of(said, error.status, told_when=error.retry_after is not None)
    target = _CLASSES.get(meaning, type(error))
    if not meaning and isinstance(error, lm15.ContextLengthError):
        # The client takes any word of tokens and limits for it, those of a limit on the rate too.
        target = lm15.RateLimitError if error.status == 429 else lm15.InvalidRequestError
    if target is not type(error):
        facts = ("provider", "provider_code", "status", "request_id", "retry_after", "rate_limit_headers")
        error = target(**{name: getattr(error, name) for name in facts})
    error.message, error.provider = text or f"HTTP {error.status}, without a word", None
    return error


def meaning_of(said: str, status: int | None, *, told_when: bool = False) -> str:
    """Return which meaning of ``server_words.toml`` a server's words and codes have; "" where none has.

    ``status`` is 200 or None for an error that came as a reply. ``told_when`` says that the server told when
    to ask again: then words alone are those of a limit on the rate.
    """
    said = f"HTTP {status} {said}"
    for meaning in _TABLE["meanings"]:
        if _has(meaning["certain"], said):
            return str(meaning["meaning"])
        if status not in (None, 200, *meaning["status"]) or (told_when and status == 429):
            continue
        if _has(meaning["says"], said) and not _has(meaning["unless"], said):
            return str(meaning["meaning"])
    return ""


def error_in(body: dict[str, Any]) -> Any:
    """Return the error that a reply with status 200 holds: for all of it, or of its choice; None without."""
    whole, choices = body.get("error"), body.get("choices")
    if isinstance(whole, dict):
        return None  # the client knows those of OpenAI's shape by their codes
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        texts = list[str]()
        _gather(body, texts, [])
        return body if texts else None
    theirs = (
        choice.get("provider_specific_fields") or {}
    )  # LiteLLM keeps words there that it takes for a stop
    ended = str(theirs.get("native_finish_reason") or choice.get("finish_reason"))
    by = f"the server ended its reply with {ended}" if ENDED_BY.get(ended) == "error" else None
    return choice.get("error") or by or whole or None


def _has(patterns: list[str], said: str) -> bool:
    return any(re.search(pattern, said, re.IGNORECASE) for pattern in patterns)


def words_of(body: str) -> tuple[str, list[str]]:
    """Return what the body of an error says to a reader, on one line, and the codes that it holds."""
    value, texts, codes = parsed(body), list[str](), list[str]()
    _gather(value, texts, codes)
    if value is None or (value and not texts):
        texts = [body]
    return on_one_line(": ".join(dict.fromkeys(texts[:_MOST_PARTS]))), codes


def _body_of(error: BaseException | None) -> str:
    """Return the body that an error came of: the client keeps it, or what the error was made of does."""
    for _ in range(_MOST_PARTS):
        body = getattr(getattr(error, "response", None), "text", None) or getattr(error, "body", None)
        if body is not None:
            return body if isinstance(body, str) else json.dumps(body, default=str)
        error = error and error.__cause__
    return ""


def parsed(text: str) -> Any:
    """Return the value of a JSON text; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _gather(value: Any, texts: list[str], codes: list[str], depth: int = 0) -> None:
    """Put the words and the codes in an error of any shape into the lists, in the order of the table."""
    if depth > _MOST_DEPTH:
        return
    match value:
        case str() if value.strip():
            inner = parsed(value) if value.lstrip()[0] in "{[" else None
            texts += [] if inner else [on_one_line(value)]
            _gather(inner, texts, codes, depth + 1)
        case list():
            for each in value[:_MOST_PARTS]:
                _gather(each, texts, codes, depth + 1)
        case {"loc": [*place], "msg": str(said)}:
            texts.append(on_one_line(f"{'.'.join(map(str, place))}: {said}"))
        case dict():
            named = {str(name).lower(): each for name, each in value.items()}
            found = (named.get(name) for name in _TABLE["codes"])
            codes += [str(code)[:80] for code in found if isinstance(code, str | int)]
            for name in _TABLE["words"]:
                _gather(named.get(name), texts, codes, depth + 1)
