"""A small run to review, and the app over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_helpers import chromium
from review_helpers import ReviewServer, some_rollouts, write_run
from review_window import Window

__all__ = ["chromium"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the folder of a run of 18 messages."""
    return write_run(tmp_path / "run", some_rollouts(18))


@pytest.fixture
def server(run: Path) -> Iterator[ReviewServer]:
    """Return the app over that run."""
    with ReviewServer(run, "--language", "en") as running:
        yield running


@pytest.fixture
def window(chromium: Any) -> Iterator[Callable[..., Window]]:
    """Return a function that opens a window on an address."""
    contexts = []

    def opened(url: str, *, width: int = 1200, dark: bool = False, context: Any = None) -> Window:
        if context is None:
            context = chromium.new_context(
                viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
            )
            contexts.append(context)
        made = Window(context)
        made.tab.goto(url)
        return made

    yield opened
    for context in contexts:
        context.close()
