"""Whether anything is lost when everything fails at once: every fault of the load server over many messages.

    python benchmarks/faults.py [--quick] [--json]

Injects each fault with the same probability, so that together they meet most calls; then asks again until nothing is
left to try. Exits 1 where a message is not accounted for, where counts disagree, or where a dead server does not pause
the run within 30 s and let it go on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from load_server import Load, LoadServer

from character import Config, Constitution, Message, MessageBatch, RunStore, Trait, run
from character.errors import BackendUnavailableError
from character.runs.summary import RunSummary

FAULTS = (
    "429", "500", "503", "401", "reset", "hang", "malformed", "not_json", "empty_choices",
    "slow_drip", "content_filter", "cut_off", "unreadable", "empty", "context_overflow",
)  # fmt: skip
MOST_PAUSES = 5
PATIENCE = Constitution(name="one", traits=(Trait(name="patience", description="takes the time it needs"),))


def config(url: str) -> Config:
    """Return a configuration with 64 calls in flight and short waits."""
    backend = {
        "model": "openai/load",
        "api_base": url,
        "max_in_flight": 64,
        "timeout_s": 2.0,
        "num_retries": 5,
    }
    return Config.model_validate({"concurrency": 64, "backends": {"default": backend}})


def messages(number: int) -> dict[str, MessageBatch]:
    """Return that many messages for the one trait."""
    made = tuple(Message.of(f"How do I learn thing number {i}?", trait="patience") for i in range(number))
    return {"patience": MessageBatch(messages=made)}


def sitting(folder: Path, url: str, number: int) -> tuple[RunSummary, int]:
    """Return the summary of a run that got to its end, and how often it paused before: five refused keys in a row pause it."""
    for pauses in range(MOST_PAUSES):
        try:
            return run(PATIENCE, folder, config=config(url), messages=messages(number)), pauses
        except BackendUnavailableError:
            continue
    raise SystemExit(f"the run paused {MOST_PAUSES} times and did not end")


def matrix(folder: Path, number: int, probability: float) -> dict[str, Any]:
    """Return what came of every message under all faults together."""
    with LoadServer(
        Load(latency_s=0.01, faults=dict.fromkeys(FAULTS, probability), retry_after_s=0.02)
    ) as server:
        started = time.monotonic()
        first, pauses = sitting(folder, server.url, number)
        summary, more = sitting(folder, server.url, number) if first.messages.get("failed") else (first, 0)
        took, seen = time.monotonic() - started, server.stats()
    states = dict(summary.messages)
    total = states.pop("messages")
    with RunStore(folder) as store:
        rollouts = sum(1 for _ in store.rollouts())
    return {
        "messages": number,
        "probability_of_each_fault": probability,
        "states": states,
        "failed_in_the_first_sitting": first.messages.get("failed", 0),
        "pauses": pauses + more,
        "accounted_for": sum(states.values()) == total == number
        and "pending" not in states
        and rollouts == number,
        "dropped": summary.dropped,
        "asked_again": summary.reasked,
        "requests": seen["requests"],
        "faults": seen["faults"],
        "wall_s": round(took, 1),
    }


def dead_server(folder: Path) -> dict[str, Any]:
    """Return how fast a run over a server that dies pauses, and whether it goes on when the server is back."""
    with LoadServer(Load(latency_s=0.01)) as server:
        settings = config(server.url)
        port = server.url.rsplit(":", 1)[1].split("/")[0]
    started = time.monotonic()
    try:
        run(PATIENCE, folder, config=settings, messages=messages(200))
        paused = False
    except BackendUnavailableError:
        paused = True
    took = time.monotonic() - started
    with LoadServer(Load(latency_s=0.01), port=int(port)):
        after = run(PATIENCE, folder, config=settings, messages=messages(200))
    return {
        "paused": paused,
        "pause_s": round(took, 1),
        "went_on": after.messages.get("pending", 0) == 0 and after.pairs > 0,
    }


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s on two cores")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = {
            "matrix": matrix(Path(folder) / "matrix", 150 if options.quick else 2_000, 0.05),
            "dead": dead_server(Path(folder) / "dead"),
        }
    print(
        json.dumps(result, indent=2)
        if options.json
        else "\n".join(f"{k}: {json.dumps(v)}" for k, v in result.items())
    )
    dead = result["dead"]
    met = result["matrix"]["accounted_for"] and dead["paused"] and dead["pause_s"] < 30 and dead["went_on"]
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
