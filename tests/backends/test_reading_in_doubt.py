"""Replies that can be meant otherwise than they look: each is refused, and what is plain beside them is read."""

from __future__ import annotations

from typing import Any

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError
from fake_server import chat

from character.backends.adapter import CharacterAdapter
from character.backends.observe import observing
from signatures.messages import GenerateMessages
from signatures.ranking import RankResponses, ScoreResponse
from signatures.responses import RespondInCharacter

DRAFT = chat(reasoning="x", suitable=True, scores=[1, 1, 1])
ANSWER = chat(reasoning="y", suitable=True, scores=[7, 4, 9])
OBJECT = '{"reasoning": "y", "suitable": true, "scores": [7, 4, 9]}'
READ = {"reasoning": "y", "suitable": True, "scores": [7, 4, 9]}
TURN = '[[ ## conversation ## ]]\n[{"role": "user", "content": "Hi"}]'

KNOWN = ("the", "scores", "are", "is", "my", "of", "in", "these are", "in the order shown", "分数", "以下是")
UNKNOWN = ("not", "ranked", "best", "first", "7", "order", "here", "排名", "倒", "draft")


def _read(signature: type[dspy.Signature], text: str) -> dict[str, Any] | None:
    try:
        return CharacterAdapter().parse(signature, text)
    except AdapterParseError:
        return None


def _judged(scores: str = "[7, 4, 9]", suitable: str = "True") -> dict[str, Any] | None:
    return _read(RankResponses, chat(reasoning="y", suitable=suitable, scores=scores))


@pytest.mark.parametrize(
    "scores",
    [
        "Ranking from best to worst: [2, 3, 1]", "Ranks: [1, 3, 2]", "Ranks = [1, 3, 2]", "[2, 3, 1] (best to worst)",
        "Scores in descending order: [9, 7, 4]", "Reversed order: [9, 4, 7]", "[7, 4, 9], order reversed",
        "not [7, 4, 9]", "[7, 4, 9] were rejected", "Order = [2, 3, 1]", "Positions: [1, 3, 2]", "Preference: [2, 3, 1]", "[7, 4, 9] - swapped", "e.g. [7, 4, 9]", "Example: [7, 4, 9]", "名次：[2, 3, 1]", "由优到劣：[2, 3, 1]", "反过来：[7, 4, 9]", "例如：[7, 4, 9]", "I would never give [7, 4, 9]", "Draft scores: [7, 4, 9]",
        "排名：[2, 3, 1]", "从好到坏：[2, 3, 1]", "按从高到低排列：[9, 7, 4]", "倒序：[9, 4, 7]", "不是[7, 4, 9]", "分数的排名：[1, 2, 3]",
        '{"ranks": [2, 3, 1]}', '[{"rank": 2}, {"rank": 3}, {"rank": 1}]', '{"rank1": 3, "rank2": 1, "rank3": 2}', '{"top1": 3, "top2": 1, "top3": 2}',
        '[{"response": 1, "rank": 2}, {"response": 2, "rank": 3}, {"response": 3, "rank": 1}]',
        '[{"place": 2, "score": 7}, {"place": 3, "score": 4}, {"place": 1, "score": 9}]',
        '[{"rank": 1, "response": 2}, {"rank": 2, "response": 3}, {"rank": 3, "response": 1}]', '{"best1": 3, "x2": 1, "y3": 2}',
    ],
)  # fmt: skip
def test_ranks_orders_and_what_is_denied_are_no_scores(scores: str) -> None:
    assert _judged(scores) is None


@pytest.mark.parametrize(
    "scores",
    [
        "[7, 4, 9]  # wait, response 2 should be 6", "[\n7, # response 2\n4, # response 1\n9 # response 3\n]", '["7" "4", "9", "1"]',
        "[7²,4,9]", "[7, 0x8, 9]", "[1_0, 4, 9]", "[true, 4, 9]", "['7' '0', '4', '9']",
    ],
)  # fmt: skip
def test_what_python_reads_otherwise_than_it_may_be_meant_is_no_list(scores: str) -> None:
    assert _judged(scores) is None


def test_a_lacking_comma_does_not_make_one_message_of_two() -> None:
    for said in ('["How?"\n "Why me?", "Who?"]', '["How?", # "What is it?",\n "Why me?"]', "['How?' 'Why?']"):
        assert _read(GenerateMessages, chat(messages=said)) is None
    assert _read(GenerateMessages, chat(messages="['How?', 'Why # 2?']")) == {
        "messages": ["How?", "Why # 2?"]
    }


@pytest.mark.parametrize("said", ["1⁰", "0_8", "True", "7²", "0x8", "8-9"])
def test_a_score_is_written_in_figures(said: str) -> None:
    assert _read(ScoreResponse, chat(reasoning="y", suitable="True", score=said)) is None


@pytest.mark.parametrize(
    "said",
    [
        "N/A", "n/a", "No doubt", "No question about it", "no one could doubt it", "false alarm: it is suitable", "没有 疑问", "不 会 差",
        "True? Hardly.", "Yes? I do not think so", "True (or rather, not)", "True, actually not", "Yes, unsuitable", "是的，不合适",
        "Correct me if I am wrong, it cannot", "True?", "Yes/No", "Y/N", "是吗？", "True, it cannot",
    ],
)  # fmt: skip
def test_a_truth_with_more_beside_it_than_what_bears_it_out_is_not_read(said: str) -> None:
    assert _judged(suitable=said) is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Yes, it can.", True),
        ("True (suitable)", True),
        ("'Yes'", True),
        ("No, it cannot.", False),
        ("是的，可以。", True),
        ("不，不能。", False),
        ("<False>", False),
        ("True. It's suitable!", True),
    ],
)
def test_a_truth_with_what_bears_it_out_is_read(said: str, meant: bool) -> None:
    read = _judged(suitable=said)
    assert read is not None
    assert read["suitable"] is meant


@pytest.mark.parametrize(
    "text",
    [
        f"A careless judge would say {OBJECT}. I say 7, 4 and 10.",
        f"It must not be {OBJECT}",
        f"{OBJECT}\n\nWait, on reflection: [7, 6, 9].",
        f"Draft:\n```json\n{OBJECT}\n```\nFinal:\n{OBJECT.replace('4', '6')}",
        f"```json\n{OBJECT}\n```\nCorrected:\n```json\n{OBJECT.replace('4', '6,')}\n```",
        f"{OBJECT[:-1]}, \"corrected_scores\": [7, 6, 9]}}",
        f"{OBJECT[:-1]}, \"final\": {{\"scores\": [7, 6, 9]}}}}",
        f'{{"draft": {OBJECT}, "reasoning": "On second thoughts", "scores": [1',
        f'{{"draft": {OBJECT}, "reasoning": "On second thoughts", "suitable": true, "scores": [1, 1, 1]}}',
        f'{{"reasoning": "The reply "fine" is short", "draft": {OBJECT}, "suitable": true, "scores": [1, 1, 1]}}',
        "<reasoning>y</reasoning><suitable>true</suitable><scores>[7, 4, 9]</scores>\nNo, that is wrong: [7, 6, 9].",
        "Never <reasoning>y</reasoning><suitable>true</suitable><scores>[7, 4, 9]</scores>",
        "{5, 5}",
    ],
)  # fmt: skip
def test_what_stands_round_an_object_or_tags_and_may_change_them_makes_them_unreadable(text: str) -> None:
    assert _read(RankResponses, text) is None


@pytest.mark.parametrize(
    "text",
    [
        f"Sure! Here is my answer as requested:\n{OBJECT}\nLet me know if you need anything else.",
        f"好的，以下是我的评分：\n```json\n{OBJECT}\n```\n希望对你有帮助！",
        f'{OBJECT[:-1]}, "notes": "none"}}',
        "I weigh <scores>[1, 1, 1]</scores> first.\nReasoning: y\nSuitable: True\nScores: [7, 4, 9]",
        "<answer>\n<reasoning>y</reasoning>\n<suitable>true</suitable>\n<scores>[7, 4, 9]</scores>\n</answer>",
        chat(reasoning="y", suitable="true.", scores="My final scores, in the order shown: [7, 4, 9]"),
        chat(reasoning="y", suitable="True", scores='{"scores": [7, 4, 9]}'),
        chat(reasoning="y", suitable="True", scores='[{"response": 2, "score": 4}, {"response": 1, "score": 7}, {"response": 3, "score": 9}]'),
    ],
)  # fmt: skip
def test_what_is_known_to_leave_them_as_they_are_is_read(text: str) -> None:
    assert _read(RankResponses, text) == READ


def test_a_reply_that_shows_an_object_or_a_tag_is_not_cut_to_it() -> None:
    for text in (
        'Send:\n{"response": "ok", "status": 200}\nThat is all.',
        "Write <response>ok</response> in it.",
    ):
        assert _read(RespondInCharacter, text) == {"response": text}
    assert _read(RespondInCharacter, '{"response": "He said "no" to it."}') is None


@pytest.mark.parametrize("ended", ["", "</think>"])
@pytest.mark.parametrize("after", ["\nbut these are made up. Now response 1. It", " no."])
def test_a_draft_among_the_thoughts_is_no_answer(after: str, ended: str) -> None:
    assert _read(RankResponses, f"<think>The form is\n{DRAFT}{after}{ended}") is None
    assert _read(RankResponses, f"<think>\n{ANSWER}\n{ended}") == READ


def test_only_what_ends_with_an_object_is_whole_where_the_limit_was_reached() -> None:
    for text, closed in (
        (OBJECT, True),
        (f"```json\n{OBJECT}\n```", True),
        (f"{OBJECT}\nHere is", False),
        (ANSWER, True),
    ):
        with observing() as scope:
            CharacterAdapter().parse(RankResponses, text)
        assert scope.closed is closed, text


def test_the_form_said_again_is_no_answer() -> None:
    form = "[[ ## response ## ]]\n{response}\n\n[[ ## completed ## ]]"
    assert _read(RespondInCharacter, form) is None
    assert _read(RespondInCharacter, f"{form}\n\n{TURN}\n\n{chat(response='Hello!')}") == {
        "response": "Hello!"
    }
    text = "{response} is what Jinja calls a name."
    assert _read(RespondInCharacter, chat(response=text)) == {"response": text}


def test_an_example_before_the_prompt_said_again_is_not_taken_for_the_answer() -> None:
    assert _read(RankResponses, f"{DRAFT}\n\n{TURN}\n\n{ANSWER}") is None
    again = "\n\n".join([ANSWER, TURN, ANSWER.replace("\ny\n", "\nz\n")])
    assert _read(RankResponses, again) == READ


@pytest.mark.parametrize(
    "text",
    [
        "_" * 20_000, " " * 20_000 + "completed it", "[[" + " " * 20_000 + "completed", '{"a":' * 20_000, "{" * 200_000, "<scores>" * 12_500,
        '{"suitable":true,"scores":' * 20_000, "```x\n" * 20_000, "-" * 20_000 + " completed", '{"1' + "1" * 20_000 + '": 1}', "the " * 20_000 + "[1]",
        "scores is the answer " * 40 + "x[1]",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "form", ["{}", "[[ ## suitable ## ]]\nTrue\n[[ ## scores ## ]]\n{}\n[[ ## completed ## ]]"]
)
def test_no_repetition_holds_up_the_reading(form: str, text: str) -> None:
    for signature in (RespondInCharacter, GenerateMessages):
        _read(signature, form.replace("{}", text))
    assert _read(RankResponses, form.replace("{}", text)) is None
