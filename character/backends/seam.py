"""The one seam every configured model call passes: journal, limits, budget, retries, what the call took."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from dspy import lm15

from character.backends.backend import Backend, encodable, journal_entry, prompt_bytes
from character.backends.budget import Amount
from character.backends.dspy_compat import as_sent
from character.backends.gate import Attempts, Gate, failure_kind, was_sent
from character.backends.observe import Observation, current_scope, current_unit, report, stopped_by
from character.backends.plain_errors import no_such_model
from character.backends.secrets import first_line
from character.backends.server_errors import understood
from character.backends.waiting import IN_TASKS, IN_THREADS, blocking, having, in_thread, run_blocking
from character.config import BackendConfig
from character.errors import CharacterError

_NOT_THERE = (404, 405)
_WORDS: dict[type[Exception], str] = {
    lm15.BillingError: "account_empty",
    lm15.TimeoutError: "timeout",
    lm15.ContextLengthError: "context_overflow",
}
_WORDS_OF_KINDS = {"key": "key_refused", "busy": "rate_limited", "broken": "server_error"}
"""What a call that failed is called in the accounts, by the error or what it means for the server."""
_BUDGET_POLL_S = 0.01  # how often a call asks again for room under a cap


@dataclass(frozen=True)
class _Channel:
    """What calls pass from all threads, or from one event loop: a gate, an engine, the way to the journal."""

    engine: Any
    gate: Gate
    send: Callable[[lm15.Request], Awaitable[lm15.Response]]
    keep: Callable[[str, dict[str, Any]], Awaitable[None]] | None
    models: Callable[[], Awaitable[list[str]]]


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
        key, prompt = self.backend.key(request) if self.backend.journal else ("", {})
        unit, scope = current_unit(), current_scope()
        if unit is not None:
            key = unit.key_of(key)
        key = self.backend.current(key)
        note = self.backend.noting(key, prompt)
        if scope is not None:
            scope.note = note
        response = self.backend.replay(key)
        if response is None:
            if scope is not None and scope.only_replayed:
                raise lm15.InvalidRequestError("the journal does not hold this call")
            try:
                response, observation = await self._send(request, key, prompt)
            except (CharacterError, lm15.LM15Error) as error:
                _failed(error, note)
                raise
            report(observation)
        prompt.clear()  # it is kept with the reply, and need not be noted
        if request.config.logprobs is not None and response.finish_reason == "length":
            response = replace(response, finish_reason="stop")  # all asked for is there, and DSPy would warn
        response = spoken(response)
        if scope is not None:
            said = response.message.text or response.text or ""
            scope.is_empty = not (said.strip() or response.message.first(lm15.DataPart))
        return response

    async def _send(
        self, request: lm15.Request, key: str, prompt: Mapping[str, str]
    ) -> tuple[lm15.Response, Observation]:
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
                    await channel.keep(key, journal_entry(backend.name, response, observation, prompt))
            except lm15.LM15Error as raised:
                error = understood(raised)
                kind, is_last = failure_kind(error), attempts.failures >= backend.config.num_retries
                tries = (not kind or (kind == "broken" and is_last)) and not backend.form.is_kept
                if more := backend.wire.refusal(error, request, refused, tries):
                    refused, wait = refused | {more}, 0.0
                elif isinstance(error, lm15.UnsupportedModelError) or error.status in _NOT_THERE:
                    models = await channel.models()
                    raise no_such_model(backend.config.model_name, error.message, models) from None
                else:
                    wait = attempts.wait_after(error)
                    attempts.note(error, wait)
            else:
                if refused:
                    backend.learn_refused(refused, request)
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
            with having(as_sent, True):
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
            usage = response.usage
            tokens = observation.prompt_tokens + observation.completion_tokens
            is_told = usage.input_tokens is not None and usage.output_tokens is not None
            # What a server does not tell may be all that the call could take.
            budget.settle(need, Amount(tokens, observation.cost_usd or 0.0) if is_told else need)
        backend.health.succeeded()
        return response, observation


class SeamEngine(_Seam):
    """The synchronous engine, safe to share between threads."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        engine, gate = backend.source.sync(), Gate(backend.health, IN_THREADS)
        keep = blocking(backend.journal.put) if backend.journal else None
        models = blocking(backend.source.models)
        self._threads = _Channel(engine, gate, blocking(engine.complete), keep, models)

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
            models = partial(in_thread, backend.source.models)
            channel = self._loops[loop] = _Channel(engine, gate, engine.complete, keep, models)
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


def _was_charged(error: BaseException) -> bool:
    """Whether the server may have done the work of a call that failed, and charged for it."""
    lost = isinstance(error, lm15.TimeoutError) or not isinstance(error, lm15.LM15Error)
    return lost or (isinstance(error, lm15.TransportError) and was_sent(error))


def _failed(error: Exception, note: Callable[[str, str], None]) -> None:
    """Tell observers of an error that stops everything, and keep what the server said."""
    if isinstance(error, CharacterError):
        stopped_by(error)
    # What stops a run is raised while the server's own error is looked at.
    cause = error.__context__ if isinstance(error, CharacterError) else error
    if isinstance(cause, lm15.LM15Error):
        cause = understood(cause)
        kind = failure_kind(cause)
        word = _WORDS.get(type(cause)) or _WORDS_OF_KINDS.get(kind, kind or "invalid_request")
        note(word, first_line(str(error)))


def spoken(response: lm15.Response) -> lm15.Response:
    """Return the reply; of one that is nothing but thoughts, these are the text, in tags, for its reader.

    A server whose reasoning parser is set wrongly puts the whole reply there.
    """
    if response.message.text or response.text or response.message.first(lm15.DataPart):
        return response  # folders made before hold replies by a schema as values
    thoughts = [part.text for part in response.message.parts if isinstance(part, lm15.ThinkingPart)]
    if not thoughts:
        return response
    part = lm15.TextPart("<think>" + "\n".join(thoughts))
    return replace(response, message=replace(response.message, parts=(part,)))
