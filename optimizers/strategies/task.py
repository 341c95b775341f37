"""The strategies by name, and what each is given: a task, items and a number of calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from character.statistics.intervals import clustered_error
from optimizers.errors import problem
from optimizers.labelled import LabelledItem, LabelledSet
from optimizers.labelled.splits import blocks
from optimizers.strategies.calibrate import calibrate
from optimizers.strategies.few_shot import few_shot
from optimizers.strategies.instructions import copro, gepa, mipro, simba
from optimizers.strategies.judge_cache import TuningTask
from optimizers.strategies.racing import select_wording
from optimizers.strategies.tuning import Tuning

UNTUNED, AUTO = "untuned", "auto"
_RUNS: dict[str, Callable[[TuningTask, Sequence[LabelledItem], int], Tuning]] = {
    "calibrate": calibrate,
    "select": select_wording,
    "few_shot": few_shot,
    "copro": copro,
    "mipro": mipro,
    "gepa": gepa,
    "simba": simba,
}
STRATEGIES = (*_RUNS, AUTO)
"""The strategies by name; each is given a task, items and a number of calls."""
PREJUDGED = frozenset({"calibrate", AUTO})
"""Strategies that need all their items judged before any tuning, which the runs of a nested design share."""
FOLDS = 3
FINAL_SHARE = 0.35
"""The share of the calls that is kept for running the winner once more, on all items."""
_WEIGHTS = {"calibrate": 0.0, "select": 1.0, "few_shot": 1.5, "gepa": 1.5}
"""What a strategy gets of the calls in each fold, relative to the others; the simpler stand first."""
_LEAST_PASSES = {"calibrate": 0, "select": 2, "few_shot": 0, "gepa": 4}
"""The fewest passes over the fold's items with which a strategy can do anything."""
_BY_WORTH = ("calibrate", "few_shot", "select", "gepa")
"""Which strategies are tried first where the calls do not suffice for all."""
LEAST_ITEMS = 6
LIKELY = 0.5
"""How many standard errors a strategy must gain to be picked.

Few: what is picked by luck is not adopted later, while what is not picked in some folds has no gain to show
there.
"""


def run_strategy(task: TuningTask, strategy: str, items: Sequence[LabelledItem], budget: int) -> Tuning:
    """Return what a strategy (any but ``auto``) makes of labelled items with at most ``budget`` calls."""
    if strategy == UNTUNED or not items or budget < 0:
        return task.start
    return _RUNS[strategy](task, items, budget)


@dataclass
class Trial:
    """How a strategy fared in cross-validation in the training part: paired gains over the untuned ranker.

    ``groups`` says for each gain which items belong together; without it each stands alone. ``by_length``
    says whether length counted in what it made, in any of the parts.
    """

    strategy: str
    gains: list[float] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    calls: int = 0
    by_length: bool = False

    @property
    def num_items(self) -> int:
        """The items that it was judged on."""
        return len(self.gains)

    @property
    def gain(self) -> float:
        """The mean of the gains, 0 without any."""
        return fmean(self.gains) if self.gains else 0.0

    @property
    def standard_error(self) -> float:
        """That of the mean gain, items of one group together; 0 for fewer than two gains."""
        if len(self.gains) < 2:
            return 0.0
        return clustered_error(self.gains, self.groups or [str(place) for place in range(len(self.gains))])


def known_strategy(name: str) -> str:
    """Return the name; raises OptimizerError, which lists the known ones."""
    if name not in STRATEGIES:
        raise problem("strategy", name=name, names=", ".join(STRATEGIES))
    return name


def auto(task: TuningTask, items: Sequence[LabelledItem], budget: int) -> tuple[str, Tuning, list[Trial]]:
    """Return (the strategy picked, the tuning it makes of all items, how each fared).

    Every contender runs on two thirds of the items and is judged on the rest, three times; of those that gain
    the simplest within a standard error of the best is picked (Breiman et al. 1984), which often is none. It
    then runs on all items with the calls that are left.
    """
    judge = task.judge
    start = judge.ledger.spent
    per_pass = judge.calls_per_item(items) * len(items)
    cost = _Cost(per_pass, judge.calls_missing(task.start, items), budget)
    with judge.ledger.allowance(budget):
        trials = [Trial(UNTUNED)]
        enough = len(items) >= LEAST_ITEMS and len(blocks(items)) >= 2
        if enough and judge.ledger.left >= cost.baseline:
            trials += _tried(task, items, _contenders(cost), cost)
        chosen = pick(trials)
        left = max(0, budget - (judge.ledger.spent - start))
        return chosen, run_strategy(task, chosen, items, left), trials


def pick(trials: Sequence[Trial]) -> str:
    """Return the first (simplest) strategy that gains and lies within a standard error of the best.

    A gain is a mean above ``LIKELY`` of its own standard errors; where there is none, nothing is tuned. What
    gains by letting length count is not simple, because length is usually a confound: it is picked only where
    nothing else is near.
    """
    better = [trial for trial in trials if trial.gain > LIKELY * trial.standard_error]
    if not better:
        return UNTUNED
    best = max(better, key=lambda trial: trial.gain)
    near = [trial for trial in better if trial.gain >= best.gain - best.standard_error]
    return next((trial.strategy for trial in near if not trial.by_length), near[0].strategy)


@dataclass(frozen=True)
class _Cost:
    """Calls: of one pass over all items, of the one before tuning that are still to be made, and allowed."""

    per_pass: float
    baseline: int
    budget: int

    def share(self, names: Sequence[str]) -> float:
        """Return the calls of a fold for a weight of one, after the baseline and the held-out judging."""
        asking = sum(_WEIGHTS[name] > 0 for name in names)
        rest = (1 - FINAL_SHARE) * self.budget - self.baseline - self.per_pass * asking
        return max(0.0, rest) / FOLDS / max(1.0, sum(_WEIGHTS[name] for name in names))


def _contenders(cost: _Cost) -> list[str]:
    """Return the strategies for which the calls suffice, the simpler first."""
    fold_pass = cost.per_pass * (FOLDS - 1) / FOLDS
    for number in range(len(_BY_WORTH), 0, -1):
        names = [name for name in _WEIGHTS if name in _BY_WORTH[:number]]
        share, asking = cost.share(names), any(_WEIGHTS[name] for name in names)
        enough = all(share * _WEIGHTS[name] >= _LEAST_PASSES[name] * fold_pass for name in names)
        if enough and (share or not asking):
            return names
    return []


def _tried(task: TuningTask, items: Sequence[LabelledItem], names: Sequence[str], cost: _Cost) -> list[Trial]:
    judge = task.judge
    trials = [Trial(name) for name in names]
    share = cost.share(names)
    before = judge.goodness(task.start, items)
    untuned = zip(items, judge.judgements(task.start, items), strict=True)
    ranked = {item.id for item, made in untuned if any(each.scores for each in made)}
    number = min(FOLDS, len(blocks(items)))
    for fit, held in LabelledSet(items=tuple(items)).folds(number, judge.options.seed):
        for trial in trials:
            spent = judge.ledger.spent
            tuned = run_strategy(task, trial.strategy, fit.items, int(share * _WEIGHTS[trial.strategy]))
            trial.by_length |= bool(tuned.calibration and tuned.calibration.length_credit)
            after = judge.goodness(tuned, held.items)
            for item in held.items:
                old, new = before[item.id], after[item.id]
                if item.id in ranked and old is not None and new is not None:
                    trial.gains.append(new - old)
                    trial.groups.append(item.group)
            trial.calls += judge.ledger.spent - spent
    return trials
