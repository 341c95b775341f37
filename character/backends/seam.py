"""The one seam every configured model call passes: journal, limits, budget, retries, what the call took."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from dspy import lm15

from character.backends.budget import Amount, Budget
from character.backends.dspy_compat import request_to_dict, response_from_dict, response_to_dict
from character.backends.engines import SOURCES, Engines
from character.backends.gate import Attempts, Gate, Health, was_sent
from character.backends.observe import Observation, Scope, current_scope, current_unit, report, stopped_by
from character.backends.prices import Price, price_of
from character.backends.structured import Form
from character.backends.waiting import IN_TASKS, IN_THREADS, blocking, run_blocking
from character.backends.wire import Wire
from character.config import BackendConfig
from character.errors import CharacterError, ConfigError
from character.text import fingerprint

_PER_MESSAGE_TOKENS = 16  # what chat templates add to a message, at most
_BUDGET_POLL_S = 0.01  # how often a call asks again for room under a cap


class Journal(Protocol):
    """Where finished calls are kept, so that none is paid twice. Writing returns when the call is durable."""

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the entry of a finished call, or None."""

    def put(self, key: str, entry: dict[str, Any]) -> None:
        """Keep a finished call; returns once it is on disk."""

    async def aput(self, key: str, entry: dict[str, Any]) -> None:
        """Keep a finished call without blocking the event loop; returns once it is on disk."""


@dataclass(eq=False)
class Backend:
    """What the engines of one backend share: name in the accounts, configuration, health, journal, budget."""

    config: BackendConfig
    journal: Journal | None = None
    budget: Budget | None = None
    name: str = "default"
    own: Engines | None = None
    """Makes the engines of a model that a program brings; those of a configured one are made by its kind."""
    owner: str = ""
    """The class of such a model, which tells two of one name apart."""

    tell: Callable[[str], None] = logging.getLogger("character.backends").warning
    """Is told, once each, what was found out about the server that whoever configured it should know."""

    def __post_init__(self) -> None:
        self.wire, self.adapted = Wire(self.config), set[str]()
        self.form = Form(self.config, self.journal, self.name)
        self.source = self.own or SOURCES[self.config.kind](self.config)
        self.health = Health(self.config, limit=float(self.config.max_in_flight))

    def __reduce__(self) -> Any:
        """Pickle the configuration and the name: journal and budget are a run's, connections a process's."""
        if self.own is not None:
            raise ConfigError(
                f"the model {self.config.model_name} has a place in a run and cannot be pickled.",
                expected="a model as the program brought it",
            )
        return _unpickled, (self.config, self.name)

    @cached_property
    def price(self) -> Price | None:
        """The price of the model, looked up once."""
        return price_of(self.config)

    def key(self, request: lm15.Request) -> str:
        """Return the identity of a call: the backend's and the whole request's."""
        mark = [self.owner] if self.owner else []
        return fingerprint([self._identity, request_to_dict(request), *mark], size=16)

    @cached_property
    def _identity(self) -> str:
        return self.config.identity

    def learn_refused(self, refused: frozenset[str]) -> None:
        """Note parameters that the server has answered without, after it refused them; tell of each once."""
        for name, advice in self.wire.learn(refused):
            if name == "response_format":
                self.form.settle(False, advice, self.tell)
            else:
                self.tell(f"the server of {self.config.model_name} refuses {name}; {advice}.")
        if scope := current_scope():
            scope.sent_without |= refused

    def learn_adapted(self, response: lm15.Response) -> None:
        """Tell once of each setting that the client changed or left out, as its provider has none such."""
        for each in response.adaptations:
            name = each.field.removeprefix("config.")
            if each.action not in ("satisfied", "defaulted") and name not in ("seed", *self.adapted):
                self.adapted.add(name)
                self.tell(f"{name} is {each.action} for {self.config.model_name}: {each.reason}.")

    def replay(self, key: str) -> lm15.Response | None:
        """Return the reply of a call that finished before, and report it; None where it has not."""
        entry = self.journal.get(key) if self.journal else None
        if entry is None:
            return None
        report(Observation(**entry["observation"], replayed=True))
        return response_from_dict(entry["response"])

    def need(self, request: lm15.Request) -> Amount:
        """Return the most a call can take.

        A token is at least one byte of the prompt, and a reply at most ``max_tokens``.
        """
        most = request.config.max_tokens or self.config.max_tokens
        if most is None and self.budget and self.budget.caps_tokens:
            raise ConfigError(
                f"a budget is set, but the model {self.config.model_name} may reply at any length.",
                expected="max_tokens in the backend's section, so that a cap on tokens or cost can hold",
                fix="add for example max_tokens = 2000 under [backends.default].",
            )
        most = most or 0
        if self.price is None and self.budget and self.budget.caps_cost:
            raise ConfigError(
                f"a cap on cost is set, but the price of {self.config.model_name} is not known.",
                expected="a model of the price map, or input_price and output_price in the backend's section",
                fix="add the prices, in USD per million tokens, or cap tokens or calls instead.",
            )
        prompt = prompt_bytes(request) + _PER_MESSAGE_TOKENS * (len(request.messages) + 1)
        if self.price is None:
            return Amount(prompt + most, 0.0)
        return Amount(
            prompt + most, prompt * max(self.price.prompt, self.price.cached) + most * self.price.completion
        )

    def finished(self, response: lm15.Response) -> Observation:
        """Return what a call took."""
        usage = response.usage
        return Observation(
            model=served_model(self.config, response.model),
            finish_reason=response.finish_reason,
            prompt_tokens=usage.input_tokens or 0,
            completion_tokens=usage.output_tokens or 0,
            cost_usd=None if self.price is None else self.price.of(usage),
        )


def _unpickled(config: BackendConfig, name: str) -> Backend:
    return Backend(config, name=name)


@dataclass(frozen=True)
class _Channel:
    """What calls pass from all threads, or from one event loop: a gate, an engine, the way to the journal."""

    engine: Any
    gate: Gate
    send: Callable[[lm15.Request], Awaitable[lm15.Response]]
    keep: Callable[[str, dict[str, Any]], Awaitable[None]] | None


class _Seam:
    """The way of a call, written once for both engines; and what DSPy asks of them: hints, copies, state."""

    supports_function_calling = False
    supports_reasoning = False
    supports_response_schema = False
    supported_params = frozenset({"temperature", "max_tokens", "top_p", "stop", "seed"})

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self  # connections, limits and the journal are shared by the copies that optimizers make

    def __reduce__(self) -> Any:
        return type(self), (self.backend,)

    def dump_state(self) -> dict[str, Any]:
        """Return the configuration, which names the key's variable and never holds the key."""
        return {"config": self.backend.config.model_dump(mode="json", exclude_unset=True)}

    @classmethod
    def load_state(cls, state: dict[str, Any]) -> Any:
        """Return an engine with the saved configuration, without journal and budget."""
        return cls(Backend(BackendConfig.model_validate(state["config"])))

    def _channel(self) -> _Channel:
        """Return the channel of this thread or event loop."""
        raise NotImplementedError

    async def _answer(self, request: lm15.Request) -> lm15.Response:
        """Return the reply, from the journal where this very call has finished before."""
        key, unit = self.backend.key(request) if self.backend.journal else "", current_unit()
        if unit is not None:
            key = unit.key_of(key)
        response = self.backend.replay(key)
        if response is None:
            try:
                response, observation = await self._send(request, key)
            except CharacterError as error:
                stopped_by(error)
                raise
            report(observation)
        return spoken(response)

    async def _send(self, request: lm15.Request, key: str) -> tuple[lm15.Response, Observation]:
        channel, backend = self._channel(), self.backend
        attempts = Attempts(backend.health)
        tokens = prompt_bytes(request) // 4 if backend.config.tokens_per_minute else 0
        refused: frozenset[str] = frozenset()
        while True:
            await channel.gate.enter(tokens)
            refused |= backend.wire.refused
            try:
                response, observation = await self._attempt(channel, request, refused)
                if channel.keep:
                    # Within the gate: what a crash can repeat is never more than what may be in flight.
                    await channel.keep(key, journal_entry(backend.name, response, observation))
            except lm15.LM15Error as error:
                if more := backend.wire.refusal(error, request, refused):
                    refused, wait = refused | {more}, 0.0
                else:
                    wait = attempts.wait_after(error)
            else:
                if refused:
                    backend.learn_refused(refused)
                return response, observation
            finally:
                channel.gate.leave()
            await channel.gate.waiting.sleep(wait)

    async def _attempt(
        self, channel: _Channel, request: lm15.Request, refused: frozenset[str]
    ) -> tuple[lm15.Response, Observation]:
        """Return the reply of one attempt, for which the budget has room."""
        backend, budget = self.backend, self.backend.budget
        need = backend.need(request) if budget else None
        while budget and need and not budget.try_reserve(need):
            await channel.gate.waiting.sleep(_BUDGET_POLL_S)
        try:
            response = encodable(await channel.send(backend.wire.dressed(request, refused)))
        except BaseException as error:
            if budget and need and _was_charged(error):
                budget.settle(need, need)
            elif budget and need:
                budget.release(need)
            raise
        backend.learn_adapted(response)
        observation = backend.finished(response)
        if budget and need:
            tokens = observation.prompt_tokens + observation.completion_tokens
            budget.settle(need, Amount(tokens, observation.cost_usd or 0.0))
        backend.health.succeeded()
        return response, observation


class SeamEngine(_Seam):
    """The synchronous engine, safe to share between threads."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        engine, gate = backend.source.sync(), Gate(backend.health, IN_THREADS)
        keep = blocking(backend.journal.put) if backend.journal else None
        self._threads = _Channel(engine, gate, blocking(engine.complete), keep)

    def _channel(self) -> _Channel:
        return self._threads

    def complete(self, request: lm15.Request) -> lm15.Response:
        """Return the reply, from the journal where this very call has finished before."""
        return run_blocking(self._answer(request))

    def stream(self, request: lm15.Request) -> Iterator[Any]:
        """Yield the reply as events, all at once: replies are journaled whole before they are used."""
        yield from lm15.response_to_events(self.complete(request))

    def close(self) -> None:
        """Close the connections."""
        self._threads.engine.close()


class AsyncSeamEngine(_Seam):
    """The asynchronous engine: one connection pool and one gate per event loop."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Channel] = WeakKeyDictionary()

    def _channel(self) -> _Channel:
        loop = asyncio.get_running_loop()
        channel = self._loops.get(loop)
        if channel is None:
            backend = self.backend
            engine, gate = backend.source.asynchronous(), Gate(backend.health, IN_TASKS)
            keep = backend.journal.aput if backend.journal else None
            channel = self._loops[loop] = _Channel(engine, gate, engine.complete, keep)
        return channel

    async def complete(self, request: lm15.Request) -> lm15.Response:
        """Return the reply, from the journal where this very call has finished before."""
        return await self._answer(request)

    async def stream(self, request: lm15.Request) -> AsyncIterator[Any]:
        """Yield the reply as events, all at once: replies are journaled whole before they are used."""
        for event in lm15.response_to_events(await self.complete(request)):
            yield event

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        channel = self._loops.pop(asyncio.get_running_loop(), None)
        if channel is not None:
            await channel.engine.aclose()


_KEPT = tuple(field.name for field in fields(Observation) if field.name != "replayed")


def _was_charged(error: BaseException) -> bool:
    """Whether the server may have done the work of a call that failed, and charged for it."""
    lost = isinstance(error, lm15.TimeoutError) or not isinstance(error, lm15.LM15Error)
    return lost or (isinstance(error, lm15.TransportError) and was_sent(error))


def journal_entry(backend: str, response: lm15.Response, observation: Observation) -> dict[str, Any]:
    """Return what the journal keeps of a call, JSON-native."""
    scope = current_scope() or current_unit() or Scope()
    return {
        "stage": scope.stage,
        "trait": scope.trait,
        "backend": backend,
        "observation": {name: getattr(observation, name) for name in _KEPT},
        "response": response_to_dict(response),
    }


def encodable(response: lm15.Response) -> lm15.Response:
    """Return the reply with question marks for half characters (lone surrogates), which nothing can store."""
    text = response.text or ""
    if text.isascii():
        return response
    try:
        text.encode()
    except UnicodeEncodeError:
        data = json.dumps(response_to_dict(response), ensure_ascii=False)
        return response_from_dict(json.loads(data.encode("utf-8", "replace")))
    return response


def spoken(response: lm15.Response) -> lm15.Response:
    """Return the reply; of one that is nothing but thoughts, these are the text, in tags, for its reader.

    A server whose reasoning parser is set wrongly puts the whole reply there.
    """
    if response.message.text or response.text:
        return response
    thoughts = [part.text for part in response.message.parts if isinstance(part, lm15.ThinkingPart)]
    if not thoughts:
        return response
    part = lm15.TextPart("<think>" + "\n".join(thoughts))
    return replace(response, message=replace(response.message, parts=(part,)))


def prompt_bytes(request: lm15.Request) -> int:
    """Return the UTF-8 length of everything a request says."""
    system = (
        request.system if isinstance(request.system, str) else "".join(p.text for p in request.system or ())
    )
    return len(system.encode()) + sum(len((message.text or "").encode()) for message in request.messages)


def served_model(config: BackendConfig, answered: str) -> str:
    """Return the model's name for records: the provider prefix with the name the server answered under."""
    prefix = config.model_name.split("/", 1)[0]
    return answered if answered.startswith(f"{prefix}/") else f"{prefix}/{answered or config.model_name}"
