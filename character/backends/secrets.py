"""Keeps keys out of every text that is shown or stored: known values and what looks like a key are masked."""

from __future__ import annotations

import html
import re

from character.config.secrets import LOOKS_LIKE_A_KEY

_secrets: set[str] = set()
_MASK = "[hidden]"
_MARKUP = re.compile(r"(?is)<(script|style)\b[^<]*(?:<(?!/\1)[^<]*)*</\1>|<[^<>]*>")
_LOOKS_LIKE_HTML = re.compile(r"(?i)<(?:!doctype|html|head|body|title|h1|center)\b")
_MOST_CHARACTERS, _MOST_READ = 500, 20_000


def remember(value: str | None) -> None:
    """Remember a secret so that ``redact`` masks it; under 4 characters it is a placeholder, no secret."""
    if value and len(value) >= 4:
        _secrets.add(value)


def redact(text: str) -> str:
    """Return the text with every remembered secret, and everything that looks like a key, masked."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return LOOKS_LIKE_A_KEY.sub(_MASK, text)


def first_line(text: str) -> str:
    """Return the first line of a server's message with every secret masked, at most 300 characters of it.

    Half characters (lone surrogates) become question marks, and NUL goes: nothing can send or store them.
    """
    line = redact(text).strip().split("\n")[0][:300]
    return line.encode("utf-8", "replace").decode().replace("\0", "")


def on_one_line(text: str) -> str:
    """Return a server's text on one line of at most 500 characters, without markup, controls and secrets."""
    text = text[:_MOST_READ]
    if _LOOKS_LIKE_HTML.search(text):
        text = html.unescape(_MARKUP.sub(" ", text))
    line = redact(" ".join("".join(c if c.isprintable() else " " for c in text).split()))
    return line if len(line) <= _MOST_CHARACTERS else line[: _MOST_CHARACTERS - 1] + "…"
