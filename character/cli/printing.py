"""How results are printed: as one JSON document, or for people as figures, tables and lines; and a bar."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import click

from character.backends.waits import Waits, hearing_waits
from character.runs.progress import ProgressCallback, cost_text, reporting

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from character.backends.measuring import Estimate
    from character.records import Usage


_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys instead of showing it: control characters but tab and line feed, and directions."""


def print_json(data: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(harmless(json.dumps(data, ensure_ascii=False, indent=2)))


def harmless(text: str) -> str:
    """Return a text in which what a terminal would obey is written out, as JSON does (``\\u001b``)."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def plain_text(text: str, style: str = "") -> Text:
    """Return somebody's words to print as they stand, and harmless."""
    from rich.text import Text

    return Text(harmless(text.replace("\r\n", "\n")), style)


def new_console(*, stderr: bool = False) -> Console:
    """Return a console that prints texts as they stand: brackets in a model's words are no markup."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def new_table(title: str | None, texts: Iterable[str], figures: Iterable[str] = ()) -> Table:
    """Return an empty table: columns of texts, then columns of figures."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in texts:
        table.add_column(name, overflow="fold")
    for name in figures:
        table.add_column(name, justify="right", overflow="fold")
    return table


def counts_text(counts: Mapping[str, int]) -> str:
    """Return counts by their reason, side by side; a dash where there are none."""
    return ", ".join(f"{reason} {number}" for reason, number in counts.items()) or "–"


USAGE_COLUMNS = ("calls", "tokens in", "tokens out", "cost")


def usage_cells(usage: Usage) -> tuple[str, ...]:
    """Return what stands under ``USAGE_COLUMNS``."""
    figures = (usage.calls, usage.prompt_tokens, usage.completion_tokens)
    return *(f"{figure:,}" for figure in figures), cost_text(usage)


def show_estimate(estimate: Estimate, *, as_json: bool) -> None:
    """Print calls, tokens and cost per stage, and what the command's estimate assumes and leaves out."""
    from character.cli.options import commands

    if as_json:
        print_json({name: stage.model_dump() for name, stage in estimate.items()})
        return
    table = new_table("estimate: nothing was sent", ["stage"], USAGE_COLUMNS)
    for name, usage in estimate.items():
        table.add_row(name, *usage_cells(usage))
    console = new_console()
    console.print(table)
    console.print(commands()[str(click.get_current_context().command.name)]["limits"], style="dim")
    if estimate.unmeasured:
        console.print(f"Not measured: what {', '.join(estimate.unmeasured)} takes.", style="dim")


def waits_shown_on(console: Console) -> AbstractContextManager[Waits]:
    """Have a terminal say of every longer wait for a server what is waited for, when it begins."""
    return hearing_waits(lambda wait: console.print(str(wait)) if console.is_terminal else None)


@contextmanager
def live_bar(
    description: str, noun: str = "", *, total: float | None = None, shown: bool = True
) -> Iterator[Callable[..., None]]:
    """Show a bar on a terminal (stderr), or elsewhere a line every half minute.

    It says how many of something are done, or the share where there is no noun. Yields what moves it:
    ``completed``, and what changes of ``description=`` and ``total=``, with a ``note=``.
    """
    from rich import progress
    from rich.console import Console

    # The stream itself, not whatever stderr is later: what libraries print there goes to a log.
    console = Console(file=sys.stderr, markup=False, highlight=False, emoji=False)
    counted = [progress.MofNCompleteColumn(), progress.TextColumn(noun)]
    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        *(counted if noun else [progress.TaskProgressColumn()]),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not (shown and console.is_terminal),
    )
    task = bar.add_task(description, total=total, note="")
    in_log: ProgressCallback[str] = None if shown and bar.disable else False
    with bar, reporting(in_log, description) as log, waits_shown_on(console):

        def move(
            completed: float, *, description: str | None = None, total: float | None = None, note: str = ""
        ) -> None:
            bar.update(task, completed=completed, description=description, total=total, note=note)
            now = bar.tasks[task]
            done = f"{now.completed:,.0f} of {now.total:,.0f} {noun}" if noun else f"{now.percentage:.0f} %"
            log(f"{now.description}: {done} {now.fields['note']}")

        yield move
