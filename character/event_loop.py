"""The event loop of a run: uvloop where there is one, and no thread for work that a run does not need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from dspy.clients import execution

T = TypeVar("T")


class LeanExecutor(ThreadPoolExecutor):
    """The threads of a run, without the one DSPy starts after every call to look up a price.

    The price is the seam's business, which looks it up once per model; DSPy's would go into a history that is
    switched off. On two cores the thread costs about a tenth of the whole call.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function in a thread, or not at all where it is DSPy's price look-up."""
        called = getattr(fn, "args", ())
        if called and called[0] is execution._price_result:
            skipped: Future[Any] = Future()
            skipped.set_result(None)
            return skipped
        return super().submit(fn, *args, **kwargs)


def run_on_own_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function on a new event loop of our own and return its result."""

    async def with_executor() -> T:
        asyncio.get_running_loop().set_default_executor(LeanExecutor(thread_name_prefix="character"))
        return await work()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(with_executor())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
