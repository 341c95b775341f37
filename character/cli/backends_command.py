"""``character backends``: which backend answers which step, and whether it does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from character.cli.options import command_of, configuration
from character.cli.printing import new_console, new_table, plain_text, print_json
from character.runs.progress import cost_text

if TYPE_CHECKING:
    from character.backends import PingResult
    from character.backends.probing import Probe
    from character.config import BackendConfig
_STEPS = ("default", "messages", "responses", "ranking")
_CHATS = ("responses", "base", "tuned")


@command_of("backends")
def command(do_ping: bool, do_probe: bool, settings: tuple[str, ...], as_json: bool, **flags: Any) -> None:
    from character.backends import ping
    from character.backends.probing import probe

    config = configuration(settings)
    names = dict.fromkeys([*_STEPS, *config.backends])
    rows = [_row(name, config.backend(name), name in config.backends) for name in names]
    pings = {name: ping(backend) for name, backend in config.backends.items() if do_ping}
    probes = {name: probe(backend) for name, backend in config.backends.items() if do_probe}
    # Who only answers people is not asked for fields: whatever it says is its reply.
    judges = {*config.backends} - {*_CHATS, *config.responses.backends} | {*config.ranking.backends}
    if as_json:
        for row in rows:
            of = row["name"] if row["configured"] else "default"
            row |= {"ping": pings[of]} if do_ping else {}
            row |= {"probe": probes[of].model_dump(mode="json")} if do_probe else {}
        print_json(rows)
    else:
        _print(rows, pings)
        for name, found in probes.items():
            _print_probe(name, found)
    down = [name for name, each in pings.items() if "model" not in each]
    down += [name for name, found in probes.items() if not found.answers]
    unreadable = judges & {name for name, each in pings.items() if not each["ok"]}
    unreadable |= judges & {name for name, found in probes.items() if not found.is_readable}
    click.get_current_context().exit(4 if down else 5 if unreadable else 0)


def _row(name: str, backend: BackendConfig, configured: bool) -> dict[str, Any]:
    key = "none needed" if backend.kind in ("rehearsal", "local") else "the provider's own variable"
    if backend.api_base:
        key = "a placeholder is sent (no api_key_env)"
    if variables := [each for each in (backend.api_key_env, *backend.headers_env.values()) if each]:
        key = ", ".join(f"{each} ({'set' if os.environ.get(each) else 'not set'})" for each in variables)
    return {
        "name": name,
        "configured": configured,
        "kind": backend.kind,
        "model": backend.model_name,
        "api_base": backend.api_base,
        "key": key,
        "max_in_flight": backend.max_in_flight,
    }


def _print(rows: list[dict[str, Any]], pings: Mapping[str, PingResult]) -> None:
    table = new_table(None, ["step", "kind", "model", "server", "key"])
    for row in rows:
        name = row["name"] if row["configured"] else f"{row['name']} (as default)"
        table.add_row(name, row["kind"], row["model"], row["api_base"] or "", row["key"])
    console = new_console()
    console.print(table)
    for name, ping in pings.items():
        answer = f"fails: {ping.get('error')}"
        if ping["ok"]:
            answer = f"answers in {ping['seconds']} s as {ping.get('model')}"
        console.print(plain_text(f"{name}: {answer}", "green" if ping["ok"] else "red"))


def _print_probe(name: str, found: Probe) -> None:
    table = new_table(f"{name}: {found.model}", ["asked for", "can", "what came"])
    for check in (*found.checks, *found.refused):
        can = {"": "yes", "not_sent": "–", "unknown": "–"}.get(check.fault, "no")
        table.add_row(check.name, can, plain_text(check.said, "red" if can == "no" else ""))
    console, usage = new_console(), found.usage
    console.print(table)
    tokens = f"{usage.prompt_tokens:,} tokens in, {usage.completion_tokens:,} out"
    console.print(f"It took {usage.calls} calls, {tokens}, {cost_text(usage)}.")
    for setting in found.settings:
        console.print(plain_text(f"{'to set' if found.answers else 'To fix it'}: {setting}"))
