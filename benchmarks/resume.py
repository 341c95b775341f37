"""What a crash costs: kills at random moments, and how memory and resuming grow with the number of messages.

    python benchmarks/resume.py [--quick] [--json]

Kills a run again and again with SIGKILL and resumes it; then compares with an undisturbed run on the same
server: requests repeated (the server's own count), records lost, doubled or different. Then measures the peak
memory of a run at two sizes, and the time to open a finished run again; and the same where the messages are
generated, a slice at a time. Exits 1 where a bar is not met: repeats at most what was in flight, records equal,
memory within 1.3 times, resuming in under 15 s.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from load_server import Load, LoadServer

from character import RunStore

CONSTITUTION = '[{"trait": "patience", "description": "takes the time an explanation needs"}]'


def command(folder: Path, out: Path, *options: object) -> list[str]:
    """Return the command line of a run over the messages in ``folder``."""
    fixed = ["--messages", folder / "messages.txt", "--passes", 1, "--json"]
    return [
        sys.executable,
        "-m",
        "character",
        "run",
        *map(str, [folder / "c.json", "--out", out, *fixed, *options]),
    ]


def write_inputs(folder: Path, num_messages: int) -> None:
    """Write a constitution of one trait and that many messages."""
    (folder / "c.json").write_text(CONSTITUTION)
    lines = (f"How do I learn thing number {i}, and where do I start?" for i in range(num_messages))
    (folder / "messages.txt").write_text("\n".join(lines))


def records(folder: Path) -> dict[str, str]:
    """Return every finished rollout as text, by message id."""
    with RunStore(folder) as store:
        return {rollout.message.id: rollout.model_dump_json() for rollout in store.rollouts()}


def kill_and_resume(
    folder: Path,
    *,
    num_messages: int,
    in_flight: int,
    kills: int,
    latency_s: float = 0.05,
    seed: int = 0,
    command: Callable[..., list[str]] = command,
    calls_per_message: int = 5,
) -> dict[str, Any]:
    """Return what a run that is killed and resumed again and again did, against an undisturbed one.

    ``command`` makes the command line of the run from the folder with its messages, its own folder, and options.
    """
    write_inputs(folder, num_messages)
    (folder / "config.toml").write_text(
        f"[backends.default]\nmodel = 'openai/load'\nmax_in_flight = {in_flight}\n"
    )
    rng = random.Random(seed)
    calls = calls_per_message * num_messages
    with LoadServer(Load(latency_s=latency_s, sigma=0.5)) as server:
        options = ("--config", folder / "config.toml", "--api-base", server.url, "--concurrency", in_flight)
        moments = sorted(rng.randrange(1, calls) for _ in range(kills))
        killing = [_killed(command(folder, folder / "killed", *options), server, each) for each in moments]
        lost = [number for number in killing if number is not None]
        last = subprocess.run(
            command(folder, folder / "killed", *options), capture_output=True, text=True, check=True
        )
        killed = server.stats()
        subprocess.run(
            command(folder, folder / "whole", *options), capture_output=True, text=True, check=True
        )
    ours, whole = records(folder / "killed"), records(folder / "whole")
    return {
        "messages": num_messages,
        "in_flight_allowed": in_flight,
        "kills": len(lost),
        "requests": killed["requests"],
        "repeats": killed["repeats"],
        "repeats_allowed": len(lost) * in_flight,
        "in_flight_at_the_kills": sum(lost),
        "most_in_flight_at_a_kill": max(lost, default=0),
        "records": len(ours),
        "lost": len(whole.keys() - ours.keys()),
        "different": sum(ours[key] != whole[key] for key in ours.keys() & whole.keys()),
        "calls_in_store": sum(usage["calls"] for usage in json.loads(last.stdout)["usage"].values()),
    }


def _killed(arguments: list[str], server: LoadServer, moment: int) -> int | None:
    """Run a command and kill it once the server saw so many distinct requests; return how many were in flight.

    None where it ended before that. The server's figure is taken just before and just after, the larger counts.
    """
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and server.stats()["distinct"] < moment:
        time.sleep(0.002)
    in_flight = None
    if process.poll() is None:
        before = server.stats()["in_flight"]
        process.send_signal(signal.SIGKILL)
        in_flight = max(before, server.stats()["in_flight"])
    process.wait()
    return in_flight


def size(folder: Path, num_messages: int) -> dict[str, float]:
    """Return peak memory in MiB of a run of that many messages on the rehearsal model, and the seconds to resume it finished."""
    write_inputs(folder, num_messages)
    run = command(folder, folder / "run", "--candidates", 2, "--concurrency", 64)
    started = time.monotonic()
    peak = _peak_mib(run)
    ran = time.monotonic() - started
    started = time.monotonic()
    resumed = _peak_mib(run)
    return {
        "messages": num_messages,
        "run_s": round(ran, 1),
        "peak_mib": round(peak, 1),
        "resume_s": round(time.monotonic() - started, 2),
        "resume_peak_mib": round(resumed, 1),
        "store_mib": round((folder / "run" / "run.sqlite").stat().st_size / 2**20, 1),
    }


def generated_size(folder: Path, num_messages: int) -> dict[str, float]:
    """Return peak memory in MiB of a run that generates that many messages, and the seconds it took."""
    write_inputs(folder, 0)
    with LoadServer(Load(latency_s=0.0)) as server:
        run = command(folder, folder / "run", "--candidates", 2, "--concurrency", 64)
        run = [part for part in run if part not in ("--messages", str(folder / "messages.txt"))]
        server_options = ["--lm", "openai/load", "--api-base", server.url]
        started = time.monotonic()
        peak = _peak_mib([*run, *server_options, "--messages-per-trait", str(num_messages)])
    return {
        "messages": len(records(folder / "run")),
        "run_s": round(time.monotonic() - started, 1),
        "peak_mib": round(peak, 1),
    }


def _peak_mib(arguments: list[str]) -> float:
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _out, err = process.communicate() if process.stderr is None else (b"", process.stderr.read())
    _pid, status, usage = os.wait4(process.pid, 0) if process.returncode is None else (0, 0, None)
    if status:
        raise SystemExit(err.decode())
    return (usage or resource.getrusage(resource.RUSAGE_CHILDREN)).ru_maxrss / 1024


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s on two cores")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    small, large = (200, 1_000) if options.quick else (10_000, 100_000)
    few, many = (100, 400) if options.quick else (1_000, 5_000)
    kills = (
        {"num_messages": 60, "in_flight": 16, "kills": 4}
        if options.quick
        else {"num_messages": 1_000, "in_flight": 64, "kills": 20, "latency_s": 0.3}
    )
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        result["kill"] = kill_and_resume(Path(folder), **kills)
    for name, number in (("small", small), ("large", large)):
        with tempfile.TemporaryDirectory() as folder:
            result[name] = size(Path(folder), number)
    for name, number in (("few_generated", few), ("many_generated", many)):
        with tempfile.TemporaryDirectory() as folder:
            result[name] = generated_size(Path(folder), number)
    result["generated_memory_ratio"] = round(
        result["many_generated"]["peak_mib"] / result["few_generated"]["peak_mib"], 3
    )
    result["memory_ratio"] = round(result["large"]["peak_mib"] / result["small"]["peak_mib"], 3)
    kill = result["kill"]
    bars = {
        "repeats at most those in flight": kill["repeats"] <= kill["repeats_allowed"],
        "no record lost, doubled or different": not kill["lost"]
        and not kill["different"]
        and kill["records"] == kill["messages"],
        "memory within 1.3 times": result["memory_ratio"] <= 1.3,
        "every generated message there": result["many_generated"]["messages"] == many,
        "memory within 1.3 times where messages are generated": result["generated_memory_ratio"] <= 1.3,
        "resuming in under 15 s": result["large"]["resume_s"] < 15,
    }
    result["bars"] = bars
    print(json.dumps(result, indent=2) if options.json else _table(result))
    return 0 if all(bars.values()) else 1


def _table(result: dict[str, Any]) -> str:
    lines = [f"{name}: {json.dumps(value)}" for name, value in result.items() if name != "bars"]
    return "\n".join(
        [*lines, *(f"{'met ' if met else 'MISSED'} {name}" for name, met in result["bars"].items())]
    )


if __name__ == "__main__":
    sys.exit(main())
