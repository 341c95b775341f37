"""What a call to a model really took: engines report it, modules read it, whoever runs a program sums it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Observation:
    """One finished model call.

    ``finish_reason`` is ``stop``, ``length``, ``content_filter`` …; empty where the server did not say.
    Token counts are the server's, 0 where it reported none; ``cost_usd`` is None where the price is unknown.
    ``replayed`` is true where the reply came from the run's journal and nothing was sent.
    """

    model: str
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    replayed: bool = False


@dataclass(slots=True)
class Scope:
    """The calls observed inside a ``with observing()`` block, and the labels they belong to."""

    stage: str = ""
    trait: str = ""
    seen: list[Observation] = field(default_factory=list)


_scope: ContextVar[Scope | None] = ContextVar("character_observing", default=None)


@contextmanager
def observing(stage: str = "", trait: str = "") -> Iterator[Scope]:
    """Collect what engines report for the calls made inside the block, in this task or thread alone."""
    scope = Scope(stage=stage, trait=trait)
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        _scope.reset(token)


def current_scope() -> Scope | None:
    """Return the innermost scope of this task or thread, if any."""
    return _scope.get()


def report(observation: Observation) -> None:
    """Tell the innermost scope about a finished call; without a scope nobody asked."""
    scope = _scope.get()
    if scope is not None:
        scope.seen.append(observation)
