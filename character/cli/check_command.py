"""``character check``: validate a constitution, look over its wording, print what was understood."""

from __future__ import annotations

from pathlib import Path

import click

from character.cli.options import json_option, print_json


@click.command("check", short_help="Validate a constitution and look over its wording.")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def command(file: Path, as_json: bool) -> None:
    """Validate FILE, look over its wording, and print what was understood.

    Findings about the wording are advice: the exit code is 0 as long as the file can be read.
    """
    from character.constitution import lint_constitution, load_constitution

    constitution = load_constitution(file)
    findings = lint_constitution(constitution)
    if as_json:
        print_json(
            {
                "constitution": constitution.model_dump(mode="json", by_alias=True),
                "fingerprint": constitution.fingerprint,
                "findings": [finding.model_dump(mode="json") for finding in findings],
            }
        )
        return
    from rich.table import Table

    from character.cli.wording import console as new_console
    from character.cli.wording import count_text

    console = new_console()
    table = Table(
        title=f"{constitution.name} · {constitution.language} · {constitution.fingerprint}",
        title_justify="left",
    )
    for column in ("trait", "understood as", "opposite", "questions"):
        table.add_column(column, overflow="fold")
    for trait in constitution.traits:
        table.add_row(
            trait.name, trait.statement or trait.description, trait.opposite, str(len(trait.questions) or "–")
        )
    console.print(table)
    for finding in findings:
        colour = "yellow" if finding.severity == "warning" else "dim"
        where = f"{finding.trait}: " if finding.trait else ""
        console.print(f"{finding.severity}: {where}{finding.message}", style=colour)
    traits, found = count_text(len(constitution.traits), "trait"), count_text(len(findings), "finding")
    console.print(f"{traits}, {found} on the wording")
