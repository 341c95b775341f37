"""Configuration from TOML files and nested data, with errors that name the field."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from character.config.section import describe_validation
from character.config.whole import Config
from character.errors import ConfigError

ConfigSource = Config | Mapping[str, Any] | Path | str | None
"""What stands for a configuration: one, its values by section, its TOML file, or None for the defaults."""


def load_config(path: Path | str | None = None, *, overrides: Mapping[str, Any] | None = None) -> Config:
    """Return the configuration of a TOML file with ``overrides`` (nested, as in the file) laid over it.

    Raises ConfigError naming the file, the line or the field, and what was expected.
    """
    data: dict[str, Any] = {}
    if path is not None:
        data = _read_toml(Path(path))
    return build_config(merged(data, overrides or {}), source=str(path) if path else "the given options")


def as_config(given: ConfigSource) -> Config:
    """Return what stands for a configuration as one."""
    if given is None or isinstance(given, Mapping):
        return build_config(given or {})
    return given if isinstance(given, Config) else load_config(given)


def with_section(config: Config, section: str, values: Mapping[str, Any]) -> Config:
    """Return a configuration with other values in one section; raises ConfigError for what is not valid."""
    if not values:
        return config
    before = getattr(config, section)
    try:
        changed = type(before).model_validate({**before.model_dump(exclude_unset=True), **values})
    except ValidationError as error:
        raise ConfigError(f"{section}.{describe_validation(error)}") from None
    return config.model_copy(update={section: changed})


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


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values with others laid over them."""
    both = {
        key: merged(base[key], value)
        for key, value in over.items()
        if isinstance(base.get(key), Mapping) and isinstance(value, Mapping)
    }
    return {**base, **over, **both}
