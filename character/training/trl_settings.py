"""The settings that TRL knows, by method, and what their values may be: a slip is found before it trains."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from character.errors import InputError
from character.training.methods import MethodName


def checked_values(method: MethodName, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a method as TRL takes them; a number that YAML reads as a text (1e-5) becomes one.

    None takes a setting out of the recipe, whatever its name. Raises InputError for a name that TRL does not
    have, and for a value that is not of its kind or out of its range.
    """
    kinds = _kinds_of_settings(method)
    for name, value in values.items():
        if name not in kinds and value is not None:
            raise _unknown(name, method, kinds)
    return {name: _checked(name, value, kinds.get(name, "any")) for name, value in values.items()}


def _kinds_of_settings(method: MethodName) -> dict[str, str]:
    tables = _read()
    return {
        name: kind
        for table in ("every", method)
        for kind, names in tables[table].items()
        for name in names.split()
    }


@cache
def _read() -> dict[str, dict[str, str]]:
    """Return names of settings, apart by blanks, by method (``every`` for those of all) and kind of value.

    ``words`` says what a value of each kind is, ``bounds`` which numbers have one.
    """
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _unknown(name: str, method: MethodName, names: Iterable[str]) -> InputError:
    near = get_close_matches(name, names, n=3)
    meant = f"did you mean {' or '.join(near)}?" if near else "look at the recipe for the names it has."
    return InputError(
        f"the setting {name!r} is not known for {method}.",
        expected="a setting of TRL's",
        fix=f"{meant} What a newer TRL has can be written into recipe.yaml by hand.",
    )


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
    if not fits:
        raise InputError(f"the setting {name} is {value!r}.", expected=_read()["words"][kind])
    if is_number:
        _check_bounds(name, value, kind)
    return value


def _check_bounds(name: str, value: float, kind: str) -> None:
    bounds = _read()["bounds"]
    is_above, is_not_below = (name in bounds[each].split() for each in ("above_zero", "not_below_zero"))
    if (is_above and value <= 0) or (is_not_below and value < 0):
        bound = "above 0" if is_above else "not below 0"
        raise InputError(f"the setting {name} is {value!r}.", expected=f"{_read()['words'][kind]} {bound}")


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
