"""Messages that are asked for one by one, as an ordinary chat: what is sent, and what is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, backend_at

from character import Config, MessageGenerator, Trait, build_lm
from character.backends.chat import example_messages
from character.errors import InputError
from character.records import KINDS, Kind, MessageBatch

WHOLE = Trait(
    name="patience",
    description="Takes the time that an explanation needs.",
    statement="I would rather go over a thing once more.",
    examples=("Draws another picture.",),
    opposite="Hurries through.",
)
ZH = Trait(name="耐心", description="讲一件事时肯花它需要的时间。")


def made(
    server: FakeServer, *replies: str, trait: Trait = WHOLE, number: int = 1, **more: Any
) -> MessageBatch:
    """Return what the generator makes of these replies."""
    source = iter(replies)
    server.script = lambda _request: next(source)
    with dspy.context(lm=build_lm(backend_at(server, max_in_flight=1))):
        return MessageGenerator(max_refills=0, prompting="chat")(trait, num_messages=number, **more)


def asked(server: FakeServer) -> list[dict[str, str]]:
    """Return the messages of the first request."""
    turns: list[dict[str, str]] = server.requests[0]["messages"]
    return turns


def test_each_message_is_asked_for_in_a_sentence_after_examples_of_a_chat(server: FakeServer) -> None:
    batch = made(server, "my kettle hums, is that bad?", "Seven geese sit on my bicycle.", number=2)
    assert [message.text for message in batch.messages] == [
        "my kettle hums, is that bad?",
        "Seven geese sit on my bicycle.",
    ]
    system, *examples, last = asked(server)
    assert system["content"].startswith("You write what people type into a chat")
    assert [turn["role"] for turn in examples] == ["user", "assistant"] * len(KINDS)
    brief = batch.messages[0].brief
    assert last["content"].startswith(
        f"Write the message that {brief['sender']} sends to the assistant about"
    )
    assert "[[" not in str(asked(server))


def test_no_more_of_the_trait_is_shown_than_its_name_and_description(server: FakeServer) -> None:
    made(server, "my kettle hums, is that bad?")
    shown = str(asked(server))
    assert "patience: Takes the time" in shown
    assert not [text for text in (WHOLE.statement, WHOLE.opposite, *WHOLE.examples) if text in shown]


@pytest.mark.parametrize("kind", KINDS)
def test_a_chinese_message_is_asked_for_in_chinese(server: FakeServer, kind: Kind) -> None:
    made(server, "水壶一直响，正常吗？", trait=ZH, kind=kind)
    system, *_, last = asked(server)
    assert system["content"].startswith("你来写人们在聊天里发给 AI 助手的消息")
    assert last["content"].startswith("请写出")
    assert "耐心：讲一件事" in last["content"]


def test_another_language_is_asked_for_by_name(server: FakeServer) -> None:
    made(server, "Mein Kessel summt, ist das schlimm?", language="de")
    assert asked(server)[0]["content"].endswith("Write it in German (de).")


@pytest.mark.parametrize(
    "reply",
    [
        '["my kettle hums, is that bad?"]',
        "“my kettle hums, is that bad?”",
        "User: my kettle hums, is that bad?",
        "<think>a kettle</think>my kettle hums, is that bad?",
        '[[ ## messages ## ]]\n["my kettle hums, is that bad?"]\n\n[[ ## completed ## ]]',
        "my kettle hums, is that bad?<|im_end|>",
    ],
)
def test_what_stands_round_a_message_is_no_part_of_it(server: FakeServer, reply: str) -> None:
    assert [message.text for message in made(server, reply).messages] == ["my kettle hums, is that bad?"]


def test_what_no_user_would_send_and_a_copied_example_are_dropped(server: FakeServer) -> None:
    replies = ["I'd be happy to help! Let me know if you have other questions.", example_messages("en")[0]]
    batch = made(server, *replies, number=2)
    assert batch.messages == ()
    assert [drop.reason for drop in batch.drops] == ["assistant_reply", "duplicate", "refills_exhausted"]


def test_what_is_missing_is_asked_for_with_another_brief(server: FakeServer) -> None:
    def script(request: dict[str, Any]) -> str:
        is_long = "Length: long" in request["messages"][-1]["content"]
        return "N/A" if len(server.requests) < 3 else "my kettle hums so " * (20 if is_long else 4)

    server.script = script
    with dspy.context(lm=build_lm(backend_at(server))):
        batch = MessageGenerator(prompting="chat")(WHOLE, num_messages=1)
    assert batch.messages[0].text.startswith("my kettle hums")
    assert [drop.reason for drop in batch.drops] == ["no_message", "no_message"]
    assert len({request["messages"][-1]["content"] for request in server.requests}) == 3


def test_conversations_are_asked_for_in_a_form() -> None:
    assert MessageGenerator(turns=3).prompting == "fields"
    assert Config.model_validate({"messages": {"turns": 3}}).messages.prompting == "fields"
    with pytest.raises(InputError, match="3 turns"):
        MessageGenerator(turns=3, prompting="chat")
    with pytest.raises(ValueError, match="one turn"):
        Config.model_validate({"messages": {"turns": 3, "prompting": "chat"}})


def test_a_generator_that_an_earlier_version_saved_goes_on_with_fields(tmp_path: Path) -> None:
    path = tmp_path / "generator.json"
    MessageGenerator(prompting="fields").save(str(path))
    state = json.loads(path.read_text("utf-8"))
    settings = next(part for part in state.values() if "parts" in part)["parts"][""]["settings"]
    assert settings.pop("prompting") == "fields"
    path.write_text(json.dumps(state), encoding="utf-8")
    generator = MessageGenerator(prompting="chat")
    generator.load(str(path))
    assert generator.prompting == "fields"
