"""``auto``: the budget is spent over several strategies, and cross-validation picks one, or none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from optimizers.labelled import LabelledItem, LabelledSet
from optimizers.labelled_splits import blocks
from optimizers.strategy_task import UNTUNED, Task, Trial
from optimizers.tuning import Tuning

FOLDS = 3
FINAL_SHARE = 0.35
"""The share of the calls that is kept for running the winner once more, on all items."""
_WEIGHTS = {"calibrate": 0.0, "select": 1.0, "few_shot": 1.5, "gepa": 1.5}
"""What a strategy gets of the calls in each fold, relative to the others; the simpler stand first."""
_LEAST_PASSES = {"calibrate": 0, "select": 2, "few_shot": 0, "gepa": 4}
"""The fewest passes over the fold's items with which a strategy can do anything."""
_BY_WORTH = ("few_shot", "calibrate", "select", "gepa")
"""Which strategies are tried first where the calls do not suffice for all."""
LEAST_ITEMS = 6


def auto(task: Task, items: Sequence[LabelledItem], budget: int) -> tuple[str, Tuning, list[Trial]]:
    """Return (the strategy picked, the tuning it makes of all items, how each fared).

    Every contender runs on two thirds of the items and is judged on the rest, three times; the simplest one
    within a standard error of the best is picked (Breiman et al. 1984), which often is no tuning at all. It
    then runs on all items with the calls that are left.
    """
    bench = task.bench
    start = bench.ledger.spent
    per_pass = bench.calls_per_item(items) * len(items)
    with bench.ledger.allowance(budget):
        trials = [Trial(UNTUNED)]
        enough = len(items) >= LEAST_ITEMS and len(blocks(items)) >= 2
        if enough and bench.ledger.left >= per_pass:
            trials += _tried(task, items, _contenders(budget, per_pass), budget, per_pass)
        chosen = pick(trials)
        left = max(0, budget - (bench.ledger.spent - start))
        return chosen, task.run(chosen, items, left), trials


def pick(trials: Sequence[Trial]) -> str:
    """Return the first (simplest) strategy whose mean gain lies within one standard error of the best one's."""
    best = max(trials, key=lambda trial: mean_gain(trial))
    bound = mean_gain(best) - standard_error(best)
    if bound <= 0:
        return UNTUNED
    return next(trial.strategy for trial in trials if mean_gain(trial) >= bound)


def mean_gain(trial: Trial) -> float:
    """Return the mean of a trial's gains, 0 without any."""
    return fmean(trial.gains) if trial.gains else 0.0


def standard_error(trial: Trial) -> float:
    """Return the standard error of the mean gain, 0 for fewer than two."""
    return stdev(trial.gains) / math.sqrt(len(trial.gains)) if len(trial.gains) > 1 else 0.0


def _contenders(budget: int, per_pass: float) -> list[str]:
    """Return the strategies for which the calls suffice, the simpler first."""
    fold_pass = per_pass * (FOLDS - 1) / FOLDS
    for number in range(len(_BY_WORTH), 0, -1):
        names = [name for name in _WEIGHTS if name in _BY_WORTH[:number]]
        share = _share(names, budget, per_pass)
        if share > 0 and all(share * _WEIGHTS[name] >= _LEAST_PASSES[name] * fold_pass for name in names):
            return names
    return []


def _share(names: Sequence[str], budget: int, per_pass: float) -> float:
    """Return the calls of one fold for a weight of one, after the baseline and the judging of held-out items."""
    asking = sum(_WEIGHTS[name] > 0 for name in names)
    rest = (1 - FINAL_SHARE) * budget - per_pass * (1 + asking)
    return max(0.0, rest) / FOLDS / max(1e-9, sum(_WEIGHTS[name] for name in names))


def _tried(
    task: Task, items: Sequence[LabelledItem], names: Sequence[str], budget: int, per_pass: float
) -> list[Trial]:
    bench = task.bench
    trials = [Trial(name) for name in names]
    share = _share(names, budget, per_pass)
    before = dict(zip([item.id for item in items], bench.goodness(task.start, items), strict=True))
    number = min(FOLDS, len(blocks(items)))
    for fit, held in LabelledSet(items=tuple(items)).folds(number, bench.seed):
        for trial in trials:
            spent = bench.ledger.spent
            tuned = task.run(trial.strategy, fit.items, int(share * _WEIGHTS[trial.strategy]))
            after = bench.goodness(tuned, held.items)
            trial.gains += [
                new - old
                for item, new in zip(held.items, after, strict=True)
                if new is not None and (old := before[item.id]) is not None
            ]
            trial.calls += bench.ledger.spent - spent
    return trials
