"""What servers send with status 200 that is no plain reply: an error, one torn in the middle, odd usage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, Reply, backend_at, chat

from character import Config, Constitution, Message, Responder, Trait, build_lm, run
from character.backends.budget import Budget
from character.backends.server_words import error_in
from character.config import BudgetConfig
from character.errors import BackendUnavailableError, BudgetReachedError

TORN = "[[ ## response ## ]]\nTake your time and then you sh"
PATIENCE = Trait(name="patience", description="Takes the time that it needs.")
QUESTION = Message.of("How do I fold a map?", trait="patience")
WHOLE = chat(response="Take your time.")
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def body(text: str | None, ended: str | None = "stop", *, usage: Any = USAGE, **choice: Any) -> Reply:
    """Return a reply as its server sends it."""
    choices = [
        {"index": 0, "finish_reason": ended, "message": {"role": "assistant", "content": text}} | choice
    ]
    return Reply(body=json.dumps({"id": "1", "model": "fake-model", "choices": choices, "usage": usage}))


def said(**fields: Any) -> Reply:
    return Reply(body=json.dumps({"id": "1", "model": "fake-model", "choices": [], **fields}))


def answered(server: FakeServer, *replies: Reply, **fields: Any) -> Any:
    """Return the candidates of one message where the server sends these replies, then the last one again."""
    left = list(replies)
    server.script = lambda _request: left.pop(0) if len(left) > 1 else left[0]
    with dspy.context(lm=build_lm(backend_at(server, **fields))):
        return Responder(num_candidates=2, prompting="fields")(QUESTION, PATIENCE)


@pytest.mark.parametrize("ended", ["error", "abort", "network_error"])
def test_litellm_takes_an_error_for_a_stop_and_it_is_one_all_the_same(server: FakeServer, ended: str) -> None:
    made = answered(server, body(TORN, ended), kind="litellm")
    assert {drop.reason for drop in made.drops} == {"server_error"}
    assert f"ended its reply with {ended}" in made.drops[0].detail


@pytest.mark.parametrize(
    "torn",
    [
        body(TORN, "error"),
        body(TORN, "network_error"),
        body(TORN, "abort"),
        body(WHOLE, "stop", error={"code": 502, "message": "Upstream idle"}),
        said(error="upstream died"),
        said(choices=None, base_resp={"status_code": 1000, "status_msg": "unknown error"}),
    ],
)
def test_a_reply_that_is_an_error_is_asked_again_as_a_fault_of_the_servers(
    server: FakeServer, torn: Reply
) -> None:
    made = answered(server, torn, body(WHOLE), body(chat(response="Fold it once.")), num_retries=1)
    assert set(made.texts) == {"Take your time.", "Fold it once."}
    assert not made.drops
    assert len(server.requests) == 3


def test_where_it_stays_an_error_the_words_of_the_server_are_shown(server: FakeServer) -> None:
    made = answered(server, said(error="a plum died upstream"))
    assert {drop.reason for drop in made.drops} == {"server_error"}
    assert "a plum died upstream" in made.drops[0].detail


def test_an_empty_account_is_known_in_a_reply_too(server: FakeServer) -> None:
    with pytest.raises(BackendUnavailableError, match=r"refuses the account .*insufficient balance"):
        answered(server, said(base_resp={"status_code": 1008, "status_msg": "insufficient balance"}))


def test_a_reply_with_what_looks_like_an_error_is_none() -> None:
    choices = [{"index": 0, "finish_reason": "stop", "error": None, "message": {"content": "Hello."}}]
    assert not error_in(
        {"choices": choices, "base_resp": {"status_code": 0, "status_msg": ""}, "error": None}
    )
    assert not error_in({"choices": [], "id": "1", "usage": {}})


@pytest.mark.parametrize("ended", [None, "", "max_tokens", "length"])
def test_a_field_left_open_is_cut_off_where_the_server_does_not_say_that_it_ended(
    server: FakeServer, ended: str | None
) -> None:
    made = answered(server, body(TORN, ended))
    assert not made.texts
    assert {drop.reason for drop in made.drops} >= {"cut_off"}


@pytest.mark.parametrize("ended", [None, "stop", "eos_token"])
def test_a_whole_reply_is_used_whatever_the_server_says_of_its_end(
    server: FakeServer, ended: str | None
) -> None:
    assert "Take your time." in answered(server, body(WHOLE, ended)).texts


ODD = ["100", 100.5, -100, 10**30, True, [], {}]


@pytest.mark.parametrize("odd", ODD)
def test_odd_usage_counts_as_missing_and_the_reply_is_used(server: FakeServer, odd: Any) -> None:
    usage = {"prompt_tokens": odd, "completion_tokens": 20, "prompt_tokens_details": None}
    made = answered(server, body(WHOLE, usage=usage), body(chat(response="Fold it once."), usage=odd))
    assert set(made.texts) == {"Take your time.", "Fold it once."}
    assert made.usage.prompt_tokens == 0
    assert made.usage.completion_tokens == 20


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 10**30, "completion_tokens": 20}])
def test_what_a_server_does_not_tell_is_owed(server: FakeServer, usage: Any) -> None:
    server.script = lambda _request: body("Hello.", usage=usage)
    budget = Budget(BudgetConfig(max_tokens=1000))
    lm = build_lm(backend_at(server, max_tokens=400), budget=budget)
    lm("Hello?")
    lm("Hello again?")
    with pytest.raises(Exception, match="budget is reached") as caught:
        lm("And again?")
    assert isinstance(caught.value.__cause__, BudgetReachedError)


def test_a_run_whose_requests_are_refused_ends_with_what_the_server_says(
    server: FakeServer, tmp_path: Path
) -> None:
    server.script = lambda _request: Reply(status=400, body='{"error": {"message": "No plums in June"}}')
    config = Config.model_validate({"backends": {"default": backend_at(server)}})
    summary = run(Constitution(name="patient", traits=(PATIENCE,)), tmp_path, config)
    assert "Most often lost: invalid_request in messages" in summary.advice
    assert "No plums in June" in summary.advice
