"""``character init``: write a commented project folder to start from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from character.cli.options import command_of
from character.cli.printing import print_json
from character.errors import InputError

_FILES = ("constitution.toml", "config.toml")


@command_of("init")
def command(folder: Path, language: str, as_json: bool) -> None:
    existing = [name for name in _FILES if (folder / name).exists()]
    if existing:
        raise InputError(f"{folder} already holds {', '.join(existing)}.", fix="give another folder.")
    templates = files("character") / "templates" / language
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        (folder / name).write_text((templates / name).read_text(encoding="utf-8"), encoding="utf-8")
    written = [str(folder / name) for name in _FILES]
    if as_json:
        print_json({"written": written})
        return
    click.echo("\n".join(f"wrote {path}" for path in written))
    click.echo(f"next: character run {written[0]} --config {written[1]} --out {folder}/run")
