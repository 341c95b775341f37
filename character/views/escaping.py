"""How texts enter a page: whatever a model wrote is shown as text and can never become markup or script."""

from __future__ import annotations

import html
import json
import re
from typing import Any

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_IN_SCRIPT = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def escape(text: str) -> str:
    """Return text for an element's content or a quoted attribute; control characters show as U+FFFD."""
    return html.escape(encodable(_CONTROLS.sub("\ufffd", text)), quote=True)


def encodable(text: str) -> str:
    """Return text that UTF-8 can write: half a surrogate pair shows as U+FFFD."""
    return _SURROGATES.sub("\ufffd", text)


def embedded_json(value: Any) -> str:
    """Return JSON that may stand inside a script element: nothing in it can end the element or open another.

    Raises ValueError for numbers that are not finite, which JSON does not know.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return encodable(text).translate(_IN_SCRIPT)
