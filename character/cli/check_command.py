"""``character check``: validate a constitution, look over its wording, print what was understood."""

from __future__ import annotations

from pathlib import Path

from character.cli.options import command_of
from character.cli.printing import new_console, new_table, print_json
from character.runs.progress import count_text


@command_of("check")
def command(file: Path, as_json: bool) -> None:
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
    console = new_console()
    title = f"{constitution.name} · {constitution.language} · {constitution.fingerprint}"
    table = new_table(title, ["trait", "understood as", "opposite", "questions"])
    for trait in constitution.traits:
        understood = trait.statement or trait.description
        table.add_row(trait.name, understood, trait.opposite, str(len(trait.questions) or "–"))
    console.print(table)
    for finding in findings:
        colour = "yellow" if finding.severity == "warning" else "dim"
        where = f"{finding.trait}: " if finding.trait else ""
        console.print(f"{finding.severity}: {where}{finding.message}", style=colour)
    numbers = count_text(len(constitution.traits), "trait"), count_text(len(findings), "finding")
    console.print(f"{', '.join(numbers)} on the wording")
