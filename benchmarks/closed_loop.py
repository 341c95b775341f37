"""Whether the closed loop moves what it is meant to, and nothing else, and catches a planted bias.

    python benchmarks/closed_loop.py [--seeds 0,1,2] [--workers 2] [--quick] [--json]

A tiny policy is trained from scratch on a grammar of our own, tuned on pairs that it wrote itself, and
measured on held-out messages by the grammar's truth (see `examples/closed_loop`). The baseline is the policy
before tuning. Needs the extra `train`.

Exits 1 where for any seed the trained trait does not move by more than .30 with an interval above 0, the
interval of the other trait leaves ±.10, more than .07 is lost of staying on topic, a language does not move,
or the planted bias is not caught. With --quick one small loop, and the bar is that the trained trait surely
moves.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from closed_loop.loop import closed_loop
from closed_loop.plan import FULL, QUICK, LoopConfig
from closed_loop.results import LoopResults


def measured(out: Path, seed: int, *, quick: bool, workers: int) -> dict[str, Any]:
    """Return what one loop showed, and what it took."""
    started = time.monotonic()
    found = closed_loop(out, LoopConfig(size=QUICK if quick else FULL, seed=seed), workers=workers)
    steps = [json.loads(path.read_text("utf-8")) for path in (out / "steps").glob("*.json")]
    return {
        "seed": seed,
        "met": _moves(found) if quick else found.is_met,
        "shown": [{"code": bar.code, "met": bar.met, "text": bar.text} for bar in found.bars],
        "seconds": time.monotonic() - started,
        "cpu_seconds": sum(step["cpu_seconds"] for step in steps),
        "peak_mib_of_one_step": max(step["peak_mib"] for step in steps),
    }


def _moves(found: LoopResults) -> bool:
    return found.effects["dpo-judge"].shift("patience").low > 0


def main() -> int:
    """Run the loops, print what they showed, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seeds = [0] if options.quick else [int(seed) for seed in options.seeds.split(",")]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            rows.append(
                measured(Path(folder) / str(seed), seed, quick=options.quick, workers=options.workers)
            )
            if not options.json:
                show(rows[-1])
    if options.json:
        print(json.dumps({"loops": rows}, ensure_ascii=False, indent=2))
    return 0 if all(row["met"] for row in rows) else 1


def show(row: dict[str, Any]) -> None:
    """Print one loop."""
    print(
        f"seed {row['seed']}: {row['seconds']:.0f} s, {row['cpu_seconds']:.0f} CPU s, at most "
        f"{row['peak_mib_of_one_step']:.0f} MiB in one step; {'met' if row['met'] else 'MISSED'}"
    )
    for bar in row["shown"]:
        print(f"  {'shown    ' if bar['met'] else 'NOT shown'} {bar['text']}")


if __name__ == "__main__":
    sys.exit(main())
