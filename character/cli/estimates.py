"""An estimate on a terminal or as JSON: what something will take, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from character.cli.options import print_json

if TYPE_CHECKING:
    from character.records import Usage


def show_estimate(stages: Mapping[str, Usage], note: str, *, as_json: bool) -> None:
    """Print calls, tokens and cost per stage, and below it what the figures rest on."""
    if as_json:
        print_json({name: stage.model_dump() for name, stage in stages.items()})
        return
    from rich.table import Table

    from character.cli.wording import console as new_console
    from character.cli.wording import cost_text

    table = Table(title="estimate: nothing was sent", title_justify="left")
    table.add_column("stage")
    for column in ("calls", "tokens in", "tokens out", "cost"):
        table.add_column(column, justify="right")
    for name, usage in stages.items():
        figures = (
            f"{usage.calls:,}",
            f"{usage.prompt_tokens:,}",
            f"{usage.completion_tokens:,}",
            cost_text(usage),
        )
        table.add_row(name, *figures)
    new_console().print(table)
    new_console().print(note, style="dim")
