"""The one file that names what is private in DSPy: plain functions around it, which everybody else uses.

A release of DSPy may move any of them. ``tests/backends/test_dspy_compat.py`` says which, and what breaks.
"""

from __future__ import annotations

from typing import Any, TypeVar

from dspy._vendor.lm15.serde import request_to_dict as request_to_dict
from dspy._vendor.lm15.serde import response_from_dict as response_from_dict
from dspy._vendor.lm15.serde import response_to_dict as response_to_dict
from dspy._vendor.lm15.transports import StdlibAsyncTransport as StdlibAsyncTransport
from dspy._vendor.lm15.transports import StdlibTransport as StdlibTransport
from dspy.clients import execution

M = TypeVar("M", bound=type)


async def close_async_engine(lm: Any) -> None:
    """Close the connections that a model's own asynchronous engine holds on this event loop, if it has one.

    DSPy's ``aclose`` leaves an engine that was given to it to whoever gave it, and offers no way to reach it.
    """
    engine: Any = getattr(lm, "_async_engine_spec", None)
    if hasattr(engine, "aclose"):
        await engine.aclose()


def find_route(engine: Any, request: Any) -> tuple[Any, str]:
    """Return the provider that a native engine sends a request to, and the model's name there. May block."""
    provider, routed = engine._target(request)
    return provider, routed.model


def is_preparation(function: object) -> bool:
    """Whether this is DSPy's preparation of a call, which it runs in a thread because it may read files."""
    return function is execution.prepare


def is_pricing(function: object) -> bool:
    """Whether this is DSPy's look-up of a call's price, which it runs in a thread for its history."""
    return function is execution._price_result


def is_frozen(module: Any) -> bool:
    """Whether a module bears DSPy's mark for: leave it alone, as it is compiled already."""
    return bool(getattr(module, "_compiled", False))


def set_frozen(module: Any, frozen: bool) -> None:
    """Set or take off that mark; optimizers do not see a frozen module, and saving leaves it out."""
    module._compiled = frozen


def without_usage_note(module_class: M) -> M:
    """Have DSPy note no usage on what this class of modules returns: our records carry theirs themselves.

    They are no ``dspy.Prediction``, so DSPy would warn on every call that is made with ``track_usage``.
    """
    module_class._set_lm_usage = lambda _module, _tokens, _output: None  # type: ignore[attr-defined]
    return module_class
