"""An OpenAI-compatible server for load and fault tests: latencies, scripted faults, and its own count of everything.

Runs in a process of its own (``with LoadServer(...) as server``), so that its CPU time is not the client's.
Replies depend on the request alone: the same request gets the same reply in every run. ``stats()`` tells
what arrived: requests, the most in flight at once, repeats of the same request, tokens, and faults by kind.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import random
import re
import urllib.request
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

PROMPT_TOKENS, COMPLETION_TOKENS = 60, 60
"""What each call is said to take: no more than a bare message may, with what a template adds to it."""
_WORDS = [
    "calm",
    "step",
    "small",
    "again",
    "first",
    "plain",
    "light",
    "question",
    "answer",
    "part",
    "look",
    "try",
    "time",
    "work",
    "read",
    "turn",
]


@dataclass
class Load:
    """How the server behaves. Latency is log-normal around ``latency_s`` with spread ``sigma`` (0 is constant).

    ``faults`` maps a kind to its probability per request: 429, 500, 503, 401, reset, hang, malformed, empty_choices,
    slow_drip, content_filter, cut_off, unreadable, empty, context_overflow, not_json.
    """

    latency_s: float = 0.05
    sigma: float = 0.0
    faults: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    retry_after_s: float = 0.05
    input_price: float = 0.0
    output_price: float = 0.0


class LoadServer:
    """The server in a process of its own; ``url`` is its base address."""

    def __init__(self, load: Load | None = None, port: int = 0) -> None:
        self.load, self._port = load or Load(), port
        self.url = ""

    def __enter__(self) -> LoadServer:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(asdict(self.load), self._port, theirs), daemon=True
        )
        self._process.start()
        self._port = ours.recv()
        self.url = f"http://127.0.0.1:{self._port}/v1"
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.join()

    def stats(self) -> dict[str, Any]:
        """Return the counts so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/stats", timeout=30) as answer:
            return dict(json.load(answer))

    def set(self, **changes: Any) -> None:
        """Change how the server behaves from now on; counts go on."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/set", data=json.dumps(changes).encode(), method="POST"
        )
        urllib.request.urlopen(request, timeout=30).close()


class _State:
    def __init__(self, load: Load) -> None:
        self.load = load
        self.random = random.Random(load.seed)
        self.requests = self.answered = self.in_flight = self.peak = 0
        self.bodies: Counter[bytes] = Counter()
        self.faults: Counter[str] = Counter()
        self.busy_s = 0.0
        self.samples: list[int] = []

    def stats(self) -> dict[str, Any]:
        repeats = sum(count - 1 for count in self.bodies.values())
        return {
            "requests": self.requests,
            "answered": self.answered,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak,
            "repeats": repeats,
            "distinct": len(self.bodies),
            "prompt_tokens": self.answered * PROMPT_TOKENS,
            "completion_tokens": self.answered * COMPLETION_TOKENS,
            "faults": dict(self.faults),
            "busy_s": self.busy_s,
            "mean_in_flight": self.mean_in_flight(),
        }

    def mean_in_flight(self) -> float:
        """Return the mean in flight over the middle 70 % of the time from the first request to the last."""
        cut = len(self.samples) * 15 // 100
        middle = self.samples[cut : len(self.samples) - cut]
        return sum(middle) / len(middle) if middle else 0.0

    def draw_fault(self) -> str:
        roll = self.random.random()
        for kind, probability in self.load.faults.items():
            roll -= probability
            if roll < 0:
                self.faults[kind] += 1
                return kind
        return ""

    def latency(self) -> float:
        load = self.load
        return (
            load.latency_s if not load.sigma else load.latency_s * self.random.lognormvariate(0, load.sigma)
        )


def _serve(load: dict[str, Any], port: int, pipe: Any) -> None:
    asyncio.run(_run(_State(Load(**load)), port, pipe))


async def _run(state: _State, port: int, pipe: Any) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/stats":
            return web.json_response(state.stats())
        if request.path == "/set":
            for name, value in (await request.json()).items():
                setattr(state.load, name, value)
            return web.json_response({})
        return await _answer(state, request)

    runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=2048)
    await site.start()
    pipe.send(site._server.sockets[0].getsockname()[1])  # type: ignore[union-attr]
    while True:  # sample what is in flight, from the first request to the last
        await asyncio.sleep(0.02)
        if state.in_flight:
            state.samples.append(state.in_flight)


async def _answer(state: _State, request: web.BaseRequest) -> web.StreamResponse:
    body = await request.read()
    loop = asyncio.get_running_loop()
    started = loop.time()
    state.requests += 1
    state.bodies[hashlib.blake2b(body, digest_size=12).digest()] += 1
    state.in_flight += 1
    state.peak = max(state.peak, state.in_flight)
    try:
        fault = state.draw_fault()
        if fault not in ("429", "503", "401", "500"):
            await asyncio.sleep(state.latency())
        return await _faulty(state, request, body, fault) if fault else _good(state, body)
    finally:
        state.in_flight -= 1
        state.busy_s += loop.time() - started


def _good(state: _State, body: bytes, **changes: Any) -> web.Response:
    state.answered += 1
    return web.Response(body=_completion(body, **changes), content_type="application/json")


async def _faulty(state: _State, request: web.BaseRequest, body: bytes, fault: str) -> web.StreamResponse:
    if fault in ("429", "500", "503", "401"):
        headers = {"Retry-After": str(state.load.retry_after_s)} if fault in ("429", "503") else {}
        text = json.dumps({"error": {"message": f"scripted {fault}", "type": "scripted"}})
        return web.Response(status=int(fault), text=text, headers=headers, content_type="application/json")
    if fault == "reset":
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
    if fault == "hang":
        await asyncio.sleep(3600)
    if fault == "malformed":
        return web.Response(text='{"choices": [{"message": {"content": "cut', content_type="application/json")
    if fault == "not_json":
        return web.Response(text="<html>Bad gateway</html>", content_type="text/html")
    if fault == "empty_choices":
        return web.json_response({"id": "x", "model": "load", "choices": []})
    if fault == "context_overflow":
        error = {"message": "maximum context length is 10 tokens", "code": "context_length_exceeded"}
        return web.json_response({"error": error}, status=400)
    if fault == "slow_drip":
        return await _drip(state, request, body)
    if fault == "unreadable":
        return _good(state, body, text="I would rather talk about something else.")
    if fault == "empty":
        return _good(state, body, text="")
    return _good(state, body, finish_reason={"cut_off": "length", "content_filter": "content_filter"}[fault])


async def _drip(state: _State, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
    data = _completion(body)
    state.answered += 1
    response = web.StreamResponse(
        headers={"Content-Type": "application/json", "Content-Length": str(len(data))}
    )
    await response.prepare(request)
    for start in range(0, len(data), 64):
        await response.write(data[start : start + 64])
        await asyncio.sleep(0.02)
    return response


def _completion(body: bytes, *, text: str | None = None, finish_reason: str = "stop") -> bytes:
    request = json.loads(body)
    number = request.get("n") or 1
    contents = [_reply(request, i) if text is None else text for i in range(number)]
    if finish_reason == "length":  # it ends before its closing header
        contents = [content.split("[[ ## completed")[0] for content in contents]
    choices = [
        {"index": i, "finish_reason": finish_reason, "message": {"role": "assistant", "content": content}}
        for i, content in enumerate(contents)
    ]
    completion = COMPLETION_TOKENS * number
    usage = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": completion,
        "total_tokens": PROMPT_TOKENS + completion,
    }
    known = {"id": "load", "object": "chat.completion", "created": 0, "model": request["model"]}
    return json.dumps({**known, "choices": choices, "usage": usage}).encode()


def _reply(request: dict[str, Any], number: int = 0) -> str:
    """Return a reply in the layout asked for: DSPy's, UltraFeedback's ratings, or a plain text."""
    prompt = str(request["messages"][-1]["content"]) if request["messages"] else ""
    seed = json.dumps([request, number], sort_keys=True).encode()
    rng = random.Random(hashlib.blake2b(seed, digest_size=8).digest())
    closing = prompt.rsplit("\n", 1)[-1]
    if "[[ ## scores ## ]]" in closing:
        shown = json.loads(re.findall(r"\[\[ ## responses ## \]\]\n(.*)", prompt)[-1])
        scores = [_worth(text) for text in shown]
        return _chat(reasoning=_text(rng, 30), suitable="True", scores=json.dumps(scores))
    if "[[ ## messages ## ]]" in closing:
        briefs = json.loads(re.findall(r"\[\[ ## briefs ## \]\]\n(.*)", prompt)[-1])
        return _chat(messages=json.dumps([_message(rng, brief) for brief in briefs]))
    if "[[ ## reveals ## ]]" in closing:
        checked = json.loads(re.findall(r"\[\[ ## messages ## \]\]\n(.*)", prompt)[-1])
        return _chat(reasoning=_text(rng, 30), reveals=json.dumps([True] * len(checked)))
    if "[[ ## responses ## ]]" in closing:
        asked = json.loads(re.findall(r"\[\[ ## expressions ## \]\]\n(.*)", prompt)[-1])
        return _chat(responses=json.dumps([_text(rng, 40) for _ in asked]))
    if "[[ ## response ## ]]" in closing:
        return _chat(response=_text(rng, 40))
    if asked := re.search(r"sends to the assistant about .* Length: (\w+)", prompt):
        return _message(rng, {"length": asked[1]})
    texts = prompt.rsplit("Texts:", 1)[-1].count("<text ") if "Texts:" in prompt else 0
    if texts:
        return "\n\n".join(
            f"#### Output for Text {i}\nRating: {rng.randint(1, 5)}\nRationale: {_text(rng, 8)}"
            for i in range(1, texts + 1)
        )
    return _text(rng, 40)


def _message(rng: random.Random, brief: dict[str, str]) -> str:
    words = {"short": 12, "medi": 30, "long": 60}.get(brief.get("length", "")[:4], 12)
    return f"{_text(rng, words)} {rng.getrandbits(40):x}?"


def _worth(text: str) -> int:
    return int(hashlib.blake2b(text.encode(), digest_size=2).hexdigest(), 16) % 11


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words)) + f" {rng.getrandbits(32):08x}."


def _chat(**fields: str) -> str:
    return "\n\n".join(
        [*(f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items()), "[[ ## completed ## ]]"]
    )
