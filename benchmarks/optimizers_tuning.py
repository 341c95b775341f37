"""What tuning a ranker gains from 10, 20 and 40 labels, and whether it leaves alone what it cannot better.

    python benchmarks/optimizers_tuning.py --data DIR [--quick] [--splits N] [--json]

DIR holds `candour` (timfduffy/syco-bench: real replies scored by three judges) and `human-rankings` (WeOpenML/PandaLM).
The judge is the rehearsal model, which learns from demos and heeds some advice: this measures the machinery and its
honesty, not what a real model gains.

In every split a few items are labelled; all others, of other messages, are the test. The tuning sees the labelled ones
alone and decides by itself what to adopt; measured on the test is what a user would then run with, so a ranker that was
not adopted gains exactly 0. Gains are paired, intervals resample messages over all splits.

- every strategy with its own gain, the share of splits in which it was adopted, calls and seconds;
- `auto` in all splits; the same on permuted labels, where anything adopted is adopted falsely.

Exits 1 where `auto` is surely below the untuned ranker anywhere, not surely above it with 40 labels on our own labelled
messages and on delusion, or where more than one in twenty runs on permuted labels is adopted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any

import dspy

from character import Ranker, build_lm
from character.modules.calls import lean_settings
from optimizers.evaluation import Evaluation, evaluate, mean_interval
from optimizers.labelled import LabelledItem, LabelledSet, merge_labelled, read_labelled
from optimizers.labelled_converters import from_candour, from_human_rankings
from optimizers.statistics import Interval
from optimizers.strategies import optimize_ranker

OWN = Path(__file__).parent.parent / "examples" / "labelled"
SIZES = (10, 20, 40)
SET_SIZE = 5
BUDGET_PER_LABEL = 15
LEAST_BUDGET = 400
ABOVE_AT_40 = ("own", "delusion")
METRICS = ("pairwise_accuracy", "tau_b")
OTHERS = ("calibrate", "select", "few_shot", "copro", "mipro", "gepa", "simba")


class Memory:
    """A journal in memory: the same call in several splits is answered once."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}

    def get(self, key: str) -> dict[str, Any] | None:
        return self.entries.get(key)

    def put(self, key: str, entry: dict[str, Any]) -> None:
        self.entries[key] = entry

    async def aput(self, key: str, entry: dict[str, Any]) -> None:
        self.entries[key] = entry


@dataclass
class Cell:
    """What the splits of one data set, number of labels and strategy gave."""

    data: str
    labels: int
    strategy: str
    gains: dict[str, list[float]]
    before: dict[str, list[float]]
    groups: list[str]
    adopted: int = 0
    splits: int = 0
    calls: int = 0
    seconds: float = 0.0

    def gain(self, metric: str) -> Interval:
        """Return the mean gain over all test items of all splits, messages resampled."""
        return mean_interval(self.gains[metric], self.groups)

    def row(self) -> dict[str, Any]:
        """Return the cell as plain values."""
        found: dict[str, Any] = {"data": self.data, "labels": self.labels, "strategy": self.strategy}
        for metric in METRICS:
            gain = self.gain(metric)
            base = sum(self.before[metric]) / len(self.before[metric])
            found[metric] = [round(value, 4) for value in (base, base + gain.estimate, gain.low, gain.high)]
        mean = {"calls": self.calls / self.splits, "seconds": round(self.seconds / self.splits, 2)}
        return {**found, "adopted": self.adopted, "splits": self.splits, **mean}


def datasets(data: Path) -> dict[str, LabelledSet]:
    """Return the labelled sets by name; ends the program where a folder is missing."""
    candour, human = data / "candour", data / "human-rankings"
    for folder in (candour, human):
        if not folder.is_dir():
            sys.exit(f"{folder} is missing: --data names a folder with candour and human-rankings")
    own = merge_labelled([read_labelled(path) for path in sorted(OWN.glob("*.jsonl"))])
    return {
        "own": own,
        "delusion": from_candour(candour / "delusion.jsonl", num_candidates=SET_SIZE, num_sets=4),
        "pickside": from_candour(candour / "pickside.jsonl", num_candidates=SET_SIZE),
        "human": merge_labelled([from_human_rankings(path) for path in sorted(human.glob("*.jsonl"))]),
    }


def drawn(
    labelled: LabelledSet, number: int, seed: int, most_test: int
) -> tuple[LabelledSet, list[LabelledItem]]:
    """Return ``number`` labelled items from as many groups as leaves a quarter of them, and test items of the others.

    Whoever labels forty rankings takes forty messages, not ten of which each comes four times: so the groups take turns.
    """
    rng = Random(seed)
    groups: dict[str, list[LabelledItem]] = {}
    for item in labelled.items:
        if item.pairs():
            groups.setdefault(item.group, []).append(item)
    order = sorted(groups)
    rng.shuffle(order)
    open_to_labels = [rng.sample(groups[group], len(groups[group])) for group in order[: len(order) * 3 // 4]]
    rounds = zip_longest(*open_to_labels)
    chosen = [item for items in rounds for item in items if item is not None][:number]
    labelled_groups = {item.group for item in chosen}
    rest = [item for group in order if group not in labelled_groups for item in groups[group]]
    return labelled.model_copy(update={"items": tuple(chosen)}), rest[:most_test]


def tuned(lm: Any, labelled: LabelledSet, strategy: str, seed: int) -> tuple[Any, float]:
    """Return what tuning on a labelled set came to, and the seconds it took."""
    budget = max(LEAST_BUDGET, BUDGET_PER_LABEL * len(labelled))
    started = time.perf_counter()
    with dspy.context(lm=lm, **lean_settings()):
        found = optimize_ranker(Ranker(), labelled, strategy, budget=budget, seed=seed, num_threads=1)
    return found, time.perf_counter() - started


def measured(lm: Any, ranker: Any, items: list[LabelledItem]) -> Evaluation:
    """Return what a ranker makes of the test items."""
    with dspy.context(**lean_settings()):
        return evaluate(ranker, items, lm=lm, num_threads=1)


def cell(
    lm: Any, name: str, labelled: LabelledSet, size: int, strategy: str, splits: int, most_test: int
) -> Cell:
    """Return what a strategy gains with so many labels, over several random splits."""
    empty = {metric: [] for metric in METRICS}
    found = Cell(name, size, strategy, {**empty}, {metric: [] for metric in METRICS}, [])
    found.gains = {metric: [] for metric in METRICS}
    for seed in range(splits):
        given, test = drawn(labelled, size, seed, most_test)
        result, seconds = tuned(lm, given, strategy, seed)
        before = measured(lm, Ranker(), test)
        after = measured(lm, result.program, test) if result.report.adopted else before
        for item in test:
            for metric in METRICS:
                old, new = (each.value(item, metric) or 0.0 for each in (before, after))
                found.gains[metric].append(new - old)
                found.before[metric].append(old)
            found.groups.append(item.group)
        found.adopted += result.report.adopted
        found.splits += 1
        found.calls += result.report.calls.total
        found.seconds += seconds
    return found


def permuted(lm: Any, name: str, labelled: LabelledSet, size: int, splits: int) -> dict[str, Any]:
    """Return in how many splits ``auto`` adopts something on permuted labels."""
    adopted = 0
    for seed in range(splits):
        given, _ = drawn(labelled, size, seed, 0)
        result, _ = tuned(lm, given.permuted(seed), "auto", seed)
        adopted += result.report.adopted
    return {"data": name, "labels": size, "splits": splits, "adopted": adopted}


def failures(rows: list[dict[str, Any]], controls: list[dict[str, Any]]) -> Iterator[str]:
    """Yield every bar that is not met."""
    for row in rows:
        if row["strategy"] != "auto":
            continue
        where = f"auto, {row['data']}, {row['labels']} labels"
        _, _, low, high = row["pairwise_accuracy"]
        if high < 0:
            yield f"{where}: surely below the untuned ranker"
        if row["data"] in ABOVE_AT_40 and row["labels"] == 40 and low <= 0:
            yield f"{where}: not surely above the untuned ranker"
    adopted, splits = (sum(each[key] for each in controls) for key in ("adopted", "splits"))
    if adopted > max(1, splits / 20):
        yield f"permuted labels: {adopted} of {splits} adopted"


def show(rows: list[dict[str, Any]], controls: list[dict[str, Any]]) -> None:
    """Print the tables."""
    print(
        f"{'data':9} {'labels':>6} {'strategy':10} {'pairwise accuracy':>34} {'tau-b':>34} {'adopted':>8} {'calls':>6} {'s':>6}"
    )
    for row in rows:
        figures = [
            f"{base:.3f} -> {after:.3f} [{low:+.3f}, {high:+.3f}]"
            for base, after, low, high in (row[metric] for metric in METRICS)
        ]
        print(
            f"{row['data']:9} {row['labels']:6} {row['strategy']:10} {figures[0]:>34} {figures[1]:>34} "
            f"{row['adopted']:>3}/{row['splits']:<4} {row['calls']:6.0f} {row['seconds']:6.1f}"
        )
    print("\npermuted labels, auto:")
    for control in controls:
        print(
            f"{control['data']:9} {control['labels']:6} adopted {control['adopted']} of {control['splits']}"
        )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="few splits of the small sets, within 50 s")
    parser.add_argument("--only", nargs="*", help="these data sets alone")
    parser.add_argument("--strategies", nargs="*", choices=OTHERS, help="these strategies beside auto")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    lm = build_lm(journal=Memory())
    splits, sizes = (3, (10, 40)) if asked.quick else (asked.splits, SIZES)
    sets = datasets(asked.data)
    names = asked.only or (["own"] if asked.quick else list(sets))
    others = asked.strategies if asked.strategies is not None else ["few_shot"] if asked.quick else OTHERS
    rows = []
    for name in names:
        for size in sizes:
            jobs = [("auto", splits), *((other, max(3, splits // 4)) for other in others)]
            for strategy, number in jobs:
                rows.append(cell(lm, name, sets[name], size, strategy, number, 40).row())
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    controls = [permuted(lm, name, sets[name], 40, splits) for name in names]
    missed = list(failures(rows, controls))
    if asked.json:
        print(json.dumps({"rows": rows, "controls": controls, "missed": missed}, indent=2))
    else:
        show(rows, controls)
        for each in missed:
            print(f"missed: {each}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
