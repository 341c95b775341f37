"""What looks like a key: such values are named by an environment variable, and written down nowhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LOOKS_LIKE_A_KEY = re.compile(
    r"\b(?:sk|pk|rk|gsk|hf|xai|key)[-_][A-Za-z0-9_\-*.]{8,}|\bAIza[0-9A-Za-z_\-]{20,}"
    r"|(?<=Bearer )[^\s\"',}]+|\beyJ[\w\-]{8,}\.[\w\-.]+"
)
_SECRET_HEADER = re.compile(r"(?i)(key|token|secret|passw(or)?d|credentials?|auth|authorization|cookie)$")
_SECRET_SETTING = re.compile(r"(?i)(api[-_]?key|(access|auth)[-_]?token|secret|passw(or)?d|authorization)$")


def secret_header(name: str, value: str) -> bool:
    """Whether a header holds a key, by its name or by its value."""
    return bool(_SECRET_HEADER.search(name) or LOOKS_LIKE_A_KEY.search(value))


def secret_setting(value: Any, name: str = "") -> str:
    """Return the name of the first setting within nested ones that holds a key; "" where none does."""
    match value:
        case Mapping():
            return next(filter(None, (secret_setting(each, key) for key, each in value.items())), "")
        case list() | tuple():
            return next(filter(None, (secret_setting(each, name) for each in value)), "")
        case str() if _SECRET_SETTING.search(name) or LOOKS_LIKE_A_KEY.search(value):
            return name
    return ""
