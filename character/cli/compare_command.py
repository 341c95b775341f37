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

_WORDS = {
    "en": {
        "title": "{second} against {first}",
        "sure": "{sure} of {number} effects surely changed.",
        "none": "None of {number} effects surely changed (--all shows them).",
        "paired": "All were measured on the same messages.",
        "reworded": "Worded otherwise: {traits}.",
        "judged_apart": "Each evaluation judged {traits} in its own words, so that what was tried and what it was judged by changed together. Measured again with `--yardstick {first}`, the second is judged as the first was.",
        "unpaired": "{unpaired} were measured on other messages: with `effect … --messages {first}` they are compared message by message.",
    },
    "zh": {
        "title": "{second} 对比 {first}",
        "sure": "{number} 项效果中有 {sure} 项确有变化。",
        "none": "{number} 项效果都没有确定的变化（--all 可以全部列出）。",
        "paired": "全部在同样的消息上测量。",
        "reworded": "措辞不同：{traits}。",
        "judged_apart": "两次测量各用自己的措辞来评判{traits}，尝试的内容和评判的标准一起变了。第二次加上 `--yardstick {first}` 重新测量，就与第一次用同样的标准。",
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
    from character.evaluation.page.words import listed

    spoken = language or ("zh" if found.before.language.casefold().startswith("zh") else "en")
    words = _WORDS[spoken]
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

    from character.evaluation.page.findings import compared_word, written

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
