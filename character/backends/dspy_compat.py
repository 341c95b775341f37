"""The one file that names what is private in DSPy: plain functions around it, which everybody else uses.

A release of DSPy may move any of them. ``tests/backends/test_dspy_compat.py`` says which, and what breaks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import fields, replace
from functools import wraps
from importlib import import_module
from time import monotonic
from typing import Any, TypeVar

import dspy
from dspy import lm15
from dspy._vendor.lm15.providers.base import BaseProviderLM
from dspy._vendor.lm15.serde import request_to_dict as request_to_dict
from dspy._vendor.lm15.serde import response_from_dict as response_from_dict
from dspy._vendor.lm15.serde import response_to_dict as response_to_dict
from dspy._vendor.lm15.transports import ReadTimeout as ReadTimeout
from dspy._vendor.lm15.transports import StdlibAsyncTransport as StdlibAsyncTransport
from dspy._vendor.lm15.transports import StdlibTransport as StdlibTransport
from dspy._vendor.lm15.transports import TransportError
from dspy.clients import execution, lm15_boundary
from dspy.clients.errors import error_boundary

from character.backends.observe import is_observed
from character.backends.plain import plain
from character.backends.server_words import ENDED_BY, error_in
from character.backends.threads import follow_threads
from character.backends.waiting import having, in_thread

_NO_LIST = (lm15.LM15Error, TransportError, OSError, ValueError, LookupError, TypeError, AttributeError)
M = TypeVar("M", bound=type)
Route = Callable[[Any], Any]
_route: ContextVar[Route | None] = ContextVar("character_route", default=None)
_CALL, _ACALL = dspy.BaseLM.__call__, dspy.BaseLM.acall
as_sent: ContextVar[bool] = ContextVar("character_as_sent", default=False)
"""Whether a reply by a JSON schema stays the text that the server sent: the client makes a value of it, and
takes it for a fault of the server's where it cannot."""
HEARD = "character_heard"
"""The setting that holds a list for what DSPy notes of calls, in the place of its histories."""


def routing(route: Route | None) -> AbstractContextManager[object]:
    """Have every call of every model in this context answered by what the function returns for that model.

    None lets each model answer for itself. It reaches tasks, and threads that an observed call begins.
    """
    return having(_route, route)


def routed(lm: Any) -> Any:
    """Return the model that answers in the place of this one."""
    route = _route.get()
    return lm if route is None or lm is None else route(lm)


def _route_calls(kind: type[dspy.BaseLM]) -> None:
    """Put the route between callers and what a class of models, and those under it, answer calls by."""
    for name, wrapped in (("__call__", _routed_call), ("acall", _routed_acall)):
        if name in vars(kind):
            setattr(kind, name, wrapped(vars(kind)[name]))
    for each in kind.__subclasses__():
        _route_calls(each)


def _begin_class(kind: type[dspy.BaseLM], /, **options: object) -> None:
    super(dspy.BaseLM, kind).__init_subclass__(**options)
    _route_calls(kind)


def _routed_call(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def routed_call(lm: Any, *args: Any, **kwargs: Any) -> Any:
        answering = routed(lm)
        if answering is not lm:
            return _CALL(answering, *args, **kwargs)
        with _failing_as_a_model(lm):
            return call(lm, *args, **kwargs)

    return routed_call


def _routed_acall(acall: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(acall)
    async def routed_acall(lm: Any, *args: Any, **kwargs: Any) -> Any:
        answering = routed(lm)
        if answering is not lm:
            return await _ACALL(answering, *args, **kwargs)
        if not has_async_calls(lm):  # DSPy would raise; a thread waits as well
            return await in_thread(lm, *args, **kwargs)
        with _failing_as_a_model(lm):
            return await acall(lm, *args, **kwargs)

    return routed_acall


def _failing_as_a_model(lm: Any) -> AbstractContextManager[object]:
    """Have whatever a model raises be an error of DSPy's where the call is observed, as in a run."""
    is_own = type(lm) is not dspy.LM and is_observed()
    return error_boundary(lm.model, unexpected=True) if is_own else nullcontext()


def _hear_calls() -> None:
    """Have what DSPy would put into histories go to whoever listens by the setting ``HEARD``."""
    record = dspy.BaseLM.update_history

    @wraps(record)
    def heard_or_recorded(lm: Any, entry: dict[str, Any]) -> None:
        heard = dspy.settings.get(HEARD)
        record(lm, entry) if heard is None else heard.append(entry)

    dspy.BaseLM.update_history = heard_or_recorded


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


def _keep_bodies() -> None:
    """Have an error of a server keep the body it came of, as ``body``: the client reads one shape alone."""
    read = BaseProviderLM._http_error

    @wraps(read)
    def read_and_kept(provider: Any, response: Any) -> Any:
        error = read(provider, response)
        error.body = response.text()[:_MOST_BODY]
        return error

    BaseProviderLM._http_error = read_and_kept


def _keep_texts() -> None:
    """Have a reply by a JSON schema be a text where that is asked for by ``as_sent``."""
    judgments: Any = import_module("dspy._vendor.lm15.judgments")  # a function has its name
    made = judgments.data_part_from_text
    judgments.data_part_from_text = lambda text, found: None if as_sent.get() else made(text, found)


def _read_what_bodies_say() -> None:
    """Have a body with status 200 that is an error be raised as one, and usage that is none be missing."""
    chat: Any = import_module("dspy._vendor.lm15.providers.openai_chat")
    read, check = chat._response_from_chat_body, lm15.Usage.__post_init__
    counts = tuple(each.name for each in fields(lm15.Usage))
    chat._FINISH_REASON_MAP.update(ENDED_BY)

    @wraps(read)
    def read_or_raised(provider: str, data: Any, *, model: Any, choice: Any, on_error: Any) -> Any:
        if isinstance(data, dict) and (said := error_in(data)):
            error: Any = lm15.ServerError(str(said), provider=provider)
            error.body = json.dumps({"error": said}, default=str)[:_MOST_BODY]
            raise error
        try:
            return read(provider, data, model=model, choice=choice, on_error=on_error)
        except (AttributeError, TypeError):
            if not (isinstance(data, dict) and data.get("usage")):
                raise
            return read_or_raised(
                provider, {**data, "usage": None}, model=model, choice=choice, on_error=on_error
            )

    @wraps(check)
    def checked(usage: Any) -> None:
        for name in counts:
            value = getattr(usage, name)
            is_number = type(value) in (int, float)
            if value is not None and not (is_number and 0 <= value <= _MOST_TOKENS and value % 1 == 0):
                object.__setattr__(usage, name, None)
        check(usage)

    chat._response_from_chat_body, lm15.Usage.__post_init__ = read_or_raised, checked


_MOST_BODY, _MOST_TOKENS = 2**20, 2**53


def _plain_inputs(predictor: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    shown = {name: plain(value) for name, value in inputs.items()}
    demos = shown.get("demos", predictor.demos)
    texts = [{name: plain(value) for name, value in demo.items()} for demo in demos]
    if any(text[name] is not demo[name] for text, demo in zip(texts, demos, strict=True) for name in text):
        shown["demos"] = [dspy.Example(**text) for text in texts]
    return shown


_route_calls(dspy.BaseLM)
dspy.BaseLM.__init_subclass__ = classmethod(_begin_class)
_hear_calls()
follow_threads()
_show_records_as_texts()
_keep_bodies()
_keep_texts()
_read_what_bodies_say()


def engine_of(lm: Any) -> Any:
    """Return the engine that a model was made with: an object, or the name of a client; None without one."""
    return getattr(lm, "_engine_spec", None)


def only_forwards(lm: Any) -> bool:
    """Whether a model answers by a method of its own, in the shapes of OpenAI's client, not by an engine."""
    kind = type(lm)
    return engine_of(lm) is None or not all(map(_is_of_dspy, (kind.forward, kind.__call__, kind.acall)))


def _is_of_dspy(method: Any) -> bool:
    return str(method.__module__).startswith("dspy.")


def is_carried(name: str, value: Any) -> bool:
    """Whether a request can carry a setting of a model, or DSPy makes something else of it."""
    if value is None or name in ("n", "rollout_id", "num_generations", "prompt_cache", "response_format"):
        return True
    try:
        lm15.request_from_openai_chat({"model": "any", "messages": [_ANY], name: value})
    except (lm15.LM15Error, ValueError, TypeError):
        return False
    return True


_ANY = {"role": "user", "content": "any"}


def forwarded(request: lm15.Request) -> dict[str, Any]:
    """Return a request as the arguments of a call in OpenAI's shapes."""
    return dict(lm15_boundary.request_kwargs(request, "chat"))


def answered(lm: Any, outputs: Any, heard: list[dict[str, Any]], request: lm15.Request) -> lm15.Response:
    """Return what a call gave as a response: its text, and what DSPy noted of the reply that it came of."""
    output = outputs if isinstance(outputs, str) else outputs[0]
    text = output if isinstance(output, str) else output.get("text")
    message = {"role": "assistant", "content": text or ""}
    own = {"model": request.model, "choices": [{"message": message, "finish_reason": "stop"}]}
    if not heard:
        return lm15_boundary.response_value(own, "chat", request)
    raw = heard[-1]["response"]
    if not isinstance(raw, lm15.Response):
        raw = lm15_boundary.response_value(_plain(raw), lm.model_type, request)
    if (raw.message.text or "") == (text or ""):
        return raw
    return replace(raw, message=lm15_boundary.response_value(own, "chat", request).message)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    fields = value.model_dump() if hasattr(value, "model_dump") else value
    fields = vars(fields) if hasattr(fields, "__dict__") else fields
    return {key: _plain(item) for key, item in fields.items()} if isinstance(fields, dict) else fields


def has_async_calls(lm: Any) -> bool:
    """Whether a model can be awaited itself, or can only be asked in a thread."""
    kind = type(lm)
    if only_forwards(lm):
        return not _is_of_dspy(kind.acall) or (_is_of_dspy(kind.__call__) and not _is_of_dspy(kind.aforward))
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


def listed_models(engine: Any, model: str, wait_s: float = 5.0) -> list[str]:
    """Return the models that a native engine's server lists, asked with the same key, if any.

    Blocks for about so many seconds at most, and reads no more than a megabyte.
    """
    body, until = b"", monotonic() + wait_s
    try:
        provider, _ = find_route(engine, lm15.Request(model=model, messages=(lm15.Message.user("?"),)))
        asked = provider._models_request()
        asked.connect_timeout = asked.read_timeout = wait_s
        with provider.transport.stream(asked) as reply:
            for part in reply:
                body += part
                if len(body) > _MOST_BODY or monotonic() > until:
                    return []
        return [each.id for each in provider._models_from_body(body.decode("utf-8", "replace"))]
    except (*_NO_LIST, RecursionError):  # the last one of a body that is nested too deep
        return []  # there is an error to be told already


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
