"""Models that a program brings: each of their calls passes the same seam as those of configured models.

A run is held to its caps, keeps every call and pays none twice whatever model answers: one in ``lms=``, set
by ``set_lm``, ``dspy.configure`` or ``dspy.context``, a ``dspy.BaseLM`` of somebody's own. While a ``Router``
is in charge (see ``dspy_compat.routing``) DSPy hands each call to what the router returns for its model.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import dspy
from dspy import lm15
from dspy.clients.backend_selection import CLIENT_KEYS
from dspy.utils.exceptions import LMError

from character.backends.backend import Backend, Journal
from character.backends.budget import Budget
from character.backends.dspy_compat import (
    HEARD,
    answered,
    engine_of,
    forwarded,
    has_async_calls,
    is_carried,
    only_forwards,
    routing,
)
from character.backends.engines import Engines
from character.backends.observe import unobserved
from character.backends.seam import AsyncSeamEngine, SeamEngine
from character.backends.waiting import blocking, run_blocking
from character.config import BackendConfig, Config
from character.errors import ConfigError
from character.text import fingerprint, path_of

_ADDRESSES = ("api_base", "base_url", "api_version")
_OF_EACH_COPY = {"history", "callbacks", "kwargs", "cache", "num_retries", "_warned_zero_temp_rollout"}
"""What DSPy gives each copy of a model anew; the rest is shared between them."""
_NAMES_A_SECRET = re.compile(r"(?i)(key|key_id|token|secret|password|credentials?|authorization)$")


class Router:
    """Gives every model its place at the seam: the same one each time, with this journal and this budget.

    Copies of a model (another temperature, another ``rollout_id``) share what belongs to its server: the
    limit of calls in flight, the pace, the health. In the accounts a model has its own name, unless the
    call gives another. What no request can carry (``extra_body``, keys, headers) stays with the model: those
    that differ in it do not share a place.
    """

    def __init__(
        self, journal: Journal | None, budget: Budget | None, tell: Callable[[str], None] | None = None
    ) -> None:
        self.journal, self.budget, self._tell = journal, budget, tell
        self._seats: dict[str, tuple[SeamEngine, AsyncSeamEngine]] = {}
        self._routed: WeakKeyDictionary[Any, tuple[int, Any]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def __call__(self, lm: Any, name: str = "") -> Any:
        """Return the model that answers in the place of this one: itself where it has its place already.

        ``name`` is what it is called in the accounts where it has no name there yet.
        """
        engine = getattr(lm, "engine", None)
        if isinstance(engine, SeamEngine) and engine.backend.journal is self.journal is not None:
            return lm
        as_it_is = hash((repr(lm.kwargs), lm.model, lm.model_type))
        with self._lock:
            seen_as, answering = self._routed.get(lm, (None, None))
            if seen_as != as_it_is:  # it is new, or was changed in place
                answering = self._seated(lm, engine, name)
                self._routed[lm] = as_it_is, answering
            return answering

    async def aclose(self) -> None:
        """Close the connections that were opened on the running event loop."""
        for _, asynchronous in self._seats.values():
            await asynchronous.aclose()

    def _seated(self, lm: Any, engine: Any, name: str) -> dspy.LM:
        ours = isinstance(engine, SeamEngine)
        asked = {name: value for name, value in lm.kwargs.items() if name not in CLIENT_KEYS}
        settings = {name: value for name, value in asked.items() if is_carried(name, value)}
        stays = {name: value for name, value in lm.kwargs.items() if name not in settings}
        more = {name: value for name, value in asked.items() if name not in settings}
        key = f"ours {id(engine.backend)}" if ours else _description(lm, stays)
        if key not in self._seats:
            name = name or (engine.backend.name if ours else str(lm.model))
            config = engine.backend.config if ours else _config_of(lm)
            source = engine.backend.source if ours else _engines_of(lm, stays, config.max_in_flight)
            told = fingerprint(_told(more)) if more else ""
            owner = engine.backend.owner if ours else f"{path_of(type(lm))} {told}".strip()
            backend = Backend(config, self.journal, self.budget, name, source, owner)
            backend.tell = self._tell or backend.tell
            self._seats[key] = SeamEngine(backend), AsyncSeamEngine(backend)
        threads, asynchronous = self._seats[key]
        settings.pop("rollout_id", None)
        if "max_completion_tokens" in settings:  # what DSPy calls it for reasoning models
            settings["max_tokens"] = settings.pop("max_completion_tokens")
        return dspy.LM(
            lm.model,
            model_type=lm.model_type,
            engine=threads,
            async_engine=asynchronous,
            cache=False,
            num_retries=0,
            **settings,
        )


def with_configured_lm(config: Config) -> Config:
    """Return a configuration with DSPy's configured model in each place where it names none."""
    lm = dspy.settings.lm
    if lm is None:
        return config
    engine = getattr(lm, "engine", None)
    own = engine.backend.config if isinstance(engine, SeamEngine) else _config_of(lm)
    backends = {
        name: backend
        if backend.model_fields_set & {"kind", "model"}
        else own.model_copy(update=backend.model_dump(exclude_unset=True))
        for name, backend in config.backends.items()
    }
    return config.model_copy(update={"backends": backends})


def own_lm(backend: BackendConfig) -> Any:
    """Return DSPy's configured model as a section of the kind ``own`` has it. Raises ConfigError."""
    if dspy.settings.lm is None:
        raise ConfigError(
            f"the model {backend.model} was brought by a program, and DSPy has none configured now.",
            fix=f"dspy.configure(lm=…) with {backend.model}, or name a model under [backends.default].",
        )
    if not backend.seed or backend.structured == "json_schema":
        raise ConfigError(
            f"seed or structured is set for {backend.model}, a model that a program brought.",
            fix="set it where the program makes it, or name a model under [backends.default].",
        )
    names = ("temperature", "max_tokens", "top_p", "stop")
    changed = {name: value for name in names if (value := getattr(backend, name)) not in (None, ())}
    return dspy.settings.lm.copy(**changed) if changed else dspy.settings.lm


def _engines_of(lm: Any, stays: dict[str, Any], max_in_flight: int) -> Engines:
    """Return what makes engines of a model; one that only blocks is asked in threads on an event loop."""
    inner = lm
    if engine_of(lm) is not None:  # DSPy's part of it is switched off; any other model is asked as it is
        inner = lm.copy(num_retries=0, cache=False)
        inner.kwargs = dict(stays) if inner is not lm else lm.kwargs
    return Engines(lambda: OwnEngine(inner), lambda: AsyncOwnEngine(OwnEngine(inner), max_in_flight))


class OwnEngine:
    """A model as an engine: one attempt, without DSPy's cache, retries and history.

    A plain ``dspy.LM`` is given the request; any other model is called as a program would call it.
    """

    def __init__(self, lm: Any) -> None:
        self.lm = lm
        self.takes_seed = "seed" in lm.supported_params
        is_plain = not only_forwards(lm) and lm.model_type != "text"
        self.takes_requests = is_plain and CLIENT_KEYS.issuperset(lm.kwargs)

    def complete(self, request: lm15.Request) -> lm15.Response:
        """Return the model's reply."""
        return run_blocking(self.acomplete(request, blocking(self.lm)))

    async def acomplete(self, request: lm15.Request, ask: Callable[..., Awaitable[Any]]) -> lm15.Response:
        """Return the model's reply, asked this way."""
        asked = self.asked(request)
        with _alone(hearing=not self.takes_requests) as heard:
            if self.takes_requests:
                return await ask(asked, cache=False)
            return answered(self.lm, await ask(**forwarded(asked)), heard, asked)

    def asked(self, request: lm15.Request) -> lm15.Request:
        """Return the request as the model takes it: a seed only where it knows what that is."""
        if self.takes_seed or request.config.seed is None:
            return request
        return replace(request, config=replace(request.config, seed=None))

    def close(self) -> None:
        """Leave the model open: it is its owner's."""


class AsyncOwnEngine:
    """The same on an event loop."""

    def __init__(self, engine: OwnEngine, max_in_flight: int) -> None:
        self.engine = engine
        self._threads = None if has_async_calls(engine.lm) else ThreadPoolExecutor(max_in_flight)

    async def complete(self, request: lm15.Request) -> lm15.Response:
        """Return the model's reply."""
        if self._threads is None:
            return await self.engine.acomplete(request, self.engine.lm.acall)
        loop, context = asyncio.get_running_loop(), copy_context()
        return await loop.run_in_executor(self._threads, context.run, self.engine.complete, request)

    async def aclose(self) -> None:
        """End the threads; the model is its owner's."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)


@contextmanager
def _alone(*, hearing: bool) -> Iterator[list[dict[str, Any]]]:
    """Ask a model itself, unseen by whoever watches the call outside; its errors are those of one attempt.

    What DSPy notes of the call is put into the list, where it is to be heard.
    """
    heard: list[dict[str, Any]] = []
    settings = {"disable_history": not hearing, HEARD: heard, "usage_tracker": None, "callbacks": []}
    with routing(None), unobserved(), dspy.context(**settings):
        try:
            yield heard
        except LMError as error:
            raise _of_the_attempt(error) from error


def _of_the_attempt(error: LMError) -> Any:
    """Return what the model's client raised, which says what was sent and whether to try again."""
    cause: BaseException | None = error.__cause__
    return cause if isinstance(cause, lm15.LM15Error) else error


def _description(lm: Any, stays: Mapping[str, Any]) -> str:
    """Return what tells models apart, the same for copies of one: class, name, what else it holds.

    Of keys and addresses there is a number in it, which means nothing to another process.
    """
    kind = type(lm)
    holds = [] if kind is dspy.LM else [f"{name} {id(value)}" for name, value in sorted(vars(lm).items())]
    inside = [each for each in holds if each.split(" ")[0] not in _OF_EACH_COPY]
    engine = engine_of(lm)
    own_engine = [] if engine is None or isinstance(engine, str) else [f"engine {id(engine)}"]
    account = str(hash(repr(sorted(stays.items()))))
    return " ".join([path_of(kind), str(lm.model), str(lm.model_type), account, *inside, *own_engine])


def _told(value: Any) -> Any:
    """Return a setting for the identity of a call: nothing of a key, and the same in every process."""
    match value:
        case Mapping():
            return {name: _told(each) for name, each in value.items() if not _NAMES_A_SECRET.search(name)}
        case list() | tuple():
            return [_told(each) for each in value]
        case None | bool() | int() | float() | str():
            return value
    return path_of(value)


def _config_of(lm: Any) -> BackendConfig:
    """Return the model as a section would describe it; what it holds is not checked here."""
    kwargs = lm.kwargs
    known = {
        "api_base": next((str(kwargs[name]) for name in _ADDRESSES if kwargs.get(name)), None),
        "temperature": kwargs.get("temperature"),
        "max_tokens": kwargs.get("max_tokens") or kwargs.get("max_completion_tokens"),
    }
    return BackendConfig.model_construct(
        kind="own",
        model=str(lm.model),
        num_retries=getattr(lm, "num_retries", 0),
        **{name: value for name, value in known.items() if value is not None},
    )
