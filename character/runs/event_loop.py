"""The event loop of a run: uvloop where there is one, few threads, little garbage collection, Ctrl-C."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, TypeVar

from character.backends.dspy_compat import is_preparation, is_pricing
from character.backends.waiting import having

T = TypeVar("T")

_stops: ContextVar[list[Callable[[], object]]] = ContextVar("character_stops", default=[])  # noqa: B039
"""What to call for an interrupt, of each run that goes on in a thread beside the one that waits for it."""
_SELDOM = (10_000, 20, 20)


def run_on_own_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function on a new event loop of our own and return its result.

    Where a loop runs in this thread already, as in a notebook, it is one in a thread beside it; an interrupt
    (the stop button) is handed on to it: the first begins nothing more, the second cancels.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _on_new_loop(work)
    with having(_stops, []) as stops, ThreadPoolExecutor(1) as pool:
        future = pool.submit(copy_context().run, _on_new_loop, work)
        while True:
            try:
                return future.result()
            except KeyboardInterrupt:
                if future.done():
                    raise
                for stop in stops:
                    stop()


def _on_new_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with _seldom_collected(), asyncio.Runner(loop_factory=_lean(_loop_class())) as runner:
        return runner.run(work())


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Spare the collector what cannot be garbage while a run lasts; afterwards it works as before.

    The libraries' own objects, more than a hundred thousand, are set apart, and young ones are looked through
    less often: the collector took a seventh of a run's CPU and found next to nothing. A process that has set
    objects apart for itself, or that has switched the collector off, is left alone.
    """
    if gc.get_freeze_count() or not gc.isenabled():
        yield
        return
    threshold = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.unfreeze()


@contextmanager
def finishing_on_interrupt(on_first: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C call a function, which begins nothing more, and the second cancel the task.

    To be entered on the loop. After an interrupt further ones are not heeded until ``heed_interrupts``, since
    what is finished is being written then.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    count = 0

    def interrupted() -> None:
        nonlocal count
        count += 1
        on_first()
        if count > 1 and task:
            task.cancel()

    try:
        loop.add_signal_handler(signal.SIGINT, interrupted)
    except (NotImplementedError, ValueError, RuntimeError):  # Windows, or not the main thread
        stop = partial(loop.call_soon_threadsafe, interrupted)
        _stops.get().append(stop)
        try:
            yield
        finally:
            _stops.get().remove(stop)
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        if count:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def heed_interrupts() -> None:
    """Let Ctrl-C do again what it does in Python, where ``finishing_on_interrupt`` had it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _loop_class() -> type[Any]:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.SelectorEventLoop
    return uvloop.Loop  # type: ignore[no-any-return]


def _lean(loop_class: type[Any]) -> type[Any]:
    """Return the loop class with what DSPy puts into threads on every call done without one.

    A call's preparation goes to a thread because it may read the files of images, which our prompts do not
    have; its price is looked up in one for a history that a run switches off, and is the seam's business,
    which looks it up once per model. On two cores the two threads cost more than a quarter of a call.
    """

    class LeanLoop(loop_class):
        def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
            call = func.args[0] if isinstance(func, partial) and func.args else None
            if is_pricing(call):
                return self._finished(lambda: None)
            if is_preparation(call):
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
