"""A reply that says its message over again is a copy, and one that plays a scene is no reply to it."""

from __future__ import annotations

import pytest

from character import Message, Trait
from character.responses.filters import unusable

PATIENCE = Trait(name="patience", description="Takes the time an explanation needs.")


def reason(text: str, message: Message) -> str:
    """Return why a reply is unusable."""
    return unusable(text, message=message, trait=PATIENCE)[0]


JUGGLED = Message.of(
    "I learned to juggle in the kitchen, and I dropped all the eggs we had.", trait="patience"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{JUGGLED.text} Then begin with one ball and a soft floor under it.", "copies_message"),
        ("I learned to juggle in the kitchen, and I dropped all the eggs.", "copies_message"),
        ("You dropped all the eggs we had? Then begin with scarves.", ""),
        ("I learned to juggle in the kitchen too, with tangerines.", ""),
        ("We had eggs.", ""),
        ("I can't help but smile at the eggs.", ""),
    ],
)
def test_a_reply_that_is_or_opens_with_the_message_is_a_copy(text: str, expected: str) -> None:
    assert reason(text, JUGGLED) == expected


@pytest.mark.parametrize(
    ("asked", "text", "expected"),
    [
        (
            "不好意思，我忘记了要改的是哪个文件来着？",
            "对不起，我忘记了要改的是哪个文件来着？",
            "copies_message",
        ),
        (
            "我最近一直都在和老师聊跑步，你有什么想听的吗？",
            "好啊，我最近一直在和老师聊跑步，你有什么想听的吗？",
            "copies_message",
        ),
        (
            "你好，我最近遇到了一个问题，就是我不能除以零。",
            "你好，我最近遇到一个问题，就是我不能除以零。我帮不了你。",
            "copies_message",
        ),
        ("今天天气真好，带孩子去公园，感觉很放松。", "天气真好！去公园待一下午，孩子也会很高兴。", ""),
        (
            "我想学游泳，可是一下水就害怕，怎么办？",
            "一下水就害怕很常见。先在浅水区站一会儿，习惯了再把脸放进去。",
            "",
        ),
        ('What does "serendipity" mean?', 'What does "serendipity" mean?', "copies_message"),
        (
            "帮我看看这个：怎么学英语？",
            "帮我看看这个：怎么学英语？帮我看看这个：怎么学英语？",
            "copies_message",
        ),
        (
            "What is the capital of the country that borders France to the north east?",
            "The capital of the country that borders France to the north east is Brussels.",
            "",
        ),
        (
            "My sister never answers when I call her about the wedding.",
            "So my sister never answers when I call her about the wedding, too.",
            "copies_message",
        ),
        (
            "My sister never answers when I call her about the wedding.",
            "When you call her about the wedding, does she know it is about that? A short note first may help.",
            "",
        ),
    ],
)
def test_a_reply_that_changes_the_message_a_little_is_a_copy(asked: str, text: str, expected: str) -> None:
    message = Message.of(asked, trait="patience", language="zh" if "？" in asked or "，" in asked else "en")
    assert reason(text, message) == expected


@pytest.mark.parametrize(
    "asked", ["Please proofread: {}", "Repeat after me, {}", "请帮我改错别字：{}", "帮我润色 {}"]
)
def test_a_text_to_be_worked_on_or_repeated_may_come_back_as_it_was(asked: str) -> None:
    for text in (
        "I have gone to the store with my brother and we bought pears.",
        "我昨天和弟弟去商店买了三个苹果和两斤梨。",
    ):
        assert reason(text, Message.of(asked.format(text), trait="patience")) == ""


def test_a_part_of_a_long_text_may_be_what_was_asked_for() -> None:
    text = " ".join(
        f"Sentence number {number} tells how a ball is thrown and caught." for number in range(12)
    )
    asked = Message.of(f"Give me the first two sentences of this: {text}", trait="patience")
    assert reason(". ".join(text.split(". ")[:2]) + ".", asked) == ""


@pytest.mark.parametrize(
    ("asked", "text", "expected"),
    [
        ("嗨，你觉得我是不是太较真了？", "嗨，我是不是太较真了？", "copies_message"),
        (
            "你好，我叫小林，前两天搬了新家。乔迁宴该请哪些人？",
            "小林你好，你前两天搬了新家，乔迁宴该请哪些人？我前两天搬了新家，该请哪些人？",
            "copies_message",
        ),
        (
            "Am I too strict with my children, in your view?",
            "Am I too strict with my children?",
            "copies_message",
        ),
        ("What is your favourite song of all?", "I like slow ones. And what is yours?", ""),
        ("你最喜欢的电影是什么？", "我喜欢慢悠悠的片子。你呢，最近看了什么？", ""),
        ("Could you help me plan a trip to Japan?", "When do you want to plan the trip to Japan for?", ""),
        ("Am I too strict?", "Am I?", ""),
        ("Can you answer with a single emoji?", "👍", ""),
        ("怎么礼貌地问老板什么时候发工资？", "请问老板，咱们什么时候发工资呢？", ""),
    ],
)
def test_a_question_given_back_for_an_answer_is_a_copy(asked: str, text: str, expected: str) -> None:
    message = Message.of(asked, trait="patience", language="zh" if "？" in asked else "en")
    assert reason(text, message) == expected


SCENE = "Nurse: You look tired.\nDoctor: I was up all night.\nNurse: Then sit down for a moment."
SCENE_ZH = "房东：水管又漏了？房客：是的，昨晚漏的。房东：我明天叫人来修。"


@pytest.mark.parametrize(
    ("asked", "text", "expected"),
    [
        ("The night shift was long.", SCENE, "dialogue"),
        ("水管漏了，怎么跟房东说？", SCENE_ZH, "dialogue"),
        ("Write a short dialogue of a nurse and a doctor.", SCENE, ""),
        ("写一段房东和房客的对话。", SCENE_ZH, ""),
        ("Tell me a joke about a hospital.", SCENE, ""),
        ("The night shift was long.", f"It could be said like this:\n{SCENE}", ""),
        ("Is a map or a phone better?", "Map: no battery.\nPhone: knows the way.", ""),
        ("Which days suit you?", "Monday: full.\nTuesday: free.\nFriday: free after four.", ""),
        ("Input: 3\nOutput: 9\nInput: 4", "Output: 16\nInput: 5\nOutput: 25", ""),
        ("When does the bus go?", "9:00 to the lake\n9:30 to town\n9:45 to the lake", ""),
        ("What now?", "A: Wait." + "\n" * 60_000, ""),
        ("Is renting wise?", "Pros: freedom. Cons: cost. Pros: no repairs. Cons: no equity.", ""),
        ("Two days in Rome?", "Morning: a walk. Evening: rest. Morning: art. Evening: gelato.", ""),
        ("What are cells made of?", "Q: What is a nucleus?\nA: The centre.\nQ: A wall?\nA: No.", ""),
        ("What did Plato and Socrates say?", "Socrates: Is it good? Plato: Yes. Socrates: Why?", ""),
        ("我该怎么跟妈妈说？", "你：妈，我想跟你说件事。妈妈：怎么了？你：这次没考好。", ""),
    ],
)
def test_a_scene_in_the_place_of_a_reply_is_none(asked: str, text: str, expected: str) -> None:
    message = Message.of(asked, trait="patience", language="zh" if "，" in text or "：" in text else "en")
    assert reason(text, message) == expected
