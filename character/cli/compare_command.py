"""``character compare``: what changed between two evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from character.cli.options import json_option, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from character.evaluation.comparing import Change

_WORDS = {
    "en": {
        "title": "{second} against {first}",
        "sure": "{sure} of {number} effects surely changed.",
        "none": "None of {number} effects surely changed (--all shows them).",
        "paired": "All were measured on the same messages.",
        "unpaired": "{unpaired} were measured on other messages: with `effect … --messages {first}` they are compared message by message.",
    },
    "zh": {
        "title": "{second} 对比 {first}",
        "sure": "{number} 项效果中有 {sure} 项确有变化。",
        "none": "{number} 项效果都没有确定的变化（--all 可以全部列出）。",
        "paired": "全部在同样的消息上测量。",
        "unpaired": "{unpaired} 项在不同的消息上测量：用 `effect … --messages {first}` 可以逐条比较。",
    },
}
_HEADS = {
    "en": ("what was changed", "trait judged", "first", "second", "change", "adjusted p"),
    "zh": ("所做的改变", "评判的特质", "第一次", "第二次", "变化", "校正后的 p"),
}


@click.command("compare", short_help="Show what changed between two evaluations.")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--all", "show_all", is_flag=True, help="Show the changes that may be chance as well.")
@click.option("--language", type=click.Choice(["en", "zh"]), help="The language of the table.")
@json_option
def command(first: Path, second: Path, show_all: bool, language: str | None, as_json: bool) -> None:
    """Show how the effects of traits differ between the evaluations FIRST and SECOND, as `character effect` made them.

    Use it for two wordings of a trait: measured on the same messages (`effect --messages FIRST`) they are compared message by
    message.
    """
    from character.evaluation.comparing import compare

    before, _after, changes = compare(first, second)
    if as_json:
        told = [change.model_dump(mode="json") for change in changes]
        print_json({"first": str(first), "second": str(second), "changes": told})
        return
    from character.cli.wording import console as new_console

    spoken = language or ("zh" if before.language.casefold().startswith("zh") else "en")
    words = _WORDS[spoken]
    sure = [change for change in changes if change.adjusted_p < 1 - before.level]
    console = new_console()
    if shown := changes if show_all else sure:
        console.print(_table(shown, words["title"].format(first=first, second=second), spoken))
    unpaired = sum(not change.is_paired for change in changes)
    said = {"sure": len(sure), "number": len(changes), "unpaired": unpaired, "first": first}
    for key in ("sure" if sure else "none", "unpaired" if unpaired else "paired"):
        console.print(words[key].format(**said), style="dim" if shown else "")


def _table(changes: Sequence[Change], title: str, spoken: str) -> Table:
    from rich.table import Table

    from character.evaluation.findings import compared_word, written

    table = Table(title=title, title_justify="left")
    for place, name in enumerate(_HEADS[spoken]):
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
