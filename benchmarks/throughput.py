"""CPU per call, calls per second and occupancy of the whole pipeline, against its peers on the same server in one run.

    python benchmarks/throughput.py [--quick] [--json] [--distilabel PYTHON] [--curator PYTHON]

The work: messages from a file, four candidates each and one judgement. Ours is the whole pipeline (program, store and
all) through the native backend, with a request for each candidate (five a message) and with one for all of them (two);
then stock DSPy on LiteLLM (`Predict` and `asyncio.gather`), raw aiohttp, and, where the Python of an environment that has
them is given, distilabel 1.5 and Bespoke Curator 0.1. CPU is of the client's processes alone, start-up left out. Exits
1 where a bar is not met: ours at most 1.5 ms a call, at least 4 times better than stock DSPy, below Curator per call, 4
times below distilabel per message, each with as many requests as the other; occupancy at least 95 % at 64 in flight and
500 ms, 90 % at 256 and 1 s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from load_server import Load, LoadServer

HERE = Path(__file__).parent

OURS = """
import resource, sys, time, json
from character import Config, MessageFile, load_constitution, run, Message, MessageBatch
import dspy, sqlalchemy, character.runs.run, character.exports  # start-up is no part of the work
folder, url, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3])
calls = sys.argv[4] if sys.argv[4:] else "per_candidate"
constitution = load_constitution(folder + "/c.json")
backend = {"model": "openai/load", "api_base": url, "max_in_flight": in_flight, "timeout_s": 60}
config = Config.model_validate({"concurrency": in_flight, "ranking": {"passes": 1}, "backends": {"default": backend},
    "responses": {"calls": calls}})
few = {"patience": MessageBatch(messages=tuple(Message.of(f"Warm {i}?", trait="patience") for i in range(8)))}
run(constitution, folder + "/warm", config=config, messages=few)
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
before, started = cpu(), time.monotonic()
run(constitution, folder + "/run", config=config, messages=MessageFile(folder + "/messages.txt", constitution))
print(json.dumps({"cpu_s": cpu() - before, "wall_s": time.monotonic() - started}))
"""

STOCK = """
import resource, sys, time, json, asyncio, os
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import dspy, litellm
from signatures.responses import RespondInCharacter, EXPRESSIONS
from signatures.ranking import RankResponses
folder, url, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3])
dspy.configure(lm=dspy.LM("openai/load", api_base=url, api_key="none", engine="litellm", cache=False))
respond, rank = dspy.Predict(RespondInCharacter), dspy.Predict(RankResponses)
trait = {"name": "patience", "description": "takes the time an explanation needs"}
messages = open(folder + "/messages.txt").read().split("\\n")
gate = asyncio.Semaphore(in_flight)
async def call(predict, **inputs):
    async with gate:
        return await predict.acall(**inputs)
async def one(message, number):
    talk = [{"role": "user", "content": message}]
    texts = await asyncio.gather(*(call(respond, language="English (en)", assistant_name="the assistant", character=[trait],
        focus_trait="patience", expression=EXPRESSIONS[level], conversation=talk, config={"rollout_id": 4 * number + i})
        for i, level in enumerate(("natural", "absent", "overdone", "subtle"))))
    await call(rank, language="English (en)", trait=trait, conversation=talk, responses=[t.response for t in texts])
async def main():
    await call(respond, language="English (en)", assistant_name="a", character=[trait], focus_trait="p", expression="natural",
        conversation=[{"role": "user", "content": "warm up"}])
    before, started = cpu(), time.monotonic()
    await asyncio.gather(*(one(message, n) for n, message in enumerate(messages)))
    print(json.dumps({"cpu_s": cpu() - before, "wall_s": time.monotonic() - started}))
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
asyncio.run(main())
"""

RAW = """
import resource, sys, time, json, asyncio, aiohttp
folder, url, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3])
messages = open(folder + "/messages.txt").read().split("\\n")
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
async def main():
    gate = asyncio.Semaphore(in_flight)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:
        async def call(text):
            async with gate, session.post(url + "/chat/completions", json={"model": "load", "messages": [
                    {"role": "system", "content": "Answer. " * 300}, {"role": "user", "content": text}]}) as reply:
                return (await reply.json())["choices"][0]["message"]["content"]
        async def one(message):
            texts = await asyncio.gather(*(call(f"{message} {i}") for i in range(4)))
            await call(" ".join(texts))
        before, started = cpu(), time.monotonic()
        await asyncio.gather(*(one(message) for message in messages))
        print(json.dumps({"cpu_s": cpu() - before, "wall_s": time.monotonic() - started}))
asyncio.run(main())
"""


def measure(
    python: str, code: str | Path, num_messages: int, in_flight: int, load: Load, *more: str
) -> dict[str, float]:
    """Return what one client took for the work, with the server's own counts beside it."""
    with tempfile.TemporaryDirectory() as folder, LoadServer(load) as server:
        (Path(folder) / "c.json").write_text(
            '[{"trait": "patience", "description": "takes the time it needs"}]'
        )
        lines = (f"How do I learn thing number {i}, and where do I start?" for i in range(num_messages))
        (Path(folder) / "messages.txt").write_text("\n".join(lines))
        peer = isinstance(code, Path)
        arguments = (
            [str(code), server.url, str(num_messages)] if peer else ["-c", str(code), folder, server.url]
        )
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [python, *arguments, str(in_flight), *more],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        taken = [line for line in done.stdout.split("\n") if line.startswith('{"cpu_s"')]
        if not taken:
            raise SystemExit(f"{code if peer else 'a client'} failed:\n{done.stderr[-3000:]}")
        result, seen = json.loads(taken[-1]), server.stats()
    return {
        "calls": seen["requests"],
        "cpu_ms_per_call": round(1000 * result["cpu_s"] / seen["requests"], 3),
        "cpu_ms_per_message": round(1000 * result["cpu_s"] / num_messages, 2),
        "messages_per_cpu_s": round(num_messages / result["cpu_s"], 1),
        "calls_per_s": round(seen["requests"] / result["wall_s"], 1),
        "occupancy": round(seen["mean_in_flight"] / in_flight, 3),
        "wall_s": round(result["wall_s"], 1),
    }


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s on two cores")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--distilabel", metavar="PYTHON", help="the Python of an environment with distilabel 1.5"
    )
    parser.add_argument("--curator", metavar="PYTHON", help="the Python of an environment with curator 0.1")
    options = parser.parse_args()
    number = 150 if options.quick else 1_000
    load = Load(latency_s=0.05)
    rows = {
        "character": measure(sys.executable, OURS, number, 64, load),
        "character, one request for all candidates": measure(
            sys.executable, OURS, number, 64, load, "per_message"
        ),
        "stock DSPy on LiteLLM": measure(sys.executable, STOCK, number, 64, load),
        "raw aiohttp": measure(sys.executable, RAW, number, 64, load),
    }
    if options.distilabel:
        peer = HERE / "peers" / "distilabel_peer.py"
        rows["distilabel"] = measure(options.distilabel, peer, number, 64, load)
        rows["distilabel, a request each"] = measure(options.distilabel, peer, number, 64, load, "each")
    if options.curator:
        rows["curator"] = measure(options.curator, HERE / "peers" / "curator_peer.py", number, 64, load)
    rows["occupancy 64 x 500 ms"] = measure(
        sys.executable, OURS, 200 if options.quick else 1_000, 64, Load(latency_s=0.5)
    )
    if not options.quick:
        rows["occupancy 256 x 1 s"] = measure(sys.executable, OURS, 2_000, 256, Load(latency_s=1.0))
    bars = _bars(rows)
    if options.json:
        print(json.dumps({"rows": rows, "bars": bars}, indent=2))
    else:
        _print(rows, bars)
    return 0 if all(bars.values()) else 1


def _bars(rows: dict[str, dict[str, float]]) -> dict[str, bool]:
    ours, stock = rows["character"], rows["stock DSPy on LiteLLM"]
    bars = {
        "at most 1.5 ms of CPU a call": ours["cpu_ms_per_call"] <= 1.5,
        "at least 4 times better than stock DSPy on LiteLLM": stock["cpu_ms_per_call"]
        >= 4 * ours["cpu_ms_per_call"],
        "occupancy at least 95 % at 64 in flight and 500 ms": rows["occupancy 64 x 500 ms"]["occupancy"]
        >= 0.95,
    }
    if "occupancy 256 x 1 s" in rows:
        bars["occupancy at least 90 % at 256 in flight and 1 s"] = (
            rows["occupancy 256 x 1 s"]["occupancy"] >= 0.9
        )
    if "curator" in rows:
        bars["below Curator per call"] = ours["cpu_ms_per_call"] < rows["curator"]["cpu_ms_per_call"]
    if "distilabel" in rows:
        for name, mine, theirs in (
            ("one request for all candidates", "character, one request for all candidates", "distilabel"),
            ("a request for each candidate", "character", "distilabel, a request each"),
        ):
            mine_ms, theirs_ms = rows[mine]["cpu_ms_per_message"], rows[theirs]["cpu_ms_per_message"]
            bars[f"4 times below distilabel per message ({name})"] = 4 * mine_ms <= theirs_ms
    return bars


def _print(rows: dict[str, dict[str, Any]], bars: dict[str, bool]) -> None:
    columns = list(next(iter(rows.values())))
    print("| | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(f"{row[column]:,}" for column in columns) + " |")
    for name, met in bars.items():
        print("met   " if met else "MISSED", name)


if __name__ == "__main__":
    sys.exit(main())
