"""How far long work is, for whoever waits for it: in a terminal, a notebook, or a log file."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from typing import Any, Literal, TypeVar

from character.backends.waits import Wait, hearing_waits
from character.records import Usage

S = TypeVar("S")
ProgressCallback = Callable[[S], None] | Literal[False] | None
"""What is told how far work is: a function, None for a line on stderr, or False for nobody."""
_EVERY_S = {"terminal": 0.25, "notebook": 1.0, "log": 30.0}


def count_text(number: int, noun: str) -> str:
    """Return a number with its English noun in the right form."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def cost_text(usage: Usage) -> str:
    """Return the cost in USD, or that it is unknown."""
    if usage.cost_usd is None:
        return "cost unknown"
    return f"${usage.cost_usd:.4f}" if usage.cost_usd else "$0"


def usage_texts(usage: Usage) -> tuple[str, str, str]:
    """Return the calls, all tokens, and the cost, each with its noun."""
    tokens = usage.prompt_tokens + usage.completion_tokens
    return count_text(usage.calls, "call"), f"{tokens:,} tokens", cost_text(usage)


@dataclass
class RunState:
    """What a run has done so far, for whoever shows it; counts are over all its sittings.

    A failed message is not ``finished``. ``unsuitable`` counts those of which every pass of the ranking says
    that no reply can show the trait; ``note`` tells of them while they are more than a third, else it is "".
    """

    messages_wanted: int = 0
    messages: int = 0
    answered: int = 0
    ranked: int = 0
    finished: int = 0
    pairs: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    stopping: bool = False
    unsuitable: int = 0
    note: str = ""

    def details(self) -> str:
        """Return the pairs, the usage, the commonest reasons of drops, and that it is being stopped."""
        parts = [count_text(self.pairs, "pair"), *usage_texts(self.usage)]
        if self.drops:
            parts.append("dropped: " + ", ".join(f"{reason} {n}" for reason, n in self.drops.most_common(4)))
        if self.note:
            parts.append(self.note)
        if self.stopping:
            parts.append("stopping after what is in flight; Ctrl-C again stops now")
        return " · ".join(parts)

    def __str__(self) -> str:
        total = max(self.messages_wanted, self.messages)
        return f"{self.finished:,} of {count_text(total, 'message')} · {self.details()}"


@contextmanager
def reporting(on_progress: ProgressCallback[S], work: str) -> Iterator[Callable[[S], None]]:
    """Yield what to call with each new state of the work: the function given, or what shows it as a line.

    The line changes in place in a terminal and in a notebook; elsewhere one is written every half minute, so
    that short work writes none. It says what is waited for while a server limits the work or is down; the
    beginning of a longer wait is said at once.
    """
    if on_progress is None:
        with _shown(work) as show:
            yield show
    else:
        yield on_progress or (lambda _state: None)


@contextmanager
def _shown(work: str) -> Iterator[Callable[[Any], None]]:
    place, write, close = _place()
    done, state = threading.Event(), ""

    def show(new: Any) -> None:
        nonlocal state
        state = new

    def say(_wait: Wait | None = None) -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more: the work goes on
            write(" · ".join(filter(None, (f"{work}: {state}" if state else work, str(waits)))))

    def watch() -> None:
        while not done.wait(_EVERY_S[place]):
            say()

    watcher = threading.Thread(target=watch, daemon=True, name="character-progress")
    with hearing_waits(say) as waits:
        watcher.start()
        try:
            yield show
        finally:
            done.set()
            watcher.join()
            close(f"{work}: {state}")


def _place() -> tuple[str, Callable[[str], object], Callable[[str], object]]:
    """Return what kind of place the line is shown in, what writes it there, and what ends it."""
    stream = sys.stderr or StringIO()  # as it is now: what libraries print later may go elsewhere
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if getattr(shell, "kernel", None) is not None:
        from IPython import display

        shown: Any = display
        handle = shown.display({"text/plain": ""}, raw=True, display_id=True)

        def update(text: str) -> None:
            handle.update({"text/plain": text}, raw=True)

        return "notebook", update, update
    if not stream.closed and stream.isatty():
        from rich.console import Console

        console = Console(file=stream)

        def rewrite(text: str) -> None:
            print(f"\r\x1b[2K{text[: console.width - 1]}", end="", file=stream, flush=True)

        return "terminal", rewrite, lambda _text: rewrite("")
    return "log", partial(print, file=stream, flush=True), lambda _text: None
