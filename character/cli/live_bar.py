"""A progress bar on stderr for work that is counted, shown on a terminal and silent elsewhere."""

from __future__ import annotations

import sys
from typing import Self


class LiveBar:
    """Shows how much of something is done, what is being done, and a few words beside it. Use it as a context manager."""

    def __init__(self, noun: str, description: str, *, total: int | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        # The stream itself, not whatever stderr is later: what libraries print there goes to a log.
        self._console = Console(file=sys.stderr, markup=False, highlight=False, emoji=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(noun),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task(description, total=total, note="")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, done: int, description: str, *, note: str = "", total: int | None = None) -> None:
        """Show how much is done; ``total`` replaces the total known before."""
        self._bar.update(self._task, completed=done, description=description, note=note, total=total)
