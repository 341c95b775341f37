"""Faults of what somebody else wrote, a step or a predictor: the words they are counted by, what is said."""

from __future__ import annotations

import traceback
from asyncio import CancelledError
from pathlib import Path

from character.errors import BackendUnavailableError, BudgetReachedError, ConfigError, StoreError

STEP_ERROR, STEP_UNREADABLE, STEP_INVALID = "step_error", "step_unreadable", "step_invalid"
STEP_FAULTS = frozenset({STEP_ERROR, STEP_UNREADABLE, STEP_INVALID})
"""Faults of a step of somebody else's: it raised, its model's reply could not be read, its result is none."""
_STOPS = (BudgetReachedError, BackendUnavailableError, ConfigError, StoreError)

_CARRIED = (StopIteration, StopAsyncIteration, SystemExit, GeneratorExit, CancelledError)
"""What comes as the cause of a RuntimeError, as threads, generators and tasks take it for their own end."""


def raise_what_stops(error: Exception) -> None:
    """Raise the error that stops everything, where it is this one or what this one came of."""
    for each in (error, error.__cause__, error.__context__):
        if isinstance(each, _STOPS):
            raise each


def said_of(error: Exception, who: str) -> str:
    """Return what somebody's own part raised, and in which line of their code."""
    raised: BaseException = error
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, _CARRIED):
        raised = error.__cause__
    said = f"the {who} raised {type(raised).__name__}: {' '.join(str(raised).split())[:200]}"
    return said.removesuffix(": ") + _place_of(raised)


def _place_of(error: BaseException) -> str:
    """Return where in the user's own code an error was raised; nothing where it was in a library."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    lines = (f" ({frame.filename}:{frame.lineno})" for frame in frames if _is_own(frame.filename))
    return next(lines, "")


def _is_own(path: str) -> bool:
    return not any(name in path for name in ("site-packages", _OURS, "/lib/python"))


_OURS = str(Path(__file__).parent.parent)
