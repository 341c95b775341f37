"""Backends: configuration in, ``dspy.LM`` objects out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict, Unpack

from character.backends.plain_errors import plain_error, told
from character.config import BackendConfig, Config, describe_validation
from character.config.backend import BackendFields
from character.errors import ConfigError

if TYPE_CHECKING:
    import dspy

    from character.backends.backend import Journal
    from character.backends.budget import Budget

__all__ = ["PingResult", "build_lm", "build_lms", "ping"]


class PingResult(TypedDict):
    """What one short call to a backend gave: whether it was answered, in how many seconds, by which model.

    Where it was not, there is an ``error`` instead of a ``model``; where its reply cannot be read, beside it.
    """

    ok: bool
    seconds: float
    model: NotRequired[str]
    error: NotRequired[str]


def build_lm(
    config: BackendConfig | None = None,
    *,
    journal: Journal | None = None,
    budget: Budget | None = None,
    name: str = "default",
    **fields: Unpack[BackendFields],
) -> dspy.LM:
    """Return the ``dspy.LM`` of a backend, given as a BackendConfig or by its fields.

    Without arguments it is the rehearsal model. The connection is explicit: DSPy's automatic change of
    client never happens. With a journal, finished calls are kept there and answered from there, each with the
    ``name`` of its backend; with a budget, no call is sent that could pass it.
    Raises ConfigError for an unknown field, a missing key or a model the client cannot reach.
    """
    import dspy
    from dspy.utils.exceptions import LMError
    from pydantic import ValidationError

    from character.backends.backend import Backend
    from character.backends.seam import AsyncSeamEngine, SeamEngine

    if isinstance(config, str):
        raise ConfigError(
            f"a BackendConfig was expected, found {config!r}.", fix=f"build_lm(model={config!r})"
        )
    try:
        settings = config or BackendConfig.model_validate(fields)
    except ValidationError as error:
        raise ConfigError(f"this backend is not valid: {describe_validation(error)}") from None
    if settings.kind == "own":
        raise ConfigError(
            f"the model {settings.model} was brought by a program; a configuration cannot make it.",
            expected='the kind "native", "litellm", "local" or "rehearsal"',
        )
    try:
        backend = Backend(settings, journal, budget, name)
        return dspy.LM(
            settings.model_name,
            engine=SeamEngine(backend),
            async_engine=AsyncSeamEngine(backend),
            cache=False,  # DSPy's cache key leaves out the server; the journal is our record
            num_retries=0,  # the seam retries, so that every attempt passes the limits and the budget
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
        )
    except (LMError, dspy.lm15.LM15Error) as error:
        plain = plain_error(str(error))
        raise ConfigError(
            f"the {settings.kind} backend cannot use the model {settings.model_name!r}: {plain.found}",
            expected=plain.expected or "a model string whose provider this kind can reach",
            fix=plain.fix
            or 'correct the model, or use kind = "litellm" for providers that DSPy has no client for.',
        ) from None


def build_lms(
    config: Config, *, journal: Journal | None = None, budget: Budget | None = None
) -> dict[str, dspy.LM]:
    """Return one ``dspy.LM`` per configured role or name, ``default`` included."""
    return {
        name: build_lm(backend, journal=journal, budget=budget, name=name)
        for name, backend in config.backends.items()
    }


def ping(config: BackendConfig) -> PingResult:
    """Ask a backend for two fields, in one short call without retries, and return what it gave.

    It is asked as a run asks first: by a schema where ``structured`` is not ``fields``. A reply without them
    is an ``error`` beside the ``model`` that gave it.
    """
    import time

    from dspy.utils.exceptions import LMError

    from character.backends.observe import observing
    from character.backends.probing import read_fields, request_of
    from character.backends.structured import Form

    started = time.monotonic()
    try:
        with observing() as scope:
            request = request_of(config, by_schema=Form(config, None, "default").by_schema)
            reply = build_lm(config.model_copy(update={"num_retries": 0}))(request)
    except (LMError, ConfigError) as error:
        return {"ok": False, "error": told(error), "seconds": round(time.monotonic() - started, 3)}
    model = scope.seen[-1].model if scope.seen else config.model_name
    took = round(time.monotonic() - started, 3)
    _fields, fault, said = read_fields(reply.text or "")
    if fault:
        text = f"it answers, but its reply cannot be read: {said} (`character backends --probe` tells more)"
        return {"ok": False, "model": model, "error": text, "seconds": took}
    return {"ok": True, "model": model, "seconds": took}
