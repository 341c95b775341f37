"""A progress bar on stderr for a training: its share done, and the loss."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from character.training.running import TrainingState


class TrainingBar:
    """Shows how far a training is, on a terminal alone. Use it as a context manager."""

    def __init__(self, method: str, *, shown: bool) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        from character.cli.wording import console

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[loss]}"),
            console=console(stderr=True),
            transient=True,
            disable=not (shown and sys.stderr.isatty()),
        )
        self._task = self._bar.add_task(f"trl {method}", total=1.0, loss="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, state: TrainingState) -> None:
        """Show how far the training is."""
        loss = state.figures.get("loss")
        self._bar.update(self._task, completed=state.share, loss="" if loss is None else f"loss {loss:.3f}")
