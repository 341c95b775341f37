"""Templates that lie beside the modules that fill them in: of plain text, and of HTML that escapes all."""

from __future__ import annotations

import html
import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment, Template

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


def filled_in(template: Path, **values: Any) -> str:
    """Return the text that a template makes of some values.

    Templates have three filters of their own: ``inline`` puts a text on one line, so that no name or
    description can open a heading, a table or a header; ``cell`` makes it fit into a table too; ``form``
    formats a value.
    """
    return _template(template).render(values)


@cache
def _template(path: Path) -> Template:
    import jinja2

    environment = jinja2.Environment(  # noqa: S701 - Markdown, YAML and scripts, not HTML
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"inline": inline, "cell": _cell, "form": format}
    return environment.from_string(path.read_text(encoding="utf-8"))


def inline(text: object) -> str:
    """Return a text on one line."""
    return " ".join(str(text).split())


def _cell(text: object) -> str:
    return inline(text).replace("|", "\\|")


def html_environment() -> Environment:
    """Return the environment of HTML templates: every text that enters one passes ``escape``."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def escaped(value: object) -> Markup:
        return value if isinstance(value, Markup) else Markup(escape(str(value)))  # noqa: S704 - escaped here

    return Environment(
        autoescape=True, finalize=escaped, undefined=StrictUndefined, keep_trailing_newline=True
    )
