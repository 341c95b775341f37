"""The third step: candidates in, a ranking out of how well each fits the trait, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

import dspy

from character.backends.call import Call, Reply
from character.backends.drivers import RecipeModule, Steps, adrive, drive
from character.backends.predictors import as_predictor, needed_outputs
from character.config import MAX_PASSES
from character.constitution import Trait
from character.errors import InputError, UnknownNameError
from character.inputs import as_candidate_set, as_message, as_trait, spelled_out
from character.ranking.combine import METHODS, Combined, Method, combine
from character.ranking.strategies import (
    TOURNAMENTS,
    Plan,
    Strategy,
    StrategyName,
    Tournament,
    calls_per_pass,
    strategy,
)
from character.records import Candidates, Drop, Message, Ranking, RankingPass, Usage, order_by_score
from character.text import language_name, stable_seed
from optimizers.calibration.calibration import Calibration, text_length

Shown = tuple[str, tuple[int, ...]]
"""A juror's name (empty for the only one) and the candidates it is shown, in order."""


class Passing(TypedDict, total=False):
    """How many passes a ranker makes, and how they become one ranking: the options that ``[ranking]`` has as well."""

    max_passes: int | None
    min_gain: float
    tournament: Tournament
    method: Method | None


_PASSING: Passing = {"max_passes": None, "min_gain": 0.005, "tournament": "round_robin", "method": None}


class Ranker(RecipeModule):
    """Judges the candidates of a message in several passes, each in another order, and says how sure it is.

    ``strategy`` is how the judge is asked: ``scores`` (all candidates at once, by a rubric), ``listwise`` (an
    order with ties), ``pairwise`` (two at a time, each pair or as a ``swiss`` tournament matches them) or
    ``pointwise`` (one at a time). The orders are balanced, see ``balanced_orders``. After ``passes`` the
    ranker goes on, one pass at a time up to ``max_passes``, while one more is expected to put right at least
    ``min_gain`` of all pairs of candidates; by default 4 at most, and one where ``passes`` is one. ``jurors`` are models by name that each judge
    everything, instead of the model of the context. ``method`` replaces how the passes are combined. ``calibration`` is
    applied to the scores of every pass, see ``optimizers.calibration.calibration``. ``predictor`` asks in place of
    ``dspy.Predict``: a module such as ``dspy.ChainOfThought(…)``, or a signature of one's own, with the fields that the
    strategy's has (an input or its reasoning may be missing).

    A reply that cannot be read, or that breaks its scale, is asked for again with the fault shown, at most
    ``max_reasks`` times; then the ranking is unranked, because a pass that is missing leaves the orders
    unbalanced. Where at least half of the replies find that no reply to the message can show the trait, the
    ranking is unsuitable.
    """

    @spelled_out(Passing, _PASSING)
    def __init__(
        self,
        passes: int = 2,
        *,
        strategy: StrategyName = "scores",
        jurors: Mapping[str, Any] | None = None,
        calibration: Calibration | None = None,
        max_reasks: int = 2,
        predictor: dspy.Module | type[dspy.Signature] | None = None,
        **passing: Unpack[Passing],
    ) -> None:
        super().__init__()
        chosen: Any = {**_PASSING, **passing}
        if unknown := chosen.keys() - _PASSING.keys():
            raise TypeError(f"Ranker has no option {min(unknown)!r}; it has {', '.join(_PASSING)}")
        max_passes, tournament, method = chosen["max_passes"], chosen["tournament"], chosen["method"]
        if passes < 1 or (max_passes is not None and max_passes < passes):
            raise InputError(
                f"found {passes} passes and at most {max_passes}.", expected="1 <= passes <= max_passes"
            )
        if tournament not in TOURNAMENTS:
            raise UnknownNameError("tournament", tournament, TOURNAMENTS)
        if method is not None and method not in METHODS:
            raise UnknownNameError("aggregation method", method, METHODS)
        default = max(passes, MAX_PASSES) if passes > 1 else 1
        self.rank = as_predictor(predictor, _strategy(strategy).signature, "ranker")
        self.strategy, self.passes, self.max_passes = strategy, passes, max_passes or default
        self.min_gain, self.tournament, self.method = chosen["min_gain"], tournament, method
        self.jurors, self.calibration, self.max_reasks = dict(jurors or {}), calibration, max_reasks

    def forward(
        self,
        message: Message | Sequence[Mapping[str, str]] | str,
        candidates: Candidates | Sequence[str],
        trait: Trait | Mapping[str, Any] | str,
        *,
        seed: int = 0,
    ) -> Ranking:
        """Return the ranking; the same seed shows the candidates in the same orders."""
        trait = as_trait(trait)
        message = as_message(message, trait)
        return drive(self._steps(message, as_candidate_set(candidates, message), trait, seed))

    async def aforward(
        self,
        message: Message | Sequence[Mapping[str, str]] | str,
        candidates: Candidates | Sequence[str],
        trait: Trait | Mapping[str, Any] | str,
        *,
        seed: int = 0,
    ) -> Ranking:
        """Do as ``forward`` does, on the event loop."""
        trait = as_trait(trait)
        message = as_message(message, trait)
        return await adrive(self._steps(message, as_candidate_set(candidates, message), trait, seed))

    def examples(
        self,
        message: Message | Sequence[Mapping[str, str]] | str,
        candidates: Candidates | Sequence[str],
        trait: Trait | Mapping[str, Any] | str,
        scores: Sequence[float | None] | None = None,
        *,
        seed: int = 0,
        passes: int = 1,
    ) -> list[dspy.Example]:
        """Return what the predictor is asked in the first passes, as examples for optimizers.

        Each has the predictor's inputs and ``shown``, the candidates' indices in the order shown. Where
        ``scores`` (in 0..1 per candidate, None where not known) cover what is shown, it also has the outputs
        that would be right, without reasoning.
        """
        trait = as_trait(trait)
        message = as_message(message, trait)
        made = as_candidate_set(candidates, message)
        plan = Plan(self.strategy, len(made.items), passes, self.tournament, stable_seed(seed, made.id))
        found = []
        for shown in plan.round([0.0] * len(made.items)):
            inputs = _inputs(message, made, trait, shown)
            known = [scores[i] for i in shown] if scores is not None else [None]
            outputs = (
                _strategy(self.strategy).write([score for score in known if score is not None])
                if None not in known
                else {}
            )
            found.append(dspy.Example(**inputs, **outputs, shown=list(shown)).with_inputs(*inputs))
        return found

    def read(self, outputs: Mapping[str, Any], shown: Sequence[int]) -> tuple[list[float | None] | None, str]:
        """Return (scores in 0..1 in the candidates' order, fault) of what the predictor replied.

        Scores are None for an unsuitable message and for a reply that breaks its scale; the fault then says
        which. Candidates that were not shown have None.
        """
        if outputs.get("suitable", True) is False:
            return None, "unsuitable"
        scores, reason, _ = _strategy(self.strategy).read(outputs, len(shown))
        if scores is None:
            return None, reason or "unsuitable"
        by_index = dict(zip(shown, scores, strict=True))
        return [by_index.get(i) for i in range(max(shown) + 1)], ""

    def _steps(self, message: Message, candidates: Candidates, trait: Trait, seed: int) -> Steps[Ranking]:
        number = len(candidates.items)
        seed = stable_seed(seed, candidates.id)
        lengths = [text_length(item.text) for item in candidates.items]
        bench = _Bench(_strategy(self.strategy), self.method, number, self.calibration, lengths)
        plan = Plan(self.strategy, number, self.passes, self.tournament, seed)
        for _ in range(plan.rounds):
            yield from self._judge(bench, plan.round(bench.points()), message, candidates, trait, seed)
            if bench.pending:
                break
        if bench.pending or bench.is_unsuitable():
            return bench.ranking(message, candidates, trait, self.strategy)
        bench.combine()
        extra = 0
        while self.passes + extra < self.max_passes and bench.combined.gain >= self.min_gain:
            shown = plan.more(bench.combined.probabilities)
            if not shown:
                break
            yield from self._judge(bench, shown, message, candidates, trait, seed)
            bench.give_up_pending()
            bench.combine()
            extra += 1
        most = calls_per_pass(self.strategy, number, self.tournament) * self.max_passes
        bench.saved = max(0, most * max(1, len(self.jurors)) - len(bench.done))
        return bench.ranking(message, candidates, trait, self.strategy)

    def _judge(
        self,
        bench: _Bench,
        shown: Sequence[tuple[int, ...]],
        message: Message,
        candidates: Candidates,
        trait: Trait,
        seed: int,
    ) -> Steps[None]:
        """Ask every juror for everything that is to be shown, and again for what could not be read."""
        bench.ask([(juror, order) for juror in self.jurors or ("",) for order in shown])
        for attempt in range(1 + self.max_reasks):
            asked = list(bench.pending)
            if not asked:
                return
            calls = [
                self._call(
                    message,
                    candidates,
                    trait,
                    bench.asked[i],
                    self._seed(bench, i, attempt, seed),
                    bench.pending[i],
                )
                for i in asked
            ]
            for i, reply in zip(asked, (yield calls), strict=True):
                bench.take(i, reply)

    def _seed(self, bench: _Bench, number: int, attempt: int, seed: int) -> int:
        juror = bench.asked[number][0]
        return stable_seed(seed, *([juror] if juror else []), number, attempt)

    def _call(
        self, message: Message, candidates: Candidates, trait: Trait, shown: Shown, seed: int, fault: str
    ) -> Call:
        juror, order = shown
        inputs = _inputs(message, candidates, trait, order)
        needs = needed_outputs(_strategy(self.strategy).signature)
        return Call(self.rank, inputs, "ranking", trait.name, seed, fault, self.jurors.get(juror), needs)


def _inputs(message: Message, candidates: Candidates, trait: Trait, shown: Sequence[int]) -> dict[str, Any]:
    return {
        "language": language_name(message.language),
        "trait": trait.brief(),
        "conversation": [turn.model_dump() for turn in message.turns],
        "responses": [candidates.items[i].text for i in shown],
    }


_strategy = strategy  # the module's argument has the same name


@dataclass
class _Bench:
    """What the judge said so far.

    ``asked`` lists every question in order, ``pending`` those without a usable reply, with the last fault,
    ``done`` the replies (None where the message was found unsuitable).
    """

    strategy: Strategy
    method: Method | None
    num_candidates: int
    calibration: Calibration | None
    lengths: Sequence[float]
    asked: list[Shown] = field(default_factory=list)
    pending: dict[int, str] = field(default_factory=dict)
    done: dict[int, RankingPass | None] = field(default_factory=dict)
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    saved: int = 0
    combined: Combined = field(init=False)

    def ask(self, shown: Sequence[Shown]) -> None:
        """Put questions on the list."""
        first = len(self.asked)
        self.asked += shown
        self.pending |= dict.fromkeys(range(first, len(self.asked)), "")

    def take(self, number: int, reply: Reply) -> None:
        """Read a reply: a pass, an unsuitable message, or a fault that is asked about again."""
        self.usage += reply.usage
        juror, shown = self.asked[number]
        scores, reason, detail = None, reply.fault, reply.detail
        if not reason and reply.outputs.get("suitable", True) is not False:
            scores, reason, detail = self.strategy.read(reply.outputs, len(shown))
        if reason:
            self.pending[number] = detail or reason
            self.faults.append((number, reason, detail))
            return
        del self.pending[number]
        self.done[number] = None
        if scores is not None:
            by_index = dict(zip(shown, scores, strict=True))
            said = [by_index.get(i) for i in range(self.num_candidates)]
            if self.calibration is not None:
                said = self.calibration.apply(said, shown, self.lengths)
            self.done[number] = RankingPass(
                shown=shown,
                scores=tuple(said),
                reason=reply.text("reasoning"),
                seed=reply.seed,
                model=reply.model,
                juror=juror,
            )

    def passes(self) -> tuple[RankingPass, ...]:
        """Return the passes, in the order in which they were asked for."""
        return tuple(done for i in sorted(self.done) if (done := self.done[i]) is not None)

    def points(self) -> list[float]:
        """Return each candidate's points so far, which match a Swiss tournament."""
        sums = [0.0] * self.num_candidates
        for done in self.passes():
            for index in done.shown:
                sums[index] += done.scores[index] or 0.0
        return sums

    def is_unsuitable(self) -> bool:
        """Whether at least half of the replies found the message unsuitable, or nobody judged some candidate."""
        silent = sum(done is None for done in self.done.values())
        judged = {index for done in self.passes() for index in done.shown}
        return 2 * silent >= len(self.done) or len(judged) < self.num_candidates

    def give_up_pending(self) -> None:
        """Leave out what could not be read in a further pass: the passes before stand without it."""
        self.pending.clear()

    def combine(self) -> None:
        """Take everything that was said so far together."""
        self.combined = combine(
            self.passes(), self.num_candidates, method=self.method or self.strategy.method
        )

    def ranking(self, message: Message, candidates: Candidates, trait: Trait, name: str) -> Ranking:
        """Return what it all amounts to."""
        passes = self.passes()
        known: dict[str, Any] = {
            "message_id": message.id,
            "candidates_id": candidates.id,
            "trait": trait.name,
            "strategy": name,
            "passes": passes,
            "drops": self._drops(message.id),
            "usage": self.usage,
        }
        if self.pending:
            return Ranking(status="unranked", reason=next(iter(self.pending.values())), **known)
        if self.is_unsuitable():
            return Ranking(status="unsuitable", reason="no reply to this message can show the trait", **known)
        return Ranking(
            scores=self.combined.scores,
            order=order_by_score(self.combined.scores),
            probabilities=self.combined.probabilities,
            consistency=self.combined.consistency,
            method=self.method or self.strategy.method,
            saved_calls=self.saved,
            reason=passes[0].reason,
            **known,
        )

    def _drops(self, message_id: str) -> tuple[Drop, ...]:
        return tuple(
            Drop(
                stage="ranking",
                reason=reason,
                detail=detail,
                message_id=message_id,
                recovered=number in self.done,
            )
            for number, reason, detail in self.faults
        )
