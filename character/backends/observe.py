"""What a call to a model really took: engines report it, modules read it, whoever runs a program sums it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from character.backends.waiting import having
from character.records import Usage
from character.text import fingerprint


@dataclass(frozen=True, slots=True)
class Observation:
    """One finished model call.

    ``finish_reason`` is ``stop``, ``length``, ``content_filter`` …; ``unsaid`` where the server left it null,
    empty where nothing is known of it.
    Token counts are the server's, 0 where it reported none; ``cost_usd`` is None where the price is unknown.
    ``replayed`` is true where the reply came from the run's journal and nothing was sent.
    """

    model: str
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    replayed: bool = False


def taken_by(observation: Observation) -> Usage:
    """Return what a call took."""
    return Usage(
        calls=1,
        prompt_tokens=observation.prompt_tokens,
        completion_tokens=observation.completion_tokens,
        cost_usd=observation.cost_usd,
    )


@dataclass(slots=True)
class Scope:
    """The calls observed inside a ``with observing()`` block, their labels, and what stopped them.

    ``only_replayed`` has a call fail that no journal holds.
    """

    stage: str = ""
    trait: str = ""
    seen: list[Observation] = field(default_factory=list)
    habits: list[str] = field(default_factory=list)
    closed: bool = False
    is_empty: bool = False
    only_replayed: bool = False
    as_asked: bool = False
    sent_without: frozenset[str] = frozenset()
    stop: Exception | None = None
    note: Callable[..., None] | None = None
    """Keeps what became of the latest call: a fault and its detail, or the habits in which it was read."""


_scope: ContextVar[Scope | None] = ContextVar("character_observing", default=None)


@dataclass(slots=True)
class Unit:
    """One call of a step of somebody else's: what its model calls belong to, what they took, what stopped
    them.

    ``key`` says which call of which step it is; ``attempt`` counts the sittings in which it failed before.
    """

    key: str
    stage: str = ""
    trait: str = ""
    attempt: int = 0
    seen: list[Observation] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    stop: Exception | None = None
    _lock: Lock = field(default_factory=Lock)

    def key_of(self, request: str) -> str:
        """Return the key of a request made inside: the same one asked twice is two calls."""
        with self._lock:  # a step may ask from several threads
            number = self.asked[request]
            self.asked[request] += 1
        return fingerprint([request, self.key, self.attempt, number], size=16)


_unit: ContextVar[Unit | None] = ContextVar("character_unit", default=None)


@dataclass(slots=True)
class Sittings:
    """In how many sittings each stage failed before, and whether its units have asked anything anew since."""

    failed: Mapping[str, int] = field(default_factory=dict)
    have_asked: bool = False


_attempts: ContextVar[Sittings] = ContextVar("character_attempts", default=Sittings())  # noqa: B039


def entering(unit: Unit) -> AbstractContextManager[object]:
    """Have the model calls made inside belong to a unit."""
    unit.attempt = _attempts.get().failed.get(unit.stage, 0)
    return having(_unit, unit)


@contextmanager
def attempting(failed: Mapping[str, int]) -> Iterator[Sittings]:
    """Have units entered inside ask anew what failed in so many sittings, by stage."""
    attempts = Sittings(failed)
    with having(_attempts, attempts):
        yield attempts


@contextmanager
def unobserved() -> Iterator[None]:
    """Have nobody told of the calls made inside: they belong to a call that is observed itself."""
    with having(_scope, None), having(_unit, None):
        yield


def current_unit() -> Unit | None:
    """Return the unit that calls belong to, if any."""
    return _unit.get()


@contextmanager
def observing(stage: str = "", trait: str = "") -> Iterator[Scope]:
    """Collect what engines report for the calls made inside the block, in whatever is begun there too."""
    scope = Scope(stage=stage, trait=trait)
    with having(_scope, scope):
        yield scope


def current_scope() -> Scope | None:
    """Return the innermost scope of this task or thread, if any."""
    return _scope.get()


def note_reading(habits: Sequence[str], *, closed: bool, as_asked: bool) -> None:
    """Tell the innermost scope in which other forms than asked for a reply came, and if it was whole."""
    scope = _scope.get()
    if scope is not None:
        scope.habits, scope.closed, scope.as_asked = list(habits), closed, as_asked


def is_observed() -> bool:
    """Whether somebody is told of the calls made here."""
    return _scope.get() is not None or _unit.get() is not None


def stopped_by(error: Exception) -> None:
    """Tell whoever observes the calls made here that they are to stop, whatever their caller makes of it."""
    for observer in (_scope.get(), _unit.get()):
        if observer is not None:
            observer.stop = error


def report(observation: Observation) -> None:
    """Tell the innermost scope about a finished call; without a scope nobody asked."""
    scope, unit = _scope.get(), _unit.get()
    if scope is not None:
        scope.seen.append(observation)
    if unit is not None:
        unit.seen.append(observation)
        _attempts.get().have_asked |= not observation.replayed


def observation_of(entry: dict[str, Any], model: str) -> Observation:
    """Return what an entry of a history tells of a call."""
    response = entry.get("response")
    choices = getattr(response, "choices", None) or [None]
    reason = getattr(response, "finish_reason", "") or getattr(choices[0], "finish_reason", "")
    usage = entry.get("usage") or {}
    return Observation(
        model=entry.get("response_model") or model,
        finish_reason=str(reason or ""),
        prompt_tokens=usage.get("prompt_tokens") or 0,
        completion_tokens=usage.get("completion_tokens") or 0,
        cost_usd=entry.get("cost"),
    )
