"""The event loop of a run: uvloop where there is one, and no thread for work that does not need one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from dspy.clients import execution

T = TypeVar("T")


def run_on_own_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function on a new event loop of our own and return its result."""
    with asyncio.Runner(loop_factory=_lean(_loop_class())) as runner:
        return runner.run(work())


def _loop_class() -> type[Any]:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.SelectorEventLoop
    loop_class: type[Any] = uvloop.Loop
    return loop_class


def _lean(loop_class: type[Any]) -> type[Any]:
    """Return the loop class with what DSPy puts into threads on every call done without one.

    A call's preparation goes to a thread because it may read the files of images, which our prompts do not have;
    its price is looked up in one for a history that a run switches off, and is the seam's business, which looks it
    up once per model. On two cores the two threads cost more than a quarter of a call.
    """

    class LeanLoop(loop_class):
        def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
            call = func.args[0] if isinstance(func, partial) and func.args else None
            if call is execution._price_result:
                return self._finished(lambda: None)
            if call is execution.prepare:
                return self._finished(func)
            return super().run_in_executor(executor, func, *args)

        def _finished(self, func: Callable[[], Any]) -> asyncio.Future[Any]:
            future: asyncio.Future[Any] = self.create_future()
            try:
                future.set_result(func())
            except Exception as error:  # noqa: BLE001 - whoever awaits the future gets it, as from a thread
                future.set_exception(error)
            return future

    return LeanLoop
