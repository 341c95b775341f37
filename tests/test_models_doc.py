"""docs/models.md: every block is a configuration, and the request that comes of it is what the page says."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dspy
import pytest

from character import BackendConfig, build_lm, load_config
from character.backends.call import Call
from signatures.ranking import RankResponses

PAGE = Path(__file__).parent.parent / "docs" / "models.md"
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
CHAT, KEY = "/v1/chat/completions", "sk-test-7d1f0a9b8c7e6d5f"
OFF: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": False}}
BEARER = {"Authorization": f"Bearer {KEY}"}
SENT: list[tuple[str, str, dict[str, Any], dict[str, str]]] = [
    ("hosted_vllm/Qwen/Qwen3-8B", CHAT, {**OFF, "top_k": 20, "top_p": 0.8, "temperature": 0.7}, {}),
    ("hosted_vllm/Qwen/Qwen3-8B", CHAT, {**OFF, "max_tokens": 2000}, {}),
    ("openai/Qwen/Qwen3-8B", CHAT, {**OFF, "model": "Qwen/Qwen3-8B"}, {}),
    ("openai/qwen3-8b", CHAT, OFF, {}),
    ("Qwen/Qwen2.5-1.5B-Instruct-GGUF:*q4_k_m.gguf", CHAT, {"max_completion_tokens": 2000, "seed": 7}, {}),
    ("ollama_chat/qwen3:8b", CHAT, {"model": "qwen3:8b", "reasoning_effort": "none"}, {}),
    ("openai/gpt-4.1-mini", CHAT, {"max_completion_tokens": 2000, "seed": 7}, BEARER),
    ("openai/gpt-5-mini", CHAT, {"max_completion_tokens": 16000, "reasoning_effort": "low"}, BEARER),
    ("anthropic/claude-sonnet-4-5", "/v1/messages", {"max_tokens": 2000}, {"x-api-key": KEY}),
    ("gemini/gemini-2.5-flash", "/v1/models/gemini-2.5-flash:generateContent", {}, {}),
    ("deepseek/deepseek-flash", CHAT, {"thinking": {"type": "disabled"}}, BEARER),
    ("openrouter/qwen/qwen3-32b", CHAT, {"provider": {"require_parameters": True}}, {"X-Title": "character"}),
    ("openai/gpt-4.1-mini", CHAT, {"model": "gpt-4.1-mini"}, {"X-Team": "kitchen", "X-Api-Key": KEY}),
    ("openai/qwen3-8b", CHAT, {"max_completion_tokens": 2000}, {"Authorization": "Bearer not-needed"}),
    ("mistral/mistral-small-latest", CHAT, {"max_tokens": 2000}, BEARER),
]
"""What comes of each block, in their order: its model, the path asked for, parts of the body, headers."""


@contextmanager
def listening() -> Iterator[tuple[str, list[Any]]]:
    """Yield the address of a server that answers every request with 400, and what it was asked."""
    asked: list[Any] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, json.loads(body), self.headers))
            self.send_response(400)
            self.end_headers()
            self.wfile.write(b'{"error": {"message": "that will do"}}')

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def has_schema(text: str) -> bool:
    """Whether the body of a request asks for a schema, by whichever provider's name."""
    return any(name in text for name in ('"json_schema"', '"responseJsonSchema"', '"responseSchema"'))


@pytest.mark.parametrize(("block", "sent"), [*zip(BLOCKS, SENT, strict=True)], ids=[each[0] for each in SENT])
def test_a_block_is_a_configuration_and_makes_the_request_that_is_told(
    block: str, sent: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.toml").write_text(block)
    config = load_config(tmp_path / "c.toml").backend("default")
    for variable in (config.api_key_env, *config.headers_env.values()):
        if variable:
            monkeypatch.setenv(variable, KEY)
    model, path, parts, headers = sent
    assert config.model == model
    with listening() as (address, asked):
        prefix = urlsplit(config.api_base or f"{address}/v1").path
        changed = {**config.model_dump(exclude_unset=True), "api_base": address + prefix, "num_retries": 0}
        if config.kind == "local":  # llama.cpp's server is asked the same
            changed |= {"kind": "native", "model": f"openai/{model}", "context": None}
        lm = build_lm(BackendConfig.model_validate(changed))
        inputs = {"language": "English", "trait": {}, "conversation": [], "responses": ["A", "B"]}
        Call(dspy.Predict(RankResponses), inputs, "ranking", seed=7, lm=lm).run()
    (asked_path, body, asked_headers) = asked[0]
    text = json.dumps(body)
    assert asked_path.split("?")[0] == path
    assert body | parts == body
    assert {name: asked_headers[name] for name in headers} == headers
    assert ("seed" in text) == (config.seed and "anthropic" not in model)
    assert has_schema(text) == (config.structured == "auto")


def test_a_gemini_that_does_not_think_is_asked_for_no_thoughts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    with listening() as (address, asked):
        lm = build_lm(
            model="gemini/gemini-2.5-flash",
            api_base=f"{address}/v1",
            api_key_env="GEMINI_API_KEY",
            reasoning_effort="off",
        )
        Call(dspy.Predict("text -> answer"), {"text": "Hello?"}, "responses", lm=lm).run()
    assert asked[0][1]["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 0}


def test_a_judge_of_its_own_takes_the_rest_from_default(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(BLOCKS[1])
    judge = load_config(tmp_path / "c.toml").backend("ranking")
    assert judge.extra_body == {"chat_template_kwargs": {"enable_thinking": True}}
    assert (judge.model, judge.structured, judge.max_tokens) == ("hosted_vllm/Qwen/Qwen3-8B", "auto", 8000)
