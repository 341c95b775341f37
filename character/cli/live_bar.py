"""A progress bar on stderr, shown on a terminal and silent elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial


@contextmanager
def live_bar(
    description: str, noun: str = "", *, total: float | None = None, shown: bool = True
) -> Iterator[Callable[..., None]]:
    """Show a bar of how many of something are done, or of the share done where there is no noun.

    Yields what moves it: ``completed=``, and what changes of ``description=``, ``note=`` and ``total=``.
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
    with bar:
        yield partial(bar.update, task)
