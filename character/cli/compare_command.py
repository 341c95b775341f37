"""``character compare``: what changed between two evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from character.cli.options import json_option, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from character.evaluation.compare import Change


@click.command("compare", short_help="Show what changed between two evaluations.")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--all", "show_all", is_flag=True, help="Show the changes that may be chance as well.")
@click.option("--language", type=click.Choice(["en", "zh"]), help="The language of the table.")
@json_option
def command(first: Path, second: Path, show_all: bool, language: str | None, as_json: bool) -> None:
    """Show how the effects of traits differ between the evaluations FIRST and SECOND, as `character effect` made them.

    Use it for two wordings of a trait: measured on the same messages and judged alike (`effect --messages FIRST --yardstick FIRST`)
    they are compared message by message. Shows what surely changed, and the own effect of every reworded trait.
    """
    from character.evaluation.compare import compare

    found = compare(first, second)
    changes = found.changes
    if as_json:
        told = found.model_dump(mode="json", include={"changes", "reworded", "judged_apart"})
        print_json({"first": str(first), "second": str(second), **told})
        return
    from character.cli.wording import console as new_console
    from character.locale import listed, report_language, wording

    spoken = language or report_language(found.before.language)
    words = wording("compare.table", spoken)
    sure = [change for change in changes if change.adjusted_p < 1 - found.before.level]
    own = [change for change in changes if change.is_intended and change.trait in found.reworded]
    console = new_console()
    if shown := [change for change in changes if show_all or change in sure or change in own]:
        console.print(_table(shown, words["title"].format(first=first, second=second), spoken))
    unpaired = sum(not change.is_paired for change in changes)
    said = {"sure": len(sure), "number": len(changes), "unpaired": unpaired, "first": first}
    console.print(words["sure" if sure else "none"].format(**said))
    console.print(words["unpaired" if unpaired else "paired"].format(**said), style="dim")
    for key, traits in (("reworded", found.reworded), ("judged_apart", found.judged_apart)):
        if traits:
            style = "yellow" if key == "judged_apart" else "dim"
            console.print(words[key].format(traits=listed(traits, spoken), first=first), style=style)


def _table(changes: Sequence[Change], title: str, spoken: str) -> Table:
    from rich.table import Table

    from character.evaluation.page.writing import compared_word, written
    from character.locale import wording

    table = Table(title=title, title_justify="left")
    for place, name in enumerate(wording("compare.columns", spoken).values()):
        table.add_column(name, justify="right" if place > 1 else "left", overflow="fold")
    for change in changes:
        table.add_row(
            compared_word(change.contrast, spoken),
            change.trait,
            f"{change.first:+.2f}".replace("-", "−"),
            f"{change.second:+.2f}".replace("-", "−"),
            written(change.change, spoken).replace(" [", "\n["),
            f"{change.adjusted_p:.4f}",
        )
    return table
