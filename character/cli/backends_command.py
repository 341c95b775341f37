"""``character backends``: which backend answers which step, and whether it does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from character.cli.options import (
    ROLE_FLAGS,
    backend_options,
    backend_overrides,
    config_option,
    json_option,
    print_json,
)


@click.command("backends", short_help="List the configured backends, and try each with --ping.")
@config_option
@backend_options
@click.option("--ping", "do_ping", is_flag=True, help="Make one short call to each.")
@json_option
def command(config_path: Path | None, do_ping: bool, as_json: bool, **flags: Any) -> None:
    """List which backend answers each step. Whether a key is set is shown, the key itself never."""
    from character.config import load_config

    config = load_config(config_path, overrides=backend_overrides(flags))
    names = list(dict.fromkeys(["default", *ROLE_FLAGS, *config.backends]))
    rows = [_row(name, config.backend(name), name in config.backends) for name in names]
    if do_ping:
        from character.backends import ping

        answers = {name: ping(backend) for name, backend in config.backends.items()}
        for row in rows:
            row["ping"] = answers[row["name"] if row["configured"] else "default"]
    if as_json:
        print_json(rows)
    else:
        _print(rows)
    if do_ping and not all(row["ping"]["ok"] for row in rows):
        click.get_current_context().exit(4)


def _row(name: str, backend: Any, configured: bool) -> dict[str, Any]:
    variable = backend.api_key_env
    key = "none needed" if backend.kind == "rehearsal" else "the provider's own variable"
    if backend.api_base:
        key = "none is sent (no api_key_env)"
    if variable:
        key = f"{variable} ({'set' if os.environ.get(variable) else 'not set'})"
    return {
        "name": name,
        "configured": configured,
        "kind": backend.kind,
        "model": backend.model_name,
        "api_base": backend.api_base,
        "key": key,
        "max_in_flight": backend.max_in_flight,
    }


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from character.cli.wording import console as new_console

    table = Table()
    for column in ("step", "kind", "model", "server", "key"):
        table.add_column(column, overflow="fold")
    for row in rows:
        name = row["name"] if row["configured"] else f"{row['name']} (as default)"
        table.add_row(name, row["kind"], row["model"], row["api_base"] or "", row["key"])
    console = new_console()
    console.print(table)
    for row in rows:
        if row["configured"] and "ping" in row:
            ping = row["ping"]
            answer = (
                f"answers in {ping['seconds']} s as {ping['model']}"
                if ping["ok"]
                else f"fails: {ping['error']}"
            )
            console.print(f"{row['name']}: {answer}", style="green" if ping["ok"] else "red")
