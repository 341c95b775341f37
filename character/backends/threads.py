"""Threads that a step begins see what the step sees: calls made in them are kept, counted and capped as well.

Python hands a context on to tasks and to ``asyncio.to_thread``, and to no other thread before 3.14.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from functools import partial, wraps
from typing import Any

from character.backends.observe import is_observed


def follow_threads() -> None:
    """Hand the context of an observed call on to the threads that are begun in it, and to tasks of pools."""
    submit: Any = ThreadPoolExecutor.submit
    start = threading.Thread.start

    @wraps(submit)
    def submit_here(pool: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if not is_observed():
            return submit(pool, function, *args, **kwargs)
        # A pool's threads may outlive the call: they begin in an empty context, the task has this one.
        return Context().run(submit, pool, copy_context().run, function, *args, **kwargs)

    @wraps(start)
    def start_here(thread: threading.Thread) -> None:
        if is_observed():
            thread.run = partial(copy_context().run, thread.run)  # type: ignore[method-assign]
        start(thread)

    ThreadPoolExecutor.submit, threading.Thread.start = submit_here, start_here  # type: ignore[method-assign,assignment]
