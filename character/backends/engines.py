"""The one seam every configured model call passes: look in the journal, call, write it down, report what it took."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from dspy import lm15
from dspy._vendor.lm15.serde import request_to_dict, response_from_dict, response_to_dict
from dspy.clients.engines import AsyncLiteLLMEngine, AsyncLM15Engine, LiteLLMEngine, LM15Engine

from character.backends.observe import Observation, current_scope, report
from character.backends.secrets import remember
from character.config import BackendConfig
from character.errors import ConfigError
from character.text import fingerprint

NO_KEY = "not-needed"
"""What is sent as key to a server of the user's own (``api_base``) when no key is configured."""


class Journal(Protocol):
    """Where finished calls are kept, so that none is paid twice. Writing returns when the call is durable."""

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the entry of a finished call, or None."""

    def put(self, key: str, entry: dict[str, Any]) -> None:
        """Keep a finished call; returns once it is on disk."""

    async def aput(self, key: str, entry: dict[str, Any]) -> None:
        """Keep a finished call without blocking the event loop; returns once it is on disk."""


class EngineSource(Protocol):
    """Makes the engines of one backend: one for threads, one per event loop."""

    def sync(self) -> Any:
        """Return a new engine with ``complete(request)``."""

    def asynchronous(self) -> Any:
        """Return a new engine with an async ``complete(request)``, to be used on one event loop."""


@dataclass(frozen=True)
class NativeSource:
    """DSPy's own client with a connection pool as large as the backend's limit."""

    config: BackendConfig

    def _router(self) -> lm15.RouterConfig:
        provider = LM15Engine(lm15.RouterConfig(env={})).resolve(self.config.model).provider
        key = api_key(self.config)
        urls = {provider: self.config.api_base} if self.config.api_base else None
        return lm15.RouterConfig(
            api_keys={provider: key} if key else None,
            base_urls=urls,
            max_connections=max(self.config.max_in_flight, 100),
            timeouts=lm15.Timeouts(read=self.config.timeout_s, write=self.config.timeout_s),
        )

    def sync(self) -> Any:
        """Return DSPy's synchronous native engine."""
        return LM15Engine(self._router())

    def asynchronous(self) -> Any:
        """Return DSPy's asynchronous native engine."""
        return AsyncLM15Engine(self._router())


@dataclass(frozen=True)
class LiteLLMSource:
    """LiteLLM, for every provider DSPy's own client does not speak to."""

    config: BackendConfig

    def _options(self) -> dict[str, Any]:
        if is_rehearsal(self.config):
            from character.backends.rehearsal import register_with_litellm

            register_with_litellm()
        options = {
            "api_key": api_key(self.config),
            "api_base": self.config.api_base,
            "timeout": self.config.timeout_s,
        }
        return {name: value for name, value in options.items() if value is not None}

    def sync(self) -> Any:
        """Return DSPy's synchronous LiteLLM engine."""
        return LiteLLMEngine(**self._options())

    def asynchronous(self) -> Any:
        """Return DSPy's asynchronous LiteLLM engine."""
        return AsyncLiteLLMEngine(**self._options())


@dataclass(frozen=True)
class RehearsalSource:
    """The embedded model that needs no key, no weights and no network."""

    config: BackendConfig

    def sync(self) -> Any:
        """Return the rehearsal engine."""
        from character.backends.rehearsal import RehearsalEngine

        return RehearsalEngine()

    def asynchronous(self) -> Any:
        """Return the rehearsal engine's async twin."""
        from character.backends.rehearsal import AsyncRehearsalEngine, RehearsalEngine

        return AsyncRehearsalEngine(RehearsalEngine())


SOURCES: dict[str, Callable[[BackendConfig], EngineSource]] = {
    "native": NativeSource,
    "litellm": LiteLLMSource,
    "rehearsal": RehearsalSource,
}
"""The one registry of backend kinds."""


class _Seam:
    """What both engines share: the identity of a request, the hints DSPy asks for, and how they are saved."""

    supports_function_calling = False
    supports_reasoning = False
    supports_response_schema = False
    supported_params = frozenset({"temperature", "max_tokens", "top_p", "stop", "seed"})

    def __init__(self, config: BackendConfig, journal: Journal | None = None) -> None:
        self.config = config
        self.journal = journal
        self.source = SOURCES[config.kind](config)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self  # connections, limits and the journal are shared by the copies that optimizers make

    def dump_state(self) -> dict[str, Any]:
        """Return the configuration, which names the key's variable and never holds the key."""
        return {"config": self.config.model_dump(mode="json", exclude_unset=True)}

    @classmethod
    def load_state(cls, state: dict[str, Any]) -> Any:
        """Return an engine with the saved configuration and no journal."""
        return cls(BackendConfig.model_validate(state["config"]))

    def _key(self, request: lm15.Request) -> str:
        return fingerprint([self.config.identity, request_to_dict(request)], size=16)

    def _replay(self, key: str) -> lm15.Response | None:
        entry = self.journal.get(key) if self.journal else None
        if entry is None:
            return None
        report(Observation(**entry["observation"], replayed=True))
        return response_from_dict(entry["response"])

    def _observe(self, response: lm15.Response, request: lm15.Request) -> dict[str, Any]:
        usage = response.usage
        return {
            "model": served_model(self.config, response.model),
            "finish_reason": response.finish_reason,
            "prompt_tokens": usage.input_tokens or 0,
            "completion_tokens": usage.output_tokens or 0,
            "cost_usd": cost_usd(self.config, response, request),
        }

    def _entry(self, response: lm15.Response, observation: dict[str, Any]) -> dict[str, Any]:
        scope = current_scope()
        return {
            "stage": scope.stage if scope else "",
            "trait": scope.trait if scope else "",
            "observation": observation,
            "response": response_to_dict(response),
        }

    def stream(self, request: lm15.Request) -> Iterator[Any]:
        """Raise: replies are journaled whole, and nothing here reads them piecemeal."""
        raise lm15.UnsupportedFeatureError("Character's backends do not stream.", feature="stream")


class SeamEngine(_Seam):
    """The synchronous engine, safe to share between threads."""

    def __init__(self, config: BackendConfig, journal: Journal | None = None) -> None:
        super().__init__(config, journal)
        self._engine = self.source.sync()

    def complete(self, request: lm15.Request) -> lm15.Response:
        """Return the reply, from the journal where this very call has finished before."""
        key = self._key(request) if self.journal else ""
        response = self._replay(key)
        if response is not None:
            return response
        response = self._engine.complete(request)
        observation = self._observe(response, request)
        if self.journal:
            self.journal.put(key, self._entry(response, observation))
        report(Observation(**observation))
        return response

    def close(self) -> None:
        """Close the connections."""
        self._engine.close()


class AsyncSeamEngine(_Seam):
    """The asynchronous engine: one connection pool and one in-flight limit per event loop."""

    def __init__(self, config: BackendConfig, journal: Journal | None = None) -> None:
        super().__init__(config, journal)
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Any, asyncio.Semaphore]] = (
            WeakKeyDictionary()
        )

    def _here(self) -> tuple[Any, asyncio.Semaphore]:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            self._loops[loop] = (self.source.asynchronous(), asyncio.Semaphore(self.config.max_in_flight))
        return self._loops[loop]

    async def complete(self, request: lm15.Request) -> lm15.Response:
        """Return the reply, from the journal where this very call has finished before."""
        key = self._key(request) if self.journal else ""
        response = self._replay(key)
        if response is not None:
            return response
        engine, in_flight = self._here()
        async with in_flight:
            response = await engine.complete(request)
        observation = self._observe(response, request)
        if self.journal:
            await self.journal.aput(key, self._entry(response, observation))
        report(Observation(**observation))
        return response

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        here = self._loops.pop(asyncio.get_running_loop(), None)
        if here is not None:
            await here[0].aclose()


def is_rehearsal(config: BackendConfig) -> bool:
    """Whether the backend ends at the rehearsal model, by whichever way."""
    from character.config import is_rehearsal_model

    return config.kind == "rehearsal" or is_rehearsal_model(config.model)


def api_key(config: BackendConfig) -> str | None:
    """Return the key of a backend, read now from its environment variable.

    None leaves the choice to the client, which knows its provider's own variable. Raises ConfigError where
    ``api_key_env`` names a variable that is not set.
    """
    if config.api_key_env:
        value = os.environ.get(config.api_key_env)
        if not value:
            raise ConfigError(
                f"the environment variable {config.api_key_env} is not set (backend {config.model}).",
                expected="the key in that variable",
                fix=f"export {config.api_key_env}=… or change api_key_env in the configuration.",
            )
        remember(value)
        return value
    provider = config.model.split("/", 1)[0].upper()
    value = os.environ.get(f"{provider}_API_KEY")
    remember(value)
    return value or (NO_KEY if config.api_base else None)


def served_model(config: BackendConfig, answered: str) -> str:
    """Return the model's name for records: the provider prefix with the name the server answered under."""
    prefix = config.model_name.split("/", 1)[0]
    return answered if answered.startswith(f"{prefix}/") else f"{prefix}/{answered or config.model_name}"


def cost_usd(config: BackendConfig, response: lm15.Response, request: lm15.Request) -> float | None:
    """Return the price of a finished call in USD, None where it is unknown.

    The configured prices come first, then the price map that DSPy ships; the rehearsal model is free.
    """
    if is_rehearsal(config):
        return 0.0
    usage = response.usage
    if config.input_price is not None and config.output_price is not None:
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        return (
            float(usage.input_tokens * config.input_price + usage.output_tokens * config.output_price) / 1e6
        )
    from dspy.clients.costs import estimate_cost

    provider, _, model = config.model.partition("/")
    cost, _details = estimate_cost(response, provider=provider, requested_model=model, request=request)
    return None if cost is None else float(cost)
