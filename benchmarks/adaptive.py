"""What adaptive asking saves in calls, at the same accuracy of the pairs that a run builds.

    python benchmarks/adaptive.py [--quick] [--json]

Runs of 60 messages of one trait with four candidates are judged by the simulated judges of judging.py: noise, a liking
for the first places and for length, the same over a run. Compared are passes in balanced orders, as many for every
message (fixed), today's default, and `ranking.adaptive`, all through our own models; the first messages of a run, from
which the judge becomes known, count in. Accuracy is that of the pairs that `best_rest` builds: the share of the pairs of
the best candidate with each other one that are in the true order, without thresholds, so that each way builds as many.
Saved is the share of calls by which a way is below the fixed passes that reach its accuracy on average over the grid
(interpolated between whole ones). The judge writes its scores, or is read by its probabilities.

Exits 1 where adaptive asking with its defaults saves less than 40 % over the grid of the calls of a judge that is read by
its probabilities (with --quick: where the interval does not reach it), or where it is surely below fixed passes with as
many calls in any cell, of either judge.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
from judging import BIAS, LENGTH, NOISE, Judge, Message, asked

from character.config import RankingConfig
from character.ranking.combine import combine
from character.ranking.orders import balanced_orders
from character.records import RankingPass
from character.statistics.intervals import Interval, percentile_interval

MESSAGES, CANDIDATES, WIDTH, MOST = 60, 4, 0.5, 8
BAR_SAVING = 0.4
READINGS: dict[str, Callable[..., RankingPass]] = {"text": Judge.written, "probabilities": Judge.marked}
World = list[tuple[np.ndarray, list[RankingPass]]]


def world(judge: Judge, ask: Callable[..., RankingPass], seed: list[int]) -> World:
    """Return the truth of each message of a run, and what the judge would say in each pass."""
    made = []
    for number in range(MESSAGES):
        rng = np.random.default_rng([3, number, *seed])
        truth = rng.uniform(0.15, 0.85, CANDIDATES)
        fits = truth + LENGTH * rng.normal(0, 1, CANDIDATES)
        message = Message(fits, np.random.default_rng([5, number, *seed]))
        orders = islice(balanced_orders(CANDIDATES, int(rng.integers(2**31))), MOST)
        made.append((truth, [ask(judge, message, order) for order in orders]))
    return made


def accuracy(truth: np.ndarray, scores: Any) -> float:
    """Return the share of the best candidate's pairs that are in the true order."""
    best = int(np.argmax(scores))
    return float(np.mean([truth[best] > other for i, other in enumerate(truth) if i != best]))


def fixed(run: World) -> np.ndarray:
    """Return the accuracy of each message after each number of passes."""
    numbers = range(1, MOST + 1)
    return np.array(
        [
            [accuracy(truth, combine(passes[:made], CANDIDATES).scores) for made in numbers]
            for truth, passes in run
        ]
    )


def today(run: World) -> list[tuple[float, int]]:
    """Return accuracy and calls of each message by today's default."""
    return _by(run, RankingConfig())


def adaptive(run: World) -> list[tuple[float, int]]:
    """Return accuracy and calls of each message by adaptive asking as it comes."""
    return _by(run, RankingConfig(adaptive=True))


def _by(run: World, settings: RankingConfig) -> list[tuple[float, int]]:
    results = asked([passes for _, passes in run], settings, best_only=True)
    return [
        (accuracy(truth, found.scores), made) for (truth, _), (found, made) in zip(run, results, strict=True)
    ]


def needed(reached: float, curve: np.ndarray) -> float:
    """Return how many fixed passes reach an accuracy, between whole ones too."""
    return float(np.interp(reached, np.maximum.accumulate(curve), np.arange(1, len(curve) + 1)))


def saving(curves: np.ndarray, found: np.ndarray) -> float:
    """Return the share of calls saved: ``curves`` are messages by passes, ``found`` accuracy and calls of each."""
    reached, calls = found.mean(axis=0)
    return 1 - float(calls) / needed(float(reached), curves.mean(axis=0))


def over_fixed(curves: np.ndarray, found: np.ndarray) -> float:
    """Return by how much a way is more accurate than as many fixed passes, on average."""
    reached, calls = found.mean(axis=0)
    return float(reached - np.interp(calls, np.arange(1, MOST + 1), curves.mean(axis=0)))


def interval(
    statistic: Callable[..., float], runs: list[tuple[np.ndarray, np.ndarray]], number: int
) -> Interval:
    """Return a statistic over runs with its interval; whole runs are drawn, as their messages share what was learned."""
    rng = np.random.default_rng(0)

    def of(chosen: Any) -> float:
        return statistic(*(np.concatenate([runs[i][part] for i in chosen]) for part in (0, 1)))

    drawn = [of(rng.integers(0, len(runs), len(runs))) for _ in range(number)]
    return percentile_interval(of(range(len(runs))), np.array(drawn))


def measure(runs: int, reading: str) -> dict[str, Any]:
    """Return what each way takes and reaches over the grid, and per cell."""
    ways = {"today": today, "adaptive": adaptive}
    all_runs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in ways}
    cells = []
    for cell, judge in enumerate(Judge(noise, WIDTH, *bias) for noise in NOISE for bias in BIAS):
        worlds = [world(judge, READINGS[reading], [cell, seed]) for seed in range(runs)]
        curves = [fixed(run) for run in worlds]
        row: dict[str, Any] = vars(judge) | {"fixed": np.concatenate(curves).mean(axis=0).tolist()}
        for name, way in ways.items():
            pairs = [(curve, np.array(way(run))) for run, curve in zip(worlds, curves, strict=True)]
            all_runs[name] += pairs
            reached, calls = np.concatenate([found for _, found in pairs]).mean(axis=0)
            row[name] = {
                "accuracy": float(reached),
                "calls": float(calls),
                "over fixed": interval(over_fixed, pairs, 500),
            }
        cells.append(row)
    found = {}
    for name, pairs in all_runs.items():
        reached, calls = np.concatenate([each for _, each in pairs]).mean(axis=0)
        curve = np.concatenate([each for each, _ in pairs])
        found[name] = {
            "accuracy": float(reached),
            "calls": float(calls),
            "fixed calls": needed(float(reached), curve.mean(axis=0)),
            "saving": interval(saving, pairs, 500),
        }
    return {"cells": cells, **found}


def main() -> int:
    """Run it and say what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int)
    args = parser.parse_args()
    results = {reading: measure(args.runs or (2 if args.quick else 12), reading) for reading in READINGS}
    share = results["probabilities"]["adaptive"]["saving"]
    worse = [
        cell
        for result in results.values()
        for cell in result["cells"]
        if cell["adaptive"]["over fixed"].high < 0
    ]
    met = not worse and (share.high if args.quick else share.estimate) >= BAR_SAVING
    if args.json:
        print(json.dumps({**results, "met": met}, indent=1))
        return 0 if met else 1
    for reading, result in results.items():
        print(f"{reading}: accuracy of the pairs built, and by how much it is above as many fixed passes")
        print(
            f"{'noise':>6}{'slope':>7}{'first':>7}  {'fixed 1, 2, 4, 8':<26}{'today':>13}{'adaptive':>15}{'over fixed':>26}"
        )
        for cell in result["cells"]:
            curve = "".join(f"{cell['fixed'][made - 1]:>6.3f}" for made in (1, 2, 4, 8))
            taken = "".join(
                f"{cell[name]['accuracy']:>9.3f}/{cell[name]['calls']:.2f}" for name in ("today", "adaptive")
            )
            over = cell["adaptive"]["over fixed"]
            print(
                f"{cell['noise']:>6}{cell['slope']:>7}{cell['first']:>7}  {curve:<26}{taken}"
                f"{over.estimate:>+10.3f} [{over.low:+.3f}, {over.high:+.3f}]"
            )
        for name in ("today", "adaptive"):
            way = result[name]
            saved = way["saving"]
            print(
                f"{name}: {way['accuracy']:.3f} in {way['calls']:.2f} calls, fixed passes need {way['fixed calls']:.2f}: "
                f"{saved.estimate:.1%} saved [{saved.low:.1%}, {saved.high:.1%}]"
            )
    print(f"cells in which adaptive asking is surely below as many fixed passes: {len(worse)} (bar 0)")
    print(f"by probabilities adaptive asking saves at least {BAR_SAVING:.0%}: {'met' if met else 'NOT MET'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
