"""``character status``: how far a run is and what it cost."""

from __future__ import annotations

from pathlib import Path

import click

from character.cli.options import json_option, print_json, run_argument


@click.command("status", short_help="Show how far a run is and what it cost.")
@run_argument
@json_option
def command(run_folder: Path, as_json: bool) -> None:
    """Show how far RUN is, what was dropped and what it cost; also while it is being written."""
    from character.run_summary import summarize
    from character.store import RunStore

    with RunStore(run_folder) as store:
        summary = summarize(store)
    if as_json:
        print_json(summary.model_dump(mode="json", exclude={"samples"}))
        return
    from rich.console import Console

    from character.cli.progress import closing_report

    console = Console()
    pending = summary.messages.get("pending", 0)
    console.print(
        "finished" if not pending else f"{pending:,} of {summary.messages['messages']:,} messages to go"
    )
    for part in closing_report(summary.model_copy(update={"samples": ()})):
        console.print(part)
