"""One configuration: what a section has, the command line has as a flag and Python as a keyword."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from character import Config, load_config
from character.audit.audit import AuditOptions
from character.cli import audit_command, effect_command, optimize_command, run_command, train_command
from character.cli.options import set_overrides
from character.config import ConfigSection
from character.errors import ConfigError
from character.evaluation.effect import EffectOptions
from character.training.train import TrainOptions
from character.tuning.optimize import OptimizeOptions

SECTIONS: dict[str, tuple[click.Command, type]] = {
    "effect": (effect_command.command, EffectOptions),
    "optimize": (optimize_command.command, OptimizeOptions),
    "audit": (audit_command.command, AuditOptions),
    "train": (train_command.command, TrainOptions),
}
OTHERWISE = {
    "neutral_messages": "neutral",
    "pressed_messages": "pressed",
    "judged": "no_judge",
    "design": "with_traits",
    "preference": "preference_folder",
    "values": "settings",
}
"""Flags that go by another name than their field."""


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_of_a_section_is_a_flag_and_a_keyword(section: str) -> None:
    command, options = SECTIONS[section]
    flags = {each.name for each in command.params}
    for field in type(getattr(Config(), section)).model_fields:
        assert field in options.__annotations__, f"{section}.{field} is no keyword"
        assert {field, OTHERWISE.get(field)} & flags, f"{section}.{field} is no flag"


@pytest.mark.parametrize("section", SECTIONS)
def test_no_flag_hides_what_the_file_says(section: str) -> None:
    command, _ = SECTIONS[section]
    fields = set(type(getattr(Config(), section)).model_fields)
    hidden = [
        each.name
        for each in command.params
        if isinstance(each, click.Option)
        and each.name in fields | {OTHERWISE.get(field) for field in fields}
        and not (each.is_flag and not each.default)
        and isinstance(each.default, str | int | float)
        and not each.multiple
    ]
    assert hidden == []


def _fields(section: ConfigSection, prefix: str = "") -> list[str]:
    names: list[str] = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        inner = isinstance(value, ConfigSection)
        names += _fields(value, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
    return names


@pytest.mark.parametrize("command", [run_command.command, effect_command.command, optimize_command.command])
def test_any_field_can_be_set_by_its_path(command: click.Command) -> None:
    assert "settings" in {each.name for each in command.params}


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("responses.calls=per_message", ("responses", "calls"), "per_message"),
        ("messages.turns=3", ("messages", "turns"), 3),
        ("messages.check=true", ("messages", "check"), True),
        ("backends.default.temperature=0.5", ("backends", "default", "temperature"), 0.5),
        ('messages.kinds=["question"]', ("messages", "kinds"), ["question"]),
    ],
)
def test_a_path_with_a_value_says_what_the_file_would_say(
    text: str, path: tuple[str, ...], value: Any
) -> None:
    nested: Any = set_overrides((text,))
    for name in path:
        nested = nested[name]
    assert nested == value


def test_a_path_that_is_no_field_is_named() -> None:
    with pytest.raises(ConfigError, match=r"messages\.turnz"):
        load_config(overrides=set_overrides(("messages.turnz=3",)))
    with pytest.raises(click.UsageError, match="says no field"):
        set_overrides(("turns",))


def test_a_wrong_value_in_python_is_our_error_and_names_the_field() -> None:
    with pytest.raises(ConfigError, match="seed"):
        Config(seed=-1)
    with pytest.raises(ConfigError, match="sead"):
        Config(sead=1)  # type: ignore[call-arg]


def test_a_configuration_may_be_named_by_a_text(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("seed = 4\n", encoding="utf-8")
    assert load_config(str(tmp_path / "c.toml")).seed == 4


def test_every_section_is_known_by_its_path() -> None:
    assert {"effect.choices", "optimize.budget", "audit.seed", "train.preset", "messages.per_trait"} <= set(
        _fields(Config())
    )
