"""``character backends``: which backend answers which step, and whether it does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import command_of, configuration
from character.cli.printing import new_console, new_table, print_json

if TYPE_CHECKING:
    from character.config import BackendConfig
_STEPS = ("default", "messages", "responses", "ranking")


@command_of("backends")
def command(do_ping: bool, as_json: bool, **flags: Any) -> None:
    config = configuration()
    names = dict.fromkeys([*_STEPS, *config.backends])
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


def _row(name: str, backend: BackendConfig, configured: bool) -> dict[str, Any]:
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
    table = new_table(None, ["step", "kind", "model", "server", "key"])
    for row in rows:
        name = row["name"] if row["configured"] else f"{row['name']} (as default)"
        table.add_row(name, row["kind"], row["model"], row["api_base"] or "", row["key"])
    console = new_console()
    console.print(table)
    for row in rows:
        if row["configured"] and "ping" in row:
            ping = row["ping"]
            if ping["ok"]:
                answer = f"answers in {ping['seconds']} s as {ping['model']}"
            else:
                answer = f"fails: {ping['error']}"
            console.print(f"{row['name']}: {answer}", style="green" if ping["ok"] else "red")
