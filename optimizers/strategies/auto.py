"""``auto``: the budget is spent over several strategies, and cross-validation picks one, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optimizers.labelled import LabelledItem, LabelledSet
from optimizers.labelled.splits import blocks
from optimizers.strategies.judge_cache import TuningTask
from optimizers.strategies.task import UNTUNED, Trial, run_strategy
from optimizers.strategies.tuning import Tuning

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
    before = dict(zip([item.id for item in items], judge.goodness(task.start, items), strict=True))
    number = min(FOLDS, len(blocks(items)))
    for fit, held in LabelledSet(items=tuple(items)).folds(number, judge.options.seed):
        for trial in trials:
            spent = judge.ledger.spent
            tuned = run_strategy(task, trial.strategy, fit.items, int(share * _WEIGHTS[trial.strategy]))
            trial.by_length |= bool(tuned.calibration and tuned.calibration.length_credit)
            after = judge.goodness(tuned, held.items)
            for item, new in zip(held.items, after, strict=True):
                if new is not None and (old := before[item.id]) is not None:
                    trial.gains.append(new - old)
                    trial.groups.append(item.group)
            trial.calls += judge.ledger.spent - spent
    return trials
