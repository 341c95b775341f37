"""The settings that TRL knows, by method, and what their values may be: a slip is found before it trains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from character.errors import InputError
from character.files import problem, toml_beside
from character.training.methods import MethodName

_TABLES: dict[str, dict[str, str]] = toml_beside(__file__, "trl_settings")
"""Names of settings, apart by blanks, by method (``every`` for those of all) and kind of value.

``words`` says what a value of each kind is, ``bounds`` which numbers have one.
"""


def checked_values(method: MethodName, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a method as TRL takes them; a number that YAML reads as a text (1e-5) becomes one.

    None takes a setting out of the recipe, whatever its name. Raises InputError for a name that TRL does not
    have, and for a value that is not of its kind or out of its range.
    """
    tables = (_TABLES["every"], _TABLES[method])
    kinds = {name: kind for table in tables for kind, names in table.items() for name in names.split()}
    for name, value in values.items():
        if name not in kinds and value is not None:
            near = get_close_matches(name, kinds, n=3)
            meant = f"did you mean {' or '.join(near)}?" if near else ""
            meant = meant or "look at the recipe for the names it has."
            raise problem(__file__, "unknown_setting", name=name, method=method, meant=meant)
    return {name: _checked(name, value, kinds.get(name, "any")) for name, value in values.items()}


def _checked(name: str, value: Any, kind: str) -> Any:
    if value is None or kind == "any":
        return value
    if kind == "float" and isinstance(value, str):
        value = _number(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "bool": isinstance(value, bool),
        "int": is_number and isinstance(value, int),
        "float": is_number and math.isfinite(value),
        "str": isinstance(value, str),
        "list": isinstance(value, list | str),
    }[kind]
    limit = ""
    if fits and is_number and name in _TABLES["bounds"]["above_zero"].split():
        fits, limit = value > 0, " above 0"
    elif fits and is_number and name in _TABLES["bounds"]["not_below_zero"].split():
        fits, limit = value >= 0, " not below 0"
    if not fits:
        raise InputError(f"the setting {name} is {value!r}.", expected=_TABLES["words"][kind] + limit)
    return value


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
