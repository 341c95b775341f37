"""The responder: levels, seeds, several models, one trait or the whole character."""

from __future__ import annotations

import asyncio
import json

import dspy
import pytest
from fake_server import FakeServer, backend_at

from character import Constitution, Message, Responder, Trait, build_lm
from character.responses.responder import spread_levels

QUESTION = Message.of("How do I learn to juggle?", trait="patience")


@pytest.mark.parametrize(
    ("number", "has_opposite", "levels"),
    [
        (2, True, ["natural", "absent"]),
        (3, True, ["natural", "absent", "overdone"]),
        (4, True, ["natural", "absent", "overdone", "subtle"]),
        (5, True, ["natural", "absent", "overdone", "subtle", "opposite"]),
        (5, False, ["natural", "absent", "overdone", "subtle", "natural"]),
    ],
)
def test_the_default_levels_spread_before_they_repeat(
    number: int, has_opposite: bool, levels: list[str]
) -> None:
    assert list(spread_levels(number, has_opposite=has_opposite)) == levels


@pytest.mark.parametrize("number", [0, 1, 9])
def test_fewer_than_two_or_more_than_eight_candidates_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="2 to 8"):
        Responder(number)


@pytest.mark.usefixtures("rehearsal")
@pytest.mark.parametrize("number", range(2, 9))
def test_every_number_of_candidates_gives_that_many_different_texts(number: int, patience: Trait) -> None:
    made = Responder(number)(QUESTION, patience)
    assert len(set(made.texts)) == number
    assert tuple(item.level for item in made.items) == spread_levels(number, has_opposite=True)


@pytest.mark.usefixtures("rehearsal")
def test_one_level_at_several_seeds_gives_several_samples(patience: Trait) -> None:
    made = Responder(levels=["natural"] * 4)(QUESTION, patience)
    assert len(set(made.texts)) == 4
    assert len({item.seed for item in made.items}) == 4


@pytest.mark.usefixtures("rehearsal")
def test_the_async_way_gives_the_same_candidates(patience: Trait) -> None:
    respond = Responder()
    assert asyncio.run(respond.acall(QUESTION, patience)) == respond(QUESTION, patience)


def test_several_models_answer_in_turn(patience: Trait) -> None:
    with FakeServer(name="first") as first, FakeServer(name="second") as second:
        lms = [build_lm(backend_at(server)) for server in (first, second)]
        made = Responder(4, lms=lms)(QUESTION, patience)
    assert [item.model for item in made.items] == ["openai/first", "openai/second"] * 2
    assert (len(first.requests), len(second.requests)) == (2, 2)


@pytest.mark.parametrize(("conditioning", "shown"), [("trait", False), ("character", True)])
def test_the_model_is_shown_the_focus_trait_or_the_whole_character(
    server: FakeServer, constitution: Constitution, conditioning: str, shown: bool
) -> None:
    respond = Responder(levels=["natural", "overdone"], conditioning=conditioning)  # type: ignore[arg-type]
    with dspy.context(lm=build_lm(backend_at(server))):
        respond(QUESTION, constitution.traits[0], constitution=constitution)
    prompts = [request["messages"][0]["content"] for request in server.requests]
    assert all(("light side" in prompt) is shown for prompt in prompts)
    assert all("an explanation needs" in prompt for prompt in prompts)


def test_the_baseline_is_asked_for_without_any_trait(server: FakeServer, patience: Trait) -> None:
    with dspy.context(lm=build_lm(backend_at(server))):
        Responder(levels=["absent", "absent"])(QUESTION, patience)
    assert len(server.requests) == 2
    assert "patience" not in json.dumps(server.requests)


def test_calls_for_one_message_share_their_prompt_up_to_the_level(
    server: FakeServer, patience: Trait
) -> None:
    with dspy.context(lm=build_lm(backend_at(server))):
        Responder(levels=["natural", "subtle"])(QUESTION, patience)
    first, second = (request["messages"] for request in server.requests)
    shared, degree = first[0]["content"].rsplit("\n\n", 1)
    assert second[0]["content"].startswith(shared)
    assert degree not in second[0]["content"]
    assert first[1:] == second[1:]


def test_an_unreadable_reply_is_asked_for_again_once(server: FakeServer, patience: Trait) -> None:
    replies = iter(["[[ ## answer ## ]]\nnonsense", "One.", "Two."])
    server.script = lambda _request: next(replies)
    with dspy.context(lm=build_lm(backend_at(server, max_in_flight=1))):
        made = asyncio.run(Responder(2).acall(QUESTION, patience))
    assert sorted(made.texts) == ["One.", "Two."]
    assert [(drop.reason, drop.recovered) for drop in made.drops] == [("unreadable", True)]
    assert (made.usage.calls, made.usage.reasks) == (3, 1)
