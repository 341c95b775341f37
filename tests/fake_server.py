"""An OpenAI-compatible chat server on loopback that stands for the provider: real HTTP, scripted replies."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from character import BackendConfig
from character.backends.rehearsal import rehearse
from signatures.chat import WORDS, WriteMessage


@dataclass
class Reply:
    """What the server sends back: a text, or a status with a body as it stands.

    ``odds`` are the probabilities of what may stand at the place of each token: the likeliest is written.
    """

    text: str = ""
    finish_reason: str = "stop"
    status: int = 200
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    odds: list[dict[str, float]] | None = None


Script = Callable[[dict[str, Any]], "str | Reply"]


def as_rehearsal(request: dict[str, Any]) -> str:
    """Return what the rehearsal model says to a request."""
    messages = request["messages"]
    system = "".join(m["content"] for m in messages if m["role"] == "system")
    rest = [m for m in messages if m["role"] != "system"]
    return rehearse(system, rest, seed=request.get("seed") or 0)


_WRITING = (WriteMessage.instructions, WORDS["zh"]["instructions"]["WriteMessage"])


class FakeServer:
    """Runs in a thread of its own. ``requests`` and ``headers`` hold what arrived, in order, ``models`` is what it
    lists (a text: the body as it stands; None: nothing, with 404);
    ``delay_s`` is the time a reply takes, ``peak_in_flight`` the most requests that waited at once."""

    def __init__(self, script: Script = as_rehearsal, name: str = "fake-model", port: int = 0) -> None:
        self.script, self.name, self.port = script, name, port
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.models: list[str] | str | None = None
        self.url = ""
        self.delay_s, self.in_flight, self.peak_in_flight = 0.0, 0, 0
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> FakeServer:
        self._thread.start()
        self._started.wait(timeout=30)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=30)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._answer)
        app.router.add_get("/v1/models", self._list)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        self._loop.run_until_complete(site.start())
        port = site._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _list(self, request: web.Request) -> web.Response:
        self.headers.append({**request.headers, "X-Asked": "models"})
        if not isinstance(self.models, list):
            return web.Response(status=404 if self.models is None else 200, text=self.models or "")
        return web.json_response({"object": "list", "data": [{"id": name} for name in self.models]})

    async def _answer(self, request: web.Request) -> web.Response:
        data = await request.json()
        self.requests.append(data)
        self.headers.append(dict(request.headers))
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        await asyncio.sleep(self.delay_s)
        self.in_flight -= 1
        reply = self.script(data)
        if isinstance(reply, str):
            reply = Reply(reply)
        if reply.body is not None or reply.status != 200:
            return web.Response(
                status=reply.status,
                text=reply.body or "{}",
                headers=reply.headers,
                content_type="application/json",
            )
        return web.json_response(
            {
                "id": f"call-{len(self.requests)}",
                "object": "chat.completion",
                "created": 0,
                "model": self.name,
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": reply.finish_reason,
                        "message": {"role": "assistant", "content": reply.text},
                        "logprobs": _logprobs(reply, data),
                    }
                ],
                "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
            }
        )


def _logprobs(reply: Reply, request: dict[str, Any]) -> dict[str, Any] | None:
    if reply.odds is None or not request.get("logprobs"):
        return None
    content = []
    for shares in reply.odds:
        best = sorted(shares, key=lambda token: -shares[token])[: request["top_logprobs"]]
        top = [{"token": token, "logprob": math.log(shares[token]), "bytes": None} for token in best]
        content.append({**top[0], "top_logprobs": top})
    return {"content": content}


def by_odds(*odds: dict[str, float]) -> Reply:
    """Return a reply of the likeliest tokens, with these probabilities."""
    return Reply("".join(max(each, key=lambda token: each[token]) for each in odds), odds=list(odds))


def asks_for(request: dict[str, Any]) -> str:
    """Return which step a request belongs to: ``messages``, ``reveals``, ``response`` or ``scores``."""
    closing = request["messages"][-1]["content"].rsplit("\n", 1)[-1]
    fields = ("reveals", "messages", "response", "scores")
    asked = next((name for name in fields if f"[[ ## {name} ## ]]" in closing), "")
    is_for_message = request["messages"][0]["content"].startswith(_WRITING)
    return asked or ("messages" if is_for_message else "response")  # a chat names none


def cut_off(text: str) -> Reply:
    """Return a reply that reached max_tokens before its closing header."""
    return Reply(text.split("[[ ## completed ## ]]")[0], finish_reason="length")


def refusal(said: str, status: int = 400, **more: str) -> Reply:
    """Return what a server sends that refuses a request."""
    return Reply(status=status, body=json.dumps({"error": {"message": said, **more}}))


def chat(**fields: object) -> str:
    """Return a reply in the layout of DSPy's ChatAdapter."""
    sections = [f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items()]
    return "\n\n".join([*sections, "[[ ## completed ## ]]"])


def backend_at(server: FakeServer, **fields: object) -> BackendConfig:
    """Return a native backend that reaches the fake server, without waiting between retries."""
    return BackendConfig.model_validate(
        {
            "kind": "native",
            "model": f"openai/{server.name}",
            "api_base": server.url,
            "num_retries": 0,
            **fields,
        }
    )
