"""The records: one frozen data type per arrow of the recipe, each carrying the id of the record before it."""

from __future__ import annotations

import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from pydantic import Field, PrivateAttr, SerializerFunctionWrapHandler, model_serializer, model_validator

from character.statistics.orders import order_by_score as order_by_score
from character.statistics.orders import scores_by_order as scores_by_order
from character.text import detect_language, fingerprint
from character.views import html
from character.views.record import Record as Record
from character.views.result import ResultViews
from character.views.rows import trl_row

if TYPE_CHECKING:
    from character.constitution.models import Constitution

Kind = Literal["question", "situation", "self_reflection"]
"""What a message asks for: a view, a reaction to a situation, or the model's view of itself."""
KINDS: tuple[Kind, ...] = get_args(Kind)
RECIPE_KINDS: dict[str, Kind] = {"问题型": "question", "情境型": "situation", "自我反思型": "self_reflection"}
"""The recipe's names of the kinds, as its JSON shapes spell them."""

Level = Literal["absent", "subtle", "natural", "overdone", "opposite"]
"""How strongly a candidate was asked to show the trait. ``overdone`` is as wrong as ``absent``."""
LEVELS: tuple[Level, ...] = get_args(Level)

Status = Literal["ranked", "unranked", "unsuitable"]
Stage = Literal["messages", "responses", "ranking", "pairs"]


class Turn(Record):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: str = Field(min_length=1)


class Drop(Record):
    """Something that was thrown away, and why. ``reason`` is one of a fixed, countable set of words.

    ``recovered`` is true for a reply that could not be used where asking again made up for it.
    """

    stage: Stage
    reason: str
    detail: str = ""
    message_id: str | None = None
    recovered: bool = False


class Usage(Record):
    """What calls to language models took.

    ``calls`` counts the model calls whose replies were used, ``reasks`` those of them that repeated a
    question because the reply before could not be used. Tokens are the server's counts. ``cost_usd`` is
    None where the price of at least one call is unknown.
    """

    calls: int = 0
    reasks: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = 0.0

    def __add__(self, other: Usage) -> Usage:
        unknown = self.cost_usd is None or other.cost_usd is None
        return Usage(
            calls=self.calls + other.calls,
            reasks=self.reasks + other.reasks,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost_usd=None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0),
        )


class Message(Record):
    """What a person says to the model: one turn, or a conversation that ends with the user's turn.

    ``brief`` holds what the generator was asked for (topic, audience, register, length), ``source`` where
    the message came from, ``model`` who wrote it (empty for messages from a file).
    """

    id: str = ""
    trait: str
    kind: Kind = "question"
    turns: tuple[Turn, ...] = Field(min_length=1)
    language: str = "en"
    brief: dict[str, str] = Field(default_factory=dict)
    source: Literal["generated", "file", "constitution", "given"] = "given"
    model: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        roles = [turn.role for turn in self.turns]
        if roles[-1] != "user" or any(a == b for a, b in pairwise(roles)):
            raise ValueError("turns must alternate between user and assistant and end with the user's turn")
        if not self.id:
            content = [[turn.role, turn.content] for turn in self.turns]
            object.__setattr__(self, "id", fingerprint(["message", self.trait, self.kind, content]))
        return self

    @classmethod
    def of(cls, text: str, *, trait: str, kind: Kind = "question", language: str | None = None) -> Message:
        """Return a message of one user turn."""
        language = language or detect_language(text)
        return cls(trait=trait, kind=kind, turns=(Turn(role="user", content=text),), language=language)

    @property
    def text(self) -> str:
        """The user's last turn."""
        return self.turns[-1].content


class Candidate(Record):
    """One response to a message. ``level`` is what was asked for, not what a judge found in it."""

    text: str = Field(min_length=1)
    level: Level | None = None
    seed: int | None = None
    model: str = ""


class Candidates(Record):
    """The candidate responses to one message, in the order in which they were made."""

    id: str = ""
    message_id: str
    trait: str
    items: tuple[Candidate, ...]
    drops: tuple[Drop, ...] = ()
    usage: Usage = Usage()

    @model_validator(mode="after")
    def _identify(self) -> Self:
        if not self.id:
            content = [[item.text, item.level] for item in self.items]
            object.__setattr__(self, "id", fingerprint(["candidates", self.message_id, content]))
        return self

    @property
    def texts(self) -> list[str]:
        """The candidates' texts, in order."""
        return [item.text for item in self.items]


class RankingPass(Record):
    """One judgement of some or all candidates.

    ``shown`` is the order in which the judge saw them (indices into the candidates); ``scores`` are in the
    candidates' own order, each in 0..1 (calibrated, where the ranker has a calibration), None for a candidate
    that was not shown. ``juror`` names the backend that judged where there are several. ``spreads`` are the
    scores' standard deviations by the judge's own probabilities, in the same order; empty where it wrote its
    judgement.
    """

    shown: tuple[int, ...]
    scores: tuple[float | None, ...]
    reason: str = ""
    seed: int | None = None
    model: str = ""
    juror: str = ""
    spreads: tuple[float | None, ...] = ()

    @model_serializer(mode="wrap")
    def _without_none(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the fields; a pass that was written is kept as it was before there were spreads."""
        fields: dict[str, Any] = dump(self)
        if not self.spreads:
            fields.pop("spreads", None)
        return fields


class Ranking(Record):
    """How well each candidate fits the trait.

    ``scores`` are in the candidates' own order, each in 0..1, higher fits better; ``order`` lists groups of
    indices best first, equal scores in one group (a permutation with ties). Both are empty unless
    ``status`` is ``"ranked"``. ``reason`` says why a rollout is unranked or unsuitable.

    ``strategy`` is how the judge was asked, ``passes`` what it said each time, ``method`` how they were
    combined. ``probabilities[i][j]`` is the probability that candidate i truly fits better than j (0.5 on the
    diagonal; empty where unknown), ``consistency`` the mean Kendall tau-b between passes, in -1..1 (None for
    fewer than two). ``saved_calls`` counts the calls that were not needed because the passes already agreed.
    """

    id: str = ""
    message_id: str
    candidates_id: str
    trait: str
    status: Status = "ranked"
    scores: tuple[float, ...] = ()
    order: tuple[tuple[int, ...], ...] = ()
    reason: str = ""
    passes: tuple[RankingPass, ...] = ()
    strategy: str = "scores"
    method: str = ""
    probabilities: tuple[tuple[float, ...], ...] = ()
    consistency: float | None = None
    saved_calls: int = 0
    drops: tuple[Drop, ...] = ()
    usage: Usage = Usage()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.status != "ranked" and (self.scores or self.order):
            raise ValueError(f"a ranking that is {self.status} has no scores and no order")
        if not all(0.0 <= score <= 1.0 for score in self.scores):
            raise ValueError("scores must be finite numbers in 0..1")
        if sorted(i for group in self.order for i in group) != list(range(len(self.scores))):
            raise ValueError("order must name each candidate once, as groups of indices, best first")
        if not self.id:
            object.__setattr__(
                self, "id", fingerprint(["ranking", self.candidates_id, self.status, list(self.scores)])
            )
        return self

    @classmethod
    def from_scores(
        cls, candidates: Candidates, scores: list[float] | tuple[float, ...], reason: str = ""
    ) -> Ranking:
        """Return the ranking that these scores (one per candidate, in 0..1) amount to; equal scores tie."""
        values = tuple(float(score) for score in scores)
        if len(values) != len(candidates.items):
            raise ValueError(f"expected {len(candidates.items)} scores, one per candidate, got {len(values)}")
        return cls(
            message_id=candidates.message_id,
            candidates_id=candidates.id,
            trait=candidates.trait,
            scores=values,
            order=order_by_score(values),
            reason=reason,
        )


class PreferencePair(Record):
    """Two responses to one message of which the first fits the trait better.

    ``margin`` is ``score_chosen - score_rejected``, in (0, 1]; only a pair of the design ``neutral``, whose
    sides are meant not to differ, may have another. ``probability`` is that of the chosen side truly fitting
    better, None where the ranking does not say. Levels and models tell where each side came from.
    """

    id: str = ""
    trait: str
    message_id: str
    ranking_id: str
    kind: Kind
    language: str
    prompt: tuple[Turn, ...]
    chosen: str
    rejected: str
    score_chosen: float
    score_rejected: float
    margin: float = Field(ge=-1.0, le=1.0)
    probability: float | None = Field(default=None, ge=0.0, le=1.0)
    design: str
    chosen_level: Level | None = None
    rejected_level: Level | None = None
    chosen_model: str = ""
    rejected_model: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.margin <= 0 and self.design != "neutral":
            raise ValueError(f"the chosen side must score higher, found a margin of {self.margin}")
        if not self.id:
            parts = ["pair", self.message_id, self.design, self.chosen, self.rejected]
            object.__setattr__(self, "id", fingerprint(parts))
        return self

    def to_row(self) -> dict[str, Any]:
        """Return the pair as a row in TRL's conversational preference format (see ``PairRows.to_rows``)."""
        return trl_row(self)

    def _repr_html_(self) -> str:
        return html.panel(html.pair_html(self))


class Rollout(Record):
    """One pass of the program over one message: its candidates, their ranking and the pairs."""

    message: Message
    candidates: Candidates | None = None
    ranking: Ranking | None = None
    pairs: tuple[PreferencePair, ...] = ()
    drops: tuple[Drop, ...] = ()
    """Everything dropped on the way over this message, its candidates' and ranking's drops included."""
    usage: Usage = Usage()


class MessageBatch(Record):
    """What a message generator gives back for one trait and one kind."""

    messages: tuple[Message, ...]
    drops: tuple[Drop, ...] = ()
    usage: Usage = Usage()


class CharacterResult(ResultViews, Record):
    """What a character program gives back: rollouts in message order, and the sums over them.

    Where DSPy is loaded it is a ``dspy.Prediction`` as well, which DSPy's tools ask for.
    """

    rollouts: tuple[Rollout, ...] = ()
    message_drops: tuple[Drop, ...] = ()
    message_usage: Usage = Usage()
    _constitution: Constitution | None = PrivateAttr(default=None)

    def __new__(cls, *_args: object, **_fields: object) -> Self:
        """Return an empty result, for ``__init__`` or a copy to fill."""
        if "dspy" not in sys.modules:
            return super().__new__(cls)
        made: Self = super().__new__(
            import_module("character.backends.predictions").prediction_class(cls)  # a higher floor
        )
        return made

    @classmethod
    def made_for(cls, constitution: Constitution, **values: Any) -> Self:
        """Return the result with these fields, which knows the traits that it was made for."""
        made = cls(**values)
        made._constitution = constitution
        return made

    @property
    def constitution(self) -> Constitution | None:
        """The traits that it was made for, None where that is not known; it is no part of saved fields."""
        return self._constitution

    @property
    def messages(self) -> list[Message]:
        """The messages, in order."""
        return [rollout.message for rollout in self.rollouts]

    @property
    def candidates(self) -> list[Candidates]:
        """The candidates of every message that got some."""
        return [rollout.candidates for rollout in self.rollouts if rollout.candidates]

    @property
    def rankings(self) -> list[Ranking]:
        """The rankings, those that are unranked or unsuitable included."""
        return [rollout.ranking for rollout in self.rollouts if rollout.ranking]

    @property
    def pairs(self) -> list[PreferencePair]:
        """The preference pairs of all messages."""
        return [pair for rollout in self.rollouts for pair in rollout.pairs]

    @property
    def drops(self) -> list[Drop]:
        """Everything that was dropped, at any stage."""
        return [*self.message_drops, *(drop for rollout in self.rollouts for drop in rollout.drops)]

    @property
    def usage(self) -> Usage:
        """What all calls together took."""
        return sum((rollout.usage for rollout in self.rollouts), self.message_usage)


class KeptRecord(Record):
    """Base of a record that lies in a folder: equal to one that says the same, wherever that lies."""

    _folder: Path = PrivateAttr()

    @classmethod
    def in_folder(cls, record: Record, folder: Path) -> Self:
        """Return a record with these fields as the one of a folder."""
        kept = cls.model_construct(**dict(record))
        kept._folder = folder
        return kept

    @property
    def folder(self) -> Path:
        """The folder that it lies in."""
        return self._folder

    def __eq__(self, other: object) -> bool:
        """Whether the two say the same."""
        return isinstance(other, Record) and dict(self) == dict(other)

    def __hash__(self) -> int:
        """Return the same for records that say the same."""
        return hash(repr(dict(self)))
