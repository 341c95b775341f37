"""A small run to review, and the app over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_helpers import chromium
from review_helpers import ReviewServer, some_rollouts, write_run

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
