"""What looks like a key: such values are named by an environment variable, and written down nowhere."""

from __future__ import annotations

import json
import re
from typing import Any

LOOKS_LIKE_A_KEY = re.compile(
    r"\b(?:sk|pk|rk|gsk|hf|xai|key)[-_][A-Za-z0-9_\-*.]{8,}|\bAIza[0-9A-Za-z_\-]{20,}"
    r"|(?<=Bearer )[^\s\"',}]+|\beyJ[\w\-]{8,}\.[\w\-.]+"
)
_HEADER = re.compile(r"(?i)(key|token|secret|passw(or)?d|credentials?|auth|authorization|cookie)$")
_SETTING = re.compile(
    r'(?i)"([\w-]*(?:api[-_]?key|(?:access|auth)[-_]?token|secret|password|authorization))": "'
)


def is_secret_header(name: str, value: str) -> bool:
    """Whether a header holds a key, by its name or by its value."""
    return bool(_HEADER.search(name) or LOOKS_LIKE_A_KEY.search(value))


def secret_in(settings: Any) -> str:
    """Return the name of a setting, or what there is of it, that holds a key within these; "" for none."""
    named = _SETTING.search(text := json.dumps(settings))
    return named[1] if named else "a value" if LOOKS_LIKE_A_KEY.search(text) else ""
