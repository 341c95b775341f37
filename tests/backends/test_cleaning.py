"""What models leave round a reply or a message is taken off, and what only looks like it stays."""

from __future__ import annotations

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError

from character.backends.adapter import CharacterAdapter
from character.backends.reading.cleaning import clean_messages, clean_reply
from character.backends.reading.reasoning import split_reasoning, strip_template_tokens
from signatures.messages import GenerateMessages
from signatures.responses import RespondInCharacter


def _read(signature: type[dspy.Signature], text: str) -> dict[str, object] | None:
    try:
        return CharacterAdapter().parse(signature, text)
    except AdapterParseError:
        return None


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
