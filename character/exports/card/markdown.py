"""Cards: Markdown of a template, below the YAML header that the hub reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from character.views.templates import filled_in


def card_text(template: Path, header: Mapping[str, Any], *, width: int = 80, **values: Any) -> str:
    """Return a card of a template (see ``filled_in``); the header's long texts are folded at ``width``."""
    import yaml

    head = yaml.safe_dump(header, sort_keys=False, allow_unicode=True, width=width)
    return f"---\n{head}---\n\n{filled_in(template, **values)}"
