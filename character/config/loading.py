"""Configuration from TOML files and nested data, with errors that name the field."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from character.config.backend import BackendConfig, Section
from character.config.steps import (
    BudgetConfig,
    MessagesConfig,
    PairsConfig,
    RankingConfig,
    ResponsesConfig,
    StoreConfig,
)
from character.config.whole import Config
from character.errors import ConfigError


def load_config(path: Path | None = None, *, overrides: Mapping[str, Any] | None = None) -> Config:
    """Return the configuration of a TOML file with ``overrides`` (nested, as in the file) laid over it.

    Raises ConfigError naming the file, the line or the field, and what was expected.
    """
    data: dict[str, Any] = {}
    if path is not None:
        data = _read_toml(path)
    return build_config(_merge(data, overrides or {}), source=str(path) if path else "the given options")


def build_config(data: Mapping[str, Any], *, source: str = "the configuration") -> Config:
    """Return the configuration that nested data amounts to; raises ConfigError naming the field."""
    try:
        return Config.model_validate(dict(data))
    except ValidationError as error:
        raise ConfigError(
            f"{source}: {describe_validation(error)}",
            expected="the fields that `character init` writes into config.toml, each with a comment",
            fix="correct that field.",
        ) from None


def describe_validation(error: ValidationError) -> str:
    """Return the first problem of a pydantic error as ``field: what is wrong (found …)``, and how many more."""
    problems = error.errors(include_url=False)
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole"
    what = first["msg"].removeprefix("Value error, ")
    found = first["input"]
    plain = isinstance(found, str | int | float | bool) and first["type"] != "missing"
    shown = f" (found {found!r})" if plain and "@" not in str(found) else ""  # a URL may hold a password
    if first["type"] == "extra_forbidden":
        near = get_close_matches(str(first["loc"][-1]), _field_names(), n=1)
        what, shown = "this field is not known", f"; did you mean {near[0]}?" if near else ""
    more = (
        f" (and {len(problems) - 1} more: {', '.join('.'.join(map(str, p['loc'])) for p in problems[1:4])})"
    )
    return f"{where}: {what}{shown}{more if len(problems) > 1 else ''}"


def _field_names() -> list[str]:
    sections: tuple[type[Section], ...] = (
        Config,
        BackendConfig,
        MessagesConfig,
        ResponsesConfig,
        RankingConfig,
        PairsConfig,
        BudgetConfig,
        StoreConfig,
    )
    return sorted({name for section in sections for name in section.model_fields})


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).", fix="check the path.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: byte {error.start} is not UTF-8.", fix="save the file as UTF-8."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}.", expected="TOML", fix="correct that line.") from None


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        current = merged.get(key)
        both = isinstance(current, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(current, value) if both else value  # type: ignore[arg-type]
    return merged
