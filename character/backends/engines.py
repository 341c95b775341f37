"""The backends' engines (DSPy's client, LiteLLM, local and rehearsal models) and where keys come from."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache, partial
from typing import Any
from urllib.request import getproxies

from dspy import lm15
from dspy.clients.engines import AsyncLiteLLMEngine, AsyncLM15Engine, LiteLLMEngine, LM15Engine
from dspy.clients.engines.base import AsyncEngine, Engine

from character.backends.dspy_compat import StdlibAsyncTransport, StdlibTransport, find_route, listed_models
from character.backends.local import Served, check, serve
from character.backends.secrets import remember
from character.backends.waiting import in_thread
from character.config import BackendConfig, is_rehearsal_model
from character.errors import ConfigError


@dataclass(frozen=True)
class Engines:
    """Makes the engines of one backend: new ones for threads, new ones to be used on one event loop."""

    sync: Callable[[], Engine]
    asynchronous: Callable[[], AsyncEngine]
    models: Callable[[], list[str]] = list
    """Asks the server which models it has; none where it does not say."""


def _native(config: BackendConfig) -> Engines:
    """Return DSPy's own client with a connection pool as large as the backend's limit."""
    return Engines(
        lambda: LM15Engine(_router(config, StdlibTransport)),
        lambda: LeanAsyncLM15Engine(_router(config, StdlibAsyncTransport)),
        cache(lambda: listed_models(LM15Engine(_router(config, StdlibTransport)), config.model)),
    )


def _router(config: BackendConfig, transport: type[Any], token: str = "") -> lm15.RouterConfig:
    """Return how the client connects; ``token`` is that of a server in this process: no proxy is asked."""
    provider = LM15Engine(lm15.RouterConfig(env={})).resolve(config.model).provider
    key, headers = token or api_key(config), headers_of(config)
    carrier = transport(
        read_timeout=config.timeout_s,
        write_timeout=config.timeout_s,
        max_connections=max(config.max_in_flight, 100),
        trust_env=not token
        and bool(getproxies()),  # else the environment is searched for a proxy on every request
    )
    return lm15.RouterConfig(
        api_keys={provider: key} if key else None,
        base_urls={provider: config.api_base} if config.api_base else None,
        transport=_sending(carrier, headers) if headers else carrier,
    )


def _sending(carrier: Any, headers: Mapping[str, str]) -> Any:
    """Return a transport that sends these headers as well, in the place of the client's own."""
    own, stream = {name.lower() for name in headers}, carrier.stream

    def with_headers(request: Any) -> Any:
        kept = [(name, value) for name, value in request.headers if name.lower() not in own]
        return stream(replace(request, headers=[*kept, *headers.items()]))

    carrier.stream = with_headers
    return carrier


class LeanAsyncLM15Engine(AsyncLM15Engine):
    """DSPy's asynchronous native engine for one model: its route is looked up once, not on every call."""

    _route: tuple[Any, str] | None = None

    async def complete(self, request: lm15.Request) -> lm15.Response:
        """Return the reply of one attempt."""
        if self._route is None:
            self._route = await asyncio.to_thread(find_route, self, request)
        provider, model = self._route
        return await provider.complete(replace(request, model=model))

    async def aclose(self) -> None:
        """Close the connections, which this engine owns."""
        await self.config.transport.aclose()


def _local(config: BackendConfig) -> Engines:
    """Return DSPy's own client for llama.cpp's server in this process, which the first call starts."""
    check(config)
    name = f"openai/{config.model_name.removeprefix('local/')}"

    def router(served: Served, transport: type[Any]) -> lm15.RouterConfig:
        at = config.model_copy(update={"model": name, "api_base": served.address})
        return _router(at, transport, served.token)

    def connect(served: Served) -> Any:
        return LM15Engine(router(served, StdlibTransport))

    def aconnect(served: Served) -> Any:
        return LeanAsyncLM15Engine(router(served, StdlibAsyncTransport))

    return Engines(
        lambda: _LocalEngine(name, partial(serve, config), connect),
        lambda: _AsyncLocalEngine(name, partial(serve, config), aconnect),
    )


@dataclass
class _LocalEngine:
    """The engine of a local model, in threads: its first call starts the server and connects to it."""

    name: str
    serve: Callable[[], Served]
    connect: Callable[[Served], Any]
    engine: Any = None

    def _to(self, served: Served) -> Any:
        self.engine = self.engine or self.connect(served)
        return self.engine

    def complete(self, request: lm15.Request) -> Any:
        engine = self.engine or self._to(self.serve())
        return engine.complete(replace(request, model=self.name))

    def stream(self, request: lm15.Request) -> Any:
        return lm15.response_to_events(self.complete(request))

    def close(self) -> None:
        if self.engine:
            self.engine.close()


class _AsyncLocalEngine(_LocalEngine):
    """The same for one event loop."""

    async def complete(self, request: lm15.Request) -> Any:
        engine = self.engine or self._to(await in_thread(self.serve))
        return await engine.complete(replace(request, model=self.name))

    async def aclose(self) -> None:
        if self.engine:
            await self.engine.aclose()


def _litellm(config: BackendConfig) -> Engines:
    """Return LiteLLM, for every provider DSPy's own client does not speak to."""

    def options() -> dict[str, Any]:
        if is_rehearsal_model(config.model_name):
            from character.backends.rehearsal import register_with_litellm

            register_with_litellm()
        _check_provider(config)
        values = {"api_key": api_key(config), "api_base": config.api_base, "timeout": config.timeout_s}
        headers = {"extra_headers": headers_of(config)} if config.headers or config.headers_env else {}
        return {name: value for name, value in values.items() if value is not None} | headers

    return Engines(lambda: LiteLLMEngine(**options()), lambda: AsyncLiteLLMEngine(**options()))


def _check_provider(config: BackendConfig) -> None:
    """Raise ConfigError where LiteLLM has no such provider: every call would fail, message after message."""
    import litellm

    quiet, litellm.suppress_debug_info = litellm.suppress_debug_info, True  # it prints to stdout else
    try:
        litellm.get_llm_provider(config.model_name, api_base=config.api_base)
    except litellm.exceptions.BadRequestError:
        model = config.model_name
        provider = model.partition("/")[0]
        providers = [str(getattr(each, "value", each)) for each in litellm.provider_list]
        near = get_close_matches(provider, providers, n=1)
        raise ConfigError(
            f"the litellm backend cannot use the model {model!r}: LiteLLM has no provider {provider!r}.",
            expected="a model string of LiteLLM's, provider first, such as mistral/mistral-small-latest",
            fix=f"did you mean {near[0]}?" if near else "correct the provider before the slash.",
        ) from None
    finally:
        litellm.suppress_debug_info = quiet


def _rehearsal(_config: BackendConfig) -> Engines:
    """Return the embedded model that needs no key, no weights and no network."""
    from character.backends.rehearsal import AsyncRehearsalEngine, RehearsalEngine

    return Engines(RehearsalEngine, lambda: AsyncRehearsalEngine(RehearsalEngine()))


SOURCES: dict[str, Callable[[BackendConfig], Engines]] = {
    "native": _native,
    "litellm": _litellm,
    "rehearsal": _rehearsal,
    "local": _local,
}
"""The one registry of backend kinds."""


def api_key(config: BackendConfig) -> str | None:
    """Return the key of a backend, read now from its environment variable.

    None leaves the choice to the client, which knows its provider's own variable. Raises ConfigError where
    ``api_key_env`` names a variable that is not set.
    """
    if config.api_key_env:
        return _secret(config, config.api_key_env, "api_key_env")
    if config.api_base:
        return "not-needed"  # the provider's own key is not for a server that somebody named
    remember(os.environ.get(f"{config.model.split('/', 1)[0].upper()}_API_KEY"))
    return None


def headers_of(config: BackendConfig) -> dict[str, str]:
    """Return the headers of a backend; those with keys are read now from their environment variables."""
    keys = {name: _secret(config, variable, "headers_env") for name, variable in config.headers_env.items()}
    for name, value in keys.items():
        remember(value.rpartition(" ")[2])  # without the word before the key, such as Bearer
        if not (value.isascii() and value.isprintable()):
            raise ConfigError(
                f"what {config.headers_env[name]} holds cannot be the header {name}.",
                expected="printable ASCII on one line",
            )
    return {**config.headers, **keys}


def _secret(config: BackendConfig, variable: str, setting: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise ConfigError(
            f"the environment variable {variable} is not set (backend {config.model}).",
            expected="the key in that variable",
            fix=f"export {variable}=… or change {setting} in the configuration.",
        )
    remember(value)
    return value
