"""The third step: candidates in, a ranking out of how well each fits the trait, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypedDict, Unpack

import dspy

from character.backends.call import Call, Reply
from character.backends.drivers import RecipeModule, Steps, by_tasks, by_threads
from character.backends.odds import NO_ODDS, OddsPredict, Probabilities, no_odds, probabilities_of
from character.backends.predictors import as_predictor, needed_outputs
from character.config import MAX_ADAPTIVE, MAX_PASSES, PairDesign
from character.constitution import Trait
from character.errors import ConfigError, InputError, UnknownNameError
from character.inputs import as_candidate_set, as_message, as_trait, spelled_out
from character.ranking.bench import Bench, read_scores
from character.ranking.combine import METHODS, Method
from character.ranking.score_model import Habits
from character.ranking.strategies import (
    TOURNAMENTS,
    Plan,
    Reading,
    Strategy,
    StrategyName,
    Tournament,
    calls_per_pass,
    strategy,
)
from character.records import Candidates, Message, Ranking
from character.text import stable_seed
from optimizers.calibration.calibration import Calibration

BEST_DESIGNS = ("best_rest", "best_worst")
"""The designs whose pairs are those of the best candidate alone."""


class Passing(TypedDict, total=False):
    """How many passes a ranker makes, and how they are read and become one ranking, as ``[ranking]`` says."""

    max_passes: int | None
    min_gain: float
    tournament: Tournament
    method: Method | None
    reading: Reading
    adaptive: bool
    design: PairDesign


_PASSING: Passing = {
    "max_passes": None,
    "min_gain": 0.005,
    "tournament": "round_robin",
    "method": None,
    "reading": "text",
    "adaptive": False,
    "design": "best_rest",
}


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
    ``dspy.ChainOfThought(…)``, or a signature of one's own, with the fields that the strategy's has (an
    input or its reasoning may be missing). With ``reading`` ``"probabilities"`` the judge answers with a
    figure or a letter alone, and its score is the mean over all that it may be, by the model's probabilities;
    ``"auto"`` has it write its judgement for ``listwise`` and where a server gives none. What was asked once
    is then not asked again: it would get the same answer.

    With ``adaptive`` a message that comes with ``habits``, what a program has learned of its judge from
    messages before, is judged in one pass at first, what the judge gives to places is taken out, and further
    passes follow (8 in all at most by default) while one more is expected to put right ``min_gain`` of the
    pairs that ``design`` makes: those of the best with each other for ``best_rest`` and ``best_worst``, else
    all.

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
        if chosen["adaptive"] and (strategy != "scores" or method not in (None, "model")):
            raise InputError(
                f"found adaptive passes with the strategy {strategy} and the method {method}.",
                expected="the strategy scores and its own method: of no other a pass tells how sure it is",
            )
        usual = MAX_ADAPTIVE if chosen["adaptive"] else MAX_PASSES
        default = max(passes, usual) if passes > 1 or chosen["adaptive"] else 1
        self.reading = chosen["reading"]
        self.rank = _predictor(predictor, _strategy(strategy, self.reading))
        self.strategy, self.passes, self.max_passes = strategy, passes, max_passes or default
        self.min_gain, self.tournament, self.method = chosen["min_gain"], tournament, method
        self.adaptive, self.design = chosen["adaptive"], chosen["design"]
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
        habits: Habits | None = None,
    ) -> Steps[Ranking]:
        """Return the ranking; the same seed shows the candidates in the same orders.

        ``habits`` are what is known of the judge, which only an adaptive ranker goes by.
        """
        bench = self._bench(message, candidates, trait, seed)
        passes = self.passes
        if habits is not None and self.adaptive:
            bench.habits, bench.best_only, passes = habits, self.design in BEST_DESIGNS, 1
        plan = Plan(self.strategy, bench.number, passes, self.tournament, bench.seed)
        for _ in range(plan.rounds):
            yield from self._judge(bench, plan.round(bench.points()))
            if bench.pending:
                break
        if bench.pending or bench.is_unsuitable():
            return bench.ranking()
        bench.combine()
        extra = 0
        while passes + extra < self.max_passes and bench.combined.gain >= self.min_gain:
            shown = plan.more(bench.combined.probabilities)
            asked_before = len(bench.asked)
            yield from self._judge(bench, shown)
            if len(bench.asked) == asked_before:
                break
            bench.pending.clear()  # the passes before stand without what could not be read in a further one
            bench.combine()
            extra += 1
        most = calls_per_pass(self.strategy, bench.number, self.tournament) * self._most_passes
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
        scores, fault, _detail = read_scores(self._way, outputs, shown, max(shown) + 1)
        return scores, fault or ("unsuitable" if scores is None else "")

    def _bench(self, message: Any, candidates: Any, trait: Any, seed: int) -> Bench:
        trait = as_trait(trait)
        message = as_message(message, trait)
        asked = self._way, self.method or self._way.method, self.calibration, self.max_reasks
        return Bench(*asked, message, as_candidate_set(candidates, message), trait, seed)

    def _judge(self, bench: Bench, shown: Sequence[tuple[int, ...]]) -> Steps[None]:
        """Ask every juror for everything that is to be shown, and again for what could not be read."""
        for juror in self.jurors or ("",):
            is_same_again = self._way.values is not None and self._judges(juror).given
            bench.ask(juror, shown, once=is_same_again)
        while asked := bench.open():
            replies = yield [self._call(bench, number) for number in asked]
            for number, reply in zip(asked, replies, strict=True):
                if not self._goes_without(bench, number, reply):
                    bench.take(number, reply)

    def _call(self, bench: Bench, number: int) -> Call:
        juror, shown = bench.asked[number]
        seed = stable_seed(bench.seed, *([juror] if juror else []), number, bench.tried.get(number, 0))
        lm, before = self.jurors.get(juror), bench.pending[number]
        rank, way = self.rank, self._way
        if way.values is not None and not self._judges(juror).given:
            rank, way = _in_words(self.strategy), _strategy(self.strategy)
            lm = lm or getattr(self.rank, "lm", None)
            self._refuse_words()
        bench.ways[number] = way
        needs = needed_outputs(way.signature)
        return Call(rank, bench.inputs(shown), "ranking", bench.trait.name, seed, before, lm, needs)

    @property
    def _most_passes(self) -> int:
        """How many passes may tell anything: a question that is read by probabilities has one answer."""
        orders = {"pointwise": 1, "pairwise": 2} if self._way.values else {}
        return min(self.max_passes, orders.get(self.strategy, self.max_passes))

    @property
    def _way(self) -> Strategy:
        return _strategy(self.strategy, self.reading)

    def _judges(self, juror: str) -> Probabilities:
        """Return what is known of whether a judge gives probabilities."""
        return probabilities_of(self.jurors.get(juror) or getattr(self.rank, "lm", None) or dspy.settings.lm)

    def _goes_without(self, bench: Bench, number: int, reply: Reply) -> bool:
        """Whether a judge gives no probabilities, and is asked for its judgement in words from now on.

        That is so where it has never given any and its server sends none, or it keeps to no figure or letter
        when asked again. Raises ConfigError where ``reading`` insists on them.
        """
        if bench.ways[number].values is None:
            return False
        found = self._judges(bench.asked[number][0])
        if not reply.fault:
            found.settle(True)
            return False
        if found.given and not found.is_open:
            return False  # it has given some before: one reply without is a fault of this one
        is_last = bench.tried.get(number, 0) >= self.max_reasks
        if reply.fault != NO_ODDS and not (reply.fault == "unreadable" and found.is_open and is_last):
            return False
        if self.reading == "probabilities":
            if reply.fault == NO_ODDS:
                raise no_odds(reply.model)
            return False
        gives_none = reply.fault == NO_ODDS
        found.settle(False, "its server gives none" if gives_none else "it keeps to no figure or letter")
        bench.ask_anew(number, reply)
        return True

    def _refuse_words(self) -> None:
        """Raise ConfigError where a judge may not write its judgement instead of giving probabilities."""
        if self.reading == "probabilities":
            raise no_odds("the judge")
        is_tuned = self.rank.demos or self.calibration is not None
        if is_tuned or self.rank.signature.instructions != self._way.signature.instructions:
            raise ConfigError(
                "the ranker was tuned to be read by probabilities, and the judge's server gives none.",
                fix='judge with a server that gives them, or tune a ranker with ranking.read = "text".',
            )


_strategy = strategy  # the module's argument has the same name


def _predictor(given: Any, way: Strategy) -> Any:
    if way.values is None:
        return as_predictor(given, way.signature, "ranker")
    if given is not None:
        raise InputError(
            "a ranker with a predictor of its own cannot be read by probabilities.",
            expected='reading="text" with it, or our own prompt',
        )
    return OddsPredict(way.signature)


@lru_cache(maxsize=8)
def _in_words(name: StrategyName) -> dspy.Predict:
    """Return what a judge writes its judgement by where it gives no probabilities."""
    return dspy.Predict(_strategy(name).signature)
