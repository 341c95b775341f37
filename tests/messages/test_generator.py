"""The message generator: distinct messages, refills within a bound, conversations, both languages."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, as_rehearsal, asks_for, backend_at, chat

from character import MessageGenerator, Trait, build_lm
from character.messages.briefs import briefs, take
from character.messages.near_duplicates import NearDuplicates
from character.records import KINDS, Kind, MessageBatch
from character.text import detect_language, jaccard, shingles, stable_seed

PATIENCE_ZH = Trait(name="耐心", description="讲解时肯花时间，对方反复问也心平气和。")


def _saying(server: FakeServer, *replies: list[Any]) -> dspy.LM:
    source = iter(replies)
    server.script = lambda _request: chat(messages=json.dumps(next(source), ensure_ascii=False))
    lm: dspy.LM = build_lm(backend_at(server))
    return lm


def _long_is_second(trait: Trait) -> int:
    """Return a seed with which the second brief of each three asks for a long message, the others do not."""
    return next(
        seed
        for seed in range(99)
        if take(briefs("en", stable_seed(seed, trait.name, "question")), 2)[1]["length"].startswith("long")
    )


def _worded(length: str, number: int) -> str:
    """Return a message of a length that a brief names, unlike those of other numbers."""
    count = {"short": 8, "medium": 30, "long": 70}[length.split(":")[0]]
    rng = random.Random(number)
    return " ".join("".join(rng.choices("abcdefghij", k=5)) for _ in range(count))


def _least_distance(batch: MessageBatch) -> float:
    pairs = itertools.combinations([shingles(message.text) for message in batch.messages], 2)
    return min(1 - jaccard(a, b) for a, b in pairs)


def _briefs_of(request: dict[str, Any]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = _input(request, "briefs")
    return found


def _input(request: dict[str, Any], name: str) -> Any:
    return json.loads(request["messages"][-1]["content"].split(f"[[ ## {name} ## ]]\n")[1].split("\n")[0])


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
        batch = MessageGenerator(prompting="fields")(
            patience, "question", 2, language="en", seed=_long_is_second(patience)
        )
    assert [message.text for message in batch.messages] == [first, "Something else entirely, please."]
    assert [drop.reason for drop in batch.drops] == [reason]
    refill = server.requests[1]["messages"][-1]["content"]
    assert json.dumps([first], ensure_ascii=False) in refill, "what is there already is shown"


def test_refills_end_at_their_bound_and_what_is_missing_is_said(server: FakeServer, patience: Trait) -> None:
    server.script = lambda _request: chat(messages='["the same"]')
    with dspy.context(lm=build_lm(backend_at(server))):
        batch = MessageGenerator(prompting="fields", max_refills=2)(patience, "question", 3)
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
        batch = MessageGenerator(prompting="fields", turns=turns)(patience, "question", 1)
    assert [drop.reason for drop in batch.drops] == [reason]
    assert len(batch.messages) == 1


def test_a_message_carries_its_brief_only_where_the_count_agrees(server: FakeServer, patience: Trait) -> None:
    with dspy.context(lm=_saying(server, ["One about a dog."], ["Two about the sea."])):
        batch = MessageGenerator(prompting="fields")(patience, "question", 2, seed=_long_is_second(patience))
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
        batch = MessageGenerator(prompting="fields", batch_size=20)(
            patience, "question", 100, existing=["An older message."]
        )
        MessageGenerator(prompting="fields")(
            patience, "question", 1, existing=[message.text for message in batch.messages]
        )
    assert len(batch.messages) == 100
    last = server.requests[-1]["messages"][-1]["content"]
    shown = json.loads(last.split("[[ ## existing_messages ## ]]\n")[1].split("\n")[0])
    assert shown == [message.text for message in batch.messages[-40:]]


def test_a_message_of_the_wrong_length_is_dropped_and_asked_for_again(
    server: FakeServer, patience: Trait
) -> None:
    numbers = itertools.count()

    def script(request: dict[str, Any]) -> str:
        wanted = [brief["length"] for brief in _briefs_of(request)]
        if len(server.requests) == 1:  # the first reply confuses short and long
            other = {"short": "long", "medium": "medium", "long": "short"}
            wanted = [other[length.split(":")[0]] for length in wanted]
        return chat(messages=json.dumps([_worded(length, next(numbers)) for length in wanted]))

    server.script = script
    with dspy.context(lm=build_lm(backend_at(server))):
        batch = MessageGenerator(prompting="fields")(patience, "question", 6)
    assert len(batch.messages) == 6
    assert [drop.reason for drop in batch.drops] == ["wrong_length"] * 4
    assert len(_briefs_of(server.requests[1])) == 4


def test_what_stays_of_the_wrong_length_is_reported_after_the_last_refill(
    server: FakeServer, patience: Trait
) -> None:
    numbers = itertools.count()
    server.script = lambda request: chat(
        messages=json.dumps([_worded("short", next(numbers)) for _ in _briefs_of(request)])
    )
    with dspy.context(lm=build_lm(backend_at(server))):
        batch = MessageGenerator(prompting="fields", max_refills=0)(patience, "question", 9)
    assert len(batch.messages) == 6
    assert [drop.reason for drop in batch.drops] == ["wrong_length"] * 3 + ["refills_exhausted"]


def test_conversations_are_not_measured(server: FakeServer, patience: Trait) -> None:
    numbers = itertools.count()
    server.script = lambda request: chat(
        messages=json.dumps(
            [[_worded("short", next(numbers)) for _ in range(3)] for _ in _briefs_of(request)]
        )
    )
    with dspy.context(lm=build_lm(backend_at(server))):
        batch = MessageGenerator(turns=3)(patience, "question", 6)
    assert len(batch.messages) == 6
    assert not batch.drops


@pytest.mark.usefixtures("rehearsal")
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_rehearsal_model_keeps_to_the_length_asked_for(language: str) -> None:
    batch = MessageGenerator(max_refills=0)(PATIENCE_ZH, "situation", 60, language=language)
    assert "wrong_length" not in {drop.reason for drop in batch.drops}


@pytest.mark.usefixtures("rehearsal")
def test_oversampling_asks_for_more_and_keeps_as_many_as_wanted_in_the_briefs_mix(patience: Trait) -> None:
    plain = [MessageGenerator()(patience, "question", 9, seed=seed) for seed in range(8)]
    spread = [MessageGenerator(oversample=3.0)(patience, "question", 9, seed=seed) for seed in range(8)]
    for batch in spread:
        lengths = Counter(message.brief["length"] for message in batch.messages)
        assert set(lengths.values()) == {3}
        assert len(batch.messages) + len(batch.drops) == 27
        assert "not_selected" in {drop.reason for drop in batch.drops}
    assert sum(map(_least_distance, spread)) > sum(map(_least_distance, plain))


def test_messages_that_fail_the_check_are_dropped_and_asked_for_again(
    server: FakeServer, patience: Trait
) -> None:
    def script(request: dict[str, Any]) -> str:
        if asks_for(request) != "reveals":
            return as_rehearsal(request)
        shown = _input(request, "messages")
        first = len(server.requests) == 2
        return chat(reasoning="…", reveals=json.dumps([not first or i % 2 == 0 for i in range(len(shown))]))

    server.script = script
    with dspy.context(lm=build_lm(backend_at(server))):
        batch = MessageGenerator(prompting="fields", check=True)(patience, "question", 4)
    assert [asks_for(request) for request in server.requests] == ["messages", "reveals"] * 2
    failed = _input(server.requests[1], "messages")[1::2]
    assert len(batch.messages) == 4
    assert not {message.text for message in batch.messages} & set(failed)
    assert [drop.reason for drop in batch.drops] == ["does_not_reveal"] * 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [(chat(reasoning="…", reveals="[true]"), "wrong_count"), ("I like all of them.", "unreadable")],
)
def test_a_check_that_cannot_be_used_is_asked_once_more_and_then_counts_as_failed(
    server: FakeServer, patience: Trait, reply: str, reason: str
) -> None:
    server.script = lambda request: reply if asks_for(request) == "reveals" else as_rehearsal(request)
    with dspy.context(lm=build_lm(backend_at(server))):
        batch = MessageGenerator(prompting="fields", check=True, max_refills=0)(patience, "question", 3)
    assert [asks_for(request) for request in server.requests] == ["messages", "reveals", "reveals"]
    assert "previous_fault" in server.requests[2]["messages"][-1]["content"]
    assert not batch.messages
    assert [drop.reason for drop in batch.drops] == [reason] * 3 + ["refills_exhausted"]


@pytest.mark.usefixtures("rehearsal")
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_rehearsal_model_checks_messages(language: str) -> None:
    batch = MessageGenerator(check=True)(PATIENCE_ZH, "question", 40, language=language)
    assert len(batch.messages) == 40
    assert "does_not_reveal" in {drop.reason for drop in batch.drops}


@pytest.mark.parametrize("oversample", [0.5, 4.5, float("nan")])
def test_an_oversampling_out_of_range_is_refused(oversample: float) -> None:
    with pytest.raises(ValueError, match="oversample"):
        MessageGenerator(oversample=oversample)
