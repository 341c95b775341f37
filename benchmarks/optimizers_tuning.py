"""What tuning a ranker gains from 10, 20 and 40 labels, and whether it leaves alone what it cannot better.

    python benchmarks/optimizers_tuning.py --data DIR [--judge rehearsal] [--quick] [--splits N] [--json]

(Called `optimizers.py` it would hide the package `optimizers` from itself: a script's folder comes first on the path.)

DIR holds `candour` (timfduffy/syco-bench: real replies scored by three judges) and `human-rankings` (WeOpenML/PandaLM).
The judge has a gain planted in it (`planted_judge.py`): without demos it is the rehearsal model, and every demo brings its
scores nearer to the raters'. With `--judge rehearsal` it is the rehearsal model as it is, which heeds some advice in its
instructions and no demo. Both measure the machinery and its honesty, not what a real model gains.

In every split a few items are labelled; the test is items of other messages. The tuning sees the labelled ones alone, has
the calls that `character optimize` allows by default (600, 1,000 with 40 labels), and decides by itself what to adopt; measured on the test is what
a user would then run with, so a ranker that was not adopted gains exactly 0. Gains are paired, intervals resample
messages over all splits.

- every strategy with its own gain, the splits in which it was adopted, calls, seconds, and in how many the ranker then
  measures length;
- `auto` in all splits; the same on permuted labels, where anything adopted is adopted falsely.

Exits 1 where `auto` is surely below the untuned ranker anywhere, where it does not surely find the planted gain with 40 labels
on our own labelled messages and on delusion, or where more than one in twenty runs on permuted labels is adopted. Two
processes share the work.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby, zip_longest
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

import dspy
from planted_judge import pupil_lm

from character import Ranker, build_lm
from character.backends.call import lean_settings
from character.statistics.intervals import mean_interval
from optimizers.labelled import LabelledItem, LabelledSet, merge_labelled, read_labelled
from optimizers.labelled.converters import from_candour, from_human_rankings
from optimizers.optimize import optimize_ranker
from optimizers.validation.evaluation import RankerEvaluation, evaluate

OWN = Path(__file__).parent.parent / "examples" / "labelled"
SIZES = (10, 20, 40)
SET_SIZE = 5
BUDGET: int | None = None
"""What `character optimize` allows where nothing else is said: see `optimizers.strategies.usual_budget`."""
ABOVE_AT_40 = ("own", "delusion")
METRICS = ("pairwise_accuracy", "tau_b")
MOST_TEST = 40
MOST_KEPT = 20_000
OTHERS = ("calibrate", "select", "few_shot", "copro", "mipro", "gepa", "simba")


class Memory:
    """A journal in memory: the same call in several splits is answered once, as long as it is among the last ones."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()  # some of DSPy's optimizers evaluate in threads

    def get(self, key: str) -> dict[str, Any] | None:
        return self.entries.get(key)

    def put(self, key: str, entry: dict[str, Any]) -> None:
        with self._lock:
            if len(self.entries) >= MOST_KEPT:
                del self.entries[next(iter(self.entries))]
            self.entries[key] = entry

    async def aput(self, key: str, entry: dict[str, Any]) -> None:
        self.put(key, entry)


@dataclass(frozen=True)
class Job:
    """One run of a strategy: on which data, with how many labels, in which split, on permuted labels or true ones."""

    data: str
    labels: int
    strategy: str
    seed: int
    is_permuted: bool = False

    @property
    def cell(self) -> tuple[str, int, str]:
        """What jobs that differ by the split alone have in common."""
        return self.data, self.labels, self.strategy


@dataclass(frozen=True)
class Run:
    """What came of a job: whether it was adopted, whether length counts then, and per test item its group, before and gain."""

    job: Job
    adopted: bool
    by_length: bool
    calls: int
    seconds: float
    groups: tuple[str, ...] = ()
    before: dict[str, tuple[float, ...]] = field(default_factory=dict)
    gains: dict[str, tuple[float, ...]] = field(default_factory=dict)


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


def drawn(labelled: LabelledSet, number: int, seed: int) -> tuple[LabelledSet, list[LabelledItem]]:
    """Return ``number`` labelled items, and test items of other groups: a quarter of them where the labels allow it.

    Whoever labels forty rankings takes forty messages, not ten of which each comes four times: so the groups take turns.
    """
    rng = Random(seed)
    groups: dict[str, list[LabelledItem]] = {}
    for item in labelled.items:
        if item.pairs():
            groups.setdefault(item.group, []).append(item)
    order = sorted(groups)
    rng.shuffle(order)
    least = next(k for k in range(len(order)) if sum(len(groups[group]) for group in order[:k]) >= number)
    first = order[: max(least, len(order) * 3 // 4)]
    open_to_labels = [rng.sample(groups[group], len(groups[group])) for group in first]
    rounds = zip_longest(*open_to_labels)
    chosen = [item for items in rounds for item in items if item is not None][:number]
    labelled_groups = {item.group for item in chosen}
    rest = [item for group in order if group not in labelled_groups for item in groups[group]]
    return labelled.model_copy(update={"items": tuple(chosen)}), rest[:MOST_TEST]


_at_work: dict[str, Any] = {}


def prepare(data: Path, judge: str) -> None:
    """Read the data and build the judge, once per process."""
    sets = datasets(data)
    lm = build_lm(journal=Memory()) if judge == "rehearsal" else pupil_lm(list(sets.values()))
    _at_work.update(lm=lm, sets=sets)


def done(job: Job) -> Run:
    """Return what came of a job."""
    lm = _at_work["lm"]
    given, test = drawn(_at_work["sets"][job.data], job.labels, job.seed)
    if job.is_permuted:
        given, test = given.permuted(job.seed), []
    started = time.perf_counter()
    with dspy.context(lm=lm, **lean_settings()):
        result = optimize_ranker(Ranker(), given, job.strategy, budget=BUDGET, seed=job.seed, num_threads=1)
    seconds = time.perf_counter() - started
    report = result.report
    run = Run(job, report.adopted, report.adopted and bool(report.warning), report.calls.total, seconds)
    if not test:
        return run
    before = measured(lm, Ranker(), test)
    after = measured(lm, result.program, test) if report.adopted else before
    old, new = (
        {metric: [each.value(item, metric) or 0.0 for item in test] for metric in METRICS}
        for each in (before, after)
    )
    gains = {
        metric: tuple(b - a for a, b in zip(old[metric], new[metric], strict=True)) for metric in METRICS
    }
    groups = tuple(item.group for item in test)
    return replace(run, groups=groups, before={k: tuple(v) for k, v in old.items()}, gains=gains)


def measured(lm: Any, ranker: Any, items: list[LabelledItem]) -> RankerEvaluation:
    """Return what a ranker makes of the test items."""
    with dspy.context(**lean_settings()):
        return evaluate(ranker, items, lm=lm, num_threads=1)


def all_done(jobs: Sequence[Job], data: Path, judge: str) -> Iterator[Run]:
    """Yield what comes of the jobs, in order, from two processes."""
    spawn = multiprocessing.get_context("spawn")  # DSPy holds locks and threads that do not survive a fork
    with ProcessPoolExecutor(2, mp_context=spawn, initializer=prepare, initargs=(data, judge)) as pool:
        yield from pool.map(done, jobs)


def row_of(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the splits of one data set, number of labels and strategy as plain values."""
    data, labels, strategy = runs[0].job.cell
    groups = [group for run in runs for group in run.groups]
    found: dict[str, Any] = {"data": data, "labels": labels, "strategy": strategy}
    for metric in METRICS:
        before = fmean(value for run in runs for value in run.before[metric])
        gain = mean_interval([value for run in runs for value in run.gains[metric]], groups)
        found[metric] = [round(value, 4) for value in (before, before + gain.estimate, gain.low, gain.high)]
    return {
        **found,
        "adopted": sum(run.adopted for run in runs),
        "by_length": sum(run.by_length for run in runs),
        "splits": len(runs),
        "calls": fmean(run.calls for run in runs),
        "seconds": round(fmean(run.seconds for run in runs), 2),
    }


def control_of(runs: Sequence[Run]) -> dict[str, Any]:
    """Return in how many splits something was adopted on permuted labels."""
    data, labels, _ = runs[0].job.cell
    return {
        "data": data,
        "labels": labels,
        "splits": len(runs),
        "adopted": sum(run.adopted for run in runs),
    }


def failures(
    rows: list[dict[str, Any]], controls: list[dict[str, Any]], *, is_planted: bool
) -> Iterator[str]:
    """Yield every bar that is not met."""
    for row in rows:
        if row["strategy"] != "auto":
            continue
        where = f"auto, {row['data']}, {row['labels']} labels"
        _, _, low, high = row["pairwise_accuracy"]
        if high < 0:
            yield f"{where}: surely below the untuned ranker"
        if is_planted and row["data"] in ABOVE_AT_40 and row["labels"] == 40 and low <= 0:
            yield f"{where}: not surely above the untuned ranker"
    adopted, splits = (sum(each[key] for each in controls) for key in ("adopted", "splits"))
    if adopted > max(1, splits / 20):
        yield f"permuted labels: {adopted} of {splits} adopted"


def show(rows: list[dict[str, Any]], controls: list[dict[str, Any]]) -> None:
    """Print the tables."""
    titles = f"{'pairwise accuracy':>34} {'tau-b':>34} {'adopted':>8} {'length':>6} {'calls':>6} {'s':>6}"
    print(f"{'data':9} {'labels':>6} {'strategy':10} {titles}")
    for row in rows:
        figures = [
            f"{base:.3f} -> {after:.3f} [{low:+.3f}, {high:+.3f}]"
            for base, after, low, high in (row[metric] for metric in METRICS)
        ]
        print(
            f"{row['data']:9} {row['labels']:6} {row['strategy']:10} {figures[0]:>34} {figures[1]:>34} "
            f"{row['adopted']:>3}/{row['splits']:<4} {row['by_length']:6} {row['calls']:6.0f} {row['seconds']:6.1f}"
        )
    print("\npermuted labels, auto:")
    for each in controls:
        print(f"{each['data']:9} {each['labels']:6} adopted {each['adopted']} of {each['splits']}")


def planned(names: Sequence[str], sizes: Sequence[int], others: Sequence[str], splits: int) -> list[Job]:
    """Return the jobs, cell by cell: `auto` in all splits, then the others in a quarter of them, then permuted labels."""
    found = []
    for name in names:
        for size in sizes:
            for strategy, number in (("auto", splits), *((other, max(3, splits // 4)) for other in others)):
                found += [Job(name, size, strategy, seed) for seed in range(number)]
        found += [Job(name, 40, "auto", seed, is_permuted=True) for seed in range(splits)]
    return found


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--judge", choices=("planted", "rehearsal"), default="planted")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="few splits of the small sets, within 50 s")
    parser.add_argument("--only", nargs="*", help="these data sets alone")
    parser.add_argument("--strategies", nargs="*", choices=OTHERS, help="these strategies beside auto")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    splits, sizes = (3, (10, 40)) if asked.quick else (asked.splits, SIZES)
    names = asked.only or (["own"] if asked.quick else list(datasets(asked.data)))
    others = asked.strategies if asked.strategies is not None else ["few_shot"] if asked.quick else OTHERS
    jobs = planned(names, sizes, others, splits)
    rows, controls = [], []
    by_cell = groupby(
        all_done(jobs, asked.data, asked.judge), key=lambda run: (*run.job.cell, run.job.is_permuted)
    )
    for (*_, is_permuted), runs in by_cell:
        made = (control_of if is_permuted else row_of)(list(runs))
        (controls if is_permuted else rows).append(made)
        print(json.dumps(made), file=sys.stderr, flush=True)
    missed = list(failures(rows, controls, is_planted=asked.judge == "planted"))
    if asked.json:
        print(
            json.dumps({"judge": asked.judge, "rows": rows, "controls": controls, "missed": missed}, indent=2)
        )
    else:
        show(rows, controls)
        for each in missed:
            print(f"missed: {each}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
