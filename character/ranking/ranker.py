"""The third step: candidates in, a ranking out of how well each fits the trait, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

import dspy

from character.backends.call import Call, Fault, Reply
from character.backends.drivers import RecipeModule, Steps, by_tasks, by_threads
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
    """How many passes a ranker makes, and how they become one ranking: options that ``[ranking]`` has too."""

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
    ``min_gain`` of all pairs of candidates; by default 4 at most, and one where ``passes`` is one. ``jurors``
    are models by name that each judge everything, instead of the model of the context. ``method`` replaces
    how the passes are combined. ``calibration`` is applied to the scores of every pass, see
    ``optimizers.calibration.calibration``. ``predictor`` asks in place of ``dspy.Predict``: a module such as
    ``dspy.ChainOfThought(…)``, or a signature of one's own, with the fields that the strategy's has (an input
    or its reasoning may be missing).

    A reply that cannot be read, or that breaks its scale, is asked for again with the fault shown, at most
    ``max_reasks`` times; then the ranking is unranked, because a pass that is missing leaves the orders
    unbalanced. Where every reply finds that no reply to the message can show the trait, the ranking is
    unsuitable; where only some do, the others stand, and it is counted.
    """

    _kept = ("strategy", "passes", "max_reasks", "calibration", *_PASSING)
    _model_places = ("jurors",)

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
        max_passes, tournament, method = chosen["max_passes"], chosen["tournament"], chosen["method"]
        if passes < 1 or (max_passes is not None and max_passes < passes):
            fault = f"found {passes} passes and at most {max_passes}."
            raise InputError(fault, expected="1 <= passes <= max_passes")
        if tournament not in TOURNAMENTS:
            raise UnknownNameError("tournament", tournament, TOURNAMENTS)
        if method is not None and method not in METHODS:
            raise UnknownNameError("aggregation method", method, METHODS)
        default = max(passes, MAX_PASSES) if passes > 1 else 1
        self.rank = as_predictor(predictor, _strategy(strategy).signature, "ranker")
        self.strategy, self.passes, self.max_passes = strategy, passes, max_passes or default
        self.min_gain, self.tournament, self.method = chosen["min_gain"], tournament, method
        self.jurors, self.calibration, self.max_reasks = dict(jurors or {}), calibration, max_reasks

    @classmethod
    def _options(cls, settings: dict[str, Any]) -> dict[str, Any]:
        saved = settings.get("calibration")
        return {**settings, "calibration": None if saved is None else Calibration.model_validate(saved)}

    def _steps(
        self,
        message: Message | Sequence[Mapping[str, str]] | str,
        candidates: Candidates | Sequence[str],
        trait: Trait | Mapping[str, Any] | str,
        *,
        seed: int = 0,
    ) -> Steps[Ranking]:
        """Return the ranking; the same seed shows the candidates in the same orders."""
        bench = self._bench(message, candidates, trait, seed)
        plan = Plan(self.strategy, bench.number, self.passes, self.tournament, bench.seed)
        for _ in range(plan.rounds):
            yield from self._judge(bench, plan.round(bench.points()))
            if bench.pending:
                break
        if bench.pending or bench.is_unsuitable():
            return bench.ranking()
        bench.combine()
        extra = 0
        while self.passes + extra < self.max_passes and bench.combined.gain >= self.min_gain:
            shown = plan.more(bench.combined.probabilities)
            if not shown:
                break
            yield from self._judge(bench, shown)
            bench.pending.clear()  # the passes before stand without what could not be read in a further one
            bench.combine()
            extra += 1
        most = calls_per_pass(self.strategy, bench.number, self.tournament) * self.max_passes
        bench.saved = max(0, most * max(1, len(self.jurors)) - len(bench.done))
        return bench.ranking()

    forward = by_threads(_steps)
    aforward = by_tasks(_steps)

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
        bench = self._bench(message, candidates, trait, seed)
        plan = Plan(self.strategy, bench.number, passes, self.tournament, bench.seed)
        examples = []
        for shown in plan.round(bench.points()):
            inputs = bench.inputs(shown)
            right = [score for i in shown if scores is not None and (score := scores[i]) is not None]
            outputs = bench.strategy.write(right) if len(right) == len(shown) else {}
            examples.append(dspy.Example(**inputs, **outputs, shown=list(shown)).with_inputs(*inputs))
        return examples

    def read(self, outputs: Mapping[str, Any], shown: Sequence[int]) -> tuple[list[float | None] | None, str]:
        """Return (scores in 0..1 in the candidates' order, fault) of what the predictor replied.

        Scores are None for an unsuitable message and for a reply that breaks its scale; the fault then says
        which. Candidates that were not shown have None.
        """
        scores, fault, _detail = _read(_strategy(self.strategy), outputs, shown, max(shown) + 1)
        return scores, fault or ("unsuitable" if scores is None else "")

    def _bench(self, message: Any, candidates: Any, trait: Any, seed: int) -> _Bench:
        trait = as_trait(trait)
        message = as_message(message, trait)
        return _Bench(self, message, as_candidate_set(candidates, message), trait, seed)

    def _judge(self, bench: _Bench, shown: Sequence[tuple[int, ...]]) -> Steps[None]:
        """Ask every juror for everything that is to be shown, and again for what could not be read."""
        bench.ask([(juror, order) for juror in self.jurors or ("",) for order in shown])
        for attempt in range(1 + self.max_reasks):
            asked = [number for number, lost in bench.pending.items() if not (lost and lost.is_final)]
            if not asked:
                return
            replies = yield [self._call(bench, number, attempt) for number in asked]
            for number, reply in zip(asked, replies, strict=True):
                bench.take(number, reply)

    def _call(self, bench: _Bench, number: int, attempt: int) -> Call:
        juror, shown = bench.asked[number]
        seed = stable_seed(bench.seed, *([juror] if juror else []), number, attempt)
        lm, before = self.jurors.get(juror), bench.pending[number]
        needs = needed_outputs(bench.strategy.signature)
        return Call(self.rank, bench.inputs(shown), "ranking", bench.trait.name, seed, before, lm, needs)


_strategy = strategy  # the module's argument has the same name


def _read(
    strategy: Strategy, outputs: Mapping[str, Any], shown: Sequence[int], number: int
) -> tuple[list[float | None] | None, str, str]:
    """Return (scores of ``number`` candidates, fault, detail); an unsuitable message has none of these."""
    if outputs.get("suitable", True) is False:
        return None, "", ""
    scores, fault, detail = strategy.read(outputs, len(shown))
    if scores is None:
        return None, fault, detail
    by_index = dict(zip(shown, scores, strict=True))
    return [by_index.get(i) for i in range(number)], "", ""


@dataclass
class _Bench:
    """What the judge said so far.

    ``asked`` lists every question in order, ``pending`` those without a usable reply, with the last one,
    ``done`` the replies (None where the message was found unsuitable).
    """

    ranker: Ranker
    message: Message
    candidates: Candidates
    trait: Trait
    seed: int
    asked: list[Shown] = field(default_factory=list)
    pending: dict[int, Reply | None] = field(default_factory=dict)
    done: dict[int, RankingPass | None] = field(default_factory=dict)
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    saved: int = 0
    combined: Combined = field(init=False)

    def __post_init__(self) -> None:
        self.seed = stable_seed(self.seed, self.candidates.id)
        self.number = len(self.candidates.items)
        self.strategy = _strategy(self.ranker.strategy)
        self.method = self.ranker.method or self.strategy.method

    def inputs(self, shown: Sequence[int]) -> dict[str, Any]:
        """Return what the judge is given where these candidates are shown."""
        return {
            "language": language_name(self.message.language),
            "trait": self.trait.brief(),
            "conversation": [turn.model_dump() for turn in self.message.turns],
            "responses": [self.candidates.items[i].text for i in shown],
        }

    def ask(self, shown: Sequence[Shown]) -> None:
        first = len(self.asked)
        self.asked += shown
        self.pending |= dict.fromkeys(range(first, len(self.asked)))

    def take(self, number: int, reply: Reply) -> None:
        """Read a reply: a pass, an unsuitable message, or a fault that is asked about again."""
        self.usage += reply.usage
        juror, shown = self.asked[number]
        scores, fault, detail = None, reply.fault, reply.detail
        if not fault:
            scores, fault, detail = _read(self.strategy, reply.outputs, shown, self.number)
        elif fault == "unreadable" and reply.kept.get("suitable") is False:
            self.faults.append((number, fault, detail))
            fault = ""  # the scores do not matter then, as the prompt says
            reply.became()
        if fault:
            self.pending[number] = reply.refused(Fault(fault, detail))
            self.faults.append((number, fault, detail))
            return
        del self.pending[number]
        self.faults += [(number, habit, "") for habit in reply.habits]
        self.done[number] = None
        if scores is not None:
            if self.ranker.calibration is not None:
                lengths = [text_length(item.text) for item in self.candidates.items]
                scores = self.ranker.calibration.apply(scores, shown, lengths)
            self.done[number] = RankingPass(
                shown=shown,
                scores=tuple(scores),
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
        sums = [0.0] * self.number
        for done in self.passes():
            for index in done.shown:
                sums[index] += done.scores[index] or 0.0
        return sums

    def is_unsuitable(self) -> bool:
        """Whether every reply found it unsuitable, or nobody judged some candidate."""
        judged = {index for done in self.passes() for index in done.shown}
        return len(judged) < self.number

    def combine(self) -> None:
        self.combined = combine(self.passes(), self.number, method=self.method)

    def ranking(self) -> Ranking:
        passes = self.passes()
        facts: dict[str, Any] = {
            "message_id": self.message.id,
            "candidates_id": self.candidates.id,
            "trait": self.trait.name,
            "strategy": self.strategy.name,
            "passes": passes,
            "drops": tuple(self._drops()),
            "usage": self.usage,
        }
        if last := next(filter(None, self.pending.values()), None):
            return Ranking(status="unranked", reason=last.detail or last.fault, **facts)
        if self.is_unsuitable():
            return Ranking(status="unsuitable", reason="no reply to this message can show the trait", **facts)
        return Ranking(
            scores=self.combined.scores,
            order=order_by_score(self.combined.scores),
            probabilities=self.combined.probabilities,
            consistency=self.combined.consistency,
            method=self.method,
            saved_calls=self.saved,
            reason=passes[0].reason,
            **facts,
        )

    def _drops(self) -> Iterator[Drop]:
        facts: dict[str, Any] = {"stage": "ranking", "message_id": self.message.id}
        for number, fault, detail in self.faults:
            yield Drop(reason=fault, detail=detail, recovered=number in self.done, **facts)
        for done in self.done.values():
            if done is None and not self.is_unsuitable():
                yield Drop(reason="called_unsuitable", recovered=True, **facts)
