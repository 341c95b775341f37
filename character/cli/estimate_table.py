"""What work will take, as a table or as JSON, before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from character.cli.options import print_json

if TYPE_CHECKING:
    from character.backends.measuring import Estimate


def show_estimate(estimate: Estimate, limits: str, *, as_json: bool) -> None:
    """Print calls, tokens and cost per stage; ``limits`` says what the estimate assumes and leaves out."""
    if as_json:
        print_json({name: stage.model_dump() for name, stage in estimate.items()})
        return
    from rich.table import Table

    from character.cli.wording import console as new_console
    from character.cli.wording import cost_text

    table = Table(title="estimate: nothing was sent", title_justify="left")
    table.add_column("stage")
    for column in ("calls", "tokens in", "tokens out", "cost"):
        table.add_column(column, justify="right")
    for name, usage in estimate.items():
        figures = (usage.calls, usage.prompt_tokens, usage.completion_tokens)
        table.add_row(name, *(f"{figure:,}" for figure in figures), cost_text(usage))
    console = new_console()
    console.print(table)
    console.print(limits, style="dim")
    if estimate.unmeasured:
        console.print(f"Not measured: what {', '.join(estimate.unmeasured)} takes.", style="dim")
