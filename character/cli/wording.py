"""How figures are written for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from character.records import Usage

if TYPE_CHECKING:
    from rich.console import Console

    from character.config import Config


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints texts as they stand: brackets in a model's words are no markup."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def count_text(number: int, noun: str) -> str:
    """Return a number with its English noun in the right form."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def cost_text(usage: Usage) -> str:
    """Return the cost in USD, or that it is unknown."""
    if usage.cost_usd is None:
        return "cost unknown"
    return f"${usage.cost_usd:.4f}" if usage.cost_usd else "$0"


def describe_backend(config: Config, role: str) -> str:
    """Return in words which backend answers a role."""
    backend = config.backend(role)
    where = f" at {backend.api_base}" if backend.api_base else ""
    return f"{backend.kind} · {backend.model_name}{where}"
