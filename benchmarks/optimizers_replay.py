"""What choosing among prompt wordings and calibrating scores gain, on recorded judgements of real judges.

    python benchmarks/optimizers_replay.py --data DIR [--quick] [--json]

DIR holds `judge-votes` (verdicts of many judges and prompt wordings in both orders, after princeton-nlp/LLMBar) and
`candour` (three judges' scores of real replies, after timfduffy/syco-bench).

- selection: for each judge, random labelled items and the wordings in random order. `select` with its default budget, half
  of all judgements, against the plain choice of the wording that was right most often on all labelled items in both
  orders (ties to the first). Accuracy on the items not labelled, both orders, the mean over judges; paired differences with
  intervals over splits, and over judges. How much the agreement of a wording's two orders counts is estimated from the
  labelled verdicts of that very choice; no number in it was chosen on these votes. The table also has halving without it.
- calibration: random sets of five replies, half of the prompts for labelling and half for testing (both sides of a
  quarrel together). One judge's scores are calibrated to another judge's, as if those were a person's labels, and compared
  with that judge's on the test prompts: mean absolute error and tau-b (a constant order counts 0; sets that the labelling
  judge ties are passed over). The same where length may count for as much as surely gains in tau-b on the labels, as the
  strategy `calibrate` does before anything is adopted. For information the error against the third judge, whose scale nobody was shown.
  Intervals resample prompts.

Exits 1 where `select` is less accurate than the plain choice at some number of labels, where it takes more than half of the
calls in any split, where the error does not fall at some number of labels (with 40 the whole interval below 0), or
where tau falls by more than .001. With --quick accuracy and tau are only not to be below by more than their intervals.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from character.statistics.agreement import kendall_tau_b
from character.statistics.intervals import bootstrap_mean
from optimizers.calibration.calibration import (
    Calibration,
    JudgedItem,
    JudgedPass,
    fit_calibration,
    fitter,
    text_length,
)
from optimizers.calibration.length import surest
from optimizers.strategies.racing import select

SIZES = (10, 20, 40, 80)
SCALES = {"pickside": (-5.0, 5.0), "delusion": (0.0, 5.0)}
SET_SIZE = 5
BAR_TAU = -0.001


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file; ends the program where it is missing."""
    if not path.exists():
        sys.exit(f"{path} is missing: --data names a folder with candour and judge-votes")
    return [json.loads(line) for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]


def vote_groups(data: Path) -> dict[tuple[str, str], np.ndarray]:
    """Return by (judge, set) a table of verdicts: wordings, items, two orders; 1 right, 0 wrong or unreadable."""
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for row in read_lines(data / "judge-votes" / "votes.jsonl"):
        right = [[float(vote[order] == vote[2]) for order in (0, 1)] for vote in row["votes"]]
        found.setdefault((row["evaluator"].split("/")[0], row["set"]), []).append(np.array(right))
    return {key: np.stack(tables) for key, tables in found.items()}


def one_split(table: np.ndarray, labels: int, rng: np.random.Generator) -> tuple[list[float], float]:
    """Return (accuracy on the rest: plain choice, ours, ours blind to orders; our share of the plain choice's calls)."""
    table = table[rng.permutation(len(table))]
    order = rng.permutation(table.shape[1])
    held = table[:, order[labels:]].mean(axis=(1, 2))
    verdicts = table[:, order[:labels]]
    plain = int(np.argmax(np.round(verdicts.mean(axis=(1, 2)), 9)))
    seed, both, means = int(rng.integers(1 << 30)), verdicts.tolist(), verdicts.mean(axis=2).tolist()
    ours = select(range(len(table)), lambda w, i: both[w][i], range(labels), seed=seed)
    blind = select(range(len(table)), lambda w, i: means[w][i], range(labels), seed=seed)
    accuracies = [float(held[chosen]) for chosen in (plain, ours.best, blind.best)]
    return accuracies, ours.num_judgements / (len(table) * labels)


def selection(data: Path, splits: int) -> dict[int, dict[str, Any]]:
    """Return per number of labels what the plain choice and ours reach, and how they differ."""
    groups = vote_groups(data)
    rng = np.random.default_rng(0)
    found = {}
    for labels in SIZES:
        usable = [key for key, table in groups.items() if table.shape[1] > labels]
        made = [[one_split(groups[key], labels, rng) for _ in range(splits)] for key in usable]
        accuracy = np.array([[accuracies for accuracies, _ in row] for row in made])
        found[labels] = _compared(accuracy, usable, max(share for row in made for _, share in row))
    return found


def _compared(accuracy: np.ndarray, usable: list[tuple[str, str]], share: float) -> dict[str, Any]:
    plain, ours, blind = np.moveaxis(accuracy, 2, 0)
    return {
        "plain": float(plain.mean()),
        "ours": float(ours.mean()),
        "difference": bootstrap_mean((ours - plain).mean(axis=0)),
        "over judges": bootstrap_mean((ours - plain).mean(axis=1), groups=[judge for judge, _ in usable]),
        "without agreement": bootstrap_mean((blind - plain).mean(axis=0)),
        "by judge": {
            f"{judge}, {name}": float(gain)
            for (judge, name), gain in zip(usable, (ours - plain).mean(axis=1), strict=True)
        },
        "calls": share,
    }


def candour(data: Path, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return per prompt the judges' scores of its replies in 0..1 (one row a reply), and the replies' lengths."""
    low, high = SCALES[name]
    found = []
    for item in read_lines(data / "candour" / f"{name}.jsonl"):
        table = np.array([candidate["judges"] for candidate in item["candidates"]], dtype=float)
        lengths = np.array([text_length(candidate["text"]) for candidate in item["candidates"]], dtype=float)
        found.append(((table - low) / (high - low), lengths))
    return found


def _drawn(
    prompt: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, list[float], list[int]]:
    scores, lengths = prompt
    chosen = rng.permutation(len(scores))[:SET_SIZE]
    shown = [int(place) for place in rng.permutation(SET_SIZE)]
    return scores[chosen].T, [float(x) for x in lengths[chosen]], shown


def calibration(data: Path, name: str, labels: int, splits: int) -> dict[str, Any]:
    """Return error and tau before and after, and their differences; so too with length, and against the third judge."""
    prompts = candour(data, name)
    pairs = [
        (i, i + 1) if name == "pickside" else (i,)
        for i in range(0, len(prompts), 2 if name == "pickside" else 1)
    ]
    rng = np.random.default_rng(1)
    rows: list[tuple[float, ...]] = []
    for _ in range(splits):
        order = [index for pair in rng.permutation(len(pairs)) for index in pairs[pair]]
        half = len(order) // 2
        for judge, rater, third in itertools.permutations(range(3)):
            labelled = [order[n % half] for n in range(labels)]
            items = [_judged(_drawn(prompts[index], rng), judge, rater, str(index)) for index in labelled]
            fits = fit_calibration(items), _with_length(items)
            for index in order[half:]:
                scores, lengths, shown = _drawn(prompts[index], rng)
                after, longer = (
                    np.array(fit.apply(scores[judge].tolist(), shown, lengths), dtype=float) for fit in fits
                )
                rows.append(
                    (
                        index,
                        *_measured(scores[judge], after, scores[rater]),
                        *_measured(scores[judge], longer, scores[rater]),
                        *_errors(scores[judge], after, scores[third]),
                    )
                )
    return _summed(np.array(rows))


def _with_length(items: list[JudgedItem]) -> Calibration:
    """Return a calibration in which length counts as far as that surely betters the order of the items' candidates."""

    def goodness(calibration: Calibration) -> list[float | None]:
        found = []
        for item in items:
            (made,) = item.passes
            after = np.array(calibration.apply(made.scores, made.shown, item.lengths), dtype=float)
            flat = len(set(item.labels)) < 2
            found.append(None if flat else kendall_tau_b(np.round(after, 2), item.labels) or 0.0)
        return found

    return surest(fitter(items), goodness, [item.group for item in items])


def _judged(
    drawn: tuple[np.ndarray, list[float], list[int]], judge: int, rater: int, prompt: str
) -> JudgedItem:
    scores, lengths, shown = drawn
    made = JudgedPass(shown, scores[judge].tolist())
    return JudgedItem(scores[rater].tolist(), [made], lengths, prompt)


def _errors(before: np.ndarray, after: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    return float(np.abs(before - truth).mean()), float(np.abs(after - truth).mean())


def _measured(before: np.ndarray, after: np.ndarray, truth: np.ndarray) -> tuple[float, ...]:
    taus = (float("nan"),) * 2
    if len(set(truth)) > 1:
        taus = (kendall_tau_b(before, truth) or 0.0, kendall_tau_b(after, truth) or 0.0)
    return (*_errors(before, after, truth), *taus)


def _summed(rows: np.ndarray) -> dict[str, Any]:
    prompts, error, error_after, tau, tau_after, _, error_length, _, tau_length, third, third_after = rows.T
    told = ~np.isnan(tau)
    return {
        "error": float(error.mean()),
        "error after": float(error_after.mean()),
        "error difference": bootstrap_mean(error_after - error, groups=prompts.tolist()),
        "tau": float(tau[told].mean()),
        "tau after": float(tau_after[told].mean()),
        "tau difference": bootstrap_mean((tau_after - tau)[told], groups=prompts[told].tolist()),
        "error with length": bootstrap_mean(error_length - error, groups=prompts.tolist()),
        "tau with length": bootstrap_mean((tau_length - tau)[told], groups=prompts[told].tolist()),
        "third judge": bootstrap_mean(third_after - third, groups=prompts.tolist()),
    }


def is_met(selected: dict[int, Any], calibrated: dict[str, dict[int, Any]], quick: bool) -> bool:
    """Return whether every bar is met, see above."""
    chosen = all(
        (row["difference"].high if quick else row["difference"].estimate) >= 0 and row["calls"] <= 0.5
        for row in selected.values()
    )
    fitted = all(
        (row[error].high if labels == 40 and not quick else row[error].estimate) < 0
        and (row[tau].high >= 0 if quick else row[tau].estimate >= BAR_TAU)
        for rows in calibrated.values()
        for labels, row in rows.items()
        for error, tau in (("error difference", "tau difference"), ("error with length", "tau with length"))
    )
    return chosen and fitted


def main() -> int:
    """Run it and say what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    selected = selection(args.data, 25 if args.quick else 500)
    calibrated = {
        name: {labels: calibration(args.data, name, labels, 5 if args.quick else 40) for labels in SIZES[:3]}
        for name in SCALES
    }
    met = is_met(selected, calibrated, args.quick)
    if args.json:
        print(json.dumps({"selection": selected, "calibration": calibrated, "met": met}, indent=1))
        return 0 if met else 1
    for labels, row in selected.items():
        print(
            f"selection, {labels} labels: plain {row['plain']:.4f}, ours {row['ours']:.4f} with {row['calls']:.2f} of the calls"
        )
        for what in ("difference", "over judges", "without agreement"):
            print(f"  {what:<25}{row[what].estimate:+.4f} [{row[what].low:+.4f}, {row[what].high:+.4f}]")
        print("  " + "; ".join(f"{judge} {gain:+.3f}" for judge, gain in row["by judge"].items()))
    for name, rows in calibrated.items():
        for labels, row in rows.items():
            print(
                f"calibration, {name}, {labels} labels: error {row['error']:.4f} to {row['error after']:.4f}, "
                f"tau {row['tau']:.4f} to {row['tau after']:.4f}"
            )
            for what in (
                "error difference",
                "tau difference",
                "error with length",
                "tau with length",
                "third judge",
            ):
                print(f"  {what:<25}{row[what].estimate:+.4f} [{row[what].low:+.4f}, {row[what].high:+.4f}]")
    print("met" if met else "NOT MET")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
