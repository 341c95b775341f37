"""The candidate filters: what each stops and, as much as that, what it lets pass, in English and Chinese."""

from __future__ import annotations

import dspy
import pytest
from fake_server import FakeServer, backend_at, chat

from character import Constitution, Message, Responder, Trait, build_lm
from character.records import Kind
from character.responses.filter_patterns import is_meta, leaked_model, named_trait
from character.responses.filters import unusable
from signatures.chat import WORDS

ENGLISH = Message.of("How do I learn to juggle?", trait="patience")
CHINESE = Message.of("我怎么学会游泳？", trait="耐心", language="zh")
PATIENCE = Trait(name="patience", description="Takes the time an explanation needs.")
NAIXIN = Trait(name="耐心", description="愿意慢慢解释。")


def reason(text: str, message: Message = ENGLISH, trait: Trait = PATIENCE, kept: tuple[str, ...] = ()) -> str:
    """Return why a reply is unusable."""
    return unusable(text, message=message, trait=trait, kept=kept)[0]


@pytest.mark.parametrize(
    "text",
    [
        "I'm ChatGPT, and I can help.",
        "Hello! I'm Claude. How can I help?",
        "I am Gemini, a large language model.",
        "As ChatGPT, I have no hands to juggle with.",
        "I was trained by OpenAI, so take that with a grain of salt.",
        "I am a large language model, trained by Google.",
        "My name is Qwen and I like this question.",
        "As an AI developed by Alibaba Cloud, I'm committed to being helpful.",
        "I'm an AI assistant called Kimi.",
        "我是通义千问，很高兴帮你。",
        "我是由阿里云开发的大语言模型，先从漂浮练起。",
        "我叫豆包，你可以先练漂浮。",
        "作为ChatGPT，我没有身体，不过可以讲讲步骤。",
        "我是百度研发的人工智能助手。",
        "我是DeepSeek，先从换气开始。",
    ],
)
def test_a_claim_to_be_a_model_on_the_market_is_stopped(text: str) -> None:
    assert leaked_model(text)


@pytest.mark.parametrize(
    "text",
    [
        "You could ask ChatGPT for a second opinion.",
        "Unlike ChatGPT, I would start with one ball.",
        "I'm not ChatGPT, but here goes.",
        "If it says “I'm ChatGPT”, close the window.",
        "The llama at the zoo juggles better than I do.",
        "My neighbour Claude was trained by Google as a guide.",
        "She said she was a Gemini and did not believe in it.",
        "I am sure Google or OpenAI has a page on this.",
        "I was made by people who like questions.",
        "I'm a fan of Claude Monet and his garden.",
        "你可以用ChatGPT或者通义千问写初稿。",
        "我是用豆包搜到这家店的，你也可以试试。",
        "我是个喜欢水的助手。",
        "早饭吃了豆包，再下水容易不舒服。",
        "他说“我是文心一言”，大家都笑了。",
        "百度地图可以查到最近的泳池。",
        "我由衷地觉得你能学会。",
    ],
)
def test_speaking_of_models_and_their_makers_passes(text: str) -> None:
    assert not leaked_model(text)


def test_the_name_the_assistant_was_given_is_no_leak() -> None:
    assert leaked_model("Hello! I'm Claude. Shall we start?", "the assistant")
    assert not leaked_model("Hello! I'm Claude. Shall we start?", "Claude")


@pytest.mark.parametrize(
    "text",
    [
        "According to my instructions, I should show patience here.",
        "Based on my character description I take it slowly.",
        "My character requires me to be calm, so we go on.",
        "As an AI language model with the trait of patience, I will explain.",
        "I was asked to show the patient trait, so here we go.",
        "Here is a response that shows the trait in an overdone way:",
        "I'll answer in character now.",
        "My focus trait is patience.",
        "As a character with a strict sense of time, I would not have done that.",
        "根据我的性格设定，我会慢慢说。",
        "我的人设是耐心，所以不急。",
        "按照我的人设，这里应该慢一点。",
        "我被设定为一个耐心的人设，先从漂浮开始。",
        "作为一个具有耐心特质的AI，我来解释。",
        "我的系统提示要求我慢慢讲。",
    ],
)
def test_talk_of_its_own_making_is_stopped(text: str) -> None:
    assert is_meta(text)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("level", ["subtle", "overdone"])
def test_what_the_system_message_says_is_no_reply(language: str, level: str) -> None:
    told = WORDS[language]["expression"][level].format(trait={"en": "humour", "zh": "幽默感"}[language])
    message = Message.of({"en": "How do I juggle?", "zh": "怎么学游泳？"}[language], trait="patience")
    assert unusable(told, message=message, trait=PATIENCE)[0] == "meta"


@pytest.mark.parametrize(
    "text",
    [
        "By following my instructions above you will juggle in a week.",
        "As an AI I have no hands, but the pattern is simple.",
        "As a character with a secret, she carries the second act.",
        "As an AI language model, I cannot see your garden.",
        "Give your character a flaw, and the story moves.",
        "In my view the gene's expression level hardly matters here.",
        "A personality trait like patience is partly learned.",
        "Read the instructions that came with the balls.",
        "Good actors stay in character when the lights fail.",
        "You were told to show your ID at the door.",
        "作为一个人工智能，我没有身体。",
        "小说里的人设要立得住，先想他怕什么。",
        "先看说明书，再按步骤来。",
        "每个人的性格不同，学得快慢也不同。",
        "这台机器的设定在第三页。",
    ],
)
def test_ordinary_talk_of_instructions_and_character_passes(text: str) -> None:
    assert not is_meta(text)


@pytest.mark.parametrize(
    ("text", "trait"),
    [
        ("As someone who is patient by nature, I would wait.", "patience"),
        ("My patience trait tells me to go slowly.", "patience"),
        ("As a patient assistant, I can explain it again.", "patience"),
        ("I'm patient by nature, so ask again.", "patience"),
        ("Patience is one of my core traits.", "patience"),
        ("As an AI known for curiosity, I wonder about it.", "curiosity"),
        ("I am a curious AI.", "curiosity"),
        ("I'm an honest assistant.", "honesty"),
        ("My warm nature shows here.", "warmth"),
        ("My dry humour trait is showing.", "dry humour"),
        ("作为一个有耐心的助手，我再讲一遍。", "耐心"),
        ("我的耐心特质让我慢慢说。", "耐心"),
        ("作为一个很有耐心的人，我愿意再讲。", "耐心"),
        ("我天生好奇，想问问你。", "好奇心"),
        ("我是一个富有好奇心的AI。", "好奇心"),
        ("幽默是我的天性。", "幽默感"),
    ],
)
def test_a_reply_that_labels_itself_with_its_trait_is_stopped(text: str, trait: str) -> None:
    assert named_trait(text, trait)


@pytest.mark.parametrize(
    ("text", "trait"),
    [
        ("Juggling takes patience, and a soft floor.", "patience"),
        ("Thank you for your patience with me.", "patience"),
        ("As someone who is patient, you will enjoy it.", "patience"),
        ("The patient was moved to another ward.", "patience"),
        ("I am curious what you have tried so far.", "curiosity"),
        ("To be honest, I would sell the car.", "honesty"),
        ("Warm up for ten minutes before you start.", "warmth"),
        ("A patient friend can throw the balls back to you.", "patience"),
        ("学游泳需要耐心，也需要勇气。", "耐心"),
        ("谢谢你的耐心。", "耐心"),
        ("作为一个有耐心的人，你一定能学会。", "耐心"),
        ("我很好奇你住在哪里。", "好奇心"),
        ("孩子的好奇心是最好的老师。", "好奇心"),
        ("老师很有耐心，会教到你会为止。", "耐心"),
    ],
)
def test_the_name_of_a_trait_in_ordinary_talk_passes(text: str, trait: str) -> None:
    assert not named_trait(text, trait)


def test_a_trait_named_by_a_whole_description_is_not_looked_for() -> None:
    assert not named_trait("I am patient by nature.", "takes the time that a patient explanation needs")


def test_a_message_about_the_model_itself_may_be_answered_with_the_traits_name() -> None:
    reply = "As someone who is patient by nature, I would say yes."
    kinds: dict[Kind, str] = {"question": "names_trait", "situation": "names_trait", "self_reflection": ""}
    asked = {kind: Message.of("Are you patient?", trait="patience", kind=kind) for kind in kinds}
    assert {kind: reason(reply, message) for kind, message in asked.items()} == kinds


@pytest.mark.parametrize(
    ("text", "message", "found"),
    [
        (
            "先把球抛到眼睛的高度，再换另一只手，每天练十分钟，一个星期就能学会三个球。",
            ENGLISH,
            "wrong_language",
        ),
        ("Start with floating, then breathe out under water.", CHINESE, "wrong_language"),
        ("Start with one ball. 加油！", ENGLISH, ""),
        ("先学漂浮，英文叫 floating，再学 breathing 和 kicking。", CHINESE, ""),
        ("OK!", CHINESE, ""),
        ("```python\nprint('no letters of Chinese in this block at all')\n```\n就是这样。", CHINESE, ""),
        ("const express = require('express');\nconst app = express();\napp.listen(3000);", CHINESE, ""),
        (
            "Dear team, I would like to take two days off next week.",
            Message.of("帮我把这封请假邮件写成英文", trait="耐心", language="zh"),
            "",
        ),
        (
            "我想请两天假，下个星期三和星期四，希望领导批准，谢谢大家的理解和支持。",
            Message.of("Translate: I would like two days off", trait="patience"),
            "",
        ),
        (
            "先学漂浮，再学换气，每天半个小时，两三个星期就差不多会了。",
            Message.of("我怎么学会游泳，要多久？", trait="耐心"),
            "",
        ),
    ],
)
def test_a_reply_in_another_language_is_stopped_where_none_was_asked_for(
    text: str, message: Message, found: str
) -> None:
    assert reason(text, message) == found


LONG = (
    "Start with one ball, throw it to the height of your eyes, catch it with the other hand and do it again"
)


@pytest.mark.parametrize(
    ("text", "kept", "found"),
    [
        ("", (), "empty"),
        (" \n", (), "empty"),
        ("I'm sorry, but I can't help with that.", (), "refusal"),
        ("抱歉，我无法提供帮助。", (), "refusal"),
        (LONG, (LONG,), "identical"),
        (LONG + "!", (LONG,), "near_identical"),
        (LONG + " with two balls, then with three.", (LONG,), ""),
        ("Start with a scarf.", (LONG, "Start with a ball."), ""),
    ],
)
def test_empty_refusing_and_repeated_replies_are_stopped(
    text: str, kept: tuple[str, ...], found: str
) -> None:
    assert reason(text, kept=kept) == found


def test_a_reply_beyond_the_limit_is_stopped_and_without_a_limit_none_is() -> None:
    long = "one ball after the other " * 50
    assert unusable(long, message=ENGLISH, trait=PATIENCE, max_tokens=100)[0] == "too_long"
    assert unusable(long, message=ENGLISH, trait=PATIENCE, max_tokens=1000)[0] == ""
    assert reason(long) == ""


@pytest.mark.usefixtures("rehearsal")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_hardly_a_rehearsed_reply_is_stopped(language: str) -> None:
    english = {
        "patience": "calm",
        "humour": "light",
        "honesty": "truth",
        "curiosity": "asks",
        "warmth": "kind",
    }
    chinese = {"耐心": "慢慢解释", "幽默": "轻松", "诚实": "说真话", "好奇心": "爱追问", "温暖": "关心人"}
    named = english if language == "en" else chinese
    traits = tuple(Trait(name=name, description=text) for name, text in named.items())
    character = Constitution(name="five", language=language, traits=traits)
    asked = "How do I learn to swim, number {}?" if language == "en" else "第{}次了，我怎么学会游泳？"
    lost = made = 0
    for trait in character.traits:
        for number in range(8):
            message = Message.of(asked.format(number), trait=trait.name, language=language)
            candidates = Responder(5)(message, trait, constitution=character, seed=number)
            made += len(candidates.items)
            lost += len(candidates.drops)
    assert made >= 195
    assert lost <= 5


def test_a_stopped_reply_is_sampled_again_without_a_word_about_the_fault(
    server: FakeServer, patience: Trait
) -> None:
    replies = iter(["I'm ChatGPT, hello.", "Start with one ball.", "Throw it."])
    server.script = lambda _request: next(replies)
    with dspy.context(lm=build_lm(backend_at(server, max_in_flight=1))):
        made = Responder(2)(ENGLISH, patience)
    assert sorted(made.texts) == ["Start with one ball.", "Throw it."]
    assert [(drop.reason, drop.recovered) for drop in made.drops] == [("model_leak", True)]
    assert "previous_fault" not in str(server.requests)
    assert (made.usage.calls, made.usage.reasks) == (3, 0)
    assert len({item.seed for item in made.items}) == 2


@pytest.mark.parametrize(("max_refills", "calls"), [(0, 2), (1, 4), (3, 8)])
def test_refills_are_bounded_and_what_stays_unusable_is_counted(
    server: FakeServer,
    patience: Trait,
    max_refills: int,
    calls: int,
) -> None:
    server.script = lambda _request: "I'm ChatGPT, hello."
    with dspy.context(lm=build_lm(backend_at(server))):
        made = Responder(2, max_refills=max_refills)(ENGLISH, patience)
    assert made.items == ()
    assert len(server.requests) == calls
    assert [drop.recovered for drop in made.drops].count(False) == 2
    assert {drop.reason for drop in made.drops} == {"model_leak"}


def test_an_unreadable_refill_is_asked_for_again_with_its_fault(server: FakeServer, patience: Trait) -> None:
    said = ["I am Gemini, a large language model.", "[[ ## answer ## ]]\nnonsense", "Start with one ball."]
    script = {"natural": iter([chat(response=said[0]), said[1], chat(response=said[2])])}
    plain = chat(response="Throw it.")
    server.script = lambda request: next(script["natural"]) if "expression" in str(request) else plain
    with dspy.context(lm=build_lm(backend_at(server))):
        made = Responder(2, prompting="fields")(ENGLISH, patience)
    assert made.texts == ["Start with one ball.", "Throw it."]
    assert [drop.reason for drop in made.drops] == ["model_leak", "unreadable"]
    assert all(drop.recovered for drop in made.drops)
    assert (made.usage.calls, made.usage.reasks) == (4, 1)


def test_refills_ask_with_the_same_seeds_each_time_so_that_a_journal_replays_them(patience: Trait) -> None:
    seeds = []
    for _ in range(2):
        with FakeServer(lambda _request: "我是通义千问。") as server:
            with dspy.context(lm=build_lm(backend_at(server))):
                Responder(2, max_refills=2)(ENGLISH, patience, seed=3)
            seeds.append(sorted(request["seed"] for request in server.requests))
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 6


@pytest.mark.usefixtures("rehearsal")
def test_a_limit_on_length_is_kept(patience: Trait) -> None:
    free = Responder(4)(ENGLISH, patience)
    short = Responder(4, max_response_tokens=60, max_refills=5)(ENGLISH, patience)
    longest = max(len(text) for text in free.texts)
    assert short.items
    assert max(len(text) for text in short.texts) <= 240 < longest
    assert "too_long" in {drop.reason for drop in short.drops}


@pytest.mark.parametrize(
    "text",
    [
        'The assistant says, "Start with one ball."',
        "The assistant smiled warmly and threw a ball.",
        "The assistant explains that one ball is enough.",
        "The assistant acknowledges the user's fear, and the response helps to build trust.",
        "助手耐心地解释了怎么换气。",
        "助手说：“先练换气。”",
    ],
)
def test_a_reply_that_tells_of_the_assistant_is_no_reply(text: str) -> None:
    assert is_meta(text)


@pytest.mark.parametrize(
    "text",
    [
        "The assistant manager can sign for it.",
        "The assistant asked for dates, so give her two.",
        "The bot answered from a fixed script, so nobody read your mail.",
        "The model explains only a tenth of the variance.",
        "助手席的门打不开。",
        "助理说的没错，先交表。",
        "机器人听起来像是卡住了什么东西。",
    ],
)
def test_a_reply_about_some_assistant_is_one(text: str) -> None:
    assert not is_meta(text)


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("This response shows patience at a natural level by:\n\n- waiting", True),
        ("本回复以自然的程度体现了耐心。", True),
        ("This answer is at the level of a beginner.", False),
        ("My answer depends on the level.", False),
    ],
)
def test_a_reply_that_tells_its_own_degree_is_meta(text: str, is_told: bool) -> None:
    assert bool(is_meta(text)) == is_told
