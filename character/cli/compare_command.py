"""``character compare``: what changed between two evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from character.cli.options import command_of
from character.cli.printing import new_console, new_table, print_json
from character.locale import listed, report_language, wording

if TYPE_CHECKING:
    from rich.table import Table

    from character.evaluation.compare import Change


@command_of("compare")
def command(first: Path, second: Path, show_all: bool, language: str | None, as_json: bool) -> None:
    from character.evaluation.compare import compare

    compared = compare(first, second)
    changes = compared.changes
    if as_json:
        document = compared.model_dump(mode="json", include={"changes", "reworded", "judged_apart"})
        print_json({"first": str(first), "second": str(second), **document})
        return
    spoken = language or report_language(compared.before.language)
    words = wording("compare.table", spoken)
    sure = [change for change in changes if change.adjusted_p < 1 - compared.before.level]
    own = [change for change in changes if change.is_intended and change.trait in compared.reworded]
    console = new_console()
    if rows := [change for change in changes if show_all or change in sure or change in own]:
        console.print(_table(rows, words["title"].format(first=first, second=second), spoken))
    unpaired = sum(not change.is_paired for change in changes)
    figures = {"sure": len(sure), "number": len(changes), "unpaired": unpaired, "first": first}
    console.print(words["sure" if sure else "none"].format(**figures))
    console.print(words["unpaired" if unpaired else "paired"].format(**figures), style="dim")
    for key, traits in (("reworded", compared.reworded), ("judged_apart", compared.judged_apart)):
        if traits:
            style = "yellow" if key == "judged_apart" else "dim"
            console.print(words[key].format(traits=listed(traits, spoken), first=first), style=style)


def _table(changes: Sequence[Change], title: str, spoken: str) -> Table:
    from character.evaluation.page.writing import compared_word, written

    columns = list(wording("compare.columns", spoken).values())
    table = new_table(title, columns[:2], columns[2:])
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
