"""Lists and scores by a JSON schema: what is asked, when it is given up, and that this is found out once."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import dspy
import pytest
from dspy import lm15
from fake_server import FakeServer, Reply, as_rehearsal, backend_at, chat, cut_off, refusal
from own_parts import batches

from character import Config, Constitution, Trait, build_lm, run
from character.backends.adapter import schema_of
from character.backends.call import Call
from character.backends.call import Reply as CallReply
from character.backends.seam import spoken
from character.backends.structured import Form
from character.errors import ConfigError
from character.exports.open_run import open_run
from character.runs.summary import summarize
from character.store.run_store import RunStore
from signatures.judging import CompareResponses
from signatures.messages import GenerateMessages
from signatures.ranking import RankResponses
from signatures.responses import RespondAtEachExpression, RespondInCharacter

VALUES = {"reasoning": "The first shows it.", "suitable": True, "scores": [9, 2]}


def by_schema(request: dict[str, Any]) -> str | Reply:
    """Answer as a server that keeps to a schema."""
    return json.dumps(VALUES) if "response_format" in request else as_rehearsal(request)


def refusing(request: dict[str, Any]) -> str | Reply:
    """Answer as a server that takes no schema."""
    if "response_format" in request:
        return refusal("This response_format type is unavailable now")
    return as_fields(request)


def as_fields(request: dict[str, Any]) -> str | Reply:
    """Answer as a server that passes over the schema, with a model that writes headers whatever it is asked."""
    if "scores" in request["messages"][-1]["content"].rsplit("\n", 1)[-1]:
        return chat(reasoning="The first shows it.", suitable=True, scores=[9, 2])
    return as_rehearsal(request)


def judge(lm: dspy.LM, seed: int = 1) -> CallReply:
    """Ask for the scores of two responses."""
    inputs = {
        "language": "English",
        "trait": {"name": "patience"},
        "conversation": [{"role": "user", "content": "Why?"}],
        "responses": ["Let us see.", "No."],
    }
    return Call(dspy.Predict(RankResponses), inputs, "ranking", seed=seed, lm=lm).run()


@pytest.mark.parametrize("structured", ["auto", "json_schema"])
def test_scores_are_asked_for_by_the_schema_of_their_signature(server: FakeServer, structured: str) -> None:
    server.script = by_schema
    reply = judge(build_lm(backend_at(server, structured=structured)))
    (request,) = server.requests
    asked = request["response_format"]["json_schema"]
    assert reply.outputs == VALUES
    assert reply.habits == ()
    assert asked["strict"] is True
    assert asked["schema"]["required"] == ["reasoning", "suitable", "scores"]
    assert asked["schema"]["additionalProperties"] is False
    assert asked["schema"]["properties"]["scores"]["items"] == {"type": "integer"}
    prompt = "\n".join(message["content"] for message in request["messages"])
    assert "JSON object" in prompt
    assert "[[ ## scores ## ]]" not in prompt


def test_texts_and_replies_to_a_message_are_never_asked_for_by_a_schema() -> None:
    assert schema_of(RespondInCharacter) is None
    assert schema_of(RespondAtEachExpression) is None
    assert schema_of(RespondInCharacter.append("sure", dspy.OutputField(), float)) is None
    assert all(schema_of(each) for each in (GenerateMessages, RankResponses, CompareResponses))


def test_by_default_nothing_is_asked_for_by_a_schema(server: FakeServer) -> None:
    judge(build_lm(backend_at(server)))
    assert "response_format" not in server.requests[0]
    assert "[[ ## scores ## ]]" in server.requests[0]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("script", "requests", "says"),
    [
        (refusing, 4, "under headers: its server refuses a schema"),
        (as_fields, 3, "under headers: its first reply kept to no schema"),
    ],
)
def test_a_server_without_schemas_is_asked_for_fields_after_one_call_and_told_of_once(
    server: FakeServer, caplog: pytest.LogCaptureFixture, script: Any, requests: int, says: str
) -> None:
    server.script = script
    lm = build_lm(backend_at(server, structured="auto"))
    with caplog.at_level(logging.WARNING, "character.backends"):
        replies = [judge(lm, seed) for seed in range(3)]
    assert [reply.outputs["scores"] for reply in replies] == [[9, 2]] * 3
    assert len(server.requests) == requests
    assert ["response_format" in request for request in server.requests[-2:]] == [False, False]
    assert len(caplog.messages) == 1
    assert says in caplog.text


@pytest.mark.parametrize("structured", ["auto", "json_schema"])
def test_a_server_that_cuts_off_the_first_reply_is_asked_for_fields_unless_a_schema_is_insisted_on(
    server: FakeServer, structured: str, caplog: pytest.LogCaptureFixture
) -> None:
    lm = build_lm(backend_at(server, structured=structured))
    server.script = lambda _request: cut_off('{"reasoning": "The fi')
    assert judge(lm).fault == "cut_off"
    judge(lm, 2)
    assert ("response_format" in server.requests[-1]) == (structured == "json_schema")
    assert ("under headers: its first reply was cut off" in caplog.text) == (structured == "auto")


@pytest.mark.parametrize("odd", [Reply(body='{"error": "upstream died"}'), ""])
def test_an_empty_reply_or_an_error_settles_nothing_unless_there_is_no_other(
    server: FakeServer, odd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    lm = build_lm(backend_at(server, structured="auto"))
    server.script = lambda _request: odd
    faults = {judge(lm, seed).fault for seed in range(2)}
    assert faults <= {"unreadable", "server_error"}
    assert "is asked for" not in caplog.text
    for seed in range(2, 6):
        judge(lm, seed)
    assert ("under headers" in caplog.text) == (odd == "")


def test_a_reply_that_is_cut_off_after_one_was_kept_changes_nothing(server: FakeServer) -> None:
    lm = build_lm(backend_at(server, structured="auto"))
    server.script = by_schema
    judge(lm)
    server.script = lambda _request: cut_off('{"reasoning": "The fi')
    assert judge(lm, 2).fault == "cut_off"
    judge(lm, 3)
    assert "response_format" in server.requests[-1]


def error(status: int, said: str) -> Reply:
    """Return a server's refusal in these words."""
    return Reply(status=status, body=json.dumps({"error": {"message": said}}))


@pytest.mark.parametrize("kind", ["native", "litellm"])
@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "Bad Request"),
        (422, "Unprocessable Entity"),
        (500, "Internal Server Error"),
        (404, "No endpoints found that can handle the requested parameters."),
        (404, "No endpoints found that support the requested parameters: response_format"),
    ],
)
def test_what_is_answered_without_a_schema_and_never_with_one_is_asked_for_without(
    server: FakeServer, caplog: pytest.LogCaptureFixture, kind: str, status: int, said: str
) -> None:
    server.script = lambda asked: error(status, said) if "response_format" in asked else as_fields(asked)
    lm = build_lm(backend_at(server, structured="auto", kind=kind, num_retries=0))
    assert [judge(lm, seed).outputs["scores"] for seed in range(3)] == [[9, 2]] * 3
    assert len(server.requests) == 4
    assert len(caplog.messages) == 1
    assert "under headers: its server refuses a schema" in caplog.text


@pytest.mark.parametrize("said", ["Bad Request", "The schema of your message was flagged by moderation"])
def test_what_is_refused_without_a_schema_too_says_nothing_of_it(server: FakeServer, said: str) -> None:
    lm = build_lm(backend_at(server, structured="auto"))
    server.script = lambda _request: error(400, said)
    assert judge(lm).fault == "invalid_request"
    server.script = by_schema
    assert judge(lm, 2).outputs == VALUES
    assert "response_format" in server.requests[-1]


def test_where_nobody_takes_all_that_is_asked_the_seed_goes_after_the_schema(server: FakeServer) -> None:
    said = "No endpoints found that can handle the requested parameters."
    server.script = lambda asked: error(404, said) if "seed" in asked else as_fields(asked)
    assert judge(build_lm(backend_at(server, structured="auto"))).outputs["scores"] == [9, 2]
    assert [{"response_format", "seed"} & asked.keys() for asked in server.requests] == [
        {"response_format", "seed"},
        {"seed"},
        set(),
    ]


def test_where_nobody_takes_all_that_is_asked_a_schema_that_is_insisted_on_is_never_left_out(
    server: FakeServer,
) -> None:
    server.script = lambda _asked: error(404, "No endpoints found that can handle the requested parameters.")
    with pytest.raises(ConfigError, match="refuses response_format"):
        judge(build_lm(backend_at(server, structured="json_schema")))
    assert ["seed" in asked for asked in server.requests] == [True, False]
    assert all("response_format" in asked for asked in server.requests)


def test_a_schema_that_is_refused_after_another_was_kept_is_told_and_kept_in_mind(
    server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        if "verdict" in str(request.get("response_format")):
            return error(400, "Invalid schema for response_format 'reply': enum is not supported")
        return (
            by_schema(request) if "scores" in str(request.get("response_format")) else as_rehearsal(request)
        )

    server.script, config = script, backend_at(server, structured="auto")
    compare = dspy.Predict("text -> verdict: Literal['first', 'second']")
    with RunStore.create(tmp_path / "run") as store:
        lm = build_lm(config, journal=store)
        assert judge(lm).outputs == VALUES
        Call(compare, {"text": "Which?"}, "ranking", lm=lm).run()
        Call(compare, {"text": "Which?"}, "ranking", seed=2, lm=lm).run()
        assert not Form(config, store, "default").by_schema
    assert ["response_format" in request for request in server.requests] == [True, True, False, False]
    assert [message.split(": ")[-1] for message in caplog.messages] == [
        "its first reply kept to it.",
        "its server refuses a schema.",
    ]


def test_what_an_adapter_of_the_users_own_reads_can_be_stored(server: FakeServer) -> None:
    server.script = lambda _request: json.dumps({**VALUES, "reasoning": "half \ud83d\0"})
    with dspy.context(adapter=dspy.JSONAdapter()):
        reply = judge(build_lm(backend_at(server)))
    assert reply.outputs == {**VALUES, "reasoning": "half \ufffd"}


def with_thoughts(content: str, thoughts: str) -> Reply:
    """Answer as a server that tells a model's thoughts apart."""
    message = {"role": "assistant", "content": content, "reasoning_content": thoughts}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "fake-model"}
    return Reply(body=json.dumps({**body, "choices": choices, "usage": usage}))


@pytest.mark.parametrize("kind", ["native", "litellm"])
@pytest.mark.parametrize("structured", ["auto", "json_schema"])
def test_a_model_that_thinks_is_asked_by_a_schema_and_what_it_said_is_kept_as_it_is(
    server: FakeServer, patience: Trait, tmp_path: Path, kind: str, structured: str
) -> None:
    def script(request: dict[str, Any]) -> str | Reply:
        said = with_thoughts(json.dumps(VALUES), "Scores 1 and \ud83d.")
        return said if "response_format" in request else as_rehearsal(request)

    server.script = script
    values = {"responses": {"candidates": 2}, "ranking": {"passes": 1}}
    backends = {"default": backend_at(server, structured=structured, kind=kind)}
    config = Config.model_validate({**values, "backends": backends})
    constitution = Constitution(name="one", language="en", traits=(patience,))
    for _sitting in range(2):
        summary = run(constitution, tmp_path / "run", config, messages=batches(3), on_progress=False)
        assert (summary.pairs, len(server.requests)) == (3, 9)
    assert sum("response_format" in request for request in server.requests) == 3
    with open_run(tmp_path / "run") as opened:
        calls = list(opened.store.calls(stage="ranking"))
    assert [(call.reply, call.reasoning) for call in calls] == [
        (json.dumps(VALUES), "Scores 1 and \ufffd.")
    ] * 3


def test_a_folder_that_keeps_a_reply_as_a_value_is_read_with_the_thoughts_beside_it() -> None:
    parts = [lm15.DataPart(value=VALUES), lm15.ThinkingPart(text="Let me see.")]
    for order in (parts, parts[::-1]):
        message = lm15.Message(role="assistant", parts=tuple(order))
        reply = lm15.Response(id="x", model="m", message=message, finish_reason="stop", usage=lm15.Usage())
        assert spoken(reply) == reply


def test_a_reply_by_a_schema_with_what_is_no_number_is_counted_once(server: FakeServer) -> None:
    server.script = lambda _request: json.dumps({**VALUES, "scores": [float("nan"), 2]})
    reply = judge(build_lm(backend_at(server, structured="json_schema", num_retries=2)))
    assert (reply.fault, reply.usage.calls, len(server.requests)) == ("unreadable", 1, 1)


def test_a_schema_that_is_insisted_on_and_refused_stops_with_what_to_set(server: FakeServer) -> None:
    server.script = refusing
    with pytest.raises(ConfigError, match="refuses response_format") as error:
        judge(build_lm(backend_at(server, structured="json_schema")))
    assert 'structured = "json_schema" ("auto" would do without)' in error.value.fix


def test_an_adapter_of_the_users_own_is_asked_as_it_is_and_told_of_once(
    server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    lm = build_lm(backend_at(server, structured="json_schema"))
    with dspy.context(adapter=dspy.ChatAdapter()):
        judge(lm)
        judge(lm, 2)
    assert not any("response_format" in request for request in server.requests)
    (told,) = caplog.messages
    assert told.startswith("structured is left out for ")
    assert "ChatAdapter" in told


@pytest.mark.parametrize("script", [refusing, by_schema])
def test_what_a_run_found_out_is_not_asked_again_when_it_goes_on(
    server: FakeServer, patience: Trait, tmp_path: Path, script: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = script
    constitution = Constitution(name="one", language="en", traits=(patience,))
    values = {"concurrency": 1, "responses": {"candidates": 2}, "ranking": {"passes": 1}}
    backends = {"default": backend_at(server, structured="auto")}
    capped = Config.model_validate({**values, "backends": backends, "budget": {"max_calls": 4}})
    with pytest.raises(Exception, match="cap"):
        run(constitution, tmp_path / "run", capped, messages=batches(3), on_progress=False)
    before = len(server.requests)
    told = len(caplog.messages)
    config = Config.model_validate({**values, "backends": backends})
    summary = run(constitution, tmp_path / "run", config, messages=batches(3), on_progress=False)
    later = ["response_format" in request for request in server.requests[before:]]
    assert any(later) == (script is by_schema)
    assert told == len(caplog.messages) == 1
    assert summary.pairs == summarize(tmp_path / "run").pairs == 3
