"""Lists and scores by a JSON schema: what is asked, when it is given up, and that this is found out once."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, Reply, as_rehearsal, backend_at, chat, cut_off, refusal
from own_parts import batches

from character import Config, Constitution, Trait, build_lm, run
from character.backends.adapter import schema_of
from character.backends.call import Call
from character.backends.call import Reply as CallReply
from character.errors import ConfigError
from character.runs.summary import summarize
from signatures.judging import CompareResponses
from signatures.messages import GenerateMessages
from signatures.ranking import RankResponses
from signatures.responses import RespondInCharacter

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


def test_texts_are_never_asked_for_by_a_schema() -> None:
    assert schema_of(RespondInCharacter) is None
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


def test_a_reply_that_is_cut_off_settles_nothing(server: FakeServer) -> None:
    lm = build_lm(backend_at(server, structured="auto"))
    server.script = lambda _request: cut_off('{"reasoning": "The fi')
    assert judge(lm).fault == "cut_off"
    server.script = by_schema
    assert judge(lm, 2).outputs == VALUES
    assert "response_format" in server.requests[-1]


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
