"""What habits of models cost: calls spent on asking again, and messages lost, with replies read as they come.

    python benchmarks/reading.py [--quick] [--json]

A server on loopback answers all steps (messages, candidates, scores) always in one habit: a dress of the fields, what
is round them, a way to write scores or truths. For each habit the steps make a few messages, answer and rank them. The
same is done with the form that is asked for as the only one that is read (``strict``). The judge gives each candidate the
score that stands in it, so a value that was not meant is seen. A second table has habits in which a model gives a right
reply only when it is asked in another way.

Exits 1 where more than a tenth of the calls are spent on asking again that strict reading spends, where a message is
lost, or where anything is read that was not meant.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dspy
from aiohttp import web
from reply_habits import DRESSES, SCORES, TRUE, WRAPS

from character import BackendConfig, MessageGenerator, Ranker, Responder, Trait, build_lm

PATIENCE = Trait(name="patience", description="takes the time that an explanation needs")
PLAIN = next(iter(DRESSES))
MOST_SHARE = 0.1
REPLIES = ("Lay the lamp beside the oven, which is worth 8 of it.", "Ask the drawer, which is worth 3 of it.")
_ASKED = re.compile(r"\[\[ ## (\w+) ## \]\]")
_WORTH = re.compile(r"worth (\d+) of")
_CANDIDATE = re.compile(
    r"Lay the \w+ by the \w+, which is worth \d+ of it, then \w+, \w+ and \w+, and count to \d+\."
)
_MESSAGE = re.compile(r"Where does the \w+ go when the \w+ is full and number \d+ rings(?: by \w+)*\?")
_WORDS = [
    "lamp",
    "ladder",
    "kettle",
    "ribbon",
    "anchor",
    "basket",
    "candle",
    "drawer",
    "engine",
    "feather",
    "garden",
    "hammer",
    "island",
    "jacket",
    "lantern",
    "mirror",
    "needle",
    "oven",
    "pillow",
    "quilt",
    "rocket",
    "saddle",
    "teapot",
    "umbrella",
    "violin",
    "window",
    "yarn",
    "zipper",
    "bucket",
    "cradle",
]


@dataclass(frozen=True)
class Habit:
    """How a model writes: dress, wrapping, scores, truth; or ``needs``, what has to be asked for to get it right."""

    name: str
    dress: str = PLAIN
    wrap: str = "bare"
    scores: str = "list"
    truth: str = "True"
    needs: str = ""


def habits(mixtures: int) -> list[Habit]:
    """Return every habit alone, and so many mixtures of them."""
    rng = random.Random(0)
    alone = [
        *(Habit(f"dress: {name}", dress=name) for name in DRESSES),
        *(Habit(f"round it: {name}", wrap=name) for name in WRAPS),
        *(Habit(f"scores: {name}", scores=name) for name in SCORES),
        *(Habit(f"truth: {name}", truth=name) for name in TRUE),
    ]
    drawn = [[rng.choice(sorted(table)) for table in (DRESSES, WRAPS, SCORES, TRUE)] for _ in range(mixtures)]
    return [*alone, *(Habit(f"mixture: {' / '.join(each)}", *each) for each in drawn)]


CORRIGIBLE = [
    Habit("is cut off in its reasoning", needs="no reasoning"),
    Habit("forgets a score after its reasoning", needs="no reasoning"),
    Habit("chats unless one JSON object is asked for", needs="an object"),
    Habit("writes the scores in words unless told what is expected", needs="an example"),
]


def reply_of(habit: Habit, body: dict[str, Any]) -> tuple[str, str]:
    """Return what a model with this habit answers, and its finish reason."""
    prompt = str(body["messages"][-1]["content"])
    names = _ASKED.findall(prompt.rsplit("Respond with", 1)[-1])
    rng = random.Random(json.dumps(body, sort_keys=True))
    fields = {name: _field(name, prompt, habit, rng) for name in dict.fromkeys(names) if name != "completed"}
    if habit.needs and "scores" in fields and (faulty := _faulty(habit, prompt, fields)):
        return faulty
    return WRAPS[habit.wrap](DRESSES[habit.dress](fields)), "stop"


def _faulty(habit: Habit, prompt: str, fields: dict[str, str]) -> tuple[str, str] | None:
    """Return a faulty reply, None where it was asked for as the model needs it."""
    if habit.needs == "an object" and "JSON object" not in prompt:
        return "They are all lovely, each in a way of its own.", "stop"
    if habit.needs == "an example" and "whole number" not in prompt.rsplit("previous_fault", 1)[-1]:
        return DRESSES[PLAIN]({**fields, "scores": '["high", "low"]'}), "stop"
    if habit.needs == "no reasoning" and "reasoning" in fields:
        if "cut off" in habit.name:
            return f"[[ ## reasoning ## ]]\n{'On the one hand, on the other hand. ' * 40}", "length"
        return DRESSES[PLAIN]({**fields, "scores": json.dumps(json.loads(fields["scores"])[:-1])}), "stop"
    return None


def _field(name: str, prompt: str, habit: Habit, rng: random.Random) -> str:
    if name == "scores":
        shown = json.loads(re.findall(r"\[\[ ## responses ## \]\]\n(.*)", prompt)[-1])
        return SCORES[habit.scores]([int(_WORTH.findall(text)[-1]) for text in shown])
    if name == "messages":
        briefs = json.loads(re.findall(r"\[\[ ## briefs ## \]\]\n(.*)", prompt)[-1])
        return json.dumps([_message(rng, brief["length"]) for brief in briefs])
    if name == "response":
        one, two, *more = rng.sample(_WORDS, 5)
        rest = f"then {more[0]}, {more[1]} and {more[2]}, and count to {rng.randrange(900)}."
        return f"Lay the {one} by the {two}, which is worth {rng.randrange(11)} of it, {rest}"
    return habit.truth if name == "suitable" else "The first is warm; the second is not."


def _message(rng: random.Random, length: str) -> str:
    one, two = rng.sample(_WORDS, 2)
    more = "".join(
        f" by {word}" for word in rng.choices(_WORDS, k={"shor": 0, "long": 24}.get(length[:4], 8))
    )
    return f"Where does the {one} go when the {two} is full and number {rng.randrange(900)} rings{more}?"


async def _serve(table: list[Habit], pipe: Any) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.json()
        text, finish = reply_of(table[int(body["model"].split("-")[-1])], body)
        message = {"role": "assistant", "content": text}
        usage = {
            "prompt_tokens": 500,
            "completion_tokens": len(text) // 4,
            "total_tokens": 500 + len(text) // 4,
        }
        known = {
            "id": "habit",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "usage": usage,
        }
        choice = {"index": 0, "finish_reason": finish, "message": message}
        return web.json_response({**known, "choices": [choice]})

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    pipe.send(site._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]
    await asyncio.Event().wait()


def _server_process(table: list[Habit], pipe: Any) -> None:
    asyncio.run(_serve(table, pipe))


@contextmanager
def server(table: list[Habit]) -> Iterator[str]:
    """Run the server in a process of its own, and give its address; the model ``habit-N`` has the N-th habit."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_server_process, args=(table, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/v1"
    finally:
        process.terminate()
        process.join()


@contextmanager
def strict() -> Iterator[None]:
    """Have only the form that is asked for be read."""
    from character.backends import adapter
    from character.backends.reading import sections

    def refuse(*_: Any) -> Any:
        raise ValueError

    def asked_for(text: str, wanted: Any, _needed: Any, shown: Any) -> sections.Sections:
        return sections._under_headers(text, wanted, shown, sections._STRICT)

    changes: dict[str, Callable[..., Any]] = {
        "find_fields": asked_for, "read_loosely": refuse, "split_reasoning": lambda text: (text, ""),
        "strip_template_tokens": lambda text: text,
    }  # fmt: skip
    before = {name: getattr(adapter, name) for name in changes}
    try:
        for name, change in changes.items():
            setattr(adapter, name, change)
        yield
    finally:
        for name, change in before.items():
            setattr(adapter, name, change)


def measure(url: str, number: int, num_messages: int) -> dict[str, Any]:
    """Return what the steps came to with one habit: calls, those that asked again, messages lost, wrong values."""
    backend = BackendConfig(kind="native", model=f"openai/habit-{number}", api_base=url, num_retries=0)
    responder, ranker = Responder(num_candidates=2, prompting="fields"), Ranker(passes=2, max_passes=2)
    ranked = 0
    with dspy.context(lm=build_lm(backend)):
        batch = MessageGenerator(prompting="fields")(PATIENCE, "question", num_messages)
        usage = batch.usage
        wrong = sum(not _MESSAGE.fullmatch(message.text) for message in batch.messages)
        # Steps are measured each by itself: where no message came, others are answered.
        given = [message.text for message in batch.messages] or [
            f"Where is number {i}?" for i in range(num_messages)
        ]
        for text in given:
            candidates = responder(text, PATIENCE)
            wrong += sum(not _CANDIDATE.fullmatch(item.text) for item in candidates.items)
            texts = list(candidates.texts) if len(candidates.texts) > 1 else [*REPLIES]
            ranking = ranker(text, texts, PATIENCE)
            wrong += _wrong(texts, ranking)
            usage = usage + candidates.usage + ranking.usage
            ranked += bool(batch.messages) and len(candidates.items) > 1 and ranking.status == "ranked"
    found = {"messages": num_messages, "lost": num_messages - ranked, "wrong": wrong}
    return {**found, "calls": usage.calls, "again": usage.reasks, "tokens": usage.completion_tokens}


def _wrong(texts: list[str], ranking: Any) -> int:
    """Return how many scores are others than those meant."""
    meant = [int(_WORTH.findall(text)[-1]) / 10 for text in texts]
    pairs = [pair for done in ranking.passes for pair in zip(done.scores, meant, strict=True)]
    return sum(abs(score - right) > 1e-9 for score, right in pairs)


def table_of(url: str, places: range, num_messages: int) -> dict[str, Any]:
    """Return the sums over these habits, and those in which messages are lost."""
    started = time.monotonic()
    rows = [measure(url, number, num_messages) for number in places]
    sums = {
        name: sum(row[name] for row in rows)
        for name in ("messages", "lost", "wrong", "calls", "again", "tokens")
    }
    losing = sum(row["lost"] > 0 for row in rows)
    return {
        "habits": len(rows),
        **sums,
        "habits_that_lose_messages": losing,
        "wall_s": round(time.monotonic() - started, 1),
    }


def main() -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s on two cores")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    num_messages = 2 if options.quick else 4
    known = habits(0 if options.quick else 200)
    table = [*known, *CORRIGIBLE]
    ours, others = range(len(known)), range(len(known), len(table))
    result: dict[str, Any] = {}
    with server(table) as url:
        result["as they come"] = table_of(url, ours, num_messages)
        with strict():
            result["strict"] = table_of(url, ours, num_messages)
        result["asked again in another way"] = table_of(url, others, num_messages)
    now, before = result["as they come"], result["strict"]
    print(
        json.dumps(result, indent=2)
        if options.json
        else "\n".join(f"{k}: {json.dumps(v)}" for k, v in result.items())
    )
    anew = result["asked again in another way"]
    right, kept = now["wrong"] + anew["wrong"] == 0, now["lost"] + anew["lost"] == 0
    return 0 if right and kept and now["again"] <= MOST_SHARE * before["again"] else 1


if __name__ == "__main__":
    sys.exit(main())
