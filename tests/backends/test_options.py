"""Options of a backend: what reaches the server, what tells calls apart, what never shows, what is refused."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest
from dspy import lm15
from fake_server import FakeServer, Reply, as_rehearsal, backend_at, refusal
from own_parts import OwnLM, batches

from character import BackendConfig, Config, Constitution, Trait, build_lm, load_config, run
from character.backends.call import Call
from character.backends.call import Reply as CallReply
from character.backends.wire import Wire
from character.cli.options import set_overrides
from character.config import build_config
from character.errors import ConfigError, StoreError
from character.runs.identity import run_identity

SECRET = "sk-test-7d1f0a9b8c7e6d5f"
OPTIONS: dict[str, Any] = {
    "top_p": 0.85,
    "stop": ["###"],
    "reasoning_effort": "low",
    "extra_body": {"chat_template_kwargs": {"enable_thinking": False}},
    "headers": {"X-Team": "kitchen"},
}


def refusing(*parameters: str, status: int = 400) -> Callable[[dict[str, Any]], str | Reply]:
    """Return a server that refuses these parameters, the first of them first, and answers without them."""

    def script(request: dict[str, Any]) -> str | Reply:
        for name in parameters:
            if name in request:
                return refusal(f"Unsupported parameter: '{name}' is not supported with this model.", status)
        return as_rehearsal(request)

    return script


def ask(lm: dspy.LM, seed: int = 1) -> CallReply:
    """Make one call of a predictor."""
    return Call(dspy.Predict("text -> answer"), {"text": "Hello?"}, "responses", seed=seed, lm=lm).run()


def asking(**config: Any) -> lm15.Request:
    """Return a request with these parameters."""
    return lm15.Request(model="m", messages=(lm15.Message.user("Hello?"),), config=lm15.Config(**config))


@pytest.mark.parametrize("kind", ["native", "litellm"])
def test_every_option_reaches_the_server(server: FakeServer, kind: str) -> None:
    model = {"native": "openai/m", "litellm": "hosted_vllm/m"}[kind]
    build_lm(backend_at(server, kind=kind, model=model, **OPTIONS))("Hello?")
    (request,), (headers,) = server.requests, server.headers
    assert {**request, **OPTIONS["extra_body"]} == request
    assert (request["top_p"], request["stop"], request["reasoning_effort"]) == (0.85, ["###"], "low")
    assert headers["X-Team"] == "kitchen"


def test_an_option_in_flags_is_the_option_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        '[backends.default]\nmodel = "openai/m"\n'
        "extra_body = { chat_template_kwargs = { enable_thinking = false } }\nseed = false\n"
    )
    flags = set_overrides(
        [
            "backends.default.model=openai/m",
            "backends.default.extra_body.chat_template_kwargs.enable_thinking=false",
            "backends.default.seed=false",
        ]
    )
    assert load_config(tmp_path / "c.toml") == load_config(overrides=flags)


def test_what_a_call_says_itself_goes_before_the_option(server: FakeServer) -> None:
    build_lm(backend_at(server, top_p=0.85))("Hello?", top_p=0.3)
    assert server.requests[0]["top_p"] == 0.3


def test_a_seed_that_is_left_out_tells_calls_apart_nonetheless(server: FakeServer) -> None:
    lm = build_lm(backend_at(server, seed=False))
    ask(lm)
    assert "seed" not in server.requests[0]
    assert lm.engine.backend.key(asking(seed=1)) != lm.engine.backend.key(asking(seed=2))


def test_each_option_is_part_of_what_a_call_is_and_none_of_them_where_it_is_not_set() -> None:
    plain = BackendConfig(model="openai/m", api_base="http://127.0.0.1:1/v1", temperature=0.5)
    assert plain.identity == "82cd0d14717f3932"  # as it was before there were options
    options = {**OPTIONS, "seed": False}
    made = [plain.identity] + [
        BackendConfig.model_validate({**plain.model_dump(), name: value}).identity
        for name, value in options.items()
    ]
    assert len(set(made)) == 1 + len(options)
    keyed = BackendConfig.model_validate({**plain.model_dump(), "headers_env": {"X-Key": "MY_KEY"}})
    assert keyed.identity == plain.identity


def test_a_run_does_not_go_on_with_another_option(
    server: FakeServer, patience: Trait, tmp_path: Path
) -> None:
    constitution = Constitution(name="one", language="en", traits=(patience,))
    config = Config(backends={"default": backend_at(server)})
    run(constitution, tmp_path / "run", config, messages=batches(1), on_progress=False)
    changed = Config(backends={"default": backend_at(server, top_p=0.5)})
    with pytest.raises(StoreError, match=r"backends\.default\.top_p: None before, 0\.5 now"):
        run(constitution, tmp_path / "run", changed, messages=batches(1), on_progress=False)
    assert "backends.default.top_p" not in run_identity("", config, None)


@pytest.mark.parametrize("kind", ["native", "litellm"])
def test_a_header_with_a_key_comes_from_its_variable_and_shows_nowhere(
    server: FakeServer, patience: Trait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("CHARACTER_TEST_HEADER", f"Bearer {SECRET}")
    headers = {"Authorization": "CHARACTER_TEST_HEADER"}
    config = Config(backends={"default": backend_at(server, kind=kind, headers_env=headers)})
    constitution = Constitution(name="one", language="en", traits=(patience,))
    run(constitution, tmp_path / "run", config, messages=batches(1), on_progress=False)
    assert {sent["Authorization"] for sent in server.headers} == {f"Bearer {SECRET}"}
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "run").iterdir())
    assert SECRET not in json.dumps(build_lm(config.backend("default")).dump_state())
    server.script = lambda _request: refusal(f"no {SECRET} here")
    assert SECRET not in ask(build_lm(config.backend("default"))).detail


def test_the_variable_of_a_header_that_is_not_set_is_named(server: FakeServer) -> None:
    with pytest.raises(ConfigError, match="CHARACTER_NOT_SET is not set"):
        build_lm(backend_at(server, headers_env={"X-Key": "CHARACTER_NOT_SET"}))


def test_a_variable_that_holds_two_lines_is_no_header_and_is_not_shown(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARACTER_TEST_HEADER", f"{SECRET}\r\nX-Other: b")
    with pytest.raises(ConfigError, match="CHARACTER_TEST_HEADER holds cannot be the header X-Key") as error:
        build_lm(backend_at(server, headers_env={"X-Key": "CHARACTER_TEST_HEADER"}))
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("headers", {"Authorization": f"Bearer {SECRET}"}, "headers_env"),
        ("headers", {"X-Api-Key": "9d"}, "headers_env"),
        ("headers", {"X-Team": SECRET}, "headers_env"),
        ("headers", f"Authorization: Bearer {SECRET}", "dictionary"),
        ("headers", {"X Team": "kitchen"}, "no name of a header"),
        ("headers", {"Content-Length": "3"}, "no name of a header"),
        ("headers", {"X-Team": "a\r\nX-Other: b"}, "on one line"),
        ("headers_env", {"X-Key": SECRET}, "X-Key must name an environment variable"),
        ("api_key_env", SECRET, "api_key_env"),
        ("extra_body", {"provider": {"api_key": "9d"}}, "api_key"),
        ("extra_body", {"options": [{"key": SECRET}]}, "api_key_env"),
        ("extra_body", {"top_p": 0.5}, "top_p is a setting of the backend"),
        ("extra_body", {"messages": []}, "messages is a setting"),
        ("stop", [""], "an empty text"),
        ("top_p", 1.5, "less than or equal to 1"),
        ("reasoning_effort", "some", "'low', 'medium'"),
    ],
)
def test_an_option_that_cannot_be_sent_or_holds_a_key_is_refused(option: str, value: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        build_config({"backends": {"default": {"model": "openai/m", option: value}}})
    assert SECRET not in str(error.value)


def test_the_rehearsal_model_takes_no_option_of_a_server() -> None:
    with pytest.raises(ConfigError, match="extra_body needs a model"):
        build_config({"backends": {"default": {"extra_body": {"a": 1}}}})
    given = {"default": {"model": "openai/m", **OPTIONS}, "judge": {"kind": "rehearsal"}}
    assert build_config({"backends": given}).backend("judge").options == {"top_p": 0.85, "stop": ["###"]}


@pytest.mark.parametrize(
    ("refused", "fields"),
    [
        (["seed"], {}),
        (["temperature", "seed"], {"temperature": 0.4}),
        (["top_p", "stop", "reasoning_effort"], OPTIONS),
        (["max_completion_tokens"], {"max_tokens": 600}),
    ],
)
def test_a_refused_parameter_is_left_out_and_told_once_and_counted(
    server: FakeServer, refused: list[str], fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    server.script = refusing(*refused)
    lm = build_lm(backend_at(server, **fields))
    with caplog.at_level(logging.WARNING, "character.backends"):
        replies = [ask(lm, seed) for seed in range(4)]
    assert [reply.fault for reply in replies] == [""] * 4
    assert len(server.requests) == 4 + len(refused)
    assert not set(refused) & server.requests[-1].keys()
    told = " ".join(caplog.messages)
    names = ["reasoning" if name == "reasoning_effort" else name for name in refused]
    assert len(caplog.messages) == len(refused)
    if refused == ["max_completion_tokens"]:
        assert server.requests[-1]["max_tokens"] == 600
        assert "max_tokens" in told
    else:
        assert all(f"refuses {name}; it is asked without" in told for name in names)
        assert replies[3].habits == tuple(f"sent without {name}" for name in sorted(names))


def test_a_run_tells_in_its_log_and_its_figures_what_was_refused(
    server: FakeServer, patience: Trait, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = refusing("seed", status=422)
    constitution = Constitution(name="one", language="en", traits=(patience,))
    config = Config(backends={"default": backend_at(server)}, concurrency=1)
    summary = run(constitution, tmp_path / "run", config, messages=batches(2), on_progress=False)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    notes = [line["note"] for line in log if line["event"] == "backend"]
    assert len(notes) == 1
    assert "refuses seed" in notes[0]
    assert "seed = false" in notes[0]
    assert notes == caplog.messages
    assert summary.reasked["responses"]["sent without seed"] == 8
    assert summary.pairs > 0


def test_what_only_its_owner_can_take_out_stops_the_run(
    server: FakeServer, patience: Trait, tmp_path: Path
) -> None:
    server.script = refusing("chat_template_kwargs")
    config = Config(backends={"default": backend_at(server, **OPTIONS)}, concurrency=1)
    constitution = Constitution(name="one", language="en", traits=(patience,))
    with pytest.raises(ConfigError, match="refuses chat_template_kwargs") as error:
        run(constitution, tmp_path / "run", config, messages=batches(4), on_progress=False)
    assert "extra_body" in error.value.fix
    assert len(server.requests) <= 4


WORDS = {
    "Bad Request: unknown field `seed`": "seed",
    'Invalid JSON payload received. Unknown name "seed": Cannot find field.': "seed",
    '[{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]': "seed",
    '{"detail": [{"msg": "extra fields not permitted", "loc": ["body", "seed"]}]}': "seed",
    "body.seed: Extra inputs are not permitted": "seed",
    "Unrecognized request argument supplied: seed": "seed",
    "Unknown parameter: 'seed'. Known parameters: temperature, top_p, max_tokens.": "seed",
    "vertex does not support parameters: ['seed'], for model=m. To drop these, set drop_params": "seed",
    "参数 seed 不支持": "seed",
    "不支持的参数：top_p": "top_p",
    "Unsupported value: 'temperature' does not support 0.4 with this model.": "temperature",
    "`temperature` is deprecated for this model.": "temperature",
    "create() got an unexpected keyword argument 'top_p'": "top_p",
    "'stop_sequences' is not allowed": "stop",
    "seed is not a valid parameter for this endpoint": "seed",
    "Argument not supported on this model: reasoning_effort": "reasoning",
    "Unknown field `top_p`, expected one of `model`, `messages`, `seed`": "top_p",
    "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.": (
        "max_tokens as max_completion_tokens"
    ),
    "max_completion_tokens: Extra inputs are not permitted": "max_tokens as max_tokens",
    "This response_format type is unavailable now": "response_format",
    "Structured outputs are not supported by this model": "response_format",
    "temperature must be between 0 and 1; 1.4 is not allowed": "",
    "Unsupported value: top_p has to be at most 1": "",
    "This model's maximum context length is 4096 tokens, max_tokens of 600 are not available": "",
    "The model is not supported": "",
    "Invalid parameter: temperature should be at most 1": "",
    "The seed of the matter is a template that speaks of no user": "",
}


@pytest.mark.parametrize(("says", "refused"), WORDS.items())
def test_servers_name_what_they_refuse_in_words_of_their_own(says: str, refused: str) -> None:
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    sent = asking(seed=1, temperature=0.4, top_p=0.9, stop=("#",), max_tokens=600, response_format=schema)
    effort = lm15.Reasoning("low")
    sent = dataclasses.replace(sent, config=dataclasses.replace(sent.config, reasoning=effort))
    error = lm15.InvalidRequestError(says, status=400)
    assert Wire(BackendConfig(model="openai/m")).refusal(error, sent, frozenset()) == refused


def test_a_server_that_refuses_both_names_of_a_limit_is_not_asked_without_one(server: FakeServer) -> None:
    server.script = refusing("max_completion_tokens", "max_tokens")
    assert ask(build_lm(backend_at(server, max_tokens=600))).fault == "invalid_request"
    assert len(server.requests) == 2


def test_a_setting_that_its_provider_has_in_another_form_is_told_once(
    monkeypatch: pytest.MonkeyPatch, server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    lm = build_lm(backend_at(server, model="ollama_chat/m", reasoning_effort="low"))
    ask(lm)
    assert caplog.messages == []
    lm = build_lm(backend_at(server, model="moonshot/kimi", reasoning_effort="medium"))
    ask(lm)
    ask(lm, 2)
    assert len(caplog.messages) == 1
    assert "reasoning.effort is clamped for moonshot/kimi" in caplog.text


def test_a_model_that_a_program_brought_takes_what_every_model_takes_and_nothing_is_passed_over(
    patience: Trait, tmp_path: Path
) -> None:
    asked: list[dict[str, Any]] = []

    class Noting(OwnLM):
        def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            asked.append(options)
            return super().forward(prompt, messages, **options)

    constitution = Constitution(name="one", language="en", traits=(patience,))

    def made(folder: str, **section: Any) -> None:
        config = Config.model_validate({"backends": {"default": section}})
        run(constitution, tmp_path / folder, config, messages=batches(1), on_progress=False)

    with dspy.context(lm=Noting()):
        made("a", top_p=0.5, stop=["###"])
        assert {(options["top_p"], options["stop"][0]) for options in asked} == {(0.5, "###")}
        with pytest.raises(ConfigError, match="a model that a program brought"):
            made("b", seed=False)


def test_a_schema_that_is_tried_is_refused_by_whatever_a_server_says_of_schemas() -> None:
    sent = asking(seed=1, response_format={"type": "json_schema", "schema": {"type": "object"}})
    error = lm15.InvalidRequestError("Failed to compile the grammar: 'Reply' has no root", status=400)
    for structured, refused in (("auto", "response_format"), ("json_schema", "")):
        wire = Wire(BackendConfig.model_validate({"model": "openai/m", "structured": structured}))
        assert wire.refusal(error, sent, frozenset()) == refused
    wire = Wire(BackendConfig(model="openai/m", structured="auto"))
    assert wire.refusal(error, asking(), frozenset()) == ""
