"""The words that reading and checking a constitution go by: tables of TOML that lie beside this file."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any


@cache
def words(name: str) -> dict[str, Any]:
    """Return the table of ``NAME.toml``."""
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


def filled(name: str, key: str, values: dict[str, Any]) -> dict[str, str]:
    """Return the texts that a table holds under a key, with these values filled in."""
    return {part: text.format(**values) for part, text in words(name)[key].items()}
