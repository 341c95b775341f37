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
from fake_server import FakeServer, Reply, backend_at, chat, refusal

from character import BackendConfig, Probe, probe
from character.backends import ping
from character.errors import ConfigError, UnknownNameError

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
        return with_message("ready")
    return "ready"


def with_message(content: str, finish: str = "stop", **more: str) -> Reply:
    """Return a reply with this message, and a log probability."""
    message = {"role": "assistant", "content": content, **more}
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
        assert found.settings == ('structured = "auto"',)
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
        return refusal(f"{'The gooseberry grows. ' * 20}It knows no {name}.") if name else able(request)

    found = probed(script)
    assert faults(found) == dict.fromkeys(("json_schema", "seed", "stop", "logprobs"), "refused")
    assert all("It knows no" in check.said for check in found.checks if check.fault)
    assert found.settings == ("seed = false",)
    assert probed(script, structured="auto").settings == ('structured = "fields"', "seed = false")
    assert found.usage.calls == 4


@pytest.mark.parametrize(
    ("name", "sent", "settings"),
    [
        ("temperature", "temperature", ["temperature: it is asked without. Take temperature out"]),
        ("max_tokens", "max_completion_tokens", []),
    ],
)
def test_a_parameter_that_a_server_refuses_is_left_out_and_told_with_what_to_set(
    server: FakeServer, tmp_path: Path, name: str, sent: str, settings: list[str]
) -> None:
    said = f"{sent} is not supported with this model"
    server.script = lambda request: refusal(said) if sent in request else able(request)
    found = probe(backend_at(server, **{name: 1}))
    assert (faults(found), found.answers, len(server.requests)) == ({}, True, 9)
    (check,) = found.refused
    assert (check.name, check.fault, said in check.said) == (name, "refused", True)
    assert [each[: len(settings[0])] for each in found.settings[1:]] == settings
    (tmp_path / "hot.toml").write_text(f"backends.default.{name} = 1")
    shown = backends(server, "--probe", "--config", str(tmp_path / "hot.toml"))
    assert (shown.returncode, said in shown.stdout) == (0, True)


def test_a_refused_text_ends_nothing_where_the_refusal_is_of_that_one_call() -> None:
    once = iter([refusal("We do not say that.")])
    found = probed(lambda request: next(once, None) or able(request))
    assert (faults(found), found.answers, found.usage.calls) == ({"text": "refused"}, True, 7)


def test_a_seed_that_is_not_sent_is_not_asked_for() -> None:
    found = probed(able, seed=False)
    assert (faults(found), found.usage.calls) == ({"seed": "not_sent"}, 7)
    assert found.settings == ('structured = "auto"',)


@pytest.mark.parametrize("structured", ["fields", "json_schema", "auto"])
def test_a_ping_asks_in_the_form_that_a_run_asks_in_first(server: FakeServer, structured: str) -> None:
    reply = '{"reasoning": "Lively.", "score": 3}'
    server.script = lambda request: reply if "response_format" in request else "Lovely."
    assert ping(backend_at(server, structured=structured))["ok"] == (structured != "fields")


def test_what_is_no_backend_is_named() -> None:
    with pytest.raises(ConfigError, match="a str cannot be probed"):
        probe("openai/x")  # type: ignore[arg-type]


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
    assert found.checks[1].said.startswith("read, in another form: ")


def test_a_model_that_thinks_before_it_replies_is_told_to_do_without() -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        said = able(request)
        return f"<think>\nHm.\n</think>\n\n{said}" if isinstance(said, str) else said

    found = probed(script, structured="auto")
    assert (faults(found), "thinks" in found.checks[0].said) == ({}, True)
    assert [each[:12] for each in found.settings] == ["thinking off"]


def test_a_text_of_another_kind_tells_nothing_of_the_stop_or_the_context(server: FakeServer) -> None:
    server.script = lambda _request: "The word is copper, I believe."
    found = probe(backend_at(server))
    assert faults(found)["stop"] == "unknown"
    assert not [each for each in found.settings if "longer context" in each]
    shown = backends(server, "--probe").stdout
    assert re.search(r"stop\W+–", shown)


@pytest.mark.parametrize(
    ("reply", "found", "fix"),
    [
        (refusal("No such key.", 401), "No such key", "check the key's variable"),
        (refusal("Pay first.", 402), "Pay first", "check billing and quota"),
        (refusal("The model x does not exist.", 404), "oolong", 'set model = "openai/oolong"'),
    ],
)
def test_a_backend_that_no_call_gets_through_to_does_not_answer_and_is_told_what_to_do(
    server: FakeServer, reply: Reply, found: str, fix: str
) -> None:
    server.script, server.models = lambda _request: reply, ["oolong"]
    probed = probe(backend_at(server))
    assert (probed.answers, found in probed.checks[0].said) == (False, True)
    assert [each[: len(fix)] for each in probed.settings] == [fix]
    shown = backends(server, "--probe")
    assert (shown.returncode, f"To fix it: {fix}" in shown.stdout) == (4, True)


def test_what_is_wrong_before_the_first_call_is_found_by_a_probe_too(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = backend_at(server, timeout_s=0.05)
    server.delay_s = 0.5
    found = probe(late)
    assert (found.checks[0].said, "timeout_s" in found.settings[0]) == (
        "no reply came within timeout_s = 0.05",
        True,
    )
    away = probe(backend_at(server).model_copy(update={"api_base": f"{server.url}/chat/completions"}))
    assert "never in /chat/completions" in away.settings[0]
    hot = probe(backend_at(server, model="openai/gpt-5-mini", temperature=0.5))
    assert (hot.answers, "takes no temperature" in hot.checks[0].said) == (False, True)
    assert "take temperature out" in hot.settings[0]
    monkeypatch.delenv("TEA_KEY", raising=False)
    said = backends(server, "--ping", "--set", 'backends.default.headers_env={"X-Key"="TEA_KEY"}').stdout
    said = " ".join(said.split())
    assert "TEA_KEY (not set)" in said
    assert "Expected: the key in that variable. To fix it: export" in said


@pytest.mark.parametrize(
    ("reply", "fault", "setting"),
    [
        (with_message("", reasoning_content="Hm."), "reasoning", "thinking off, a higher max_tokens"),
        (with_message("<think>Hm.", "length"), "cut_off", "a higher max_tokens"),
        ("Lovely weather for a lighthouse.", "unreadable", "another model"),
    ],
)
def test_a_model_that_cannot_be_read_at_all_is_told_what_may_help(
    server: FakeServer, reply: str | Reply, fault: str, setting: str
) -> None:
    server.script = lambda _request: reply
    found = probe(backend_at(server))
    assert (faults(found)["fields"], found.is_readable) == (fault, False)
    assert [each[: len(setting)] for each in found.settings] == [setting]
    pinged = ping(backend_at(server))
    assert (pinged["ok"], "cannot be read" in pinged["error"]) == (False, True)
    assert [backends(server, flag).returncode for flag in ("--ping", "--probe")] == [5, 5]
    assert backends(server, "--probe", of="-responses").returncode == 0


def backends(server: FakeServer, *flags: str, of: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``character backends`` with the default backend, or that of a step, at a server."""
    model = [f"--lm{of}", "openai/x", f"--api-base{of}", server.url]
    return subprocess.run(
        [sys.executable, "-m", "character", "backends", *model, *flags],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "COLUMNS": "150"},
    )  # fmt: skip


def test_a_server_that_cuts_long_prompts_short_is_found_out() -> None:
    lost = chat(reasoning="Nobody says.", score=1)
    found = probed(lambda request: lost if "The path goes on" in str(request) else able(request))
    assert faults(found) == {"long_prompt": "not_found"}
    assert any("longer context" in each for each in found.settings)


def test_a_server_that_does_not_answer_is_asked_once_and_a_key_stays_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEA_KEY", "teapot-secret-0001")
    with FakeServer(lambda _request: refusal("teapot-secret-0001 is no key", 401)) as server:
        found = probe(backend_at(server, api_key_env="TEA_KEY"))
        assert len(server.requests) == 1
        assert (found.answers, faults(found)) == (False, {"text": "refused"})
        assert found.settings == ("check the key's variable and the account",)
        assert "[hidden] is no key" in found.checks[0].said
        assert backends(server, "--probe").returncode == 4
    missing = probe(BackendConfig(model="openai/x", api_key_env="TEA_KEY_2"))
    assert "TEA_KEY_2 is not set" in missing.checks[0].said
    away = probe(BackendConfig(model="openai/x", api_base="http://127.0.0.1:9/v1"))
    assert (missing.answers, away.answers, faults(away)) == (False, False, {"text": "refused"})


def test_a_probe_is_a_table_and_one_document_with_its_cost() -> None:
    with FakeServer(able) as server:
        printed = backends(server, "--probe").stdout
        assert all(name in printed for name in NAMES)
        assert "It took 8 calls, 709 tokens in" in printed
        assert 'to set: structured = "auto"' in printed
        (document,) = {
            json.dumps(row["probe"]) for row in json.loads(backends(server, "--probe", "--json").stdout)
        }
    assert Probe.model_validate_json(document).usage.calls == 8


def test_the_rehearsal_model_can_be_read_and_a_check_that_there_is_not_is_no_false() -> None:
    found = probe(BackendConfig())
    assert (found.is_readable, ping(BackendConfig())["ok"]) == (True, True)
    with pytest.raises(UnknownNameError, match="sead"):
        found.can("sead")
