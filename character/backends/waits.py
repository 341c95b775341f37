"""What calls wait for while a server limits them or is down, for whoever looks on: a screen, a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from character.backends.waiting import having


@dataclass(frozen=True)
class Wait:
    """A wait for the server of a model: what the server does, and the time of the next attempt (epoch)."""

    model: str
    why: str
    until: float

    def __str__(self) -> str:
        at = time.strftime("%H:%M:%S", time.localtime(self.until))
        return f"waiting for {self.model}, which {self.why}; next attempt at {at}"


class Waits:
    """The waits that go on; as a text what is waited for now, "" where nothing is."""

    def __init__(self, tell: Callable[[Wait], object], least_s: float) -> None:
        self._tell, self._least_s = tell, least_s
        self._waits: dict[str, Wait] = {}

    def hear(self, wait: Wait) -> None:
        """Take note of a wait, and tell of it where it is longer than what is known."""
        known = self._waits.get(wait.model)
        if wait.until >= max(time.time(), known.until if known else 0.0) + self._least_s:
            self._waits[wait.model] = wait
            self._tell(wait)

    def __str__(self) -> str:
        return "; ".join(str(wait) for wait in list(self._waits.values()) if wait.until > time.time())


_heard: ContextVar[tuple[Waits, ...]] = ContextVar("character_waits", default=())


@contextmanager
def hearing_waits(tell: Callable[[Wait], object], least_s: float = 5.0) -> Iterator[Waits]:
    """Have a function told of each wait of the calls made inside, of at least so many seconds, as it begins.

    It is told once of what many calls wait for. Yields the waits that go on.
    """
    waits = Waits(tell, least_s)
    with having(_heard, (*_heard.get(), waits)):
        yield waits


def note_wait(wait: Wait) -> None:
    """Tell whoever looks on that a call waits."""
    for waits in _heard.get():
        waits.hear(wait)
