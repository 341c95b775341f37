"""The strategies by name, and what each is given: a task, items and a number of calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from character.statistics.intervals import clustered_error
from optimizers.errors import problem
from optimizers.labelled import LabelledItem
from optimizers.strategies.calibrate import calibrate
from optimizers.strategies.few_shot import few_shot
from optimizers.strategies.instructions import copro, gepa, mipro, simba
from optimizers.strategies.judge_cache import TuningTask
from optimizers.strategies.select import select_wording
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
