"""What each subcommand takes, as ``commands.toml`` says it, and the configuration that flags amount to."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from character.errors import CharacterError, ConfigError
from character.files import texts_beside, toml_beside

if TYPE_CHECKING:
    from character.config import Config
_OURS = {"argument", "flag", "dest", "type", "choices", "min", "max", "min_open", "unset", "sets", "says"}
"""Keys of a row that are not click's."""


def commands() -> dict[str, dict[str, Any]]:
    """Return the table of commands: texts and rows of options, by the name of the command."""
    return toml_beside(__file__, "commands")


def refused(kind: type[CharacterError], problem: str, **values: object) -> CharacterError:
    """Return the error for a problem by its name in ``refusals.toml``; ``values`` fill in its words."""
    return kind(**texts_beside(__file__, "refusals", problem, values))


def command_of(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Return what makes a function the command of that name (``GROUP NAME`` for one of a group)."""

    def made(function: Callable[..., None]) -> click.Command:
        return click.Command(
            name.rpartition(" ")[2],
            callback=function,
            help=commands()[name]["help"],
            params=[_parameter(row) for row in _rows(name)],
        )

    return made


def configuration(settings: Iterable[str] = (), **given: Any) -> Config:
    """Return the configuration of the command that is running: its --config with all else laid over it.

    That is, the last one winning: what ``settings`` (--set) say, what its flags set, the sections ``given``.
    """
    from character.config import load_config
    from character.config.loading import merged

    context = click.get_current_context()
    overrides = set_overrides(settings)
    for row, parameter in zip(_rows(str(context.command.name)), context.command.params, strict=True):
        if "because" in row:
            continue
        value = context.params[str(parameter.name)]
        if "says" in row:
            value = row["says"] if value else None
        if "sets" in row and value not in (None, ()):
            overrides = merged(overrides, _at(row["sets"], value))
    return load_config(context.params["config_path"], overrides=merged(overrides, given))


def refuse_unused(flags: Mapping[str, Any], dest: str, why: str, unused: Iterable[str]) -> None:
    """Raise ConfigError for the first of the flags that nothing would use beside another that is given."""
    given = {str(each.name): each.opts[0] for each in click.get_current_context().command.params}
    for name in unused:
        if flags[dest] is not None and flags.get(name) is not None:
            raise ConfigError(f"found {given[name]} beside {given[dest]}.", expected=f"one of the two: {why}")


MESSAGE_FLAGS = (
    "messages_per_trait",
    *(f"{each}_messages" for each in ("backend", "lm", "api_base", "api_key_env")),
)
"""The flags that say how messages are generated."""


def set_overrides(settings: Iterable[str]) -> dict[str, Any]:
    """Return the configuration that ``section.field=value`` texts amount to.

    A value is TOML, or else plain text.
    """
    from character.config.loading import merged

    overrides: dict[str, Any] = {}
    for text in settings:
        path, sign, plain = text.partition("=")
        if not sign or not all(path.strip().split(".")):
            raise click.UsageError(f"--set {text!r} says no field; expected SECTION.FIELD=VALUE.")
        try:
            value = tomllib.loads(f"value = {plain}")["value"]
        except tomllib.TOMLDecodeError:
            value = plain
        overrides = merged(overrides, _at(path.strip(), value))
    return overrides


def _at(path: str, value: Any) -> dict[str, Any]:
    """Return the nested sections with a value at a path; paths of files become texts, as in a file."""
    if isinstance(value, tuple):
        value = [str(each) for each in value]
    first, _, rest = path.partition(".")
    plain = str(value) if isinstance(value, Path) else value
    return {first: _at(rest, plain) if rest else plain}


def _rows(name: str) -> Iterator[dict[str, Any]]:
    """Yield what a command takes, a row each, with the rows that commands share written out."""
    shared = commands()["shared"]
    for row in commands()[name]["takes"]:
        if isinstance(row, str):
            yield from shared[row]
        elif "backends" in row:
            yield from (_of_step(each, step) for step in row["backends"] for each in shared["backend"])
        elif "without" in row:
            flags = [_of_step(each, row["without"])["flag"] for each in shared["backend"]]
            yield from ({"flag": flag, "because": row["because"]} for flag in flags)
        else:
            yield row


def _of_step(row: dict[str, Any], step: str) -> dict[str, Any]:
    words = {"step": step, "of": f"-{step}", "whose": f"for {step}"}
    if step == "default":
        words |= {"of": "", "whose": "for every step without its own"}
    return {key: value.format(**words) if isinstance(value, str) else value for key, value in row.items()}


def _parameter(row: dict[str, Any]) -> click.Parameter:
    if "because" in row:
        return click.Option([row["flag"]], hidden=True, expose_value=False, callback=_refusal(row))
    rest = {key: value for key, value in row.items() if key not in _OURS}
    if row.get("unset"):
        rest["default"] = None
    if "argument" in row:
        return click.Argument([row["argument"]], type=_type(row), **rest)
    return click.Option([row["flag"], *([row["dest"]] if "dest" in row else [])], type=_type(row), **rest)


def _refusal(row: dict[str, Any]) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Return what refuses a flag that the command could not use, whatever its value."""

    def refuse(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            raise click.UsageError(f"{context.command.name} has no {row['flag']}: {row['because']}.", context)

    return refuse


def _type(row: dict[str, Any]) -> Any:
    if "choices" in row:
        return click.Choice(row["choices"])
    limits = {key: row[key] for key in ("min", "max", "min_open") if key in row}
    types = {
        "path": click.Path(path_type=Path),
        "folder": click.Path(path_type=Path, exists=True, file_okay=False),
        "int": click.IntRange(**limits),
        "float": click.FloatRange(**limits),
    }
    return types[row["type"]] if "type" in row else None
