"""What the load tests share: a constitution of one trait, its messages, and a configuration for the load server."""

from __future__ import annotations

from typing import Any

from load_server import LoadServer

from character import Config, Constitution, Message, MessageBatch, Trait

PATIENCE = Constitution(name="one", traits=(Trait(name="patience", description="takes the time it needs"),))


def messages(number: int) -> dict[str, MessageBatch]:
    """Return that many messages for the one trait."""
    return {
        "patience": MessageBatch(
            messages=tuple(
                Message.of(f"How do I learn thing number {i}?", trait="patience") for i in range(number)
            )
        )
    }


def config(server: LoadServer, **backend: Any) -> Config:
    """Return a configuration that reaches the load server with 32 calls in flight."""
    fixed = {"model": "openai/load", "api_base": server.url, "max_in_flight": 32, "timeout_s": 1.0}
    return Config.model_validate({"concurrency": 16, "backends": {"default": {**fixed, **backend}}})
