"""What a server says of a call that it refuses: its words, whatever their shape, and what they mean."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources import files
from typing import Any

from character.backends.secrets import on_one_line

TABLE = tomllib.loads(files(__package__).joinpath("server_words.toml").read_text("utf-8"))
ENDED_BY: dict[str, str] = {word: by for by, words in TABLE["ended_by"].items() for word in words}
"""What a reply was ended by, in the words of servers, by what the client calls it."""
_MOST_PARTS, _MOST_DEPTH = 4, 8


def meaning_of(said: str, status: int | None, *, told_when: bool = False) -> str:
    """Return which meaning of ``server_words.toml`` a server's words and codes have; "" where none has.

    ``status`` is 200 or None for an error that came as a reply. ``told_when`` says that the server told when
    to ask again: then words alone are those of a limit on the rate.
    """
    said = f"HTTP {status} {said}"
    for meaning in TABLE["meanings"]:
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
            found = (named.get(name) for name in TABLE["codes"])
            codes += [str(code)[:80] for code in found if isinstance(code, str | int)]
            for name in TABLE["words"]:
                _gather(named.get(name), texts, codes, depth + 1)
