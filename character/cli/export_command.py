"""``character export``: write a run's data for a trainer, with a card that says how it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from character.cli.options import command_of, refused
from character.cli.printing import print_json
from character.errors import InputError

_PAIRS = ("design", "min_margin", "min_probability", "max_per_message")


@command_of("export")
def command(run_folder: Path, format_name: str, out: Path, **flags: Any) -> None:
    from character.exports import Split, export, push_to_hub
    from character.exports.given import rebuilt_pairs, run_data
    from character.runs.session import reading

    _refuse_without_balance(flags)
    with reading(run_folder) as store:
        report = export(
            run_data(store),
            format_name,
            out,
            split=Split.parse(flags["split"]),
            include_margin=flags["margin"],
            seed=flags["seed"],
            license=flags["license_name"],
            overwrite=flags["overwrite"],
            pairs=rebuilt_pairs(store, {name: flags[name] for name in _PAIRS}, always=flags["debias"]),
            balance=flags["balance"],
            balance_method=flags["balance_method"] or "subset",
            balance_ignore=flags["balance_ignore"],
            without_position_effects=flags["debias"],
        )
    result: dict[str, Any] = {"out": str(out), **report.model_dump(mode="json")}
    if flags["push"]:
        result["pushed"] = push_to_hub(out, flags["push"], allow_rehearsal=flags["push_rehearsal"])
    if flags["as_json"]:
        print_json(result)
    else:
        _print(result)


def _refuse_without_balance(flags: dict[str, Any]) -> None:
    for name in ("balance_method", "balance_ignore"):
        if flags[name] and flags["balance"] is None:
            raise refused(InputError, "without_balance", option=f"--{name.replace('_', '-')}")


def _print(result: dict[str, Any]) -> None:
    for file in result["files"]:
        split = f" ({file['split']})" if file["split"] else ""
        click.echo(f"{result['out']}/{file['path']}{split}: {file['rows']:,} rows")
    for name in result["extra_files"]:
        click.echo(f"{result['out']}/{name}")
    for reason, number in result["skipped"].items():
        click.echo(f"left out, {reason}: {number:,}")
    if result["balance"]:
        balance = result["balance"]
        click.echo(
            f"balanced: {balance['num_kept']:,} of {balance['num_pairs']:,} pairs, "
            f"{balance['num_messages_kept']:,} of {balance['num_messages']:,} messages"
        )
        for name, (before, after) in balance["traits"].items():
            click.echo(f"share of {name}: {before:.0%} before, {after:.0%} after")
    for warning in result["warnings"]:
        click.echo(f"warning: {warning}")
    if "pushed" in result:
        click.echo(f"pushed: {result['pushed']}")
