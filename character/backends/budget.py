"""A hard cap on calls, tokens and money: reserved before a call is sent, settled when its reply is there."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from character.config import BudgetConfig
from character.errors import BudgetReachedError
from character.records import Usage


@dataclass(frozen=True, slots=True)
class Amount:
    """What a call takes, or may take at most: tokens of prompt and completion together, and USD."""

    tokens: int
    cost_usd: float


class Budget:
    """Keeps what is spent plus what is reserved below the caps, whatever the number of calls in flight.

    Safe to share between threads. A reservation is an upper bound, so a call that does not fit now may fit
    when others have settled: ``try_reserve`` says False then, and raises where waiting cannot help.
    """

    def __init__(self, caps: BudgetConfig, spent: Usage | None = None) -> None:
        spent = spent or Usage()
        self._caps = caps
        self._calls = spent.calls
        self._tokens = spent.prompt_tokens + spent.completion_tokens
        self._cost = spent.cost_usd or 0.0
        self._held_calls, self._held_tokens, self._held_cost = 0, 0, 0.0
        self._lock = threading.Lock()

    @property
    def caps_cost(self) -> bool:
        """Whether money is capped, so that prices have to be known."""
        return self._caps.max_cost is not None

    @property
    def caps_tokens(self) -> bool:
        """Whether tokens or money are capped, so that the length of replies has to be bounded."""
        return self._caps.max_tokens is not None or self.caps_cost

    def try_reserve(self, need: Amount) -> bool:
        """Set ``need`` aside and return True; return False where it may fit later.

        Raises BudgetReachedError where waiting cannot help.
        """
        with self._lock:
            if self._fits(need, self._held_calls, self._held_tokens, self._held_cost):
                self._held_calls += 1
                self._held_tokens += need.tokens
                self._held_cost += need.cost_usd
                return True
            if self._held_calls and self._fits(need, 0, 0, 0.0):
                return False
        raise BudgetReachedError(
            f"the budget is reached: {self._describe()}.",
            fix="the same command with a larger cap goes on where it stopped; everything finished is kept.",
        )

    def settle(self, need: Amount, taken: Amount) -> None:
        """Turn a reservation into what the call really took."""
        with self._lock:
            self._free(need)
            self._calls += 1
            self._tokens += taken.tokens
            self._cost += taken.cost_usd

    def release(self, need: Amount) -> None:
        """Give a reservation back: the call was refused, and nothing was charged."""
        with self._lock:
            self._free(need)

    def _free(self, need: Amount) -> None:
        self._held_calls -= 1
        self._held_tokens -= need.tokens
        self._held_cost -= need.cost_usd

    def _fits(self, need: Amount, held_calls: int, held_tokens: int, held_cost: float) -> bool:
        caps = self._caps
        return (
            (caps.max_calls is None or self._calls + held_calls + 1 <= caps.max_calls)
            and (caps.max_tokens is None or self._tokens + held_tokens + need.tokens <= caps.max_tokens)
            and (caps.max_cost is None or self._cost + held_cost + need.cost_usd <= caps.max_cost + 1e-12)
        )

    def _describe(self) -> str:
        caps = self._caps
        parts = [
            f"{self._calls:,} of {caps.max_calls:,} calls" if caps.max_calls is not None else "",
            f"{self._tokens:,} of {caps.max_tokens:,} tokens" if caps.max_tokens is not None else "",
            f"${self._cost:.4f} of ${caps.max_cost:.4f}" if caps.max_cost is not None else "",
        ]
        return ", ".join(part for part in parts if part)
