"""Right replies in every combination of the habits that models have: the values meant, or a refusal, never others."""

from __future__ import annotations

import json
import random
from typing import Any

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError
from reply_habits import DRESSES, SCORES, TRUE, UNPLAIN, WRAPS

from character.backends.adapter import CharacterAdapter
from character.backends.reading.cleaning import clean_messages, clean_reply
from signatures.messages import GenerateMessages
from signatures.ranking import RankResponses, ScoreResponse
from signatures.responses import RespondInCharacter


def _read(signature: type[dspy.Signature], text: str) -> dict[str, object] | None:
    try:
        return CharacterAdapter().parse(signature, text)
    except AdapterParseError:
        return None


@pytest.mark.parametrize("seed", range(10))
def test_a_right_reply_in_any_dress_is_read_as_meant_or_refused(seed: int) -> None:
    rng, read = random.Random(seed), 0
    for _ in range(1_000):
        scores = [rng.randint(0, 10) for _ in range(rng.randint(2, 5))]
        dress, wrap, write = (rng.choice(sorted(table)) for table in (DRESSES, WRAPS, SCORES))
        fields = {
            "reasoning": "The first is warm; the second is not.",
            "suitable": rng.choice(TRUE),
            "scores": SCORES[write](scores),
        }
        found = _read(RankResponses, WRAPS[wrap](DRESSES[dress](fields)))
        if found is not None:
            assert (found["suitable"], found["scores"]) == (True, scores), (dress, wrap, write)
            read += 1
    assert read > 850  # a combination or two may be too much; the habits alone are all read (see below)


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("dress", DRESSES)
def test_every_dress_is_read_in_every_wrapping(dress: str, wrap: str) -> None:
    fields = {"reasoning": "Both are fine.", "suitable": "True", "scores": "[7, 2]"}
    assert _read(RankResponses, WRAPS[wrap](DRESSES[dress](fields))) == {
        "reasoning": "Both are fine.", "suitable": True, "scores": [7, 2],
    }  # fmt: skip


@pytest.mark.parametrize("write", SCORES)
@pytest.mark.parametrize("suitable", TRUE)
def test_every_way_to_write_a_value_is_read(write: str, suitable: str) -> None:
    text = DRESSES["[[ ## {} ## ]] below"](
        {"reasoning": "Well.", "suitable": suitable, "scores": SCORES[write]([7, 2, 9, 4])}
    )
    found = _read(RankResponses, text)
    assert found is not None
    assert (found["suitable"], found["scores"]) == (True, [7, 2, 9, 4])


@pytest.mark.parametrize("dress", ["[[ ## {} ## ]] below", "json", "xml", "labels"])
@pytest.mark.parametrize("write", UNPLAIN)
def test_what_can_be_read_in_two_ways_is_not_read(write: str, dress: str) -> None:
    fields = {"reasoning": "Well.", "suitable": "True", "scores": UNPLAIN[write]([7, 2, 8, 4])}
    assert _read(RankResponses, DRESSES[dress](fields)) is None


@pytest.mark.parametrize(
    "said",
    [
        "perhaps",
        "yes and no",
        "not sure",
        "",
        "2",
        "N/A",
        "No doubt",
        "True? Hardly.",
        "Yes, unsuitable",
        "True, actually not",
        "Correct me if I am wrong",
        "false alarm: it is suitable",
        "是的，不合适",
        "没有 疑问",
        "对不对很难说",
    ],
)
def test_a_truth_that_is_none_is_not_read(said: str) -> None:
    fields = {"reasoning": "Well.", "suitable": said, "scores": "[7, 2]"}
    assert _read(RankResponses, DRESSES["[[ ## {} ## ]] below"](fields)) is None


@pytest.mark.parametrize(
    ("said", "score"), [("8/10", 8), ("**7**", 7), ("7.5", 7.5), ("８", 8), ("8 out of 10", 8)]
)
def test_one_score_is_read(said: str, score: float) -> None:
    found = _read(
        ScoreResponse, f"[[ ## reasoning ## ]]\nr\n[[ ## suitable ## ]]\nTrue\n[[ ## score ## ]]\n{said}"
    )
    assert found is not None
    assert found["score"] == score


@pytest.mark.parametrize("said", ["True", "1⁰", "0_8", "80/100", "8-9"])
def test_one_score_that_is_none_is_not_read(said: str) -> None:
    text = f"[[ ## reasoning ## ]]\nr\n[[ ## suitable ## ]]\nTrue\n[[ ## score ## ]]\n{said}"
    assert _read(ScoreResponse, text) is None


JUDGED = "[[ ## reasoning ## ]]\nWell.\n\n[[ ## suitable ## ]]\nFalse\n\n[[ ## scores ## ]]\n[7, 2]\n\n[[ ## completed ## ]]"


@pytest.mark.parametrize(
    "said",
    [
        f"{JUDGED}\n[[ ## language ## ]]\nEnglish (en)\n\n[[ ## trait ## ]]\n{{}}\n\n{JUDGED.replace('Well', 'Ill')}",
        f'{JUDGED}\n[[ ## language ## ]]\nEnglish (en)\n\n[[ ## trait ## ]]\n{{"name": "pat',
        "{'reasoning': 'Well.', 'suitable': False, 'scores': [7, 2]}",
        '```python\n{"reasoning": "Well.", "suitable": False, "scores": [7, 2]}\n```',
    ],
)
def test_the_answer_before_the_prompt_said_again_and_a_python_object_are_read(said: str) -> None:
    assert _read(RankResponses, said) == {"reasoning": "Well.", "suitable": False, "scores": [7, 2]}


@pytest.mark.parametrize(
    "said",
    [
        f"{JUDGED}\n\n{JUDGED.replace('[7, 2]', '[2, 7]')}",
        "{'reasoning': 'Well.', 'suitable': False, 'scores': [7, 2], 'scores': [2, 7]}",
        "{'reasoning': 'Well.', 'suitable': False, 'scores': [n for n in (7, 2)]}",
        "{**{'reasoning': 'Well.', 'suitable': False}, 'scores': [7, 2]}",
        'It must not be {"reasoning": "Well.", "suitable": false, "scores": [7, 2]}.',
        '{"reasoning": "Well.", "suitable": false, "scores": [7, 2]}\nWait, the second deserves more.',
        '{"reasoning": "Well.", "draft": {"reasoning": "Hm.", "suitable": false, "scores": [7, 2]}, "scores": [2',
        '{"reasoning": "Well.", "suitable": false, "scores": [7, 2], "final_scores": [2, 7]}',
        'Draft:\n```json\n{"reasoning": "a", "suitable": false, "scores": [7, 2]}\n```\n'
        'Final:\n{"reasoning": "a", "suitable": false, "scores": [2, 7]}',
        "reasoning: Well.\nsuitable: False\nscores: [7, 2]\n分数：[2, 7]",
        f"{JUDGED.replace('[7, 2]', '{scores}')}\n",
    ],
)
def test_two_answers_and_what_has_to_be_worked_out_are_not_read(said: str) -> None:
    assert _read(RankResponses, said) is None


@pytest.mark.parametrize(
    "said",
    [
        "<|im_start|>assistant\n[[ ## response ## ]]\nSit down.\n\n[[ ## completed ## ]]<|im_end|>",
        "[[ ## response ## ]]\n<|im_start|>assistant\nSit down.\n\n[[ ## completed ## ]]",
        "<|begin_of_text|><|start_header_id|>assistant<|end_header_id|>\n\nSit down.<|eot_id|>",
        "<start_of_turn>model\nSit down.<end_of_turn>",
        "[[ ## response ## ]]\nSit down.\n<|user|>\nAnd then?",
        "## 回复\nSit down.",
        "【回复】Sit down.",
        "[[ ## 回复 ## ]]\nSit down.\n[[ ## 完成 ## ]]",
    ],
)
def test_the_token_that_opens_a_turn_and_a_field_in_chinese_are_no_part_of_a_reply(said: str) -> None:
    assert _read(RespondInCharacter, said) == {"response": "Sit down."}


@pytest.mark.parametrize(
    "text",
    [
        'Here is what the server sends:\n{"response": "ok", "status": 200}\nNo more.',
        "Use <response>ok</response> to say that it went well.",
    ],
)
def test_a_reply_that_shows_an_object_or_tags_with_such_a_name_is_whole(text: str) -> None:
    assert _read(RespondInCharacter, text) == {"response": text}


def test_a_broken_off_text_of_any_kind_is_refused_at_once() -> None:
    length = 20_000
    for part in (
        "{",
        '{"a":',
        "<scores>",
        "\n",
        " ",
        "_",
        "*",
        "-",
        "```a\n",
        "<think></think>",
        "<|im_end|>x",
        "[[ ",
        "（",
        '"a" ',
    ):
        for text in (part * (length // len(part)) + "x", f"A.{part * (length // len(part))}[[ completed"):
            assert _read(RankResponses, text) is None
            _read(RespondInCharacter, text)
            _read(RankResponses, f"[[ ## scores ## ]]\n{text}\n[[ ## completed ## ]]")
            clean_reply(
                text, trait="patience", asked="My feet hurt after a long shift on the ward, what can I do?"
            )
            clean_messages([text, text], ["a nurse"])


def test_messages_are_read_as_lines_objects_and_lists() -> None:
    texts = ["Where is the key?", "Why is 1. e4 good?"]
    for said in (
        json.dumps(texts), "1. Where is the key?\n2. Why is 1. e4 good?", "- Where is the key?\n- Why is 1. e4 good?",
        json.dumps([{"message": text} for text in texts]), json.dumps([[text] for text in texts]),
        json.dumps([{"role": "user", "content": text} for text in texts]), json.dumps({"1": texts[0], "2": texts[1]}),
        f"```json\n{json.dumps(texts)}\n```\nHope this helps!",
    ):  # fmt: skip
        found = _read(GenerateMessages, f"[[ ## messages ## ]]\n{said}\n\n[[ ## completed ## ]]")
        assert found is not None, said
        messages: Any = found["messages"]
        assert [each if isinstance(each, str) else each[0] for each in messages] == texts
