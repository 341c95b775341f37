"""All candidates of a message from one call: asked once, read apart, and one by one what such a reply lacks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, Reply, backend_at, chat, cut_off

from character import Config, Constitution, Message, MessageBatch, Responder, Trait, build_lm, run
from character.messages.files import GivenMessages
from character.runs.estimate import estimate
from signatures.responses import EXPRESSIONS

QUESTION = Message.of("How do I learn to juggle?", trait="patience")
FOUR = ("natural", "absent", "overdone", "subtle")


def asks_for_all(request: dict[str, Any]) -> bool:
    return "[[ ## responses ## ]]" in request["messages"][-1]["content"].rsplit("\n", 1)[-1]


def together(*texts: str) -> str:
    return chat(responses=json.dumps(texts, ensure_ascii=False))


def respond(server: FakeServer, **settings: Any) -> Any:
    with dspy.context(lm=build_lm(backend_at(server, max_in_flight=1))):
        return asyncio.run(Responder(calls="per_message", **settings).acall(QUESTION, PATIENCE))


PATIENCE = Trait(name="patience", description="Takes the time an explanation needs.")


@pytest.mark.usefixtures("rehearsal")
@pytest.mark.parametrize("text", ["How do I learn to juggle?", "怎么学会杂耍抛球？"])
def test_one_call_gives_a_candidate_for_each_level(text: str) -> None:
    message = Message.of(text, trait="patience", language="zh" if text[0] == "怎" else "en")
    made = Responder(calls="per_message")(message, PATIENCE)
    assert tuple(item.level for item in made.items) == FOUR
    assert len(set(made.texts)) == 4
    assert made.usage.calls == 1
    assert asyncio.run(Responder(calls="per_message").acall(message, PATIENCE)) == made


def test_the_model_is_asked_once_and_shown_every_expression_in_order(server: FakeServer) -> None:
    server.script = lambda _request: together("A one.", "B two.", "C three.", "D four.")
    made = respond(server)
    (request,) = server.requests
    shown = json.loads(
        request["messages"][-1]["content"].split("[[ ## expressions ## ]]\n")[1].split("\n")[0]
    )
    assert shown == [EXPRESSIONS[level] for level in FOUR]
    assert made.texts == ["A one.", "B two.", "C three.", "D four."]
    assert {item.seed for item in made.items} == {request["seed"]}


def test_responses_with_headers_quotes_and_line_breaks_stay_whole(server: FakeServer) -> None:
    odd = 'She said "wait".\n[[ ## responses ## ]]\n[[ ## completed ## ]]\n\\ and on.'
    server.script = lambda _request: together(odd, "Plain.")
    assert respond(server, num_candidates=2).texts == [odd, "Plain."]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("no fields at all"), "unreadable"),
        (Reply(chat(responses='["half a list')), "unreadable"),
        (Reply(together("Only one.")), "wrong_count"),
        (Reply(together("One.", "Two.", "Three.")), "wrong_count"),
        (cut_off(together("One.", "Two.")), "cut_off"),
        (Reply(together("One.", "Two."), finish_reason="content_filter"), "content_filter"),
    ],
)
def test_a_reply_that_gives_none_is_made_up_for_one_by_one(
    server: FakeServer, reply: Reply, reason: str
) -> None:
    singles = iter(["First alone.", "Second alone."])
    server.script = lambda request: reply if asks_for_all(request) else chat(response=next(singles))
    made = respond(server, num_candidates=2)
    assert made.texts == ["First alone.", "Second alone."]
    assert [(drop.reason, drop.recovered) for drop in made.drops] == [(reason, True)]
    assert made.usage.calls == len(server.requests) == 3


def test_only_the_response_that_a_filter_stops_is_asked_for_again(server: FakeServer) -> None:
    server.script = lambda request: (
        together("A fine reply.", "I'm sorry, but I can't help with that.")
        if asks_for_all(request)
        else chat(response="A reply after all.")
    )
    made = respond(server, num_candidates=2)
    assert made.texts == ["A fine reply.", "A reply after all."]
    assert [(drop.reason, drop.recovered) for drop in made.drops] == [("refusal", True)]
    assert made.usage.calls == len(server.requests) == 2


def test_what_no_smaller_call_can_help_is_dropped_and_not_asked_again(server: FakeServer) -> None:
    error = json.dumps({"error": {"message": "this is not allowed here", "code": "invalid_request"}})
    server.script = lambda _request: Reply(status=400, body=error)
    made = respond(server)
    assert (len(server.requests), made.items) == (1, ())
    assert [(drop.reason, drop.recovered) for drop in made.drops] == [("invalid_request", False)] * 4


def test_each_of_several_models_is_asked_once() -> None:
    with FakeServer(name="first") as first, FakeServer(name="second") as second:
        lms = [build_lm(backend_at(server)) for server in (first, second)]
        made = Responder(4, calls="per_message", lms=lms)(QUESTION, PATIENCE)
    assert (len(first.requests), len(second.requests)) == (1, 1)
    assert [(item.level, item.model) for item in made.items] == list(
        zip(FOUR, ["openai/first", "openai/second"] * 2, strict=True)
    )


def test_an_unknown_way_to_call_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="per_candidate"):
        Responder(calls="all")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="per_candidate"):
        Config.model_validate({"responses": {"calls": "all"}})


def test_a_run_makes_two_calls_a_message_and_the_estimate_says_so(server: FakeServer, tmp_path: Any) -> None:
    constitution = Constitution(name="one", traits=(PATIENCE,))
    backend = backend_at(server).model_dump(exclude_unset=True)
    config = Config.model_validate(
        {"backends": {"default": backend}, "responses": {"calls": "per_message"}, "ranking": {"passes": 1}}
    )
    given = {
        "patience": MessageBatch(
            messages=tuple(Message.of(f"How do I learn thing {i}?", trait="patience") for i in range(6))
        )
    }
    guess = estimate(constitution, config, GivenMessages(given))
    summary = run(constitution, tmp_path / "run", config=config, messages=given)
    assert summary.usage["responses"].calls == guess["responses"].calls == 6
    assert summary.usage["ranking"].calls == 6
    assert summary.pairs > 0
