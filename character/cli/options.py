"""Options that several subcommands share, and how flags become configuration."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
ROLE_FLAGS = ("messages", "responses", "ranking")
_KINDS = click.Choice(["native", "litellm", "rehearsal"])

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on stdout, all else on stderr."
)
config_option = click.option(
    "--config", "config_path", type=click.Path(path_type=Path), help="A TOML file (see `character init`)."
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Any other field of the configuration, as in the file: --set responses.calls=per_message.",
)
run_argument = click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))


def backend_options(function: F) -> F:
    """Add --backend, --lm, --api-base and --api-key-env, for the default and for each step."""
    return _backend_options(function, ROLE_FLAGS)


def tuning_options(function: F) -> F:
    """Add the same options for the judge and for the model that proposes instructions, with seed and level."""
    function = _backend_options(function, ("reflection",))
    seed = click.option("--seed", type=click.IntRange(min=0), help="The seed of everything random.")
    level = click.option(
        "--level",
        show_default="0.95",
        type=click.FloatRange(0.5, 0.999),
        help="The level of the intervals.",
    )
    return level(seed(function))


def _backend_options(function: F, roles: tuple[str, ...]) -> F:
    for role in (*reversed(roles), ""):
        suffix = f"-{role}" if role else ""
        whose = f"for {role}" if role else "for every step without its own"
        decorators = (
            click.option(
                f"--api-key-env{suffix}", metavar="NAME", help=f"The variable that holds the key {whose}."
            ),
            click.option(f"--api-base{suffix}", metavar="URL", help=f"The server {whose}."),
            click.option(
                f"--lm{suffix}", metavar="MODEL", help=f"The model {whose}, such as openai/gpt-4.1-mini."
            ),
            click.option(f"--backend{suffix}", type=_KINDS, help=f"The kind of backend {whose}."),
        )
        for decorator in decorators:
            function = decorator(function)
    return function


def budget_options(function: F) -> F:
    """Add --max-cost, --max-tokens and --max-calls, which are never passed."""
    for decorator in (
        click.option("--max-calls", type=click.IntRange(min=0), help="Never make more than this many calls."),
        click.option(
            "--max-tokens", type=click.IntRange(min=0), help="Never take more than this many tokens."
        ),
        click.option("--max-cost", type=click.FloatRange(min=0), help="Never spend more than this many USD."),
    ):
        function = decorator(function)
    return function


def budget_overrides(flags: dict[str, Any]) -> dict[str, Any]:
    """Return the ``budget`` section that the budget flags amount to, with None for what is not given."""
    return {name: flags[name] for name in ("max_cost", "max_tokens", "max_calls")}


def backend_overrides(flags: dict[str, Any]) -> dict[str, Any]:
    """Return the ``backends`` section that the backend flags amount to."""
    section: dict[str, Any] = {}
    for role in ("", *ROLE_FLAGS, "reflection"):
        suffix = f"_{role}" if role else ""
        given = {
            "kind": flags.get(f"backend{suffix}"),
            "model": flags.get(f"lm{suffix}"),
            "api_base": flags.get(f"api_base{suffix}"),
            "api_key_env": flags.get(f"api_key_env{suffix}"),
        }
        chosen = {name: value for name, value in given.items() if value is not None}
        if chosen:
            section[role or "default"] = chosen
    return {"backends": section} if section else {}


def set_overrides(settings: tuple[str, ...]) -> dict[str, Any]:
    """Return the configuration that ``section.field=value`` texts amount to; a value is TOML, or else plain text."""
    nested: dict[str, Any] = {}
    for text in settings:
        path, sign, value = text.partition("=")
        *sections, field = path.strip().split(".")
        if not sign or not all((*sections, field)):
            raise click.UsageError(f"--set {text!r} says no field; expected SECTION.FIELD=VALUE.")
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
        try:
            inner[field] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            inner[field] = value
    return nested


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return nested values with others laid over them."""
    both = {key: merged(base[key], value) for key, value in over.items() if isinstance(base.get(key), dict)}
    return {**base, **over, **both}


def print_json(data: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))
