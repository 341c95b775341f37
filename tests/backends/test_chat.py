"""Replies that are asked for as an ordinary chat: what is sent, and what is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dspy
import pytest
from fake_server import FakeServer, Reply, backend_at, chat

from character import Config, Message, Responder, Trait, build_lm
from character.backends.call import Call
from character.errors import InputError
from signatures.chat import ReplyInCharacter

ASKED = Message.of("How do I learn to juggle?", trait="patience")
TALK = [
    {"role": "user", "content": "My dog ate my homework."},
    {"role": "assistant", "content": "Again?"},
    {"role": "user", "content": "Help me tell my teacher."},
]
HAN = Message.of("怎么学会抛接球？", trait="耐心", language="zh")
NAIDUO = Trait(name="耐心", description="讲解时舍得花时间", opposite="匆匆带过")


def sent(
    server: FakeServer, message: Any, trait: Trait, *levels: Any, **more: Any
) -> list[list[dict[str, str]]]:
    """Return the messages of the requests for candidates at these levels."""
    server.script = lambda _request: f"Take it slowly, step {len(server.requests)} comes first."
    with dspy.context(lm=build_lm(backend_at(server, max_in_flight=1))):
        Responder(levels=levels, max_refills=0, **more)(message, trait)
    return [request["messages"] for request in server.requests]


def test_the_character_is_told_in_the_system_message_and_the_turns_are_real(
    server: FakeServer, patience: Trait
) -> None:
    system, *turns = sent(server, TALK, patience, "natural", "overdone")[0]
    assert system["role"] == "system"
    assert turns == TALK
    said = system["content"].split("\n\n")
    assert said[0].startswith("You are talking with someone")
    assert said[2].startswith(f"Your character:\n- patience: {patience.description}")
    assert said[3].startswith("In this reply, patience shows as it does in someone who really has it")
    assert "[[" not in json.dumps(system)


def test_the_baseline_is_the_bare_model(server: FakeServer, patience: Trait) -> None:
    assert sent(server, TALK, patience, "absent", "absent")[0] == TALK


def test_a_chinese_conversation_is_answered_from_chinese_sentences(server: FakeServer) -> None:
    natural, opposite = sent(server, HAN, NAIDUO, "natural", "opposite")
    assert natural[0]["content"].startswith("你在和一个人说话")
    assert "你的性格：\n- 耐心：讲解时舍得花时间。\n\n" in natural[0]["content"]
    assert "匆匆带过" not in natural[0]["content"], "the opposite pole is told of where it is asked for"
    assert "匆匆带过" in opposite[0]["content"]
    assert natural[1:] == [{"role": "user", "content": HAN.text}]


def test_another_language_is_asked_for_by_its_name(server: FakeServer, patience: Trait) -> None:
    french = Message.of("Comment jongler ?", trait="patience", language="fr")
    assert sent(server, french, patience, "natural", "subtle")[0][0]["content"].endswith(
        "Answer in French (fr)."
    )


def test_what_calls_share_comes_first(server: FakeServer, patience: Trait) -> None:
    first, second = (
        messages[0]["content"] for messages in sent(server, ASKED, patience, "natural", "subtle")
    )
    shared, _, degree = first.rpartition("\n\n")
    assert second.startswith(f"{shared}\n\n")
    assert not second.endswith(degree)


def test_a_tuned_instruction_stands_as_it_is_in_any_language(server: FakeServer) -> None:
    tuned = ReplyInCharacter.with_instructions("Be who you are.")
    assert sent(server, HAN, NAIDUO, "natural", "subtle", predictor=tuned)[0][0]["content"].startswith(
        "Be who you are.\n\n你的性格："
    )


def test_demos_are_earlier_exchanges_at_the_degree_that_is_asked_for(
    server: FakeServer, patience: Trait
) -> None:
    responder = Responder(levels=["natural", "subtle"])
    inputs = {"conversation": TALK, "focus_trait": "patience"}
    levels = {"natural": "natural: the trait shows the way it would", "subtle": "subtle: the trait colours"}
    from signatures.responses import EXPRESSIONS

    assert all(EXPRESSIONS[level].startswith(words) for level, words in levels.items())
    responder.respond.demos = [
        dspy.Example(**inputs, expression=EXPRESSIONS["natural"], response="We take it step by step."),
        dspy.Example(**inputs, expression=EXPRESSIONS["overdone"], response="Slowly, slowly, slowly."),
        dspy.Example(focus_trait="patience", response="Without a conversation."),
    ]
    with dspy.context(lm=build_lm(backend_at(server, max_in_flight=1))):
        responder(ASKED, patience)
    earlier = [*TALK, {"role": "assistant", "content": "We take it step by step."}]
    asked = [{"role": "user", "content": ASKED.text}]
    by_degree = {
        request["messages"][0]["content"][-20:]: request["messages"][1:] for request in server.requests
    }
    assert sorted(by_degree.values(), key=len) == [asked, earlier + asked]


class Terse(dspy.Signature):
    """Answer in five words."""

    conversation: list[dict[str, str]] = dspy.InputField()
    focus_trait: str = dspy.InputField()
    response: str = dspy.OutputField()


def test_a_signature_of_ones_own_is_a_chat_too(server: FakeServer, patience: Trait) -> None:
    messages = sent(server, TALK, patience, "natural", "subtle", predictor=Terse)[0]
    assert messages == [
        {"role": "system", "content": "Answer in five words.\n\nfocus_trait: patience"},
        *TALK,
    ]


def test_a_predictor_that_reasons_first_is_asked_for_its_fields(server: FakeServer, patience: Trait) -> None:
    messages = sent(server, TALK, patience, "natural", "subtle", predictor=dspy.ChainOfThought(Terse))[0]
    assert "[[ ## reasoning ## ]]" in messages[-1]["content"]


def test_an_adapter_of_the_users_own_goes_first(server: FakeServer, patience: Trait) -> None:
    with dspy.context(adapter=dspy.JSONAdapter()):
        messages = sent(server, TALK, patience, "natural", "subtle")[0]
    assert "JSON object" in messages[-1]["content"]


def test_fields_are_asked_for_where_that_is_set(server: FakeServer, patience: Trait) -> None:
    messages = sent(server, ASKED, patience, "natural", "subtle", prompting="fields")[0]
    assert "[[ ## expression ## ]]" in messages[-1]["content"]


@pytest.mark.parametrize(
    ("came", "read"),
    [
        ("  Slowly, then faster.\n", "Slowly, then faster."),
        ("<think>They want a joke.</think>\nSlowly.", "Slowly."),
        ("Slowly.<|im_end|>\n<|im_start|>user\nThanks", "Slowly."),
        (chat(response="Slowly, in a form."), "Slowly, in a form."),
        ('{"response": "Slowly, as an object."}', "Slowly, as an object."),
        ('Send {"response": "ok"} to the server, slowly.', 'Send {"response": "ok"} to the server, slowly.'),
        ("Slowly.\n\n[[ ## completed ## ]]", "Slowly."),
        ("Gladly!\n\n[[ ## response ## ]]\nSlowly.", "Slowly."),
        ('```json\n{"response": "Slowly, in a fence."}\n```', "Slowly, in a fence."),
        ('```json\n{"slowly": true}\n```', '```json\n{"slowly": true}\n```'),
        ('{"slowly": true}', '{"slowly": true}'),
        ("It ends with [[ ## completed ## ]], slowly.", "It ends with [[ ## completed ## ]], slowly."),
        ("Slowly.\n[[ ## scores ## ]]\n[10, 10]", "Slowly.\n[[ ## scores ## ]]\n[10, 10]"),
        ("[[ ## is a heading in our wiki ]] and so on.", "[[ ## is a heading in our wiki ]] and so on."),
        ("Response: see the second line.\nIt is slow.", "Response: see the second line.\nIt is slow."),
    ],
)
def test_a_reply_is_taken_as_it_is(server: FakeServer, patience: Trait, came: str, read: str) -> None:
    server.script = lambda _request: came
    call = Call(Responder().respond, {"conversation": TALK}, "responses", prompting="chat")
    with dspy.context(lm=build_lm(backend_at(server))):
        assert call.run().text("response") == read


def test_an_empty_reply_is_asked_for_again_in_the_same_words(server: FakeServer, patience: Trait) -> None:
    replies = iter(["", "One step first.", "Then another step."])
    server.script = lambda _request: next(replies)
    with dspy.context(lm=build_lm(backend_at(server, max_in_flight=1))):
        made = Responder(2)(ASKED, patience)
    assert sorted(made.texts) == ["One step first.", "Then another step."]
    assert [(drop.reason, drop.recovered) for drop in made.drops] == [("unreadable", True)]
    assert made.usage.reasks == 1
    first, *rest = (request["messages"] for request in server.requests)
    assert first in rest


def test_a_reply_that_reached_its_limit_is_cut_off(server: FakeServer, patience: Trait) -> None:
    server.script = lambda _request: Reply("And then you", finish_reason="length")
    with dspy.context(lm=build_lm(backend_at(server))):
        made = Responder(2)(ASKED, patience)
    assert {drop.reason for drop in made.drops} == {"cut_off"}


def test_a_reply_whose_end_nobody_tells_is_cut_off_and_the_way_round_it_is_told(
    server: FakeServer, patience: Trait
) -> None:
    server.script = lambda _request: Reply("It starts with one ball.", finish_reason="")
    with dspy.context(lm=build_lm(backend_at(server))):
        made = Responder(2)(ASKED, patience)
    assert {(drop.reason, 'prompting = "fields"' in drop.detail) for drop in made.drops} == {
        ("cut_off", True)
    }


def test_all_candidates_in_one_call_are_no_chat() -> None:
    assert Responder(calls="per_message").prompting == "fields"
    assert Config.model_validate({"responses": {"calls": "per_message"}}).responses.prompting == "fields"
    with pytest.raises(InputError, match="prompting='chat' with calls='per_message'"):
        Responder(calls="per_message", prompting="chat")
    with pytest.raises(ValueError, match="it is no chat"):
        Config.model_validate({"responses": {"calls": "per_message", "prompting": "chat"}})


def test_a_responder_that_an_earlier_version_saved_asks_in_the_same_words(
    server: FakeServer, patience: Trait, tmp_path: Path
) -> None:
    path = tmp_path / "responder.json"
    Responder(levels=["natural", "subtle"], prompting="fields").save(str(path))
    state = json.loads(path.read_text("utf-8"))
    settings = next(part for part in state.values() if "parts" in part)["parts"][""]["settings"]
    assert settings.pop("prompting") == "fields"
    path.write_text(json.dumps(state), encoding="utf-8")
    responder = Responder()
    responder.load(str(path))
    as_fields = sent(server, ASKED, patience, "natural", "subtle", prompting="fields")
    server.requests.clear()
    with dspy.context(lm=build_lm(backend_at(server, max_in_flight=1))):
        responder(ASKED, patience)
    assert [request["messages"] for request in server.requests] == as_fields
