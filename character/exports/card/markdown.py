"""Cards: Markdown of a template, below the YAML header that the hub reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def card_text(template: Path, header: Mapping[str, Any], *, width: int = 80, **values: Any) -> str:
    """Return a card; the header's long texts are folded at ``width``.

    Templates have three filters of their own: ``inline`` puts a text on one line, so that no name or
    description can open a heading, a table or a header; ``cell`` makes it fit into a table too; ``form``
    formats a number.
    """
    import jinja2
    import yaml

    environment = jinja2.Environment(  # noqa: S701 - Markdown, not HTML
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"inline": inline, "cell": _cell, "form": format}
    body = environment.from_string(template.read_text(encoding="utf-8")).render(values)
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True, width=width)}---\n\n{body}"


def inline(text: object) -> str:
    """Return a text on one line."""
    return " ".join(str(text).split())


def _cell(text: object) -> str:
    return inline(text).replace("|", "\\|")
