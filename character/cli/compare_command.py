"""``character compare``: what changed between two evaluations."""

from __future__ import annotations

from pathlib import Path

import click

from character.cli.options import json_option, print_json


@click.command("compare", short_help="Show what changed between two evaluations.")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--all", "show_all", is_flag=True, help="Show the changes that may be chance as well.")
@json_option
def command(first: Path, second: Path, show_all: bool, as_json: bool) -> None:
    """Show how the effects of traits differ between the evaluations FIRST and SECOND, as `character effect` made them.

    Use it for two wordings of a trait: measured on the same messages (`effect --messages FILE`) they are compared message by
    message.
    """
    from character.evaluation.comparing import compare
    from character.evaluation.findings import written

    before, _after, changes = compare(first, second)
    if as_json:
        print_json(
            {
                "first": str(first),
                "second": str(second),
                "changes": [change.model_dump(mode="json") for change in changes],
            }
        )
        return
    from rich.table import Table

    from character.cli.wording import console as new_console

    sure = [change for change in changes if change.adjusted_p < 1 - before.level]
    table = Table(title=f"{second} against {first}", title_justify="left")
    for name in ("what was changed", "trait judged"):
        table.add_column(name)
    for name in ("first", "second", "change", "adjusted p"):
        table.add_column(name, justify="right")
    for change in changes if show_all else sure:
        table.add_row(
            f"{change.contrast.condition} / {change.contrast.reference}",
            change.trait,
            f"{change.first:+.2f}",
            f"{change.second:+.2f}",
            written(change.change, "en"),
            f"{change.adjusted_p:.4f}",
        )
    console = new_console()
    console.print(table)
    unpaired = sum(not change.is_paired for change in changes)
    console.print(
        f"{len(sure)} of {len(changes)} effects surely changed. "
        + (
            f"{unpaired} were measured on other messages: `effect --messages FILE` compares message by message."
            if unpaired
            else "All were measured on the same messages."
        ),
        style="dim",
    )
