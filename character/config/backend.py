"""The section of one backend: which model answers, and how it is reached."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, Self, TypedDict, get_args

from pydantic import Field, JsonValue, ValidationInfo, field_validator, model_validator

from character.config.secrets import is_secret_header, secret_in
from character.config.section import ConfigSection
from character.config.weights import SUFFIX, called, mark_of
from character.text import fingerprint

BackendKind = Literal["native", "litellm", "rehearsal", "local", "own"]
BACKEND_KINDS: tuple[BackendKind, ...] = get_args(BackendKind)[:4]
"""The kinds that a configuration can name; ``own`` stands for a model that a program brought."""
Effort = Literal["off", "minimal", "low", "medium", "high", "xhigh", "max"]
Structured = Literal["auto", "json_schema", "fields"]
OF_SERVERS = ("reasoning_effort", "extra_body", "headers", "headers_env")
"""The options that only a server can take."""
_OPTIONS = {"top_p", "stop", "seed", "reasoning_effort", "extra_body", "headers"}
OF_LOCAL = ("context", "threads")
"""The options that only a local model can take."""
ADDED_OPTIONS = frozenset({*_OPTIONS, "headers_env", "structured", *OF_LOCAL})
"""The options that no backend had at first: where they are not set, a configuration is what it was."""
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_OF_THE_CLIENT = {"host", "content-length", "content-type", "transfer-encoding", "connection"}
_ELSEWHERE = ("api_base", "api_key_env", "headers", "headers_env")
_LOCAL_DEFAULTS = {"max_in_flight": 4, "timeout_s": 600.0, "max_tokens": 2000, "structured": "auto"}
"""What a model on this machine gets where nothing is set: few slots, patience, an end, well-formed lists."""
_NO_EXTRA = {"messages", "stream", "n", "max_completion_tokens", "prompt_caching", "cache", "compat"}


class BackendConfig(ConfigSection):
    """Which model answers, and how it is reached.

    ``kind`` may be left out where a model is named: it is ``native`` then, DSPy's own client, or ``local``
    for the name of a ``.gguf`` file without ``api_base``.
    ``model`` is a DSPy model string with a provider prefix (``openai/gpt-4.1-mini``, ``anthropic/…``,
    ``ollama_chat/…``); the rehearsal kind needs none. ``api_base`` is the server's URL.
    ``api_key_env`` names the environment variable that holds the key, never the key itself; a server given
    by ``api_base`` gets a key only where this is set.
    ``temperature`` and ``max_tokens`` are left to the server where they are None. ``max_in_flight``
    bounds the concurrent calls to this backend, ``timeout_s`` the wait for one reply in seconds,
    ``num_retries`` the further attempts after a failure that is worth repeating. ``requests_per_minute`` and
    ``tokens_per_minute`` hold the pace below what an account allows.
    ``input_price`` and ``output_price`` are USD per million tokens, for models the price map does not know.

    ``top_p``, in (0, 1], and ``stop`` (texts that end a reply) are sent where a call says nothing else;
    ``seed`` False sends no seed. ``reasoning_effort`` says how long a model thinks, ``off`` that it does not;
    each provider gets it in its own words. ``extra_body`` holds more fields of the request, as its server
    documents them. ``headers`` go with each request as they stand; ``headers_env`` maps one that holds a key
    to the environment variable with its whole value. Of a section, ``extra_body`` and the headers take the
    place of the default's. A refused parameter is left out and told of; a refused field of ``extra_body``
    stops the run. ``structured`` says how lists and scores are asked for: under headers (``fields``, as by
    default), by a JSON schema, or (``auto``) by one where the server takes it. Asking again says so in words,
    without a schema; so does a DSPy adapter of your own, which is told of once.

    The kind ``local`` runs a GGUF file in this process: ``model`` is its path, or ``OWNER/REPO:FILE`` on the
    Hugging Face Hub, where FILE may be a pattern with ``*``. A call has ``context`` tokens (8,192) for prompt
    and reply; ``max_in_flight`` of them (4) are answered at once, by as many ``threads`` as llama.cpp likes.
    ``timeout_s`` is 600 there, ``max_tokens`` 2,000, ``structured`` ``auto``; nothing is paid.
    """

    kind: BackendKind = "rehearsal"
    model: str = ""
    api_base: str | None = None
    api_key_env: str | None = Field(default=None, pattern=_VARIABLE)
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    max_tokens: int | None = Field(default=None, ge=1)
    max_in_flight: int = Field(default=32, ge=1, le=4096)
    timeout_s: float = Field(default=120.0, gt=0.0)
    num_retries: int = Field(default=3, ge=0, le=20)
    requests_per_minute: float | None = Field(default=None, gt=0.0)
    tokens_per_minute: float | None = Field(default=None, gt=0.0)
    input_price: float | None = Field(default=None, ge=0.0)
    output_price: float | None = Field(default=None, ge=0.0)
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    stop: tuple[str, ...] = ()
    seed: bool = True
    reasoning_effort: Effort | None = None
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    headers_env: dict[str, str] = Field(default_factory=dict)
    structured: Structured = "fields"
    context: int | None = Field(default=None, ge=256)
    threads: int | None = Field(default=None, ge=1, le=1024)

    @model_validator(mode="before")
    @classmethod
    def _of_a_kind_where_a_model_is_named(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        if data.get("model") and not is_rehearsal_model(str(data["model"])):
            data = {"kind": kind_of(str(data["model"]), data.get("api_base")), **data}
        return {**_LOCAL_DEFAULTS, **data} if data.get("kind") == "local" else data

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if "" in self.stop:
            raise ValueError("stop holds an empty text, which would end every reply before its beginning")
        if self.kind == "rehearsal":
            if self.api_base is not None:
                raise ValueError(
                    f"the rehearsal backend contacts no server, so api_base {self.api_base} needs a model"
                )
            if self.model not in ("", "rehearsal/default"):
                raise ValueError(
                    f"the rehearsal backend has one model, not {self.model!r}; to reach a real model set "
                    'kind to "native", "litellm" or "local"'
                )
            if given := [name for name in OF_SERVERS if getattr(self, name)]:
                raise ValueError(f"the rehearsal backend contacts no server, so {given[0]} needs a model")
        elif not self.model:
            such = "model.gguf" if self.kind == "local" else "openai/gpt-4.1-mini"
            raise ValueError(f"the {self.kind} backend needs a model, such as {such}")
        elif self.kind == "local":
            if given := [name for name in _ELSEWHERE if getattr(self, name)]:
                raise ValueError(f"a local model runs in this process, so {given[0]} needs another kind")
        elif kind_of(self.model, self.api_base) == "local" and self.kind == "native":
            raise ValueError(f'{self.model} is a GGUF file, which takes kind = "local" (or an api_base)')
        elif self.kind != "own" and "/" not in self.model.strip("/"):
            raise ValueError(f"the model {self.model!r} needs a provider prefix, such as openai/{self.model}")
        if self.kind != "local" and (given := [name for name in OF_LOCAL if getattr(self, name)]):
            raise ValueError(f'{given[0]} is an option of kind = "local"; a server of its own has its own')
        return self

    @field_validator("api_base")
    @classmethod
    def _url_without_credentials(cls, value: str | None) -> str | None:
        if value is None:
            return value
        from urllib.parse import urlsplit

        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("api_base must be a URL that starts with http:// or https://")
        if parts.username or parts.password:
            raise ValueError("api_base must not hold a user name or password; use api_key_env")
        return value

    @field_validator("headers", "headers_env")
    @classmethod
    def _headers_to_send(cls, headers: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        for name, value in headers.items():
            if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII) or name.lower() in _OF_THE_CLIENT:
                raise ValueError(f"{name!r} is no name of a header that can be set")
            if not (value.isascii() and value.isprintable()):
                raise ValueError(f"the value of {name} must be printable ASCII, on one line")
            if info.field_name == "headers_env" and not re.fullmatch(_VARIABLE, value):
                raise ValueError(f"{name} must name an environment variable, and not hold the value itself")
            if info.field_name == "headers" and is_secret_header(name, value):
                raise ValueError(
                    f"{name} looks like a key, and keys are never written here; name the variable that "
                    f'holds its whole value: headers_env = {{ "{name}" = "MY_VARIABLE" }}'
                )
        return headers

    @field_validator("extra_body")
    @classmethod
    def _extras_alone(cls, extra: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if taken := sorted(extra.keys() & (_NO_EXTRA | cls.model_fields.keys())):
            raise ValueError(f"{taken[0]} is a setting of the backend, or the client's, and no extra")
        if secret := secret_in(extra):
            raise ValueError(f"{secret} looks like a key, and keys are never written here; use api_key_env")
        return extra

    @property
    def model_name(self) -> str:
        """The model string, also for the rehearsal kind; of a local model without its folder."""
        return f"local/{called(self.model)}" if self.kind == "local" else self.model or "rehearsal/default"

    @property
    def answering(self) -> str:
        """The model string that tells two apart: of a GGUF file its name with a mark of its bytes.

        Raises ConfigError where there is no such file.
        """
        mark = mark_of(self.model) if self.kind == "local" else ""
        return f"{self.model_name} {mark}" if mark else self.model_name

    @property
    def identity(self) -> str:
        """What tells two backends apart when their answers are kept: kind, model, server and sampling."""
        parts = [self.kind, self.answering, self.api_base, self.temperature, self.max_tokens]
        return fingerprint([*parts, self.options] if self.options else parts)

    @property
    def options(self) -> dict[str, Any]:
        """What else is sent and shapes the answers, where it is set; nothing of ``headers_env``."""
        return self.model_dump(mode="json", include=_OPTIONS, exclude_defaults=True)


def kind_of(model: str, api_base: str | None = None) -> BackendKind:
    """Return the kind of backend for a model of which nothing else is known: native, or local for a file."""
    return "local" if model.lower().endswith(SUFFIX) and not api_base else "native"


def is_rehearsal_model(model: str) -> bool:
    """Whether a model name is the rehearsal backend's, by whichever way it was reached."""
    return model.startswith("rehearsal/") or model == "rehearsal"


class BackendFields(TypedDict, total=False):
    """The fields of a BackendConfig as keywords, each of which may be left out."""

    kind: BackendKind
    model: str
    api_base: str | None
    api_key_env: str | None
    temperature: float | None
    max_tokens: int | None
    max_in_flight: int
    timeout_s: float
    num_retries: int
    requests_per_minute: float | None
    tokens_per_minute: float | None
    input_price: float | None
    output_price: float | None
    top_p: float | None
    stop: tuple[str, ...]
    seed: bool
    reasoning_effort: Effort | None
    extra_body: dict[str, JsonValue]
    headers: dict[str, str]
    headers_env: dict[str, str]
    structured: Structured
    context: int | None
    threads: int | None
