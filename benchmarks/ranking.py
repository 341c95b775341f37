"""What combining recorded judgements of real judges gains, and whether listwise verdicts are read as they were meant.

    python benchmarks/ranking.py --data DIR [--quick] [--json]

DIR holds `candour` (three judges' scores of real replies, after timfduffy/syco-bench), `judge-votes` (verdicts of many
judges in both orders, after princeton-nlp/LLMBar) and `listwise-replies` (free-text verdicts, after FreedomIntelligence/LLMZoo).

- candour: random sets of five replies to one prompt; the order of two judges combined, of the plain mean of the same
  two, and of one of them alone, by Kendall's tau-b against the judge left out (a constant order counts 0; sets that the
  judge left out ties are passed over). Intervals resample prompts. Fewer points are better there; tau does not mind.
- votes: an item is decided where both orders agree; a verdict that could not be read, and orders that disagree, abstain.
  Accuracy on what is decided with its coverage, against one order alone.
- replies: the chain read, against the recorded order, ties and all; replies without a chain must come out unreadable.

Exits 1 where combining is below the plain mean (the interval below 0) or gains less over one judge than .045 (pickside)
and .010 (delusion), where deciding only agreed items is less accurate than one order over all judges, or where fewer than
97 % of the chains equal the recorded order, or one is guessed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from character.ranking.chains import parse_chain
from character.ranking.combine import combine
from character.records import RankingPass
from character.statistics.agreement import kendall_tau_b
from character.statistics.intervals import bootstrap_mean

SCALES = {"pickside": (-5.0, 5.0), "delusion": (0.0, 5.0)}
BAR_GAIN = {"pickside": 0.045, "delusion": 0.010}
BAR_CHAINS = 0.97
SET_SIZE = 5


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSONL file; ends the program where it is missing."""
    if not path.exists():
        sys.exit(f"{path} is missing: --data names a folder with candour, judge-votes and listwise-replies")
    return [json.loads(line) for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]


def candour(data: Path, name: str, sets: int) -> dict[str, Any]:
    """Return mean tau-b with the judge left out: combined, plain mean, one judge; and paired differences."""
    low, high = SCALES[name]
    rng = np.random.default_rng(0)
    rows: list[tuple[int, float, float, float]] = []
    for prompt, item in enumerate(read_lines(data / "candour" / f"{name}.jsonl")):
        table = np.array([candidate["judges"] for candidate in item["candidates"]], dtype=float)
        shares = (table - low) / (high - low)
        for _ in range(sets):
            chosen = shares[rng.permutation(len(shares))[:SET_SIZE]].T
            rows += [(prompt, *values) for values in _left_out(chosen)]
    groups = [row[0] for row in rows]
    values = np.array([row[1:] for row in rows])
    combined, mean, one = values.T
    return {
        "sets": len(rows),
        "combined": bootstrap_mean(combined, groups=groups),
        "plain mean": bootstrap_mean(mean, groups=groups),
        "one judge": bootstrap_mean(one, groups=groups),
        "over the mean": bootstrap_mean(combined - mean, groups=groups),
        "over one judge": bootstrap_mean(combined - one, groups=groups),
    }


def _left_out(scores: np.ndarray) -> list[tuple[float, float, float]]:
    """Return (combined, mean, one judge) against each judge left out in turn."""
    found = []
    for out in range(len(scores)):
        others = np.delete(scores, out, axis=0)
        if len(set(scores[out])) == 1:
            continue
        order = tuple(range(scores.shape[1]))
        passes = [
            RankingPass(shown=order, scores=tuple(float(s) for s in row), juror=str(juror))
            for juror, row in enumerate(others)
        ]
        mean = np.round(others.mean(axis=0), 6)
        found.append(
            (
                kendall_tau_b(combine(passes, len(order)).scores, scores[out]) or 0.0,
                kendall_tau_b(mean, scores[out]) or 0.0,
                float(np.mean([kendall_tau_b(row, scores[out]) or 0.0 for row in others])),
            )
        )
    return found


def decide(votes: list[int | None]) -> int | None:
    """Return which of two texts is better, None to abstain; ``votes`` are winners (1 or 2) in the two orders."""
    if any(vote not in (1, 2) for vote in votes):
        return None
    passes = [
        RankingPass(shown=shown, scores=(1.0, 0.0) if vote == 1 else (0.0, 1.0), model="recorded")
        for shown, vote in zip(((0, 1), (1, 0)), votes, strict=True)
    ]
    scores = combine(passes, 2, method="bradley_terry").scores
    return None if scores[0] == scores[1] else 1 if scores[0] > scores[1] else 2


def votes(data: Path) -> list[dict[str, Any]]:
    """Return per set and judge: coverage and accuracy where both orders agree, accuracy of each order alone."""
    found = []
    for row in read_lines(data / "judge-votes" / "votes.jsonl"):
        items = [item for item in row["votes"] if item[2] in (1, 2)]
        decided = [(decide(item[:2]), item[2]) for item in items]
        kept = [said == gold for said, gold in decided if said is not None]
        orders = [np.mean([item[order] == item[2] for item in items]) for order in (0, 1)]
        found.append(
            {
                "set": row["set"],
                "judge": row["evaluator"],
                "items": len(items),
                "unreadable": sum(item[0] is None or item[1] is None for item in items),
                "coverage": len(kept) / len(items),
                "agreed": float(np.mean(kept)) if kept else None,
                "first order": float(orders[0]),
                "second order": float(orders[1]),
            }
        )
    return found


def chains(data: Path) -> dict[str, dict[str, Any]]:
    """Return per language how many replies were read, how many as recorded, and which were unreadable."""
    found = {}
    for language in ("en", "zh"):
        rows = read_lines(data / "listwise-replies" / f"{language}.jsonl")
        read = right = without = guessed = 0
        for row in rows:
            names = [f"Assistant {i + 1}" for i in range(len(row["answer_ids"]))]
            order = parse_chain(row["text"], names)
            has_chain = re.search(r"Assistant \d+\]?\s*[>=]", row["text"]) is not None
            without += not has_chain
            if order is None:
                continue
            read += 1
            guessed += not has_chain
            right += _places(order) == _dense(row["order"])
        found[language] = {
            "replies": len(rows),
            "without a chain": without,
            "read": read,
            "as recorded": right,
            "guessed": guessed,
            "share": right / max(1, len(rows) - without),
        }
    return found


def _places(order: tuple[tuple[int, ...], ...]) -> list[int]:
    place = {index: number for number, group in enumerate(order) for index in group}
    return [place[index] for index in sorted(place)]


def _dense(ranks: list[float]) -> list[int]:
    levels = sorted(set(ranks))
    return [levels.index(rank) for rank in ranks]


def main() -> int:
    """Run it and say what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    scored = {name: candour(args.data, name, 20 if args.quick else 100) for name in SCALES}
    voted = votes(args.data)
    read = chains(args.data)
    shares = np.array([row["coverage"] * row["items"] for row in voted])
    agreed = float(np.average([row["agreed"] or 0.0 for row in voted], weights=shares))
    alone = float(
        np.average(
            [(row["first order"] + row["second order"]) / 2 for row in voted],
            weights=[r["items"] for r in voted],
        )
    )
    met = (
        all(result["over the mean"].high >= 0 for result in scored.values())
        and all(result["over one judge"].estimate >= BAR_GAIN[name] for name, result in scored.items())
        and agreed > alone
        and all(result["share"] >= BAR_CHAINS and not result["guessed"] for result in read.values())
    )
    if args.json:
        print(json.dumps({"candour": scored, "votes": voted, "chains": read, "met": met}, indent=1))
        return 0 if met else 1
    for name, result in scored.items():
        print(f"{name}: tau-b with the judge left out, {result['sets']} sets of {SET_SIZE}")
        for what in ("combined", "plain mean", "one judge", "over the mean", "over one judge"):
            value = result[what]
            print(f"  {what:<15}{value.estimate:7.3f} [{value.low:.3f}, {value.high:.3f}]")
        print(f"  (the bar over one judge is {BAR_GAIN[name]})")
    print(
        f"votes: {len(voted)} sets and judges; agreed {agreed:.3f} at coverage "
        f"{shares.sum() / sum(row['items'] for row in voted):.2f}, one order {alone:.3f}"
    )
    for row in voted:
        if row["set"].startswith("FairEval") or row["judge"].endswith("Vanilla_NoRules"):
            accuracy = "-" if row["agreed"] is None else f"{row['agreed']:.2f}"
            print(
                f"  {row['set']:<16}{row['judge']:<28} agreed {accuracy} at {row['coverage']:.2f}, "
                f"orders {row['first order']:.2f} and {row['second order']:.2f}, unreadable {row['unreadable']}"
            )
    for language, result in read.items():
        print(
            f"chains {language}: {result['as recorded']} of {result['read']} read as recorded, {result['without a chain']} of "
            f"{result['replies']} replies without one, {result['guessed']} guessed"
        )
    print("met" if met else "NOT MET")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
