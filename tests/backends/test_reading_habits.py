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
from character.backends.reading.reasoning import split_reasoning, strip_template_tokens
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


@pytest.mark.parametrize("said", ["perhaps", "yes and no", "not sure", "", "2"])
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
    ],
)
def test_two_answers_and_what_has_to_be_worked_out_are_not_read(said: str) -> None:
    assert _read(RankResponses, said) is None


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


@pytest.mark.parametrize(
    "text",
    [
        "Your log shows <think> and never </think>, so the reply was cut.",
        "ChatML opens a turn with `<|im_start|>` and ends it with `<|im_end|>`.",
        "ChatML ends a turn with <|im_end|> and nothing else.",
        "```\n<|im_start|>user\nHi<|im_end|>\n```\nThat is the template.",
        '"Later" is what they said. They call that "soon"',
        "```python\nprint('done')\n```",
        "(Note: the office closes at four on Fridays.)",
        "Sit down.\n\n(Note: the office closes at four on Fridays.)",
        "1. Sit down.\n2. Stand up.",
        "Notes: bring the key, and the natural light will do the rest.",
        "In Jinja it is {{ response }}, and at the end {{ completed }}",
    ],
)
def test_a_reply_that_speaks_of_such_things_stays_as_it_is(text: str) -> None:
    found = _read(RespondInCharacter, f"[[ ## response ## ]]\n{text}\n\n[[ ## completed ## ]]")
    assert found == {"response": text}
    assert clean_reply(text, trait="patience") == (text, [])
    assert split_reasoning(text) == (text, "")
    assert strip_template_tokens(text) == text


TIRED = "My feet hurt after a long shift on the ward, what can I do?"


@pytest.mark.parametrize(
    "text",
    [
        '[{"role": "user", "content": "Tired?"}]',
        '[{"role": "assistant", "content": ["Sit down."]}]',
        "[{your name}], sit down.",
        "Two roles are there. Assistant: who helps. Nurse: who leads.",
        "My feet hurt too. Assistant: a job with much standing.",
    ],
)
def test_a_list_that_is_no_transcript_and_a_word_with_a_colon_stay(text: str) -> None:
    assert clean_reply(text, asked=TIRED) == (text, [])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Response: Sit down.", "label"),
        ("**Assistant:** Sit down.", "label"),
        ("回复：Sit down.", "label"),
        ("Natural: Sit down.", "label"),
        ('"Sit down."', "quotes"),
        ("“Sit down.”", "quotes"),
        ("```\nSit down. You will feel better then.\n```", "fence"),
        ("Sit down.\x00", "control_characters"),
        ("Sit down.\n\n(Note: this reply shows patience to the degree natural.)", "note"),
        ("Sit down.\n\n（注：以上回复体现了耐心这一特质。）", "note"),
        ("Sit down.\n\nUser: And then?\nAssistant: Stand up.", "next_turn"),
        ('[{"role": "assistant", "content": "Sit down."}]', "transcript"),
        (
            '[{"role": "user", "content": "Tired?"}, {"role": "assistant", "content": "Sit down."}]',
            "transcript",
        ),
        (f"{TIRED} Assistant: Sit down.", "transcript"),
        (f"A nurse: {TIRED}\n\n**Assistant:** Sit down.", "transcript"),
    ],
)
def test_what_is_no_part_of_a_reply_is_taken_off_and_named(text: str, kind: str) -> None:
    cleaned, kinds = clean_reply(text, trait="patience", asked=TIRED)
    assert cleaned.startswith("Sit down.")
    assert "Note" not in cleaned
    assert kinds == [kind]


def test_messages_lose_numbers_only_where_all_are_numbered() -> None:
    assert clean_messages(["1. Where is it?", "2. Why?"]) == (
        ["Where is it?", "Why?"],
        ["numbering", "numbering"],
    )
    chess = ["1. e4 e5 2. Nf3, and already I am lost.", "Where is it?"]
    assert clean_messages(chess) == (chess, [])
    assert clean_messages(
        ["A student: Why?", "在村种地的人：明天下雨吗？"], ["a student", "在村里种地的人"]
    ) == (
        ["Why?", "明天下雨吗？"],
        ["label", "label"],
    )
    assert clean_messages(["Idea: a trip?", "Dear student: why?"], ["a student"])[1] == []
    assert clean_messages(['"Where is it?"', "User: Why?"]) == (["Where is it?", "Why?"], ["quotes", "label"])


@pytest.mark.parametrize(
    "reply",
    [
        '["Where is the key?"]\n[[ ## completed ## ]]',
        '```\n["Where is the key?"]\n[[ ## completed ## ]]\n```',
        '```json\n["Where is the key?"]\n```\n\n[[ ## completed ## ]]',
        '["Where is the key?"] [[ ## completed ## ]]',
    ],
)
def test_the_only_field_may_lack_its_header_and_have_the_closing_one(reply: str) -> None:
    assert CharacterAdapter().parse(GenerateMessages, reply) == {"messages": ["Where is the key?"]}


def test_a_reply_that_is_a_code_block_keeps_its_fence() -> None:
    code = "```python\nprint(1)\n```"
    assert CharacterAdapter().parse(RespondInCharacter, code) == {"response": code}
    assert CharacterAdapter().parse(RespondInCharacter, f"{code}\n[[ ## completed ## ]]") == {
        "response": code
    }
