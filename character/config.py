"""One configuration object: a TOML file, flags and Python all make the same frozen model."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from character.errors import ConfigError
from character.records import KINDS, Kind, Level
from character.text import fingerprint

BackendKind = Literal["native", "litellm", "rehearsal"]
BACKEND_KINDS: tuple[BackendKind, ...] = get_args(BackendKind)
ROLES = ("messages", "responses", "ranking", "judge", "reflection")
"""The steps that may have a backend of their own; each falls back to ``default``."""
PairDesign = Literal["best_worst", "best_rest", "adjacent", "all"]
PAIR_DESIGNS: tuple[PairDesign, ...] = get_args(PairDesign)


class Section(BaseModel):
    """Base of all sections: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BackendConfig(Section):
    """Which model answers, and how it is reached.

    ``kind`` may be left out where a model is named: it is ``native`` then, DSPy's own client.
    ``model`` is a DSPy model string with a provider prefix (``openai/gpt-4.1-mini``, ``anthropic/…``,
    ``ollama_chat/…``); the rehearsal kind needs none. ``api_base`` is the server's URL.
    ``api_key_env`` names the environment variable that holds the key, never the key itself; a server given
    by ``api_base`` gets a key only where this is set.
    ``temperature`` and ``max_tokens`` are left to the server where they are None. ``max_in_flight``
    bounds the concurrent calls to this backend, ``timeout_s`` the wait for one reply in seconds,
    ``num_retries`` the further attempts after a failure that is worth repeating. ``requests_per_minute`` and
    ``tokens_per_minute`` hold the pace below what an account allows.
    ``input_price`` and ``output_price`` are USD per million tokens, for models the price map does not know.
    """

    kind: BackendKind = "rehearsal"
    model: str = ""
    api_base: str | None = None
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    max_tokens: int | None = Field(default=None, ge=1)
    max_in_flight: int = Field(default=32, ge=1, le=4096)
    timeout_s: float = Field(default=120.0, gt=0.0)
    num_retries: int = Field(default=3, ge=0, le=20)
    requests_per_minute: float | None = Field(default=None, gt=0.0)
    tokens_per_minute: float | None = Field(default=None, gt=0.0)
    input_price: float | None = Field(default=None, ge=0.0)
    output_price: float | None = Field(default=None, ge=0.0)

    @model_validator(mode="before")
    @classmethod
    def _native_where_a_model_is_named(cls, data: Any) -> Any:
        named = isinstance(data, Mapping) and data.get("model") and not is_rehearsal_model(str(data["model"]))
        return {"kind": "native", **data} if named else data

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "rehearsal":
            if self.api_base is not None:
                raise ValueError(
                    f"the rehearsal backend contacts no server, so api_base {self.api_base} needs a model"
                )
            if self.model not in ("", "rehearsal/default"):
                raise ValueError(
                    f"the rehearsal backend has one model, not {self.model!r}; to reach a real model set "
                    'kind to "native" or "litellm"'
                )
        elif not self.model:
            raise ValueError(f"the {self.kind} backend needs a model, such as openai/gpt-4.1-mini")
        elif "/" not in self.model.strip("/"):
            raise ValueError(f"the model {self.model!r} needs a provider prefix, such as openai/{self.model}")
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

    @property
    def model_name(self) -> str:
        """The model string, also for the rehearsal kind."""
        return self.model or "rehearsal/default"

    @property
    def identity(self) -> str:
        """What tells two backends apart when their answers are kept: kind, model, server and sampling."""
        return fingerprint([self.kind, self.model_name, self.api_base, self.temperature, self.max_tokens])


class MessagesConfig(Section):
    """How messages are made. ``per_trait`` counts the messages of one trait over all kinds."""

    per_trait: int = Field(default=6, ge=1)
    kinds: tuple[Kind, ...] = Field(default=KINDS, min_length=1)
    turns: int = Field(default=1, ge=1, le=9)
    batch_size: int = Field(default=8, ge=1, le=50)
    max_refills: int = Field(default=3, ge=0, le=20)
    from_questions: bool = False
    """Use the constitution's own questions where it has some, instead of generating messages."""

    @field_validator("turns")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("turns must be odd: a conversation starts and ends with the user")
        return value


class ResponsesConfig(Section):
    """How candidates are made.

    ``levels`` overrides the default spread of expression levels (one per candidate; a level may repeat).
    ``conditioning`` shows the model the focus trait alone or the whole character. ``backends`` names
    backends that take turns at answering, instead of the role's own.
    """

    candidates: int = Field(default=4, ge=2, le=8)
    levels: tuple[Level, ...] | None = None
    conditioning: Literal["trait", "character"] = "trait"
    backends: tuple[str, ...] = ()
    max_reasks: int = Field(default=1, ge=0, le=5)

    @model_validator(mode="after")
    def _one_level_each(self) -> Self:
        if self.levels is not None and len(self.levels) != self.candidates:
            raise ValueError(f"levels names {len(self.levels)} levels for {self.candidates} candidates")
        return self


class RankingConfig(Section):
    """How candidates are ranked: independent passes, each in another order, their scores averaged."""

    passes: int = Field(default=2, ge=1, le=16)
    max_reasks: int = Field(default=2, ge=0, le=5)


class PairsConfig(Section):
    """How a ranking becomes pairs. ``min_margin`` is the least difference of scores, in 0..1."""

    design: PairDesign = "best_rest"
    min_margin: float = Field(default=0.1, ge=0.0, le=1.0)


class BudgetConfig(Section):
    """Hard caps over the whole run, earlier sittings included: USD, tokens of prompts and replies, calls."""

    max_cost: float | None = Field(default=None, ge=0.0)
    max_tokens: int | None = Field(default=None, ge=0)
    max_calls: int | None = Field(default=None, ge=0)


class StoreConfig(Section):
    """Where the records of a run lie: a file in the run folder, or a PostgreSQL database by its URL."""

    url: str | None = None


class Config(Section):
    """Everything a run needs to know besides its constitution and its messages."""

    seed: int = Field(default=0, ge=0, lt=2**31)
    concurrency: int = Field(default=16, ge=1, le=4096)
    """How many messages are worked on at once."""
    messages: MessagesConfig = MessagesConfig()
    responses: ResponsesConfig = ResponsesConfig()
    ranking: RankingConfig = RankingConfig()
    pairs: PairsConfig = PairsConfig()
    budget: BudgetConfig = BudgetConfig()
    store: StoreConfig = StoreConfig()
    backends: dict[str, BackendConfig] = Field(default_factory=lambda: {"default": BackendConfig()})

    @model_validator(mode="before")
    @classmethod
    def _inherit_from_default(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        given = data.get("backends") or {}
        if not isinstance(given, Mapping):
            return data
        plain = {name: _plain(backend) for name, backend in given.items()}
        default = plain.get("default", {})
        merged = {name: _inherit(default, own) for name, own in plain.items()}
        merged.setdefault("default", default)
        return {**data, "backends": merged}

    @model_validator(mode="after")
    def _known_backends(self) -> Self:
        unknown = [
            name for name in self.backends if name not in ("default", *ROLES, *self.responses.backends)
        ]
        if unknown:
            known = [*ROLES, "default"]
            near = get_close_matches(unknown[0], known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(
                f"backends.{unknown[0]} is no step and responses.backends does not name it{hint} "
                f"(steps: {', '.join(known)})"
            )
        for name in self.responses.backends:
            if name not in self.backends:
                raise ValueError(
                    f"responses.backends names {name!r}; configured are {', '.join(sorted(self.backends))}"
                )
        return self

    def backend(self, role: str) -> BackendConfig:
        """Return the backend of a role, or the default one where the role has none of its own."""
        return self.backends.get(role, self.backends["default"])

    @property
    def uses_rehearsal(self) -> bool:
        """Whether any step that makes data is answered by the rehearsal backend."""
        names = ("messages", "responses", "ranking", *self.responses.backends)
        return any(
            self.backend(name).kind == "rehearsal" or is_rehearsal_model(self.backend(name).model)
            for name in names
        )


def is_rehearsal_model(model: str) -> bool:
    """Whether a model name is the rehearsal backend's, by whichever way it was reached."""
    return model.startswith("rehearsal/") or model == "rehearsal"


def _plain(backend: Any) -> dict[str, Any]:
    if isinstance(backend, BackendConfig):
        return backend.model_dump(exclude_unset=True)
    return dict(backend) if isinstance(backend, Mapping) else {"kind": backend}


def _inherit(default: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    # A backend of another kind is another server: it takes over limits, not where to connect or the key.
    connection = {"kind", "model", "api_base", "api_key_env", "input_price", "output_price"}
    other = own.get("kind", default.get("kind")) != default.get("kind")
    base = {key: value for key, value in default.items() if not (other and key in connection)}
    return {**base, **own}


def load_config(path: Path | None = None, *, overrides: Mapping[str, Any] | None = None) -> Config:
    """Return the configuration of a TOML file with ``overrides`` (nested, as in the file) laid over it.

    Raises ConfigError naming the file, the line or the field, and what was expected.
    """
    data: dict[str, Any] = {}
    if path is not None:
        data = _read_toml(path)
    return build_config(_merge(data, overrides or {}), source=str(path) if path else "the given options")


def build_config(data: Mapping[str, Any], *, source: str = "the configuration") -> Config:
    """Return the configuration that nested data amounts to; raises ConfigError naming the field."""
    try:
        return Config.model_validate(dict(data))
    except ValidationError as error:
        raise ConfigError(
            f"{source}: {describe_validation(error)}",
            expected="the fields that `character init` writes into config.toml, each with a comment",
            fix="correct that field.",
        ) from None


def describe_validation(error: ValidationError) -> str:
    """Return the first problem of a pydantic error as ``field: what is wrong (found …)``, and how many more."""
    problems = error.errors(include_url=False)
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole"
    what = first["msg"].removeprefix("Value error, ")
    found = first["input"]
    plain = isinstance(found, str | int | float | bool) and first["type"] != "missing"
    shown = f" (found {found!r})" if plain and "@" not in str(found) else ""  # a URL may hold a password
    if first["type"] == "extra_forbidden":
        near = get_close_matches(str(first["loc"][-1]), _field_names(), n=1)
        what, shown = "this field is not known", f"; did you mean {near[0]}?" if near else ""
    more = (
        f" (and {len(problems) - 1} more: {', '.join('.'.join(map(str, p['loc'])) for p in problems[1:4])})"
    )
    return f"{where}: {what}{shown}{more if len(problems) > 1 else ''}"


def _field_names() -> list[str]:
    sections: tuple[type[Section], ...] = (
        Config,
        BackendConfig,
        MessagesConfig,
        ResponsesConfig,
        RankingConfig,
        PairsConfig,
        BudgetConfig,
        StoreConfig,
    )
    return sorted({name for section in sections for name in section.model_fields})


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).", fix="check the path.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: byte {error.start} is not UTF-8.", fix="save the file as UTF-8."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}.", expected="TOML", fix="correct that line.") from None


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        current = merged.get(key)
        both = isinstance(current, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(current, value) if both else value  # type: ignore[arg-type]
    return merged
