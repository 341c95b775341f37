"""What no user would send is dropped with its reason, and what looks like it and is a message stays."""

from __future__ import annotations

import dspy
import pytest
from fake_server import FakeServer, backend_at, chat

from character import MessageGenerator, Trait, build_lm
from character.messages.unfit import unfit
from character.text import copied_from

PATIENCE = Trait(
    name="patience",
    description="Takes the time that an explanation needs and stays at ease when it has to be said once more.",
    statement="I would rather go over a thing once more than leave somebody behind with half of it.",
    questions=("You have told me twice how to fold the map, could we try it once more?",),
)
ZH = Trait(name="耐心", description="讲一件事时肯花它需要的时间，同一句话要说第三遍、第四遍，心里也不着急。")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[The user frowns at the map and sighs.]", "stage_direction"),
        ("（用户皱着眉头看地图。）", "stage_direction"),
        ("*sighs and turns the map over*", "stage_direction"),
        ("The user asks for the third time how the map is folded, and shows frustration.", "narration"),
        ("用户询问地图怎么折，显得很着急。", "narration"),
        ("（用户叹了口气，不知道地图怎么折）", "stage_direction"),
        ("The user sighs and turns the map over.", "narration"),
        ("Of course! First lay it flat. Let me know if you have any further questions!", "assistant_reply"),
        ("当然可以！先把地图摊平。如果您还有问题，随时告诉我。", "assistant_reply"),
        ("I'm sorry, but I can't help you with that. I am an engineer and no gardener.", "assistant_reply"),
        ("I'm sorry to hear about your map. Did the fold hold?", "assistant_reply"),
        ("I'm sorry, I don't understand what you're asking.", "assistant_reply"),
        ("抱歉，我不太明白您的问题。", "assistant_reply"),
        ("I'm sorry to hear that the map was not folded as expected.", "assistant_reply"),
        ("What do you mean by a fold? Give me an example so I can help you with it.", "assistant_reply"),
        ("您好，请问我该怎么帮您？", "assistant_reply"),
        ("User asks the assistant to help with a bike.", "narration"),
        ("The assistant is asked how to fix a bike.", "narration"),
        ("A frustrated customer writes to the bank about a lost card.", "narration"),
        ("Someone who is impatient wants a quick answer about taxes.", "narration"),
        ("用户不知道该怎么办，显得焦虑。", "narration"),
        ("As an AI language model, I think you should rest more.", "assistant_reply"),
        ("作为一个人工智能，我建议你多休息。", "assistant_reply"),
        ("I understand how hard that is. Here are some tips: sleep, eat, walk.", "assistant_reply"),
        ("我理解你的感受，以下是几点建议：早睡、运动。", "assistant_reply"),
        ("I'd recommend taking a deep breath first. You can do it!", "assistant_reply"),
        ("你好！很高兴见到你，今天我能帮你做些什么？", "assistant_reply"),
        ("I'm here for you. What's on your mind today?", "assistant_reply"),
        ("The teacher then asks whether the map could be folded another way.", "narration"),
        ("A tired parent writes to a friend about the map, in a casual tone.", "narration"),
        ("The shop owner looks at the map again. He still does not see the fold.", "narration"),
        ("工程师在地图折坏以后，很着急地向同事说明情况，口吻客气。", "narration"),
        ("一位家长询问地图该怎样折。", "narration"),
        ("店主在地图丢了以后，开始反思。他问自己：“我为什么总是丢东西？”", "narration"),
        ('The nurse put the map away and asked the doctor: "Do I fold it like you do?"', "narration"),
        ("As a farmer, I might say, 'The map is wet again.'", "narration"),
        ("作为一名编辑，我可能会说：“地图又折坏了。”", "narration"),
        ("为了更好地帮到您，我先说明一下地图是怎么折的。", "assistant_reply"),
        ("To better help you, let me first show how a map is folded.", "assistant_reply"),
        ("让我为你详细讲解地图的折法。", "assistant_reply"),
        ("It looks like you are struggling with the map. Which fold do you mean?", "assistant_reply"),
        ("I'm not sure what you're asking for. Can you rephrase it?", "assistant_reply"),
        ("您还有别的问题吗？", "assistant_reply"),
        ("Certainly, I will provide my answer on maps.", "assistant_reply"),
        ("Certainly, I will respond formally to your message.", "assistant_reply"),
        ("Sure, I'll do it.", "assistant_reply"),
        ("The assistant patiently listens and responds, not rushing to an answer.", "narration"),
        ("The assistant's habits are to keep busy, and its limits are set to help everyone.", "narration"),
        ("I don't have a map, but I'm here to help you with your questions.", "assistant_reply"),
        (
            "Patience is crucial in small talk. It's important to begin where the person stands.",
            "copies_trait",
        ),
        ("Of course, I will explain the fold with all the time it needs.", "assistant_reply"),
        ("好的，我会耐心地为您解答地图的问题。", "assistant_reply"),
        (
            "I'm sorry, I'm not sure which map you're referring to. Can you provide more details?",
            "assistant_reply",
        ),
        ("I know how you feel about the map. Remember, it's okay to fold it badly.", "assistant_reply"),
        ("对不起，我不能帮您解答这个问题，这不被允许。", "assistant_reply"),
        ("我很抱歉，我无法直接回答这个问题。", "assistant_reply"),
        ("N/A", "no_message"),
        ("...", "no_message"),
        ("string", "no_message"),
        ("message 1", "no_message"),
        ("消息二", "no_message"),
        ("<message>", "no_message"),
        ('{"message": "How do I fix it?"}', "no_message"),
        ("How do I boil eggs? [sender: nurse, register: informal]", "no_message"),
        ("[Topic: cooking] How do I boil eggs?", "no_message"),
        ("鸡蛋怎么煮？（语气：着急）", "no_message"),
        ("How do I boil eggs? (impatient tone)", "no_message"),
        ("*sighs impatiently* How do I boil eggs?", "no_message"),
        ("Here is a message from a tired nurse: How do I sleep?", "no_message"),
        ("Ask about fixing a bike in an impatient way.", "no_message"),
        ("询问如何修自行车。", "no_message"),
        (f"{PATIENCE.statement} The bus was late.", "copies_trait"),
        (f"{PATIENCE.questions[0]} It rained.", "copies_trait"),
    ],
)
def test_what_no_user_would_send_has_its_reason(text: str, reason: str) -> None:
    assert unfit(text, PATIENCE)[0] == reason


def test_copies_are_found_in_chinese_too() -> None:
    assert unfit(f"{ZH.description}公交车晚点了。", ZH)[0] == "copies_trait"
    asked = ZH.model_copy(
        update={"questions": ("不好意思再问一下，刚才说要改的是哪个文件来着？", "直接说，一英里是多少公里？")}
    )
    assert unfit("不好意思，我忘记了要改的是哪个文件来着？", asked)[0] == "copies_trait", "changed a little"
    assert unfit("一英里是多少公里？", asked)[0] == "copies_trait", "a whole part"
    assert unfit("一英里有多长？", asked) == ("", "")
    assert unfit("同一句话要说第三遍，你烦不烦？", ZH) == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        "The user sees a blank page after login, how do I fix it?",
        "Patience is a game I play on trains. Which rules are the usual ones?",
        "Patience is wearing thin here, my parcel is three weeks late.",
        "Sure, I'll do it, but which of the two files first?",
        "The assistant's answers are too long, make them shorter.",
        "The assistant on my phone never listens. How do I reset it?",
        "The user manual says to hold both buttons. Which two?",
        "Of course I tried that already, and it still drips.",
        "[urgent] my tap drips, what now?",
        "I would rather go over it once more, if you have the time.",
        "用户名改不了，我该怎么办？",
        "I cannot help my son with his fractions. How do I explain them?",
        "I can't assist my mother any more. It breaks my heart.",
        "I'm so sorry to hear my dog has cancer, what do I do?",
        "I'm sorry but I cannot provide references. How do I tell a landlord?",
        "Sorry, I don't understand what you mean by the second fold.",
        "抱歉，我不明白您邮件里的意思，能解释一下吗？",
        "I'm sorry to hear that you end the free plan. What should I use instead?",
        "I can't help my daughter with that essay any more, she is in year ten.",
        "I'm sorry, I can't do that sort of knot. Show it again, please.",
        "I can't help but cry when this song comes on.",
        "Sure, I'll try that tonight. Let me know if you think of something else.",
        "Of course you don't see my map. The fold is on the left. Hope this helps!",
        "当然可以，不过我想先问问价格。希望能便宜一点。",
        "抱歉，我没办法完成老师要求的作业。",
        "(asking for a neighbour: how is a tap opened without a key)",
        "（救命，水管爆了怎么办）",
        "*My tap drips and the plumber does not come before Monday*",
        "用户说登录不了",
        "The user wants a refund.",
        "It looks like you're having trouble with my order, shall I send the receipt again?",
        "I see you are looking for a nurse. I have eight years of night shifts.",
        "Let me explain how my code works, and you tell me where it breaks.",
        "你能提供更多细节吗？上次的解释我没看懂。",
        "我先给你介绍一下背景：今年三十，刚离婚。",
        "Sure, I'll give you the log: KeyError in line 3",
        "老师说：“明天交作业。”改成间接引语。",
        "客户询问发货时间，回一封英文邮件",
        "作为老师，我想问：学生上课睡觉怎么办？",
        'As a nurse, I would say "this won\'t hurt". Is that lying?',
        "The user permissions fail after the update, please fix it.",
        "The user accounts on our server failed to sync. Explain the likely cause.",
        "a person walks into a bar and asks for a beer. finish the joke",
        "This user keeps spamming the forum, tone getting worse. Draft a warning.",
        "A person keeps emailing the office, tone is nasty, how to answer",
        "用户要求退款，语气很差，写一封客气的回信。",
        "用户表示很着急，帮忙写一段安抚的话。",
        "对方一直不回消息，很焦虑怎么办",
        "对方说想分手，情绪很激动，该怎么劝",
        "I start every call with 'how can I help you' and customers hate it. What else could I say?",
        "Our slogan is How may I assist you, is it too stiff?",
        "我们店的口号是“竭诚为您服务”，有没有更好的？",
        "客服说“我可以怎么帮您”，我该怎么回答？",
        "Tell me your symptoms, so that I can help you, said the doctor. Is it good bedside manner",
        "Of course you would say that. Let me know when you have a real opinion.",
        "Sure, but explain it like a five year old, and feel free to use pictures",
        "好的，那就再讲一个笑话，随时可以开始",
        "Sorry, I don't understand your question. How do you say that in French",
        "抱歉，我没听懂您的问题。这句话用英语怎么说？",
        "I'm sorry to hear that the shop closed. Where else can you buy fresh yeast in Graz",
        "I can't answer this question in the homework and you are the last hope",
        "I'm sorry, I can't continue this without you. Does that sound needy as a text",
        "Here are some tips from a blog: sleep, eat, walk. Which is the best one",
        "As an AI engineer, I earn too little. How do I ask for more?",
        "Ask my sister or wait till she asks?",
        "The teacher said the essay is too long, which part would you cut?",
        "The nurse forgot my pills again and I am furious.",
        "A farmer asks his neighbour for water. Continue the story.",
        "老师说：“你不行。”我该怎么回？",
        'The teacher said: "You are too late." What do I answer?',
        "As a farmer, I get up at four. Is that healthy?",
        "As a nurse, I would say the ward is too loud. Do you agree?",
        "学生上课总玩手机，怎么办？",
        "老师说我家孩子太闹，我该怎么回？",
        "孩子发烧了，语气要温和一点，帮我给老师写个请假条。",
        "作为一名老师，我想知道怎样让课堂安静下来。",
        "让我先说说我的情况：我妈住院了。",
        "为了帮你省钱，我妈什么都不买，我该感动吗？",
        "Let me explain my situation: I lost the key.",
        "Sure, I can explain it to my boss, but how do I begin?",
        "I know how you feel about puns, but tell me one all the same.",
        "I'm not sure which map you're talking about, I only have the old one.",
        "好的，我会把地图折好。下一步呢？",
        "It looks like it will rain, should I cancel the picnic?",
        "我朋友问我“还有别的问题吗”，我该说什么？",
        "Rewrite this e-mail (formal tone)",
        "Text?",
    ],
)
def test_a_message_that_looks_like_one_of_these_stays(text: str) -> None:
    assert unfit(text, PATIENCE) == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        "Wait" + "." * 40_000,
        "我想说，" * 10_000,
        "i " * 20_000,
        "Sorry. " * 6_000,
        "用户，" * 15_000,
        "吗" * 40_000,
    ],
)
def test_a_long_text_without_an_end_is_looked_through_all_the_same(text: str) -> None:
    assert unfit(text, PATIENCE) == ("", "")


def test_a_phrase_is_no_copy_and_a_stretch_is() -> None:
    assert copied_from("You will not walk off with half of it.", PATIENCE.texts()) == ""
    assert copied_from("As they say, go over a thing once more than leave somebody behind.", PATIENCE.texts())
    assert copied_from("could we try it once more?", PATIENCE.texts()) == ""


def test_such_a_message_is_dropped_and_another_one_asked_for(server: FakeServer) -> None:
    replies = iter(["[The user sighs.]", "Where does the key go?"])
    server.script = lambda _request: chat(messages=f'["{next(replies)}"]')
    with dspy.context(lm=build_lm(backend_at(server))):
        made = MessageGenerator(prompting="fields")(PATIENCE, num_messages=1)
    assert [message.text for message in made.messages] == ["Where does the key go?"]
    assert [drop.reason for drop in made.drops] == ["stage_direction"]
