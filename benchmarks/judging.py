"""What reading a judge by its probabilities saves, in calls and written tokens, at the same accuracy.

    python benchmarks/judging.py [--quick] [--json]

A simulated judge sees how well a candidate fits, with a liking for places and for length, and with noise. Of the
variance of that noise a share (``width``) is how wide its probabilities are: a figure that it writes is one draw from
them. The rest is in where they lie; the same prompt gets them at the same place each time, another order elsewhere.
It answers in written scores and verdicts, and in figures and letters that are read by their probabilities, all through
our own passes and models. Accuracy is the share of pairs in the true order, a tie half; written tokens are those that
estimates assume.

Today's default (scores in text, 2 passes and up to 4 while one more is expected to put right .005 of the pairs) is the
yardstick: how many passes of each way reach its accuracy, on average over the grid (interpolated between whole passes),
and what these take.

Last comes `scores` by probabilities with adaptive passes: each judge's messages are one run, whose first ones show what
the judge is like.

Exits 1 where that takes more than 1/5 of the written tokens or more than 1/2 of the calls of today's default at its
accuracy, over the whole grid.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np

from character.backends.measuring import RANKING_TOKENS, VERDICT_TOKENS
from character.config import RankingConfig
from character.ranking.acquaintance import BATCHES
from character.ranking.combine import Combined, Method, combine
from character.ranking.habits import learn
from character.ranking.orders import balanced_orders
from character.ranking.score_model import Habits
from character.ranking.strategies import Plan, StrategyName, calls_per_pass
from character.records import Ranking, RankingPass, order_by_score

NOISE = (0.08, 0.15, 0.25)
WIDTH = (0.3, 0.5, 0.7)
"""How much of the noise's variance is how wide the probabilities are."""
BIAS = ((0.0, 0.0), (0.08, 0.0), (0.05, 0.1))
"""Slope over the places and bonus of the first one, on the scale 0..1."""
LENGTH = 0.05
"""What a candidate gains that is longer than the others by a standard deviation, however it is read."""
TIE = 0.03
MIN_GAIN, PASSES, MOST = 0.005, 2, 4
TOKENS_BAR, CALLS_BAR = 0.2, 0.5
LIMITS = (0.08, 0.05, 0.035, 0.025, 0.015, 0.01)
_MARKS = np.arange(10) / 9


class Message:
    """How well the candidates of a message fit as the judge sees it, and its luck with each order."""

    def __init__(self, fits: np.ndarray, rng: np.random.Generator) -> None:
        self.fits, self.rng = fits, rng
        self._luck: dict[tuple[int, ...], np.ndarray] = {}

    def luck(self, order: tuple[int, ...]) -> np.ndarray:
        """Return the noise of an order, in standard deviations: the same each time."""
        if order not in self._luck:
            self._luck[order] = self.rng.normal(0, 1, len(order))
        return self._luck[order]


@dataclass(frozen=True)
class Judge:
    """A judge whose faults are known."""

    noise: float
    width: float
    slope: float
    first: float

    def centres(self, message: Message, order: tuple[int, ...]) -> np.ndarray:
        """Return where the probabilities of what is shown lie."""
        places = np.arange(len(order))
        bias = self.slope * (1 - 2 * places / max(1, len(order) - 1)) + self.first * (places == 0)
        seen = message.fits[list(order)] + bias * (len(order) > 1)
        return seen + self.noise * math.sqrt(1 - self.width) * message.luck(order)

    @property
    def spread(self) -> float:
        """How wide its probabilities are."""
        return self.noise * math.sqrt(self.width)

    def written(self, message: Message, order: tuple[int, ...]) -> RankingPass:
        """Return one pass of written scores of 0 to 10, or the verdict on two."""
        said = self.centres(message, order) + message.rng.normal(0, self.spread, len(order))
        return _pass(
            message.fits, order, [round(10 * min(1.0, max(0.0, float(value)))) / 10 for value in said]
        )

    def verdict(self, message: Message, order: tuple[int, ...]) -> RankingPass:
        """Return the written verdict on two."""
        said = self.centres(message, order) + message.rng.normal(0, self.spread, 2)
        gap = said[0] - said[1]
        first = 0.5 if abs(gap) < TIE else float(gap > 0)
        return _pass(message.fits, order, [first, 1 - first])

    def marked(self, message: Message, order: tuple[int, ...]) -> RankingPass:
        """Return one pass of figures of 0 to 9 that are read by their probabilities."""
        scores, spreads = [], []
        for centre in self.centres(message, order):
            edges = [_below((each - centre) / self.spread) for each in (_MARKS[:-1] + _MARKS[1:]) / 2]
            odds = np.diff([0.0, *edges, 1.0])
            mean = float(odds @ _MARKS)
            scores.append(round(mean, 4))
            spreads.append(round(math.sqrt(float(odds @ (_MARKS - mean) ** 2)), 4))
        return _pass(message.fits, order, scores, spreads)

    def picked(self, message: Message, order: tuple[int, ...]) -> RankingPass:
        """Return a comparison of two that is read by the probabilities of its letters."""
        left, right = self.centres(message, order)
        wide = self.spread * math.sqrt(2)
        second, below = (_below((edge - (left - right)) / wide) for edge in (-TIE, TIE))
        share = round(1 - below + (below - second) / 2, 4)
        return _pass(message.fits, order, [share, 1 - share], [round(math.sqrt(share * (1 - share)), 4)] * 2)


def _below(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def _pass(fits: np.ndarray, order: tuple[int, ...], scores: list[float], spreads: Any = ()) -> RankingPass:
    def placed(values: Any) -> tuple[float | None, ...]:
        row: list[float | None] = [None] * len(fits)
        for index, value in zip(order, values, strict=True):
            row[index] = value
        return tuple(row)

    more = {"spreads": placed(spreads)} if len(spreads) else {}
    return RankingPass(shown=order, scores=placed(scores), model="simulated", **more)


def meet(seed: list[int], candidates: int) -> tuple[np.ndarray, Message]:
    """Return how well the candidates of a message truly fit, and what the judge makes of it."""
    rng = np.random.default_rng([3, *seed])
    truth = rng.uniform(0.15, 0.85, candidates)
    return truth, Message(truth + LENGTH * rng.normal(0, 1, candidates), np.random.default_rng([5, *seed]))


def grid() -> Iterator[Judge]:
    """Yield the judges."""
    yield from (Judge(noise, width, *bias) for noise in NOISE for width in WIDTH for bias in BIAS)


@dataclass(frozen=True)
class Way:
    """One way to judge: how it is asked and read, in how many passes at most, and what a call writes."""

    strategy: StrategyName
    ask: Callable[..., RankingPass]
    most: int
    tokens: int
    method: Method = "model"

    def curve(self, judge: Judge, seed: list[int], candidates: int) -> list[tuple[float, float, float]]:
        """Return accuracy, squared error of the probabilities and expected gain after each pass over a message."""
        truth, message = meet(seed, candidates)
        both = Plan(self.strategy, candidates, 2, "round_robin", seed[0]).round([])
        orders = balanced_orders(candidates, seed[0])
        passes, reached = list[RankingPass](), []
        for made in range(self.most):
            if self.strategy == "scores":
                shown = [next(orders)]
            else:  # each alone, or both orders by turns: a third pass asks what the first asked
                shown = both[made % 2 :: 2] if self.strategy == "pairwise" else both[:candidates]
            passes += [self.ask(judge, message, order) for order in shown]
            found = combine(passes, candidates, method=self.method)
            right, wrong = accuracy(truth, found.scores), surprise(truth, found.probabilities)
            reached.append((right, wrong, found.gain))
        return reached


def asked(
    runs: list[list[RankingPass]], settings: RankingConfig, *, best_only: bool
) -> list[tuple[Combined, int]]:
    """Return what the messages of a run come to, and in how many passes, by the settings.

    ``runs`` has the passes that the judge would make over each message. An adaptive run learns as it goes.
    """
    habits: Habits | None = None
    rankings, found = list[Ranking](), []
    for number, passes in enumerate(runs):
        if settings.adaptive and number in BATCHES:
            habits = learn(rankings)
        made = settings.passes if habits is None else 1
        candidates = len(passes[0].shown)
        while True:
            result = combine(passes[:made], candidates, habits=habits, best_only=best_only)
            if made == min(settings.most_passes, len(passes)) or result.gain < settings.min_gain:
                break
            made += 1
        found.append((result, made))
        facts = {"message_id": str(number), "candidates_id": "", "trait": "", "passes": tuple(passes[:made])}
        rankings.append(Ranking(scores=result.scores, order=order_by_score(result.scores), **facts))
    return found


def ways(candidates: int) -> dict[str, Way]:
    """Return the ways that are compared, by name; the first is today's default."""
    n = candidates
    return {
        "scores, text": Way("scores", Judge.written, MOST, RANKING_TOKENS),
        "scores, by probabilities": Way("scores", Judge.marked, 8, 2 * n),
        "pointwise, text": Way("pointwise", Judge.written, MOST, RANKING_TOKENS),
        "pointwise, by probabilities": Way("pointwise", Judge.marked, 1, 2),
        "pairwise, text": Way("pairwise", Judge.verdict, MOST, VERDICT_TOKENS, "bradley_terry"),
        "pairwise, by probabilities": Way("pairwise", Judge.picked, 2, 2),
    }


def accuracy(truth: np.ndarray, scores: Any) -> float:
    """Return the share of pairs in the true order, a tie half."""
    pairs = list(combinations(range(len(truth)), 2))
    rights = (np.sign((scores[i] - scores[j]) * (truth[i] - truth[j])) for i, j in pairs)
    return 0.5 + 0.5 * sum(rights) / len(pairs)


def surprise(truth: np.ndarray, probabilities: Any) -> float:
    """Return the mean squared error of the pairs' probabilities (Brier 1950)."""
    pairs = list(combinations(range(len(truth)), 2))
    return sum((probabilities[i][j] - float(truth[i] > truth[j])) ** 2 for i, j in pairs) / len(pairs)


def measure(messages: int, candidates: int) -> list[dict[str, Any]]:
    """Return a row per judge and way: after each pass the mean accuracy and error, and what it takes."""
    rows = []
    for cell, judge in enumerate(grid()):
        default = (0.0, 0.0)
        for name, way in ways(candidates).items():
            curves = np.array([way.curve(judge, [number, cell], candidates) for number in range(messages)])
            per_pass = calls_per_pass(way.strategy, candidates, "round_robin")
            means = curves.mean(axis=0)
            if not any(default):
                stops = [stop(curve[:, 2]) for curve in curves]
                right = float(
                    np.mean([curve[made - 1, 0] for curve, made in zip(curves, stops, strict=True)])
                )
                default = right, float(np.mean(stops))
            takes = {"calls_per_pass": per_pass, "tokens_per_call": way.tokens}
            found = {"accuracy": means[:, 0].tolist(), "brier": means[:, 1].tolist(), "default": default}
            rows.append({**vars(judge), "way": name, **found, **takes})
    return rows


def adaptively(messages: int, candidates: int, wanted: float) -> dict[str, float]:
    """Return calls and accuracy by probabilities with adaptive passes, over the grid, at a wanted accuracy.

    The messages of a judge are one run, of which the first ones count in. Calls are interpolated between
    limits of what a further pass is expected to put right of all pairs.
    """
    cells = []
    for cell, judge in enumerate(grid()):
        truths, runs = [], []
        for number in range(messages):
            truth, message = meet([number, cell], candidates)
            orders = islice(balanced_orders(candidates, number), RankingConfig(adaptive=True).most_passes)
            truths.append(truth)
            runs.append([judge.marked(message, order) for order in orders])
        cells.append((truths, runs))
    reached = []
    for limit in LIMITS:
        settings, found = RankingConfig(adaptive=True, min_gain=limit), []
        for truths, runs in cells:
            results = zip(truths, asked(runs, settings, best_only=False), strict=True)
            found += [(accuracy(truth, result.scores), made) for truth, (result, made) in results]
        reached.append(np.mean(found, axis=0))
    rights, calls = np.maximum.accumulate(np.array(reached), axis=0).T
    return {"accuracy": wanted, "calls": float(np.interp(wanted, rights, calls, right=math.inf))}


def stop(gains: np.ndarray) -> int:
    """Return after how many passes today's default ends."""
    return next((made for made in range(PASSES, MOST) if gains[made - 1] < MIN_GAIN), MOST)


def passes_for(wanted: float, reached: np.ndarray) -> float | None:
    """Return how many passes reach an accuracy, between whole ones too; None where none do."""
    best = np.maximum.accumulate(reached)
    if best[-1] < wanted:
        return None
    if best[0] >= wanted:
        return 1.0
    return float(np.interp(wanted, best, np.arange(1, len(best) + 1)))


def compare(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a way takes over these judges at the accuracy of today's default, relative to it."""
    accuracies, briers = (np.mean([row[key] for row in rows], axis=0) for key in ("accuracy", "brier"))
    wanted, calls = np.mean([row["default"] for row in rows], axis=0)
    needed = passes_for(float(wanted), accuracies)
    share = None if needed is None else float(needed * rows[0]["calls_per_pass"] / calls)
    return {
        "default": (float(wanted), float(calls)),
        "accuracy": accuracies.tolist(),
        "brier": briers.tolist(),
        "calls": share,
        "tokens": None if share is None else share * rows[0]["tokens_per_call"] / RANKING_TOKENS,
    }


def main() -> int:
    """Run it and say what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--candidates", type=int, default=4)
    args = parser.parse_args()
    rows = measure(40 if args.quick else 150, args.candidates)
    result = {}
    for name in ways(args.candidates):
        mine = [row for row in rows if row["way"] == name]
        result[name] = {
            str(width): compare([row for row in mine if row["width"] == width]) for width in WIDTH
        }
        result[name]["all"] = compare(mine)
    wanted, usual = result["scores, text"]["all"]["default"]
    ours = adaptively(40 if args.quick else 150, args.candidates, wanted)
    calls = ours["calls"] / usual
    tokens = calls * 2 * args.candidates / RANKING_TOKENS
    met = calls <= CALLS_BAR and tokens <= TOKENS_BAR
    if args.json:
        print(json.dumps({"cells": rows, "by width": result, "adaptive": ours, "met": met}, indent=1))
        return 0 if met else 1
    print(
        f"{args.candidates} candidates, {len(rows) // len(result)} judges. Accuracy after 1, 2 and 4 passes, error of the"
    )
    print(
        "pairs' probabilities after 2; calls and written tokens at the accuracy of today's default, relative to it"
    )
    print(
        f"{'way':29}{'width':>6}{'1':>7}{'2':>7}{'4':>7}{'brier':>7}{'calls':>7}{'tokens':>8}{'default':>9}"
    )
    for name, by_width in result.items():
        for width, found in by_width.items():
            right = "".join(f"{value:>7.3f}" for value in (*found["accuracy"][:2], *found["accuracy"][3:4]))
            takes = (
                f"{found['calls']:>7.2f}{found['tokens']:>8.3f}" if found["calls"] else f"{'not reached':>15}"
            )
            brier = found["brier"][:2][-1]
            print(f"{name:29}{width:>6}{right:21}{brier:>7.3f}{takes}{found['default'][0]:>9.3f}")
    print(
        f"scores by probabilities, adaptive: {ours['calls']:.2f} calls where the default takes {usual:.2f}, "
        f"{calls:.2f} of them (bar {CALLS_BAR}), "
        f"{tokens:.3f} of the written tokens (bar {TOKENS_BAR})"
    )
    print("met" if met else "NOT MET")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
