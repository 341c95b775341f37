"""The whole configuration, and what its sections have to agree on."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self, dataclass_transform

from pydantic import Field, ValidationError, model_validator

from character.config.backend import OF_LOCAL, OF_SERVERS, BackendConfig, is_rehearsal_model, kind_of
from character.config.section import ConfigSection, describe_validation
from character.config.sections import AuditConfig, EffectConfig, OptimizeConfig, TrainConfig
from character.config.steps import (
    LEAST_CANDIDATES,
    BudgetConfig,
    MessagesConfig,
    PairDesign,
    PairsConfig,
    RankingConfig,
    ResponsesConfig,
    StoreConfig,
    least_probability,
)
from character.errors import ConfigError
from character.records import Level

ROLES = ("messages", "responses", "ranking", "judge", "reflection")
"""The steps that may have a backend of their own; each falls back to ``default``."""
COMPARED = ("base", "tuned")
"""The backends that an evaluation compares."""


@dataclass_transform(kw_only_default=True, field_specifiers=(Field,))
class _RaisesConfigError(type(ConfigSection)):  # type: ignore[misc]
    """Lets ``Config(...)`` raise our error, which names the field, where pydantic's would escape."""

    if not TYPE_CHECKING:  # checkers are to see the fields of Config as its arguments

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().__call__(*args, **kwargs)
            except ValidationError as error:
                raise ConfigError(
                    f"the configuration: {describe_validation(error)}", fix="correct that field."
                ) from None


class Config(ConfigSection, metaclass=_RaisesConfigError):
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
    effect: EffectConfig = EffectConfig()
    optimize: OptimizeConfig = OptimizeConfig()
    audit: AuditConfig = AuditConfig()
    train: TrainConfig = TrainConfig()
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
        steps = (*ROLES, "default")
        by_section = {"responses": self.responses.backends, "ranking": self.ranking.backends}
        for name in self.backends:
            if name not in (*steps, *COMPARED, *self.responses.backends, *self.ranking.backends):
                near = get_close_matches(name, steps, n=1)
                raise ValueError(
                    f"backends.{name} is no step, and neither responses.backends nor ranking.backends names "
                    f"it{f'; did you mean {near[0]}?' if near else ''} (steps: {', '.join(steps)})"
                )
        for section, names in by_section.items():
            for name in names:
                if name not in self.backends:
                    configured = ", ".join(sorted(self.backends))
                    raise ValueError(f"{section}.backends names {name!r}; configured are {configured}")
        return self

    @model_validator(mode="after")
    def _design_is_possible(self) -> Self:
        design, levels = self.pairs.design, self.responses.levels
        least = LEAST_CANDIDATES.get(design, 0)
        if levels is not None:
            needs = _missing_levels(design, levels)
            if needs:
                raise ValueError(
                    f"pairs.design {design!r} needs {needs}; responses.levels are {', '.join(levels)}"
                )
        elif self.responses.candidates < least:
            raise ValueError(
                f"pairs.design {design!r} needs at least {least} candidates with the default levels, "
                f"responses.candidates is {self.responses.candidates}"
            )
        return self

    @model_validator(mode="after")
    def _one_pass_by_margin(self) -> Self:
        said = self.pairs.model_fields_set
        if self.ranking.most_passes == 1 and "min_probability" not in said:
            values = {**dict(self.pairs), "min_probability": least_probability(1)}
            object.__setattr__(self, "pairs", PairsConfig.model_construct(said, **values))
        return self

    def backend(self, role: str) -> BackendConfig:
        """Return the backend of a role, or the default one where the role has none of its own."""
        return self.backends.get(role, self.backends["default"])

    @property
    def uses_rehearsal(self) -> bool:
        """Whether any step that makes data is answered by the rehearsal backend."""
        names = ("messages", "responses", "ranking", *self.responses.backends, *self.ranking.backends)
        return any(
            self.backend(name).kind == "rehearsal" or is_rehearsal_model(self.backend(name).model)
            for name in names
        )


def _missing_levels(design: PairDesign, levels: tuple[Level, ...]) -> str:
    """Return what a design needs and these levels lack, in words; nothing where they do."""
    names = set(levels)
    if design in ("opposite", "overdone") and not (design in names and names & {"natural", "subtle"}):
        return f"the level {design}, and natural or subtle"
    if design == "anchored" and not ("absent" in names and len(names) > 1):
        return "the level absent, and another one"
    if design == "neutral" and len(names) == len(levels):
        return "a level that is named twice"
    return ""


def _plain(backend: Any) -> dict[str, Any]:
    if isinstance(backend, BackendConfig):
        return backend.model_dump(exclude_unset=True)
    return dict(backend) if isinstance(backend, Mapping) else {"kind": backend}


def _is_local(backend: Mapping[str, Any]) -> bool:
    found = backend.get("kind") or kind_of(str(backend.get("model")), backend.get("api_base"))
    return bool(found == "local")


def _inherit(default: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    # A backend of another kind is another server: it takes over limits, not where to connect or the key. So
    # is one at another address: it takes over no options made for the first, headers with a key least of all.
    # What a model in this process can bear says nothing of a server, nor the reverse.
    connection = {"kind", "model", "api_base", "api_key_env", "input_price", "output_price", "structured"}
    connection.update(OF_SERVERS)
    other = own.get("kind", default.get("kind")) != default.get("kind")
    if _is_local({**default, **own}) != _is_local(default):
        other = True
        connection.update(OF_LOCAL, ("max_in_flight", "timeout_s", "max_tokens"))
    elsewhere = other or own.get("api_base", default.get("api_base")) != default.get("api_base")
    left = connection if other else OF_SERVERS if elsewhere else ()
    return {**{key: value for key, value in default.items() if key not in left}, **own}
