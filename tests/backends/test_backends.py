"""Backends: real HTTP to three servers, LiteLLM, keys that never show, limits, and clear refusals."""

from __future__ import annotations

import asyncio
import copy
import json
from pathlib import Path
from typing import get_type_hints

import dspy
import pytest
from fake_server import FakeServer, Reply, as_rehearsal, asks_for, backend_at, refusal

from character import BackendConfig, CharacterProgram, Constitution, build_lm, build_lms, load_config, run
from character.backends import ping
from character.backends.secrets import redact, remember
from character.config.backend import BackendFields
from character.errors import BackendUnavailableError, ConfigError

SECRET = "sk-test-7d1f0a9b8c7e6d5f"
STEPS = {"messages": "messages", "responses": "response", "ranking": "scores"}


def _three(monkeypatch: pytest.MonkeyPatch, kind: str = "native") -> str:
    monkeypatch.setenv("CHARACTER_TEST_KEY", SECRET)
    head = f'[messages]\nper_trait = 3\n[backends.default]\nkind = "{kind}"\n'
    head += 'api_key_env = "CHARACTER_TEST_KEY"\nmodel = "openai/none"\n'
    return head + "".join(
        f'[backends.{role}]\nmodel = "openai/{role}"\napi_base = "{{{role}}}"\n' for role in STEPS
    )


@pytest.mark.parametrize("kind", ["native", "litellm"])
def test_one_toml_file_sends_each_step_to_a_server_of_its_own(
    constitution: Constitution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with FakeServer(name="m") as messages, FakeServer(name="r") as responses, FakeServer(name="k") as ranking:
        servers = {"messages": messages, "responses": responses, "ranking": ranking}
        text = _three(monkeypatch, kind).format(**{role: server.url for role, server in servers.items()})
        (tmp_path / "c.toml").write_text(text)
        config = load_config(tmp_path / "c.toml")
        summary = run(constitution, tmp_path / "run", config=config)
        in_python = CharacterProgram.from_config(config, build_lms(config))(constitution=constitution)
    for role, server in servers.items():
        assert {asks_for(request) for request in server.requests} == {STEPS[role]}
        assert {request["model"] for request in server.requests} == {role}
        assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {SECRET}"}
    assert summary.models == {"messages": ["openai/m"], "responses": ["openai/r"], "ranking": ["openai/k"]}
    assert not summary.rehearsal
    assert len(in_python.pairs) == summary.pairs > 0
    written = b"".join(path.read_bytes() for path in (tmp_path / "run").iterdir())
    assert SECRET.encode() not in written


def test_the_rehearsal_model_is_reached_through_litellm_too() -> None:
    lm = build_lm(kind="litellm", model="rehearsal/default")
    direct = build_lm()
    prompt = "Say something."
    assert lm(prompt) == direct(prompt)
    assert asyncio.run(lm.acall(prompt)) == direct(prompt)


@pytest.mark.parametrize("kind", ["native", "litellm"])
def test_a_refused_key_pauses_with_a_clear_error_that_does_not_show_it(
    constitution: Constitution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FakeServer, kind: str
) -> None:
    monkeypatch.setenv("CHARACTER_TEST_KEY", SECRET)
    said = f"Incorrect API key provided: {SECRET}"
    server.script = lambda _request: refusal(said, 401, code="invalid_api_key")
    backend = {"kind": kind, "model": "openai/x", "api_base": server.url, "api_key_env": "CHARACTER_TEST_KEY"}
    config = load_config(overrides={"backends": {"default": backend}})
    with pytest.raises(BackendUnavailableError, match="refuses the key") as caught:
        run(constitution, tmp_path / "run", config=config)
    assert caught.value.exit_code == 4
    assert SECRET not in str(caught.value)
    written = b"".join(path.read_bytes() for path in (tmp_path / "run").iterdir())
    assert SECRET.encode() not in written


def test_a_server_that_is_down_pauses_and_the_run_goes_on_when_it_is_back(
    constitution: Constitution, tmp_path: Path, server: FakeServer
) -> None:
    backend = {"model": "openai/x", "api_base": server.url, "num_retries": 0}
    config = load_config(overrides={"backends": {"default": backend}, "messages": {"per_trait": 2}})
    calls = 0

    def fails_after_five(request: dict[str, object]) -> str | Reply:
        nonlocal calls
        calls += 1
        if calls > 5:
            return refusal("key revoked", 401)
        return as_rehearsal(request)

    server.script = fails_after_five
    with pytest.raises(BackendUnavailableError):
        run(constitution, tmp_path / "run", config=config)
    server.script = as_rehearsal
    before = len(server.requests)
    summary = run(constitution, tmp_path / "run", config=config)
    assert summary.messages["paired"] == 4
    total = sum(summary.usage[step].calls for step in STEPS)
    assert len(server.requests) - before == total - 5, "the five finished calls were not made again"


def test_an_unreachable_server_is_named() -> None:
    lm = build_lm(model="openai/x", api_base="http://127.0.0.1:9/v1", num_retries=0)
    with dspy.context(lm=lm), pytest.raises(BackendUnavailableError, match="cannot be reached"):
        CharacterProgram()(trait="patience")


def test_a_key_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHARACTER_TEST_KEY", raising=False)
    with pytest.raises(ConfigError, match="CHARACTER_TEST_KEY is not set"):
        build_lm(model="openai/x", api_key_env="CHARACTER_TEST_KEY")


def test_a_provider_without_a_key_is_an_error_of_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    lm = build_lm(model="openai/gpt-4.1-mini")
    with dspy.context(lm=lm), pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        CharacterProgram()(trait="patience")


def test_a_provider_the_native_client_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigError, match="litellm"):
        build_lm(kind="native", model="no-such-provider/x")


def test_a_backend_never_has_more_calls_in_flight_than_allowed(server: FakeServer) -> None:
    server.delay_s = 0.02
    lm = build_lm(backend_at(server, max_in_flight=3))
    with dspy.context(lm=lm):
        result = asyncio.run(CharacterProgram(messages_per_trait=3).acall(trait="patience"))
    assert result.pairs
    assert server.peak_in_flight == 3


def test_ping_tells_what_answered_or_what_went_wrong(server: FakeServer) -> None:
    good = ping(backend_at(server))
    assert (good["ok"], good["model"]) == (True, "openai/fake-model")
    bad = ping(BackendConfig(kind="native", model="openai/x", api_base="http://127.0.0.1:9/v1"))
    assert bad["ok"] is False
    assert "127.0.0.1:9" in bad["error"]


def test_prices_come_from_the_configuration_then_from_the_price_map(server: FakeServer) -> None:
    priced = build_lm(backend_at(server, input_price=2.0, output_price=10.0))
    unknown = build_lm(backend_at(server))
    with dspy.context(lm=priced):
        usage = CharacterProgram(messages_per_trait=1)(trait="patience").usage
    assert usage.cost_usd == pytest.approx(usage.calls * (100 * 2.0 + 20 * 10.0) / 1e6)
    with dspy.context(lm=unknown):
        assert CharacterProgram(messages_per_trait=1)(trait="patience").usage.cost_usd is None


def test_copies_that_optimizers_make_share_the_connections(server: FakeServer) -> None:
    lm = build_lm(backend_at(server))
    assert copy.deepcopy(lm).engine is lm.engine
    assert lm.copy(temperature=0.3).engine is lm.engine


def test_the_saved_state_of_a_model_names_the_variable_and_holds_no_key(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARACTER_TEST_KEY", SECRET)
    state = json.dumps(build_lm(backend_at(server, api_key_env="CHARACTER_TEST_KEY")).dump_state())
    assert "CHARACTER_TEST_KEY" in state
    assert SECRET not in state


def test_known_secrets_and_what_looks_like_one_are_masked() -> None:
    remember("hunter2-hunter2")
    text = (
        "key hunter2-hunter2, sk-abcdefghijkl1234, Authorization: Bearer eyJhbGciOi.x.y and the word sketch"
    )
    shown = redact(text)
    assert "hunter2" not in shown
    assert "abcdefghijkl" not in shown
    assert "eyJ" not in shown
    assert shown.endswith("and the word sketch")


def test_a_server_somebody_named_is_not_sent_the_providers_key(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    build_lm(backend_at(server))("Hello?")
    assert SECRET not in json.dumps(server.headers)
    build_lm(backend_at(server, api_key_env="OPENAI_API_KEY"))("Hello?")
    assert server.headers[-1]["Authorization"] == f"Bearer {SECRET}"


def test_a_backend_is_given_by_the_same_fields_in_python_as_in_its_section() -> None:
    assert get_type_hints(BackendFields) == {
        name: annotation
        for name, annotation in get_type_hints(BackendConfig).items()
        if name in BackendConfig.model_fields
    }


def test_a_field_that_a_backend_does_not_have_is_named() -> None:
    with pytest.raises(ConfigError, match="modle"):
        build_lm(modle="openai/x")  # type: ignore[call-arg]
