"""What the engines of one backend share: configuration, price, health, journal and budget."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Protocol

from dspy import lm15

from character.backends.budget import Amount, Budget
from character.backends.dspy_compat import request_to_dict, response_from_dict, response_to_dict
from character.backends.engines import SOURCES, Engines
from character.backends.gate import Health
from character.backends.observe import Observation, Scope, current_scope, current_unit, report
from character.backends.odds import Probabilities
from character.backends.prices import Price, price_of
from character.backends.structured import Form
from character.backends.wire import Wire
from character.config import BackendConfig
from character.errors import ConfigError
from character.text import canonical, digest, storable

_PER_MESSAGE_TOKENS = 16  # what chat templates add to a message, at most


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

    @cached_property
    def probabilities(self) -> Probabilities:
        """Whether the model gives probabilities of its words, as far as that is known."""
        return Probabilities(self.config, self.journal, self.name, lambda said: self.tell(said))

    def key(self, request: lm15.Request) -> tuple[str, dict[str, str]]:
        """Return the identity of a call, of backend and whole request, and the request's parts as JSON."""
        parts = {name: canonical(value) for name, value in sorted(request_to_dict(request).items())}
        whole = ",".join(f'"{name}":{part}' for name, part in parts.items())
        mark = f",{canonical(self.owner)}" if self.owner else ""
        return digest(f"[{canonical(self._identity)},{{{whole}}}{mark}]", size=16), parts

    def current(self, key: str) -> str:
        """Return the key of the latest call like this one: one of no use may be made anew."""
        latest = getattr(self.journal, "latest", None)
        return latest(key) if latest else key

    def noting(self, key: str, prompt: Mapping[str, str]) -> Callable[..., None]:
        """Return what has the journal keep what became of a call, where it can."""
        keep, of = getattr(self.journal, "note", None), current_scope() or current_unit() or Scope()

        def note(fault: str, detail: str = "", habits: Sequence[str] = ()) -> None:
            if keep:
                facts = {"stage": of.stage, "trait": of.trait, "backend": self.name}
                became = {"fault": fault, "detail": detail, "habits": "\n".join(dict.fromkeys(habits))}
                keep(key, {**facts, "model": self.config.model_name, **became}, prompt)

        return note

    @cached_property
    def _identity(self) -> str:
        return self.config.identity

    def learn_refused(self, refused: frozenset[str], request: lm15.Request) -> None:
        """Note parameters that the server has answered without, after it refused them; tell of each once."""
        for name, advice in self.wire.learn(refused):
            if name == "response_format":
                self.form.settle(False, advice, self.tell, refused=True)
            else:
                self.tell(f"the server of {self.config.model_name} refuses {name}; {advice}.")
        if scope := current_scope():
            asks_freely = request.config.response_format is None
            scope.sent_without |= refused - {"response_format"} if asks_freely else refused

    def learn_adapted(self, response: lm15.Response) -> None:
        """Tell once of each setting that the client changed or left out, as its provider has none such."""
        for each in response.adaptations:
            name = each.field.removeprefix("config.")
            if each.action not in ("satisfied", "defaulted") and name != "seed":
                self.learn_left_out(name, each.reason, each.action)

    def learn_left_out(self, name: str, why: str, action: str = "left out") -> None:
        """Tell once that a setting is left out, or changed, and why."""
        if name not in self.adapted:
            self.adapted.add(name)
            self.tell(f"{name} is {action} for {self.config.model_name}: {why}.")

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
            finish_reason="unsaid" if self._is_unsaid(response) else response.finish_reason,
            prompt_tokens=usage.input_tokens or 0,
            completion_tokens=usage.output_tokens or 0,
            cost_usd=None if self.price is None else self.price.of(usage),
        )

    def _is_unsaid(self, response: lm15.Response) -> bool:
        """Whether the server left null what ended its reply, which the client takes for a stop."""
        choices = None if self.own else (response.provider_data or {}).get("choices")
        if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
            return False
        has_text = any(getattr(part, "text", "") for part in response.message.parts)
        return has_text and choices[0].get("finish_reason", "stop") in (None, "")


def _unpickled(config: BackendConfig, name: str) -> Backend:
    return Backend(config, name=name)


_KEPT = tuple(field.name for field in fields(Observation) if field.name != "replayed")


def journal_entry(
    backend: str, response: lm15.Response, observation: Observation, prompt: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return what the journal keeps of a call, JSON-native; the ``prompt`` are a request's parts as JSON."""
    scope = current_scope() or current_unit() or Scope()
    return {
        "stage": scope.stage,
        "trait": scope.trait,
        "backend": backend,
        "observation": {name: getattr(observation, name) for name in _KEPT},
        "response": response_to_dict(response),
        **({"prompt": dict(prompt)} if prompt else {}),
    }


def encodable(response: lm15.Response) -> lm15.Response:
    """Return the reply with U+FFFD for half characters (lone surrogates), without NUL: it can be stored."""
    text = "".join(getattr(part, "text", None) or "" for part in response.message.parts)
    return response if storable(text) == text else response_from_dict(storable(response_to_dict(response)))


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
