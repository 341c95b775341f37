"""Before a run one can learn what a model can do: each probe is asked once, and says why where it fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, Reply, backend_at, chat

from character import BackendConfig, Probe, probe
from character.backends import ping

NAMES = ("text", "fields", "list", "json_schema", "long_prompt", "seed", "stop", "logprobs")


def able(request: dict[str, Any]) -> str | Reply:
    """Answer as a model that can do everything, at a server that takes everything."""
    asked = request["messages"][-1]["content"]
    if "response_format" in request:
        return '{"score": 3, "words": ["tea", "lid", "spout"]}'
    if "[[ ## words ## ]]" in asked:
        return chat(words='["the", "kettle", "sings"]')
    if "[[ ## score ## ]]" in asked:
        return chat(reasoning="The password is copper." if "password" in asked else "Lively.", score=1)
    if "stop" in request:
        return "1 2 3 4 "
    if "logprobs" in request:
        return with_message({"role": "assistant", "content": "ready"})
    return "ready"


def with_message(message: dict[str, Any], finish: str = "stop") -> Reply:
    """Return a reply with this message, and a log probability."""
    logprobs = {"content": [{"token": "ready", "logprob": -0.1, "bytes": None, "top_logprobs": []}]}
    choice = {"index": 0, "finish_reason": finish, "message": message, "logprobs": logprobs}
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    data = {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
    return Reply(body=json.dumps(data))


def probed(script: Callable[[dict[str, Any]], str | Reply], **fields: Any) -> Probe:
    with FakeServer(script) as server:
        return probe(backend_at(server, **fields))


def faults(found: Probe) -> dict[str, str]:
    return {check.name: check.fault for check in found.checks if check.fault}


def test_a_model_that_can_do_everything_is_told_so_with_what_it_took() -> None:
    with FakeServer(able) as server:
        found = probe(backend_at(server, max_tokens=300, temperature=0.5))
        assert [check.name for check in found.checks] == list(NAMES)
        assert (faults(found), found.answers, found.is_readable) == ({}, True, True)
        assert (found.usage.calls, found.usage.prompt_tokens) == (8, 7 * 100 + 9)
        assert found.settings == ('structured = "fields"',)
        assert len(server.requests) == 8
        assert {(each["max_completion_tokens"], each["temperature"]) for each in server.requests} == {
            (300, 0.5)
        }
        assert [each["seed"] for each in server.requests if "seed" in each] == [7]
        assert max(len(str(each["messages"])) for each in server.requests) > 20_000


def test_what_a_server_refuses_is_told_in_its_words_and_the_rest_is_asked() -> None:
    refused = ("seed", "response_format", "logprobs", "stop")

    def script(request: dict[str, Any]) -> str | Reply:
        name = next((name for name in refused if name in request), "")
        error = json.dumps({"error": {"message": f"The gooseberry knows no {name}."}})
        return Reply(status=400, body=error) if name else able(request)

    found = probed(script)
    assert faults(found) == dict.fromkeys(("json_schema", "seed", "stop", "logprobs"), "refused")
    assert all("The gooseberry knows no" in check.said for check in found.checks if check.fault)
    assert found.settings == ('structured = "fields"', "seed = false")
    assert found.usage.calls == 4


def test_a_model_without_headers_that_keeps_to_a_schema_is_asked_by_one() -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        is_form = "[[ ##" in request["messages"][-1]["content"]
        return "Lovely weather." if is_form else able(request)

    found = probed(script)
    assert faults(found) == dict.fromkeys(("fields", "list", "long_prompt"), "unreadable")
    assert "lacks the field" in found.checks[1].said
    assert "Lovely weather." in found.checks[1].said
    assert found.is_readable
    assert found.settings[0].startswith('structured = "json_schema"')


def test_a_habit_of_a_model_is_told_and_is_no_fault() -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        said = able(request)
        return re.sub(r"(\[\[ ## \w+ ## \]\])", r"**\1**", said) if isinstance(said, str) else said

    found = probed(script)
    assert faults(found) == {}
    assert found.checks[1].said


@pytest.mark.parametrize(
    ("reply", "fault", "setting"),
    [
        (
            with_message({"role": "assistant", "content": "", "reasoning_content": "Hm."}),
            "reasoning",
            "thinking off",
        ),
        (with_message({"role": "assistant", "content": "<think>Hm."}, "length"), "cut_off", "max_tokens"),
        ("Lovely weather for a lighthouse.", "unreadable", "another model"),
    ],
)
def test_a_model_that_cannot_be_read_at_all_is_told_what_may_help(
    tmp_path: Path, reply: str | Reply, fault: str, setting: str
) -> None:
    with FakeServer(lambda _request: reply) as server:
        config = backend_at(server)
        found = probe(config)
        assert faults(found)["fields"] == fault
        assert any(setting in each for each in found.settings)
        assert not found.is_readable
        pinged = ping(config)
        assert (pinged["ok"], "cannot be read" in pinged["error"]) == (False, True)
        for flag in ("--ping", "--probe"):
            assert backends(server, flag).returncode == 5
        only_replies = tmp_path / "config.toml"
        only_replies.write_text(
            f'[backends.responses]\nmodel = "openai/x"\napi_base = "{server.url}"', encoding="utf-8"
        )
        assert backends(server, "--probe", config=only_replies).returncode == 0


def backends(server: FakeServer, *flags: str, config: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``character backends`` over a server, or with a configuration."""
    model = ["--config", str(config)] if config else ["--lm", "openai/x", "--api-base", server.url]
    return subprocess.run(
        [sys.executable, "-m", "character", "backends", *model, *flags],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "COLUMNS": "150"},
    )  # fmt: skip


def test_a_server_that_cuts_long_prompts_short_is_found_out() -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        return (
            chat(reasoning="Nobody says.", score=1) if "The path goes on" in str(request) else able(request)
        )

    found = probed(script)
    assert faults(found) == {"long_prompt": "not_found"}
    assert any("longer context" in each for each in found.settings)


def test_a_server_that_does_not_answer_is_asked_once_and_a_key_stays_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEA_KEY", "teapot-secret-0001")
    error = json.dumps({"error": {"message": "teapot-secret-0001 is no key"}})
    with FakeServer(lambda _request: Reply(status=401, body=error)) as server:
        found = probe(backend_at(server, api_key_env="TEA_KEY"))
        assert len(server.requests) == 1
        assert (found.answers, faults(found), found.settings) == (False, {"text": "refused"}, ())
        assert "[hidden] is no key" in found.checks[0].said
        assert backends(server, "--probe").returncode == 4
    missing = probe(BackendConfig(model="openai/x", api_key_env="TEA_KEY_2"))
    assert "TEA_KEY_2 is not set" in missing.checks[0].said


def test_a_probe_is_a_table_and_one_document_with_its_cost() -> None:
    with FakeServer(able) as server:
        printed = backends(server, "--probe").stdout
        assert all(name in printed for name in NAMES)
        assert "It took 8 calls, 709 tokens in" in printed
        assert 'to set: structured = "fields"' in printed
        (document,) = {
            json.dumps(row["probe"]) for row in json.loads(backends(server, "--probe", "--json").stdout)
        }
    assert Probe.model_validate_json(document).usage.calls == 8


def test_the_rehearsal_model_can_be_read() -> None:
    assert probe(BackendConfig()).is_readable
    assert ping(BackendConfig())["ok"]
