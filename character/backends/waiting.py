"""How a call waits, in a thread or in a task, so that its way is written once for both.

It is written as coroutines that wait through a ``Waiting`` and through nothing else. A task awaits them as it
awaits anything. In a thread each of their waits blocks until it is over, so that they never suspend:
``run_blocking`` runs such a coroutine from its beginning to its end, without an event loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Ticket(Protocol):
    """What one caller waits with until it is its turn."""

    def give(self) -> bool:
        """Say that it is the caller's turn; False where it was said already."""

    async def wait(self) -> None:
        """Wait until it is the caller's turn."""


@dataclass(frozen=True)
class Waiting:
    """A way to wait: for some seconds, or for one's turn."""

    sleep: Callable[[float], Awaitable[None]]
    ticket: Callable[[], Ticket]


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends in this thread, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine that was to block has waited for an event loop")


def blocking(function: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return a function that blocks as a coroutine function, for ``run_blocking``."""

    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)

    return call


class _ThreadTicket:
    def __init__(self) -> None:
        self._given = threading.Event()

    def give(self) -> bool:
        was_given = self._given.is_set()
        self._given.set()
        return not was_given

    async def wait(self) -> None:
        self._given.wait()


class _TaskTicket:
    def __init__(self) -> None:
        self._given: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def give(self) -> bool:
        if self._given.done():
            return False
        self._given.set_result(None)
        return True

    async def wait(self) -> None:
        await self._given


IN_THREADS = Waiting(sleep=blocking(time.sleep), ticket=_ThreadTicket)
IN_TASKS = Waiting(sleep=asyncio.sleep, ticket=_TaskTicket)
