"""How calls meet a server that limits, fails and recovers: adaptive limit, rate limits, retries, a breaker.

The policy is plain arithmetic over times and errors. The gate is written once, for threads and for tasks.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NoReturn

from dspy import lm15

from character.backends.plain_errors import unavailable
from character.backends.secrets import first_line
from character.backends.waiting import Turn, Waiting, set_turn
from character.backends.waits import Wait, note_wait
from character.config import BackendConfig
from character.errors import BackendUnavailableError

_MOST_BUSY_ANSWERS = 12  # 429 or 503 to one call; each waits as long as the server says, else ever longer
_MOST_DELAY_S = 60.0
_WHY = {
    "busy": "limits calls or is busy",
    "unreachable": "cannot be reached",
    "broken": "fails or does not answer",
    "late": "does not answer in time",
    "key": "refuses the key or the account",
}
_REFUSALS_IN_A_ROW = 5  # answers that refuse the key or say that the account is empty, without a success


def failure_kind(error: lm15.LM15Error) -> str:
    """Return what an error means for the server: ``busy``, ``key``, ``broken``, ``late`` or ``unreachable``.

    It is "" where the fault is the call's own; ``late`` where no reply came within ``timeout_s``.
    """
    if isinstance(error, lm15.AuthError | lm15.BillingError):
        return "key"
    if isinstance(error, lm15.RateLimitError) or error.status in (429, 503, 529):
        return "busy"
    if isinstance(error, lm15.TransportError | lm15.LockTimeoutError):
        return "unreachable"
    if isinstance(error, lm15.TimeoutError) and error.status is None:
        return "late"
    # The bare class is a reply that is no answer at all, such as a gateway's HTML page with status 200.
    if isinstance(error, lm15.ServerError | lm15.TimeoutError) or type(error) is lm15.ProviderError:
        return "broken"
    return ""


def was_sent(error: lm15.LM15Error) -> bool:
    """Whether the server may have got the request: then it may also have done the work and charged for it."""
    return failure_kind(error) != "unreachable" or "connect" not in str(error).casefold()


@dataclass
class Health:
    """What a backend has answered lately, over all calls in flight, whatever threads or loops they come from.

    ``not_before`` is when the server wants to be asked again (monotonic seconds), ``refusals`` counts refused
    keys in a row, ``given_up`` calls in a row that failed for good. ``queue`` holds the turns of calls that
    wait for one of those ``in_flight`` to end, ``paces`` the rates; both are kept under the ``lock``.
    """

    config: BackendConfig
    limit: float
    not_before: float = 0.0
    last_success: float = -math.inf
    last_cut: float = -math.inf
    refusals: int = 0
    given_up: int = 0
    in_flight: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    queue: deque[Turn] = field(default_factory=deque, repr=False)

    def __post_init__(self) -> None:
        self.paces = _paces(self.config)

    def succeeded(self) -> None:
        """Note a reply: counts of failures start anew and the limit grows by one call per round of calls."""
        self.last_success = time.monotonic()
        self.refusals = self.given_up = 0
        self.limit = min(float(self.config.max_in_flight), self.limit + 1.0 / self.limit)

    def busy(self, wait_s: float) -> None:
        """Note a 429 or 503: nobody asks before the wait is over; the limit halves, at most once a second."""
        now = time.monotonic()
        self.not_before = max(self.not_before, now + wait_s)
        if now - self.last_cut >= 1.0:
            self.last_cut = now
            self.limit = max(1.0, self.limit / 2)


@dataclass
class Attempts:
    """The tries of one call: how long to wait after each failure, or what ends the call or the run."""

    health: Health
    started: float = field(default_factory=time.monotonic)
    failures: int = 0
    busy_answers: int = 0

    def wait_after(self, error: lm15.LM15Error) -> float:
        """Return the seconds to wait before the next try.

        Raises the error where there is no next try, and BackendUnavailableError where the run is to stop.
        """
        kind = failure_kind(error)
        if kind == "busy":
            self.busy_answers += 1
            wait = self._delay(error, self.busy_answers)
            self.health.busy(wait)
            if self.busy_answers <= _MOST_BUSY_ANSWERS:
                return wait
        elif kind == "key":
            self.health.refusals += 1
            if self.health.refusals >= _REFUSALS_IN_A_ROW:
                billing = isinstance(error, lm15.BillingError)
                raise self._unavailable(f"refuses the {'account' if billing else 'key'}", error) from None
            return 0.2
        elif not kind:
            self.health.refusals = 0  # a server objects to the request only where it knows the key
            raise error
        else:
            self.failures += 1
            if self.failures <= self.health.config.num_retries:
                return self._delay(error, self.failures)
        return self._give_up(kind, error)

    def note(self, error: lm15.LM15Error, wait_s: float) -> None:
        """Tell whoever looks on of the wait after an error, unless others are answered meanwhile."""
        kind = failure_kind(error)
        if kind == "busy" or self.health.last_success < self.started:
            why = f"{_WHY[kind]} ({first_line(str(error))[:160]})"
            note_wait(Wait(self.health.config.model_name, why, time.time() + wait_s))

    def _give_up(self, kind: str, error: lm15.LM15Error) -> NoReturn:
        # A backend that answers others meanwhile is alive: then this call failed, not the backend. More
        # failures in a row than calls can be in flight mean that nothing was answered in between.
        health = self.health
        health.given_up += 1
        refused = kind == "unreachable" and not was_sent(error) and health.last_success < self.started
        if refused or health.given_up > max(3.0, health.limit):
            how = "cannot be reached" if refused else "does not answer" + " in time" * (kind == "late")
            raise self._unavailable(how, error) from None
        raise error

    def _unavailable(self, what: str, error: lm15.LM15Error) -> BackendUnavailableError:
        return unavailable(what, self.health.config.model_name, first_line(str(error)))

    def _delay(self, error: lm15.LM15Error, number: int) -> float:
        hint = error.retry_after
        if hint is not None and math.isfinite(hint) and hint >= 0:
            return min(float(hint), 10 * _MOST_DELAY_S)
        return float(min(0.5 * 2 ** (number - 1), _MOST_DELAY_S) * random.uniform(0.5, 1.0))


class Gate:
    """Lets calls through: as many at once as the health allows, and within the rate limits.

    One gate is for all threads, or for the tasks of one event loop; the gates of a backend share its places
    and its rates.
    """

    def __init__(self, health: Health, waiting: Waiting) -> None:
        self.health, self.waiting = health, waiting

    async def enter(self, tokens: int) -> None:
        """Wait until a call of about this many tokens may be sent."""
        while (turn := self._take_place()) is not None:
            try:
                await self.waiting.until(turn)
            except BaseException:
                self._hand_back(turn)
                raise
        try:
            while (pause := self.health.not_before - time.monotonic()) > 0:
                await self.waiting.sleep(pause)
            if self.health.paces and (pause := self._keep_pace(tokens)) > 0:
                await self.waiting.sleep(pause)
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Make room for the next call."""
        with self.health.lock:
            self.health.in_flight -= 1
            self._wake()

    def _take_place(self) -> Turn | None:
        """Take a free place and return None; return the turn to wait for where there is none."""
        with self.health.lock:
            if self.health.in_flight < int(self.health.limit):
                self.health.in_flight += 1
                return None
            turn = self.waiting.new_turn()
            self.health.queue.append(turn)
            return turn

    def _hand_back(self, turn: Turn) -> None:
        """Wait no more, and let another have the place where one was given meanwhile."""
        with self.health.lock:
            turn.cancel()
            self._wake()

    def _wake(self) -> None:
        free = int(self.health.limit) - self.health.in_flight
        while free > 0 and self.health.queue:
            free -= set_turn(self.health.queue.popleft())

    def _keep_pace(self, tokens: int) -> float:
        """Count a call, and return the seconds until it is within all rates."""
        with self.health.lock:
            now = time.monotonic()
            return max(pace.take(float(tokens) if counts else 1.0, now) for pace, counts in self.health.paces)


class Pace:
    """A leaky bucket that is told the time: holds ``most``, empties in ``seconds``. Not thread-safe."""

    def __init__(self, most: float, seconds: float) -> None:
        self._most, self._per_s = most, most / seconds
        self._level, self._at = 0.0, -math.inf

    def take(self, amount: float, now: float) -> float:
        """Pour an amount in, and return the seconds until it has room; who comes later waits longer."""
        leaked = (now - self._at) * self._per_s
        self._level = max(0.0, self._level - leaked) + amount
        self._at = now
        return max(0.0, self._level - self._most) / self._per_s


def _paces(config: BackendConfig) -> list[tuple[Pace, bool]]:
    """Return (pace, whether it counts tokens) for each rate that is set, even over the minute."""
    rates = ((config.requests_per_minute, False), (config.tokens_per_minute, True))
    return [
        (Pace(max(1.0, rate / 60), max(1.0, 60 / rate)), counts_tokens)
        for rate, counts_tokens in rates
        if rate is not None
    ]
