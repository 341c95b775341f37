"""Whether the review app stays quick at 100,000 messages: first page, and next item at the server.

    python benchmarks/review.py [--quick] [--json] [--messages N]

A run of that many messages, each with four candidates and a ranking with probabilities, is written directly through the run
store. Then ``character review`` is started as a user starts it: first with no queue yet, which it makes
in the background, then again with the queue in place. Timed at a client on loopback: from the start of the process to the
whole first page with an item on it, answers with the next item (a durable write each) while the queue is being made
and after it, and pages under a filter. The baseline is what finding the least certain message takes without a
queue: one pass over all rollouts. Exits 1 where a first page takes 2 s or more, or where the 95th percentile
of answers takes 100 ms or more.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np

from character.config import Config
from character.constitution import Constitution, Trait
from character.pairs.designs import build_pairs
from character.ranking.uncertainty import doubt
from character.records import KINDS, LEVELS, Candidate, Candidates, Message, Ranking, Rollout, Turn
from character.runs.identity import run_identity
from character.runs.run import RUN
from character.runs.session import write_down
from character.statistics.intervals import bootstrap_mean
from character.store.run_store import RunStore

MOST_FIRST_S, MOST_NEXT_MS = 2.0, 100.0
WORDS = [
    "slowly",
    "the",
    "plan",
    "of",
    "water",
    "asks",
    "a",
    "friend",
    "whether",
    "time",
    "and",
    "patience",
    "make",
    "small",
    "steps",
    "easier",
    "to",
    "see",
    "again",
    "today",
]
TRAITS = tuple(
    Trait(name=f"trait {i}", description="Shows in what is said, not in how long it is.") for i in range(10)
)


def rollout(number: int, rng: random.Random) -> Rollout:
    """Return a ranked rollout of ordinary size: four answers of about 80 words."""
    text = " ".join(rng.choices(WORDS, k=30)) + f" {number}?"
    message = Message(
        trait=TRAITS[number % 10].name,
        kind=KINDS[number % 3],
        turns=(Turn(role="user", content=text),),
        language=("en", "zh")[number % 2],
    )
    items = tuple(Candidate(text=" ".join(rng.choices(WORDS, k=80)), level=LEVELS[i]) for i in range(4))
    candidates = Candidates(message_id=message.id, trait=message.trait, items=items)
    ranking = Ranking.from_scores(candidates, [rng.random() for _ in items])
    table = tuple(tuple(0.5 + (a - b) / 2 for b in ranking.scores) for a in ranking.scores)
    ranking = ranking.model_copy(update={"probabilities": table})
    pairs, drops = build_pairs(message, candidates, ranking)
    return Rollout(message=message, candidates=candidates, ranking=ranking, pairs=pairs, drops=drops)


def make_run(folder: Path, number: int) -> None:
    """Write a finished run of so many messages."""
    rng = random.Random(7)

    async def keep(store: RunStore, made: list[Rollout]) -> None:
        await asyncio.gather(
            *(store.add_rollout(each, "paired" if each.pairs else "unpaired") for each in made)
        )

    with RunStore.create(folder) as store:
        constitution, config = Constitution(name="many", traits=TRAITS), Config()
        write_down(store, RUN, run_identity(constitution.fingerprint, config, None), config, constitution)
        for place, trait in enumerate(TRAITS):
            numbers = range(place, number, len(TRAITS))
            for start in range(0, len(numbers), 1000):
                made = [rollout(i, rng) for i in numbers[start : start + 1000]]
                store.add_messages(trait.name, (each.message for each in made), place * number + start)
                asyncio.run(keep(store, made))


class Client:
    """A window on the app, over one connection; ``started`` is when its process was."""

    def __init__(self, folder: Path) -> None:
        self.started = time.perf_counter()
        command = [sys.executable, "-m", "character", "review", str(folder), "--reviewer", "Ann", "--json"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = ""
        while not said.endswith("}\n"):
            said += self._process.stdout.readline() if self._process.stdout else ""
        parts = urlsplit(json.loads(said)["url"])
        self._origin = f"http://{parts.netloc}"
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=120)
        self._headers: dict[str, str] = {}
        cookie = self._ask("GET", f"/?{parts.query}")[1]["set-cookie"]
        self._headers = {"Cookie": cookie.split(";")[0], "Origin": self._origin}

    def _ask(self, method: str, path: str, body: str = "") -> tuple[str, dict[str, str]]:
        self._connection.request(method, path, body, self._headers)
        reply = self._connection.getresponse()
        text = reply.read().decode()
        if reply.status not in (200, 303):
            raise SystemExit(f"{method} {path}: {reply.status} {text}")
        return text, {name.lower(): value for name, value in reply.getheaders()}

    def page(self, path: str) -> str:
        """Return a page."""
        text, _ = self._ask("GET", path)
        if found := re.search('"X-CSRF-Token": "([^"]+)"', text):
            self._headers["X-CSRF-Token"] = found[1]
        return text

    def answer(self, page: str, path: str = "/rank") -> str:
        """Rank the item of a page and return the next one."""
        fields = dict(re.findall('name="(item|seen|nonce)" value="([^"]*)"', page))
        letters = sorted(set(re.findall('name="rank-([A-I])"', page)))
        ranks = {f"rank-{letter}": place for place, letter in enumerate(letters, 1)}
        return self._ask("POST", path, urlencode(fields | ranks))[0]

    def cpu_s(self) -> float:
        """Return the processor seconds that the process took so far: on a busy machine the clock says more than that."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return round((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), 2)

    def stop(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.terminate()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def first_page(client: Client) -> tuple[str, float]:
    """Return the first page with an item on it, and the seconds since the process was started."""
    page = client.page("/rank")
    if 'name="item"' not in page:
        raise SystemExit("the first page shows no item")
    return page, time.perf_counter() - client.started


def timed(client: Client, page: str, number: int, path: str = "/rank") -> list[float]:
    """Return how many milliseconds each of so many answers with their next item takes."""
    taken = []
    for _ in range(number):
        started = time.perf_counter()
        page = client.answer(page, path)
        taken.append(1000 * (time.perf_counter() - started))
    return taken


def queue_is_whole(client: Client) -> bool:
    """Whether the queue is whole, as the panel says."""
    return "Sorting the queue" not in client.page("/rank/panel")


def without_queue(folder: Path) -> float:
    """Return the seconds that finding the least certain message takes by one pass over all rollouts."""
    started = time.perf_counter()
    with RunStore(folder) as store:
        max((doubt(each.ranking), each.message.id) for each in store.rollouts() if each.ranking)
    return time.perf_counter() - started


def measure(folder: Path, answers: int) -> dict[str, Any]:
    """Return all figures of a run in a folder that was not reviewed yet."""
    client = Client(folder)
    page, cold_s = first_page(client)
    cold_cpu_s = client.cpu_s()
    during = timed(client, page, 50)
    was_whole = queue_is_whole(client)
    while not queue_is_whole(client):
        time.sleep(0.2)
    queue_s = time.perf_counter() - client.started
    client.stop()
    client = Client(folder)
    page, warm_s = first_page(client)
    warm_cpu_s = client.cpu_s()
    after = timed(client, page, answers)
    filtered = "/rank?as=Ann&trait=trait+7&kind=situation&language=zh"
    narrowed = timed(client, client.page(filtered), answers // 4, filtered)
    panel = []
    for _ in range(20):
        started = time.perf_counter()
        client.page("/rank/panel")
        panel.append(1000 * (time.perf_counter() - started))
    client.stop()
    return {
        "first_page_s": {"without a queue yet": round(cold_s, 2), "with the queue": round(warm_s, 2)},
        "first_page_cpu_s": {"without a queue yet": cold_cpu_s, "with the queue": warm_cpu_s},
        "queue_whole_after_s": round(queue_s, 1),
        "answers_outran_the_queue": was_whole,
        "next_item_ms": {
            "while the queue is made": figures(during),
            "with the queue": figures(after),
            "under three filters": figures(narrowed),
        },
        "panel_ms": figures(panel),
        "baseline_pass_over_all_rollouts_s": round(without_queue(folder), 1),
    }


def figures(taken: list[float]) -> dict[str, float]:
    """Return mean with its 95 % interval, median, 95th percentile and maximum, in milliseconds."""
    mean = bootstrap_mean(taken)
    low, high = (mean.low, mean.high) if mean else (0.0, 0.0)
    return {
        "mean": round(float(np.mean(taken)), 1),
        "low": round(low, 1),
        "high": round(high, 1),
        "median": round(float(np.median(taken)), 1),
        "p95": round(float(np.quantile(taken, 0.95)), 1),
        "max": round(max(taken), 1),
    }


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="end within 50 s on two cores: 20,000 messages")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--messages", type=int, default=None, help="how many messages (100,000)")
    options = parser.parse_args()
    number = options.messages or (20_000 if options.quick else 100_000)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        make_run(run, number)
        found = {"messages": number, **measure(run, 100 if options.quick else 300)}
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for name, value in found.items():
            print(f"{name}: {value}")
    held = all(taken < MOST_FIRST_S for taken in found["first_page_s"].values()) and all(
        taken["p95"] < MOST_NEXT_MS for taken in found["next_item_ms"].values()
    )
    if not held:
        print(
            f"not met: first page under {MOST_FIRST_S:g} s, next item under {MOST_NEXT_MS:g} ms",
            file=sys.stderr,
        )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
