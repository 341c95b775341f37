"""How a call waits, in a thread or in a task, so that its way is written once for both.

It is written as coroutines that wait through a ``Waiting`` and through nothing else. A task awaits them as it
awaits anything. In a thread each of their waits blocks until it is over, so that they never suspend:
``run_blocking`` runs such a coroutine from its beginning to its end, without an event loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Turn = concurrent.futures.Future[None] | asyncio.Future[None]


@dataclass(frozen=True)
class Waiting:
    """A way to wait: for some seconds, or for one's turn, which is a future that somebody sets."""

    sleep: Callable[[float], Awaitable[None]]
    new_turn: Callable[[], Turn]
    until: Callable[[Any], Awaitable[None]]


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends in this thread, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine that was to block has waited for an event loop")


_THREADS = concurrent.futures.ThreadPoolExecutor(1024, "character-step")
"""Threads for what somebody else wrote: it may wait for calls that need those of the event loop."""


def set_turn(turn: Turn) -> bool:
    """Tell whoever waits for a turn, in whatever thread or loop, that it came; False where nobody waits."""
    if turn.done():
        return False
    if isinstance(turn, concurrent.futures.Future) or turn.get_loop() is _running_loop():
        turn.set_result(None)
        return True
    try:
        turn.get_loop().call_soon_threadsafe(_set, turn)
    except RuntimeError:  # the loop is closed
        return False
    return True


def _set(turn: Turn) -> None:
    if not turn.done():
        turn.set_result(None)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do as ``asyncio.to_thread``, which hangs where the function raises StopIteration or GeneratorExit."""

    def call() -> T:
        try:
            return function(*args, **kwargs)
        except (StopIteration, GeneratorExit) as error:
            raise RuntimeError(f"{type(error).__name__} was raised") from error

    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_THREADS, context.run, call)


def run_to_end(work: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine function to its end in this thread, or beside the event loop that runs in it."""

    async def awaited() -> T:
        return await work()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(awaited())
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(contextvars.copy_context().run, lambda: asyncio.run(awaited())).result()


def running_task() -> asyncio.Task[Any] | None:
    """Return the task that runs in this thread, None where no event loop does."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


@contextmanager
def having(variable: ContextVar[T], value: T) -> Iterator[T]:
    """Give a context variable a value for what runs inside the block."""
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)


def blocking(function: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return a function that blocks as a coroutine function, for ``run_blocking``."""

    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)

    return call


IN_THREADS = Waiting(
    blocking(time.sleep), concurrent.futures.Future, blocking(concurrent.futures.Future.result)
)
IN_TASKS = Waiting(asyncio.sleep, lambda: asyncio.get_running_loop().create_future(), lambda turn: turn)
