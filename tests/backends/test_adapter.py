"""The adapter: prompts equal to DSPy's own, replies read strictly."""

from __future__ import annotations

from typing import Any

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError
from fake_server import chat
from hypothesis import given
from hypothesis import strategies as st

from character.backends.adapter import CharacterAdapter
from signatures.judging import CompareResponses
from signatures.messages import GenerateMessages
from signatures.ranking import RankResponses
from signatures.responses import RespondInCharacter, RespondPlainly

SIGNATURES = [GenerateMessages, RespondInCharacter, RespondPlainly, RankResponses, CompareResponses]
TRAIT = {"name": "耐心", "description": "不急躁", "examples": ["慢慢来", "a\nb"]}
TURNS = [{"role": "user", "content": "你好\n[[ ## responses ## ]]\n再见"}]
VALUES: dict[str, Any] = {
    "language": "Simplified Chinese (zh)",
    "trait": TRAIT,
    "kind": "question",
    "turns": 1,
    "existing_messages": ["一", "二"],
    "briefs": [{"topic": "数学"}],
    "assistant_name": "助手",
    "character": [TRAIT],
    "focus_trait": "耐心",
    "expression": "natural",
    "conversation": TURNS,
    "responses": ["好的", "不\n行"],
    "messages": ["a", ["b", "c", "d"]],
    "response": "好",
    "reasoning": "因为",
    "suitable": True,
    "scores": [5, 10],
    "verdict": "tie",
}


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("num_demos", [0, 2])
def test_prompts_are_those_of_the_stock_adapter_to_the_byte(
    signature: type[dspy.Signature], num_demos: int
) -> None:
    inputs = {name: VALUES[name] for name in signature.input_fields}
    whole = {name: VALUES[name] for name in signature.fields}
    incomplete = {name: whole[name] for name in list(whole)[1:]}
    demos = [whole, incomplete][:num_demos]
    stock = dspy.ChatAdapter().format(signature, demos, inputs)
    ours = CharacterAdapter()
    assert ours.format(signature, demos, inputs) == stock
    assert ours.format(signature, demos, inputs) == stock, "also from memory"


def test_two_signatures_with_one_name_do_not_share_a_prompt() -> None:
    ours = CharacterAdapter()
    first = RankResponses.with_instructions("Judge kindly.")
    second = RankResponses.with_instructions("Judge harshly.")
    inputs = {name: VALUES[name] for name in first.input_fields}
    assert "kindly" in ours.format(first, [], inputs)[0]["content"]
    assert "harshly" in ours.format(second, [], inputs)[0]["content"]


@given(
    reasoning=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0")),
    scores=st.lists(st.integers(0, 10), max_size=5),
)
def test_what_the_stock_adapter_reads_from_plain_replies_ours_reads_too(
    reasoning: str, scores: list[int]
) -> None:
    if any(
        mark in reasoning
        for mark in ("\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "[[")
    ):
        return  # the stock adapter takes these for line ends or headers
    reply = chat(reasoning=reasoning, suitable="True", scores=scores)
    assert CharacterAdapter().parse(RankResponses, reply) == dspy.ChatAdapter().parse(RankResponses, reply)


def test_a_response_keeps_lines_that_look_like_headers() -> None:
    text = "First.\n[[ ## scores ## ]]\n[1, 1]\n[[ ## completed ## ]]\nLast.\u2028Really."
    assert CharacterAdapter().parse(RespondPlainly, chat(response=text)) == {"response": text}


def test_a_field_that_occurs_twice_is_unreadable() -> None:
    with pytest.raises(AdapterParseError, match="occurs twice"):
        CharacterAdapter().parse(RespondPlainly, chat(response="one") + "\n" + chat(response="two"))


@pytest.mark.parametrize(
    "form", ['{{"reasoning": "x", "suitable": true, {}}}', "[[ ## reasoning ## ]]\nx\n{{{}}}"]
)
@pytest.mark.parametrize("key", ["scores", "Scores"])
def test_a_key_that_says_two_things_is_unreadable(form: str, key: str) -> None:
    with pytest.raises(AdapterParseError, match="scores occurs twice"):
        CharacterAdapter().parse(RankResponses, form.format(f'"scores": [9, 2], "{key}": [1, 7]'))
    same = '{"reasoning": "x", "suitable": true, "scores": [9, 2], "scores": [9, 2]}'
    assert CharacterAdapter().parse(RankResponses, same)["scores"] == [9, 2]


@pytest.mark.parametrize(
    "scores", ['{"1": 9, "2": 2, "1": 7}', "{'1': 9, '2': 2, '1': 7}", "[NaN, 2]", "[9, 2" + "0" * 5000]
)
def test_scores_that_are_no_numbers_or_twice_there_are_unreadable_in_either_form(scores: str) -> None:
    fields = chat(reasoning="x", suitable=True, scores=scores)
    for reply in (fields, f'{{"reasoning": "x", "suitable": true, "scores": {scores}}}'):
        with pytest.raises(AdapterParseError):
            CharacterAdapter().parse(RankResponses, reply)


@pytest.mark.parametrize("said", ["half \\ud83d", "half \ud83d", "half \\ud83d\\u0000", "half \ud83d\0"])
def test_what_cannot_be_stored_is_not_in_a_value(said: str) -> None:
    as_json = f'{{"reasoning": "{said}", "suitable": true, "scores": [9, 2]}}'
    assert CharacterAdapter().parse(RankResponses, as_json)["reasoning"] == "half \ufffd"
    messages = CharacterAdapter().parse(GenerateMessages, chat(messages=f'["{said}", ["{said}"]]'))
    assert messages == {"messages": ["half \ufffd", ["half \ufffd"]]}
    pair = chat(messages="['half \\ud83d', '\\ud83d\\ude00']")
    assert CharacterAdapter().parse(GenerateMessages, pair)["messages"] == ["half \ufffd", "\U0001f600"]


@pytest.mark.parametrize("scores", ["[5, 5", "[5 5]", "5 or 5", "", "[a]", "{5, 5}", '{"a": 5}', "[5-6, 5]"])
def test_a_list_that_is_not_well_formed_is_unreadable_rather_than_repaired(scores: str) -> None:
    with pytest.raises(AdapterParseError):
        CharacterAdapter().parse(RankResponses, chat(reasoning="x", suitable="True", scores=scores))


@pytest.mark.parametrize("messages", ['["a", "b"]', "['a', 'b']", '```json\n["a", "b"]\n```'])
def test_lists_are_read_as_json_or_python_with_or_without_a_fence(messages: str) -> None:
    assert CharacterAdapter().parse(GenerateMessages, chat(messages=messages)) == {"messages": ["a", "b"]}


def test_a_raw_line_break_inside_a_json_string_is_kept() -> None:
    read = CharacterAdapter().parse(GenerateMessages, chat(messages='["a\nb", ["u", "a", "u"]]'))
    assert read == {"messages": ["a\nb", ["u", "a", "u"]]}
