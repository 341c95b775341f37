"""Whether a cap is ever passed: many runs with random prices, caps and concurrency against the load server.

    python benchmarks/budget.py [--quick] [--json]

Each run has a cap on cost, tokens or calls that it cannot finish under. Reports how near the caps the spend came, by the
server's own count. Exits 1 where a cap was passed, or where the spend reported differs from the server's count.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from load_server import COMPLETION_TOKENS, PROMPT_TOKENS, Load, LoadServer

from character import Config, Constitution, Message, MessageBatch, RunStore, Trait, run
from character.errors import BudgetReachedError

PATIENCE = Constitution(name="one", traits=(Trait(name="patience", description="takes the time it needs"),))


def capped_run(folder: Path, server: LoadServer, rng: random.Random) -> dict[str, Any]:
    """Return what one run under a random cap took, against the cap and against the server's count."""
    prices = {"input_price": rng.uniform(0.05, 30), "output_price": rng.uniform(0.05, 90)}
    per_call = (PROMPT_TOKENS * prices["input_price"] + COMPLETION_TOKENS * prices["output_price"]) / 1e6
    num_messages = rng.randint(3, 30)
    calls = 6 * num_messages * rng.uniform(0.15, 0.9)
    kind = rng.choice(["max_cost", "max_tokens", "max_calls"])
    tokens = PROMPT_TOKENS + COMPLETION_TOKENS
    cap: float = {"max_cost": calls * per_call, "max_tokens": int(calls * tokens), "max_calls": int(calls)}[
        kind
    ]
    backend = {
        "model": "openai/load",
        "api_base": server.url,
        "max_tokens": 100,
        "max_in_flight": rng.choice([1, 2, 8, 64]),
    }
    config = Config.model_validate(
        {
            "concurrency": rng.choice([1, 4, 32]),
            "budget": {kind: cap},
            "backends": {"default": {**backend, **prices}},
        }
    )
    made = tuple(Message.of(f"Question {i} of {folder.name}?", trait="patience") for i in range(num_messages))
    before = server.stats()
    reached = False
    try:
        run(PATIENCE, folder, config=config, messages={"patience": MessageBatch(messages=made)})
    except BudgetReachedError:
        reached = True
    seen = server.stats()
    answered = seen["answered"] - before["answered"]
    taken = {
        "max_cost": answered * per_call,
        "max_tokens": answered * tokens,
        "max_calls": seen["requests"] - before["requests"],
    }
    with RunStore(folder) as store:
        spent = store.spent()
    agrees = spent.calls == answered and abs((spent.cost_usd or 0.0) - answered * per_call) < 1e-9
    return {
        "kind": kind,
        "share": taken[kind] / cap if cap else 0.0,
        "passed": taken[kind] > cap + 1e-9,
        "agrees": agrees,
        "reached": reached,
    }


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s on two cores")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    rng = random.Random(1)
    with LoadServer(Load(latency_s=0.003, sigma=0.6)) as server, tempfile.TemporaryDirectory() as folder:
        runs = [
            capped_run(Path(folder) / f"run-{i}", server, rng) for i in range(40 if options.quick else 200)
        ]
    result = {
        "runs": len(runs),
        "stopped_at_the_cap": sum(one["reached"] for one in runs),
        "caps_passed": sum(one["passed"] for one in runs),
        "spend_differs_from_the_server": sum(not one["agrees"] for one in runs),
        "median_share_of_the_cap_used": round(statistics.median(one["share"] for one in runs), 3),
        "most_of_a_cap_used": round(max(one["share"] for one in runs), 6),
    }
    print(json.dumps(result, indent=2) if options.json else "\n".join(f"{k}: {v}" for k, v in result.items()))
    return 1 if result["caps_passed"] or result["spend_differs_from_the_server"] else 0


if __name__ == "__main__":
    sys.exit(main())
