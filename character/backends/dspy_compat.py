"""The one file that names what is private in DSPy: plain functions around it, which everybody else uses.

A release of DSPy may move any of them. ``tests/backends/test_dspy_compat.py`` says which, and what breaks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

import dspy
from dspy import lm15
from dspy._vendor.lm15.serde import request_to_dict as request_to_dict
from dspy._vendor.lm15.serde import response_from_dict as response_from_dict
from dspy._vendor.lm15.serde import response_to_dict as response_to_dict
from dspy._vendor.lm15.transports import StdlibAsyncTransport as StdlibAsyncTransport
from dspy._vendor.lm15.transports import StdlibTransport as StdlibTransport
from dspy.clients import execution, lm15_boundary

from character.backends.plain import plain
from character.backends.waiting import having

M = TypeVar("M", bound=type)
Route = Callable[[Any], Any]
_route: ContextVar[Route | None] = ContextVar("character_route", default=None)


def routing(route: Route | None) -> AbstractContextManager[object]:
    """Have every call of every model in this context answered by what the function returns for that model.

    None lets each model answer for itself. It reaches tasks, and threads that are given this context.
    """
    return having(_route, route)


def routed(lm: Any) -> Any:
    """Return the model that answers in the place of this one."""
    route = _route.get()
    return lm if route is None or lm is None else route(lm)


def _route_calls() -> None:
    """Put the route between callers and models; DSPy has no other place that every call passes."""
    call, acall = dspy.BaseLM.__call__, dspy.BaseLM.acall

    @wraps(call)
    def routed_call(lm: Any, *args: Any, **kwargs: Any) -> Any:
        return call(routed(lm), *args, **kwargs)

    @wraps(acall)
    async def routed_acall(lm: Any, *args: Any, **kwargs: Any) -> Any:
        answering = routed(lm)
        if answering is lm and not has_async_calls(lm):  # DSPy would raise; a thread waits as well
            return await asyncio.to_thread(call, lm, *args, **kwargs)
        return await acall(answering, *args, **kwargs)

    dspy.BaseLM.__call__, dspy.BaseLM.acall = routed_call, routed_acall


def _show_records_as_texts() -> None:
    """Have every predictor take our records as ``plain`` makes them: no level, seed or model in a prompt."""
    call, acall = dspy.Predict.__call__, dspy.Predict.acall

    @wraps(call)
    def plain_call(predictor: Any, *args: Any, **inputs: Any) -> Any:
        return call(predictor, *args, **_plain_inputs(predictor, inputs))

    @wraps(acall)
    async def plain_acall(predictor: Any, *args: Any, **inputs: Any) -> Any:
        return await acall(predictor, *args, **_plain_inputs(predictor, inputs))

    dspy.Predict.__call__, dspy.Predict.acall = plain_call, plain_acall


def _plain_inputs(predictor: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    shown = {name: plain(value) for name, value in inputs.items()}
    demos = shown.get("demos", predictor.demos)
    texts = [{name: plain(value) for name, value in demo.items()} for demo in demos]
    if any(text[name] is not demo[name] for text, demo in zip(texts, demos, strict=True) for name in text):
        shown["demos"] = [dspy.Example(**text) for text in texts]
    return shown


_route_calls()
_show_records_as_texts()


def engine_of(lm: Any) -> Any:
    """Return the engine that a model was made with: an object, or the name of a client; None without one."""
    return getattr(lm, "_engine_spec", None)


def only_forwards(lm: Any) -> bool:
    """Whether a model answers by a ``forward`` of its own, in the shapes of OpenAI's client, and not by an
    engine.
    """
    return engine_of(lm) is None or not _is_of_dspy(type(lm).forward)


def _is_of_dspy(method: Any) -> bool:
    return str(method.__module__).startswith("dspy.")


def forwarded(request: lm15.Request) -> dict[str, Any]:
    """Return a request as the arguments of such a ``forward``."""
    return dict(lm15_boundary.request_kwargs(request, "chat"))


def forwarded_response(raw: Any, request: lm15.Request) -> lm15.Response:
    """Return what such a ``forward`` gave; an object with the same attributes will do for a dictionary."""
    return (
        raw if isinstance(raw, lm15.Response) else lm15_boundary.response_value(_plain(raw), "chat", request)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    fields = value.model_dump() if hasattr(value, "model_dump") else value
    fields = vars(fields) if hasattr(fields, "__dict__") else fields
    return {key: _plain(item) for key, item in fields.items()} if isinstance(fields, dict) else fields


def has_async_calls(lm: Any) -> bool:
    """Whether a model can be awaited itself, or can only be asked in a thread."""
    if only_forwards(lm):
        return not _is_of_dspy(type(lm).aforward)
    engine = engine_of(lm)
    return isinstance(engine, str) or getattr(lm, "_async_engine_spec", None) is not None


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


FROZEN = "_compiled"
"""The attribute that is DSPy's mark for: leave the module alone, as it is compiled already."""


def is_frozen(module: Any) -> bool:
    """Whether a module bears that mark."""
    return bool(getattr(module, FROZEN, False))


def set_frozen(module: Any, frozen: bool) -> None:
    """Set or take off that mark; optimizers do not see a frozen module, and saving leaves it out."""
    module._compiled = frozen


def without_usage_note(module_class: M) -> M:
    """Have DSPy note no usage on records, which carry theirs themselves; it would warn on every call that is
    made with ``track_usage``. On a result that is a ``dspy.Prediction`` it does.
    """
    note = module_class._set_lm_usage  # type: ignore[attr-defined]

    def noted(module: Any, tokens: dict[str, Any], output: Any) -> None:
        if isinstance(output, dspy.Prediction):
            note(module, tokens, output)

    module_class._set_lm_usage = noted  # type: ignore[attr-defined]
    return module_class
