"""Writing a constitution in each of the shapes it can be read from."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args

import yaml

from character.constitution.models import Constitution
from character.errors import UnknownNameError

DumpFormat = Literal["recipe", "toml", "yaml", "jsonl", "json"]


class _YamlDumper(yaml.SafeDumper):
    """Escapes what YAML 1.1 takes for a line break inside of text; left raw, it would be folded away."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if any(char in text for char in "\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_YamlDumper.add_representer(str, _represent_text)


def dump_constitution(constitution: Constitution, format: DumpFormat) -> str:
    """Return the constitution as text that ``parse_constitution`` reads back.

    ``"toml"``, ``"yaml"`` and ``"json"`` hold everything; ``"jsonl"`` holds the traits, one per line;
    ``"recipe"`` is a JSON list of objects with exactly ``trait`` and ``description``. Fields that are empty
    and the usual target are left out. Raises UnknownNameError for any other format.
    """
    header = constitution.model_dump(exclude={"traits"})
    traits = [trait.fields() for trait in constitution.traits]
    if format == "recipe":
        pairs = [{"trait": trait.name, "description": trait.description} for trait in constitution.traits]
        return "[\n" + ",\n".join(f"  {_json(pair)}" for pair in pairs) + "\n]\n"
    if format == "jsonl":
        return "".join(_json(trait) + "\n" for trait in traits)
    if format == "json":
        return json.dumps({**header, "traits": traits}, ensure_ascii=False, indent=2) + "\n"
    if format == "yaml":
        whole = {**header, "traits": traits}
        return yaml.dump(whole, Dumper=_YamlDumper, allow_unicode=True, sort_keys=False, width=110)
    if format == "toml":
        return _toml_table(header) + "".join(f"\n[[traits]]\n{_toml_table(trait)}" for trait in traits)
    raise UnknownNameError("format", format, get_args(DumpFormat))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _toml_table(fields: dict[str, Any]) -> str:
    return "".join(f"{key} = {_toml_value(value)}\n" for key, value in fields.items())


def _toml_value(value: str | list[str]) -> str:
    if isinstance(value, list):
        return "[\n" + "".join(f"    {_toml_string(item)},\n" for item in value) + "]"
    if "\n" not in value:
        return _toml_string(value)
    inner = "\n".join(_toml_string(line)[1:-1] for line in value.split("\n"))
    return f'"""\n{inner}"""'


def _toml_string(text: str) -> str:
    # A TOML basic string escapes as JSON does, save that it also wants DEL escaped.
    return _json(text).replace("\x7f", "\\u007F")
