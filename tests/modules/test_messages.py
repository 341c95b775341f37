"""The message generator: distinct messages, refills within a bound, conversations, both languages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, backend_at, chat

from character import MessageGenerator, Trait, build_lm
from character.modules.briefs import briefs, take
from character.records import KINDS, Kind
from character.text import NearDuplicates, detect_language

PATIENCE_ZH = Trait(name="耐心", description="讲解时肯花时间，对方反复问也心平气和。")


def _saying(server: FakeServer, *replies: list[Any]) -> dspy.LM:
    source = iter(replies)
    server.script = lambda _request: chat(messages=json.dumps(next(source), ensure_ascii=False))
    lm: dspy.LM = build_lm(backend_at(server))
    return lm


@pytest.mark.usefixtures("rehearsal")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_messages_are_distinct_and_in_the_language_asked_for(kind: Kind, language: str) -> None:
    batch = MessageGenerator()(PATIENCE_ZH, kind, 20, language=language)
    texts = [message.text for message in batch.messages]
    assert len(texts) == 20
    seen = NearDuplicates()
    assert all(seen.find(text) is None and seen.add(text) is None for text in texts)
    assert {detect_language(text) for text in texts} == {language}
    assert {message.kind for message in batch.messages} == {kind}
    assert all(message.model == "rehearsal/default" for message in batch.messages)


@pytest.mark.usefixtures("rehearsal")
def test_the_same_seed_asks_the_same_and_another_seed_otherwise(patience: Trait) -> None:
    generate = MessageGenerator()
    first, again, other = (generate(patience, "question", 5, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.messages != other.messages


@pytest.mark.usefixtures("rehearsal")
def test_the_async_way_gives_the_same_messages(patience: Trait) -> None:
    generate = MessageGenerator()
    assert asyncio.run(generate.acall(patience, "situation", 6)) == generate(patience, "situation", 6)


@pytest.mark.usefixtures("rehearsal")
def test_a_conversation_alternates_and_ends_with_the_user(patience: Trait) -> None:
    batch = MessageGenerator(turns=3)(patience, "situation", 4)
    assert len(batch.messages) == 4
    assert {tuple(turn.role for turn in m.turns) for m in batch.messages} == {("user", "assistant", "user")}


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("今天天气怎么样？", "今天天气怎么样", "duplicate"),
        ("Ｈｏｗ are you?", "how are YOU", "duplicate"),
        ("我数学考砸了，回家怎么跟爸妈说才好呢？", "我数学考砸了，回家怎么跟爸妈说才好？", "near_duplicate"),
        (
            "Could you tell me how to bake bread at home?",
            "Could you tell me how to bake bread at home",
            "duplicate",
        ),
        (
            "Could you tell me how I can bake bread?",
            "Could you tell me how I can bake a bread?",
            "near_duplicate",
        ),
    ],
)
def test_repeats_are_refilled_and_counted(
    server: FakeServer, patience: Trait, first: str, second: str, reason: str
) -> None:
    with dspy.context(lm=_saying(server, [first, second], ["Something else entirely, please."])):
        batch = MessageGenerator()(patience, "question", 2, language="en")
    assert [message.text for message in batch.messages] == [first, "Something else entirely, please."]
    assert [drop.reason for drop in batch.drops] == [reason]
    refill = server.requests[1]["messages"][-1]["content"]
    assert json.dumps([first], ensure_ascii=False) in refill, "what is there already is shown"


def test_refills_end_at_their_bound_and_what_is_missing_is_said(server: FakeServer, patience: Trait) -> None:
    server.script = lambda _request: chat(messages='["the same"]')
    with dspy.context(lm=build_lm(backend_at(server))):
        batch = MessageGenerator(max_refills=2)(patience, "question", 3)
    assert len(server.requests) == 3
    assert [message.text for message in batch.messages] == ["the same"]
    reasons = [drop.reason for drop in batch.drops]
    assert reasons == ["duplicate", "duplicate", "refills_exhausted"]
    assert "2 of 3 messages are missing" in batch.drops[-1].detail


@pytest.mark.parametrize(
    ("turns", "found", "reason"),
    [
        (1, ["u", "a", "u"], "wrong_turns"),
        (3, "alone", "wrong_turns"),
        (3, ["u", "a"], "wrong_turns"),
        (1, " ", "empty"),
    ],
)
def test_messages_of_another_shape_are_dropped(
    server: FakeServer, patience: Trait, turns: int, found: Any, reason: str
) -> None:
    good: Any = "Good." if turns == 1 else ["Good.", "Yes?", "Better."]
    with dspy.context(lm=_saying(server, [found], [good])):
        batch = MessageGenerator(turns=turns)(patience, "question", 1)
    assert [drop.reason for drop in batch.drops] == [reason]
    assert len(batch.messages) == 1


def test_a_message_carries_its_brief_only_where_the_count_agrees(server: FakeServer, patience: Trait) -> None:
    with dspy.context(lm=_saying(server, ["One about a dog."], ["Two about the sea."])):
        batch = MessageGenerator()(patience, "question", 2)
    assert [bool(message.brief) for message in batch.messages] == [False, True]
    assert "1 messages for 2 briefs" in server.requests[1]["messages"][-1]["content"]


def test_an_even_number_of_turns_is_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        MessageGenerator(turns=2)


def test_briefs_use_every_value_equally_often() -> None:
    for language in ("en", "zh"):
        made = take(briefs(language, seed=3), 120)
        for axis in ("length", "topic"):
            values = [brief[axis] for brief in made]
            assert {values.count(value) for value in values} == {120 // len(set(values))}


def test_prompts_stay_short_however_many_messages_there_are(server: FakeServer, patience: Trait) -> None:
    with dspy.context(lm=build_lm(backend_at(server))):
        batch = MessageGenerator(batch_size=20)(patience, "question", 100, existing=["An older message."])
        MessageGenerator()(patience, "question", 1, existing=[message.text for message in batch.messages])
    assert len(batch.messages) == 100
    last = server.requests[-1]["messages"][-1]["content"]
    shown = json.loads(last.split("[[ ## existing_messages ## ]]\n")[1].split("\n")[0])
    assert shown == [message.text for message in batch.messages[-40:]]
