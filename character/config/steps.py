"""The sections of a run: messages, responses, ranking, pairs, what it may take and where it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from character.config.section import ConfigSection
from character.records import KINDS, Kind, Level

PairDesign = Literal[
    "best_worst", "best_rest", "adjacent", "all", "opposite", "overdone", "anchored", "neutral"
]
PAIR_DESIGNS: tuple[PairDesign, ...] = get_args(PairDesign)
LEAST_CANDIDATES: dict[PairDesign, int] = {"overdone": 3, "opposite": 5, "neutral": 5}
"""The fewest candidates whose default levels can give a design what it pairs (``opposite`` only where the
trait names its opposite pole, ``neutral`` one later there)."""


Prompting = Literal["chat", "fields"]
"""How a reply to a conversation is asked for: as an ordinary chat, or as a field of a form."""


def prompting_of(settings: Mapping[str, Any]) -> Prompting:
    """Return how replies are asked for where nothing is said: as a chat, all in one call as fields."""
    return "fields" if settings.get("calls") == "per_message" else "chat"


class MessagesConfig(ConfigSection):
    """How messages are made. ``per_trait`` counts the messages of one trait over all kinds.

    ``prompting`` asks for each in an ordinary chat, or for ``batch_size`` of them in a form (see
    ``MessageGenerator``; conversations are always asked for in a form). ``oversample`` asks for that many
    times the messages and keeps those that lie farthest apart. ``check`` has the model look over the messages
    in calls of their own and drops those that would not reveal the trait.
    """

    per_trait: int = Field(default=6, ge=1)
    kinds: tuple[Kind, ...] = Field(default=KINDS, min_length=1)
    turns: int = Field(default=1, ge=1, le=9)
    prompting: Prompting = "fields"
    batch_size: int = Field(default=8, ge=1, le=50)
    max_refills: int = Field(default=3, ge=0, le=20)
    oversample: float = Field(default=1.0, ge=1.0, le=4.0)
    check: bool = False
    from_questions: bool = False
    """Use the constitution's own questions where it has some, instead of generating messages."""

    @field_validator("turns")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("turns must be odd: a conversation starts and ends with the user")
        return value

    @model_validator(mode="after")
    def _one_turn(self) -> Self:
        if self.turns > 1 and self.prompting == "chat":
            raise ValueError(
                'prompting = "chat" writes messages of one turn; set turns = 1 or prompting = "fields"'
            )
        return self


class ResponsesConfig(ConfigSection):
    """How candidates are made.

    ``levels`` overrides the default spread of expression levels (one per candidate; a level may repeat).
    ``conditioning`` shows the model the focus trait alone or the whole character. ``backends`` names
    backends that take turns at answering, instead of the role's own. ``calls`` asks for each candidate in a
    call of its own, or for all of a message in one (see ``Responder``). ``prompting`` asks for each as an
    ordinary chat, or as a field of a form (all in one are always fields). ``max_reasks`` bounds how often an
    unreadable reply is asked for again, ``max_refills`` how often one that a filter stopped is sampled again.
    ``max_response_tokens`` drops longer replies, by estimate.
    """

    candidates: int = Field(default=4, ge=2, le=8)
    levels: tuple[Level, ...] | None = None
    conditioning: Literal["trait", "character"] = "trait"
    calls: Literal["per_candidate", "per_message"] = "per_candidate"
    prompting: Prompting = Field(default_factory=prompting_of)
    backends: tuple[str, ...] = ()
    max_reasks: int = Field(default=1, ge=0, le=5)
    max_refills: int = Field(default=1, ge=0, le=5)
    max_response_tokens: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _no_chat_for_all(self) -> Self:
        if self.calls == "per_message" and self.prompting == "chat":
            raise ValueError('calls = "per_message" asks for all candidates in one form; it is no chat')
        return self

    @model_validator(mode="after")
    def _one_level_each(self) -> Self:
        if self.levels is not None and len(self.levels) != self.candidates:
            raise ValueError(f"levels names {len(self.levels)} levels for {self.candidates} candidates")
        return self


MAX_PASSES, MAX_ADAPTIVE = 4, 8
"""The passes at most where nothing else is said, and where they are adaptive."""


class RankingConfig(ConfigSection):
    """How candidates are ranked (see ``Ranker`` for the strategies and ``combine`` for the methods).

    ``passes`` are made in any case, each in another order; while one more is expected to put right at least
    ``min_gain`` of all pairs of candidates, further ones up to ``max_passes`` (by default 4). A single pass
    is not followed by another unless ``max_passes`` says so. ``backends`` names backends that all judge
    everything, as a jury. ``ranker`` is the file of a ranker that ``character optimize`` saved; what it was
    measured with then holds where nothing else is set. ``read`` says whether a judge writes reasons and
    judgement (``text``), or answers with a figure or a letter that is read by its ``probabilities``; ``auto``
    falls back to text for ``listwise``, and where a server gives none. ``adaptive`` goes by what a trait's
    first messages tell of the judge: one pass at first, then up to 8, and ``min_gain`` counts the pairs that
    are built.
    """

    strategy: Literal["scores", "listwise", "pairwise", "pointwise"] = "scores"
    passes: int = Field(default=2, ge=1, le=16)
    max_passes: int | None = Field(default=None, ge=1, le=32)
    min_gain: float = Field(default=0.005, ge=0.0, le=0.5)
    tournament: Literal["round_robin", "swiss"] = "round_robin"
    method: Literal["model", "mean", "borda", "bradley_terry", "plackett_luce"] | None = None
    backends: tuple[str, ...] = ()
    max_reasks: int = Field(default=2, ge=0, le=5)
    ranker: str | None = Field(default=None, min_length=1)
    read: Literal["text", "probabilities", "auto"] = "text"
    adaptive: bool = False

    @property
    def most_passes(self) -> int:
        """The passes at most: ``max_passes``, else 4 (8 if adaptive), or ``passes`` if more, or one."""
        usual = MAX_ADAPTIVE if self.adaptive else MAX_PASSES
        return self.max_passes or (max(self.passes, usual) if self.passes > 1 or self.adaptive else 1)

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that make rankings these: as they were before there was what is not set."""
        later = {"read": "text", "adaptive": False}
        unset = {name for name, value in later.items() if getattr(self, name) == value}
        return self.model_dump(mode="json", exclude=unset)

    @model_validator(mode="after")
    def _no_fewer_at_most(self) -> Self:
        if self.max_passes is not None and self.max_passes < self.passes:
            raise ValueError(f"max_passes is {self.max_passes}, fewer than the {self.passes} passes")
        if self.read == "probabilities" and self.strategy == "listwise":
            raise ValueError(
                'listwise cannot be read by probabilities: set read = "text", or another strategy'
            )
        if self.adaptive and (self.strategy != "scores" or self.method not in (None, "model")):
            found = self.method or self.strategy
            raise ValueError(f'adaptive needs the strategy "scores" with its own method, not {found}')
        return self


def least_probability(most_passes: int | None) -> float:
    """Return ``min_probability`` where none is said: 0 of one pass, which does not show how sure it is."""
    return 0.0 if most_passes == 1 else 0.7


class PairsConfig(ConfigSection):
    """How a ranking becomes pairs (see ``build_pairs`` for the designs).

    ``min_margin`` is the least difference of scores and ``min_probability`` the least probability that the
    chosen side truly fits better, both in 0..1 (see ``least_probability``); a pair of unknown probability
    passes. ``max_per_message`` keeps the surest pairs of a message, None all.
    """

    design: PairDesign = "best_rest"
    min_margin: float = Field(default=0.1, ge=0.0, le=1.0)
    min_probability: float = Field(default=least_probability(None), ge=0.0, le=1.0)
    max_per_message: int | None = Field(default=None, ge=1)


class BudgetConfig(ConfigSection):
    """Hard caps over the whole run, earlier sittings included: USD, tokens of prompts and replies, calls."""

    max_cost: float | None = Field(default=None, ge=0.0)
    max_tokens: int | None = Field(default=None, ge=0)
    max_calls: int | None = Field(default=None, ge=0)


class StoreConfig(ConfigSection):
    """Where the records of a run lie: a file in the run folder, or a PostgreSQL database by its URL."""

    url: str | None = None
