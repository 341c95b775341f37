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
            clean_reply(text, trait="patience", asked=TIRED)
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


PATIENT = [
    "Sit down.\n\n*This response demonstrates patience at the natural level, as asked.*",
    "Sit down.\n\n---\n*This response demonstrates patience at the natural level.*",
    "Here is a response that shows patience at a natural level:\n\nSit down.",
    "Sure! Here's a patient reply:\n\nSit down.",
    "Sit down.\n\nExplanation: This reply shows patience naturally, without hurry.",
    "Level: natural\n\nSit down.",
    "Sit down.\n\nLevel: natural",
    "[Trait: patience, level: natural]\n\nSit down.",
    "Sit down.\n\n[Trait: patience, level: natural]",
    "Trait expression: natural\n\nSit down.",
    "(natural) Sit down.",
    "Sit down.\n\n*(I kept this patient but not overly so, as requested.)*",
    "Sit down.\n\n### User:\nthanks!",
    "<response>Sit down.</response>",
    "<response>\nSit down.\n</response>",
    "Sit down.\n\n(Note: this reply shows patience.)",
    "**Natural**\n\nSit down.",
    "### Response\nSit down.",
    "# Response\n\nSit down.",
    "Sit down.\n\n(Note that I showed patience here.)",
    "Sit down.\n\n*This reply shows patience to a subtle degree.*",
    "Sit down. [Subtle patience]",
    "Here is my response at a subtle level:\n\nSit down.",
    "Sure, here's the reply:\n\nSit down.",
    "Sit down.\n\n[Trait: patience; Expression: subtle]",
    "Sit down.\n\n(This response demonstrates patience by not rushing.)",
    "**Level:** natural\n\nSit down.",
    "Sit down. (This reply is patient at the natural level.)",
    "Sit down.\n\n---\n\nThis response shows patience at a natural level.",
    "Sit down.\n\n**Note:** The response shows patience naturally.",
    "Here's a naturally patient response:\nSit down.",
    "Sit down.\n\nThis response is patient without being overdone, as requested.",
]
PATIENT_ZH = [
    "坐下。\n\n（本回复自然地体现了耐心。）",
    "坐下。\n\n*以上回复自然地体现了耐心。*",
    "程度：自然\n\n坐下。",
    "坐下。\n\n程度：自然",
    "好的，以下是一个自然体现耐心的回复：\n\n坐下。",
    "以下是体现“耐心”的回答：\n坐下。",
    "## 回复\n坐下。",
    "【回复】坐下。",
    "【回复】\n坐下。",
    "坐下。\n\n（以上回复体现了耐心）",
    "以下是我的回复：坐下。",
    "回复如下：\n坐下。",
    "坐下。（本回复按要求体现了耐心。）",
    "坐下。\n\n【特质：耐心，程度：自然】",
    "（自然）坐下。",
    "**自然**\n坐下。",
    "坐下。\n\n本回复以自然的程度体现了耐心。",
    "<回复>坐下。</回复>",
    "坐下。\n\n注：本回复体现了耐心。",
    "坐下。\n\n### 用户：\n谢谢！",
]


@pytest.mark.parametrize("text", PATIENT)
def test_what_a_reply_says_of_itself_is_taken_off(text: str) -> None:
    assert clean_reply(text, trait="patience", asked=TIRED)[0] == "Sit down."


@pytest.mark.parametrize("text", PATIENT_ZH)
def test_what_a_chinese_reply_says_of_itself_is_taken_off(text: str) -> None:
    assert clean_reply(text, trait="耐心", asked="我站了一天，脚很疼，怎么办？")[0] == "坐下。"


@pytest.mark.parametrize(
    "text",
    [
        "Mix it well.\n\nNote: let it rest for an hour.",
        "Here is a plan:\n\n1. Sit.\n2. Stand.",
        "Here's a patient way to do it:\n\nSit down.",
        "Level: hard\n\nJump over the lava.",
        "Time: 20 minutes\nLevel: natural\nFlour: 2 cups",
        "Be patient with him. (It takes time.)",
        "Start small.\n\n*Patience is a virtue.*",
        "Write it down. (Natural light helps.)",
        "The API answers.\n\nThis response has a header and a body.",
        "I'd tell him no.\n\nMy answer may be out of date.",
        "My answer would be: wait.",
        "It is a matter of patience.\n\nThis takes patience, and time.",
        "Two things matter: rest and patience.",
        "Here is the answer: 42.",
        "Here are three patient dogs:\n\nRex, Bo, Ann.",
        "# Response times\n\nThey are slow.",
        "**Natural**\nwool, silk\n\n**Man-made**\nnylon",
        "# Assistant\n\nA job.\n\n# Manager\n\nAnother.",
        "Natural remedies: tea.",
        "<answer>\n  <a>1</a>\n</answer>",
        "<p>Hello.</p>",
        "Preheat the oven and bake it for an hour.\n\nNote: 180 degrees is enough for a fan oven.",
        "Mix and wait.\n\nNote: follow the instructions on the packet.",
        "Let it rise slowly for two days.\n\nNote: patience pays off here.",
        "Here are names: Ann, Bo.\n\nNote: the character of Bo is the strongest.",
        "Paint it thin.\n\nNote: natural light shows the flaws best.",
        "Use this connection string:\n\nuser: root\npassword: secret",
        "(It's natural.) Sit.",
        "I made this soup as requested by my mother.\n\nIt needs patience.",
        "He shows patience.\n\nThe reply came late, with patience.",
        "It depends (as requested, I'd say).",
        "Sure! Here's how:\n\nSit.",
        "Degree: bachelor\n\nApply soon.",
        "Expression: a^2 + b^2\n\nSimplify it.",
        "Natural: that is what I'd call it, naturally.\nOpposite: forced.",
    ],
)
def test_what_only_sounds_like_a_note_or_an_announcement_stays(text: str) -> None:
    assert clean_reply(text, trait="patience", asked=TIRED) == (text, [])


@pytest.mark.parametrize(
    "text",
    [
        "密码要长。\n\n注：密码长度至少8个字符，强度程度为高。",
        "可以的。\n\n提示：她的性格比较内向，先从小事聊起。",
        "温度别太高。\n\n说明：成熟程度看颜色。",
        "以下是一个计划：\n1. 坐下。",
        "以下是需要耐心的几步：\n1. 坐下。",
        "程度：严重\n\n请去医院。",
        "要有耐心。（慢慢来，自然会好。）",
        "（笑）坐下。",
        "## 回复邮件的步骤\n先读一遍。",
        "【回复】点这里。\n【转发】点那里。",
        "这是自然现象。",
        "难度：困难\n过关很难。",
        "耐心：一种品质。\n勇气：另一种。",
    ],
)
def test_what_only_sounds_like_one_in_chinese_stays(text: str) -> None:
    assert clean_reply(text, trait="耐心", asked="我站了一天，脚很疼，怎么办？") == (text, [])


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("How should I reply to my boss's e-mail?", "Here is a reply you could send:\n\nDear boss, no."),
        ("How should I reply to my boss's e-mail?", "Here's a patient reply:\n\nDear boss, no."),
        ("Which reply is more patient?", "The first.\n\nThis reply shows patience, the other does not."),
        ("怎么回复老板的邮件？", "以下是一个耐心的回复：\n\n您好。"),
        ("Write a short dialogue", "Ann speaks.\n\nUser: hi\nBot: hello"),
        ("What is AI?", "AI: a field."),
        ("Give me the opposite of hot", "Opposite: cold. Synonym: warm."),
        ("What should I reply to him?", 'Reply: "Sorry."'),
        ("What is Bo short for?", "Bo: short for Robert."),
        ("AI: hello! What would you say next?", "AI: hello! What would you say next? AI: hello!"),
        ("怎么结束这段对话？", "这样。\n\n用户：再见。\n助手：再见。"),
    ],
)
def test_what_the_message_asks_for_stays(asked: str, text: str) -> None:
    assert clean_reply(
        text, trait="耐心" if "回" in asked else "patience", asked=asked, assistant_name="Bo"
    ) == (text, [])


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
    for said, asked, left in (
        ("助手：先看看货。", "我问助手帮我找。", "先看看货。"),
        ("Assistant: Look first.", "I ask the assistant to look.", "Look first."),
        ("Assistant: Look first.", "How do I write 'Assistant: …' in bold?", "Assistant: Look first."),
        ("Assistant: Look first.", "Write a dialogue of me and an assistant.", "Assistant: Look first."),
    ):
        assert clean_reply(said, asked=asked)[0] == left
    assert clean_messages(["A trip: where to?", "Sleep: ‘Why so little?’"], topics=["a trip", "sleep"]) == (
        ["where to?", "Why so little?"],
        ["label", "label", "quotes"],
    )
    for texts in (["A trip: where to?", "Why so little?"], ["A trip: where to?"]):
        assert clean_messages(texts, topics=["a trip", "sleep"]) == (texts, [])
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
