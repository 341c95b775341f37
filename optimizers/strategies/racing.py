"""Selection: which of several wordings judges best, found with few calls by successive halving.

To ``select`` a judge is any function of a wording and an item, so a recorded one is replayed as a live one is
asked; ``select_wording`` is the strategy, which chooses among wordings of our own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from character.files import toml_beside
from character.statistics.arrays import Floats
from optimizers.errors import problem
from optimizers.labelled import LabelledItem
from optimizers.strategies.judge_cache import CachedJudge, TuningTask, as_paid_for
from optimizers.strategies.tuning import Tuning

W = TypeVar("W")
I = TypeVar("I")  # noqa: E741  an item

Verdict = float | Sequence[float] | None
"""How right a judgement is, in 0..1: one share, or one for each order; None where the labels tell nothing."""
Shares = Sequence[float] | None
Run = Callable[[Sequence[Callable[[], Shares]]], Sequence[Shares]]
"""Makes judgements and returns them in order; threads belong here."""

CLEARLY_WORSE = 2.5
"""How many standard errors below the best a wording is dropped at once."""
LEAST_RACED = 5
"""The fewest shared items from which a wording is called clearly worse."""


@dataclass(frozen=True)
class RaceStanding:
    """How one wording did: mean share right on the items it was judged on (None without), and their number.

    ``estimate`` is what the choice went by, see ``select``; ``dropped_in`` the round (from 1) that dropped
    it, 0 for the best. ``is_raced_out`` says that it was dropped because it was clearly worse.
    """

    share: float | None
    estimate: float | None
    num_items: int
    dropped_in: int
    is_raced_out: bool = False


@dataclass(frozen=True)
class Selection:
    """The wording chosen (its index), each wording's standing, and the judgements made.

    ``num_left_out`` counts judgements of items on which some wording that was still in had no verdict.
    """

    best: int
    standings: tuple[RaceStanding, ...]
    num_judgements: int
    num_left_out: int


def select(
    wordings: Sequence[W],
    judge: Callable[[W, I], Verdict],
    items: Sequence[I],
    budget: int | None = None,
    *,
    costs: Sequence[float] = (),
    seed: int = 0,
    run: Run | None = None,
) -> Selection:
    """Return the wording that judges best, with at most ``budget`` judgements (half of all without one).

    In each round all wordings that are still in judge the same further items (``seed`` says in which order
    they come), as many in each round; then the worse half is dropped, and with it whatever is clearly worse
    than the one that was right most often. Of two left the better one wins. Source: successive halving,
    Karnin, Koren & Somekh 2013, with rounds equal in items and not in judgements: with ten labels their first
    round would see one.

    Where a verdict has a share for each order, a wording whose orders agree is trusted more, as far as the
    verdicts themselves bear that out: see ``shrunk``. A tie goes to the wording that costs less (``costs``,
    one number per wording, in any unit), then to the earlier one. Raises OptimizerError without wordings or
    items, for a cost missing, or a share outside 0..1.
    """
    _check(wordings, items, costs)
    order = np.random.default_rng(seed).permutation(len(items))
    race = _Race(
        [[partial(_judged, judge, wording, items[i]) for i in order] for wording in wordings],
        list(costs) or [0.0] * len(wordings),
        run or (lambda questions: [question() for question in questions]),
        len(wordings) * len(items) // 2 if budget is None else budget,
    )
    return race.run()


def shrunk(shares: Floats, agreed: Floats) -> Floats:
    """Return how right each wording (row) is on the items (columns), drawn to what its orders' agreement
    tells.

    ``shares`` are those of right orders, ``agreed`` how alike the orders of a verdict are, both in 0..1.
    Agreement needs no label and varies less than the share. What it foretells is slope · agreement, the slope
    by how much more often than by chance all wordings together are right where their orders agree. Of what a
    wording is better than foretold, the part t² / (t² + v) is kept, with v the sampling variance of its mean
    on the same items and t² the variance between wordings beyond v: the empirical Bayes estimate (DerSimonian
    & Laird 1986), with nothing to be set. Where wordings differ no more than by chance, agreement alone
    decides.
    """
    means = shares.mean(axis=1)
    number, items = shares.shape
    if number < 2 or items < 2 or not agreed.any():
        return np.asarray(means, dtype=float)
    slope = max(0.0, float((shares * agreed).sum() / agreed.sum()) - 0.5)
    beyond = shares - slope * agreed
    apart = beyond - beyond.mean(axis=0)  # without what an item is for all wordings
    sampling = float(apart.var(axis=1, ddof=1).mean()) / items * number / (number - 1)
    between = max(0.0, float(beyond.mean(axis=1).var(ddof=1)) - sampling)
    own_share = between / (between + sampling) if between else 0.0
    foretold = slope * agreed.mean(axis=1) + float(beyond.mean())
    return np.asarray(foretold + own_share * (means - foretold), dtype=float)


def _judged(judge: Callable[[W, I], Verdict], wording: W, item: I) -> Shares:
    """Make one judgement; raises OptimizerError for a share outside 0..1."""
    verdict = judge(wording, item)
    shares = [] if verdict is None else [verdict] if isinstance(verdict, int | float) else list(verdict)
    if any(not 0 <= share <= 1 for share in shares):
        raise problem("shares", verdict=verdict)
    return shares or None


class _Race:
    """The judgements so far, and the wordings still in."""

    def __init__(
        self,
        questions: Sequence[Sequence[Callable[[], Shares]]],
        costs: Sequence[float],
        run: Run,
        budget: int,
    ) -> None:
        self.questions, self.costs, self.ask, self.left = questions, costs, run, budget
        self.shares = np.full((len(questions), len(questions[0])), np.nan)
        self.agreed = np.zeros_like(self.shares)
        self.alive = list(range(len(questions)))
        self.standings: dict[int, RaceStanding] = {}
        self.seen = self.num_judgements = self.num_left_out = 0

    def run(self) -> Selection:
        """Judge and drop, round by round, until one is left."""
        self._drop_unaffordable()
        sizes = _sizes(len(self.alive))
        for number, size in enumerate(sizes, 1):
            if len(self.alive) > size:
                self._judge(sizes[number - 1 :])
                self._drop(size, number)
        (best,) = self.alive
        share, estimate, count = self._estimates()[best]
        self.standings[best] = RaceStanding(share, estimate, count, 0)
        standings = tuple(self.standings[i] for i in range(len(self.questions)))
        return Selection(best, standings, self.num_judgements, self.num_left_out)

    def _drop_unaffordable(self) -> None:
        """Leave out those that not even one item could be judged with: the dear ones, then the last."""
        ranked = sorted(self.alive, key=lambda i: (self.costs[i], i))
        affordable = max(1, self.left)
        for index in ranked[affordable:]:
            self.standings[index] = RaceStanding(None, None, 0, 1)
        self.alive = sorted(ranked[:affordable])

    def _judge(self, sizes: Sequence[int]) -> None:
        """Ask every wording about further items, as many as the rounds to come (see ``sizes``) will have."""
        running = [len(self.alive), *(size for size in sizes[:-1] if size < len(self.alive))]
        further = min(self.left // sum(running), len(self.questions[0]) - self.seen)
        if not further and not self.seen:
            further = min(1, self.left // len(self.alive))
        asked = [(i, place) for i in self.alive for place in range(self.seen, self.seen + further)]
        verdicts = self.ask([self.questions[i][place] for i, place in asked])
        for place, shares in zip(asked, verdicts, strict=True):
            if shares:  # how alike the orders are, of a single one nothing is known
                self.shares[place] = sum(shares) / len(shares)
                self.agreed[place] = 1.0 - (max(shares) - min(shares)) if len(shares) > 1 else 0.0
        self.seen += further
        self.left -= len(asked)
        self.num_judgements += len(asked)

    def _drop(self, size: int, number: int) -> None:
        estimates = self._estimates()
        leader = min(self.alive, key=lambda i: (-(estimates[i][0] or 0.0), self.costs[i], i))
        worse = {i for i in self.alive if self._is_clearly_worse(i, leader)}
        ranked = sorted(self.alive, key=lambda i: (i in worse, -(estimates[i][1] or 0.0), self.costs[i], i))
        for place, index in enumerate(ranked):
            if place >= size or index in worse:
                self.standings[index] = RaceStanding(*estimates[index], number, index in worse)
                self.alive.remove(index)

    def _estimates(self) -> dict[int, tuple[float | None, float | None, int]]:
        """Return (share right, estimate, items) of each wording still in, on the items that they share."""
        told = np.isfinite(self.shares[self.alive, : self.seen]).all(axis=0).nonzero()[0]
        self.num_left_out = max(self.num_left_out, self.seen - len(told))
        if not len(told):
            return dict.fromkeys(self.alive, (None, None, 0))
        shares, agreed = (table[np.ix_(self.alive, told)] for table in (self.shares, self.agreed))
        estimates = shrunk(shares, agreed)
        return {
            index: (float(mean), round(float(estimate), 9), len(told))
            for index, mean, estimate in zip(self.alive, shares.mean(axis=1), estimates, strict=True)
        }

    def _is_clearly_worse(self, index: int, best: int) -> bool:
        """Return whether it is behind the best by several standard errors on the items they share.

        Half an item that went the other way is added to the variance, so that a few equal items prove
        nothing.
        """
        behind = self.shares[best] - self.shares[index]
        behind = behind[np.isfinite(behind)]
        if len(behind) < LEAST_RACED:
            return False
        error = math.sqrt(float(behind.var()) / len(behind) + 0.25 / len(behind) ** 2)
        return float(behind.mean()) > CLEARLY_WORSE * error


def _sizes(number: int) -> list[int]:
    """Return how many wordings each round leaves: half of them, rounded up, until one is left."""
    sizes = []
    while number > 1:
        number = (number + 1) // 2
        sizes.append(number)
    return sizes


def _check(wordings: Sequence[object], items: Sequence[object], costs: Sequence[float]) -> None:
    if not wordings or not items:
        raise problem("race", wordings=len(wordings), items=len(items))
    if costs and len(costs) != len(wordings):
        raise problem("costs", costs=len(costs), wordings=len(wordings))


ADVICE: dict[str, str] = toml_beside(__file__, "advice")
"""Advice to a judge that wordings of our own add to the instruction, alone and together."""


def own_wordings(instructions: str) -> list[str]:
    """Return the instruction as it is, and with advice added: each piece alone, the first three, and all."""
    pieces = list(ADVICE.values())
    return [
        instructions,
        *(_with(instructions, [piece]) for piece in pieces),
        _with(instructions, pieces[:3]),
        _with(instructions, pieces),
    ]


def _with(instructions: str, pieces: Sequence[str]) -> str:
    return "\n".join([instructions, *(f"- {piece}" for piece in pieces)])


def select_wording(task: TuningTask, items: Sequence[LabelledItem], budget: int) -> Tuning:
    """Return the start with the wording (or temperature) that ``racing.select`` finds best.

    In the race are wordings of our own, those given to the judge, and the start at each temperature given.
    Every item is judged in two orders where a third of all such calls suffices. Of equals the start wins,
    then the shorter.
    """
    judge, start = task.judge, task.start
    wordings = [*own_wordings(start.instructions), *judge.options.wordings]
    runners = [replace(start, instructions=text) for text in dict.fromkeys(wordings)]
    runners += [replace(start, temperature=value) for value in judge.options.temperatures]
    per_item = judge.calls_per_item(items)
    passes = 2 if 3 * budget >= 2 * per_item * len(runners) * len(items) else 1
    with judge.ledger.allowance(budget):
        most = int(judge.ledger.left / (per_item * passes))
        if most < len(runners):
            return start
        selection = select(
            runners,
            partial(_verdict, judge, passes),
            items,
            most,
            costs=[len(each.instructions) for each in runners],
            seed=judge.options.seed,
            run=partial(
                as_paid_for,
                num_threads=judge.options.num_threads,
                ledger=judge.ledger,
                most_calls=max(len(judge.examples(item, passes)) for item in items),
            ),
        )
    judge.ledger.check()
    return runners[selection.best]


def _verdict(judge: CachedJudge, passes: int, tuning: Tuning, item: LabelledItem) -> list[float] | None:
    """Return how good the judgement of each order is; None where the calls ran out."""
    (made,) = judge.judgements(tuning, [item], passes=passes)
    size = len(made) // passes
    rounds = [made[i * size : (i + 1) * size] for i in range(passes)]
    grades = [judge.grade(item, tuning, each) for each in rounds]
    judged = [grade for grade in grades if grade is not None]
    return judged if len(judged) == passes else None
