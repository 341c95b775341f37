"""Repeats among messages: exact and near ones, in Chinese and English, one by one and by the index."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from character.messages.near_duplicates import EXACT_UP_TO, NearDuplicates, clusters, similarity

GRAMMAR = """
    我刚换了工作 我妈住院了 我们宿舍六个人 我在县城开店 我退休三年了 我带两个孩子 我弟弟今年高考 我在国外读书
    我男朋友搬走了 我们公司裁员了 我学吉他半年 我养了一只老猫 我想考驾照 我爷爷爱下棋 我邻居半夜唱歌 我写小说十年
    我在工地上班 我姐要结婚了 我租的房子漏水 我教小学语文 我每天挤地铁 我买了台二手车 我们村要修路

    钱总是不够花 晚上翻来覆去 说话老得罪人 文件找不着了 计划拖了又拖 电脑黑屏三回 心里空落落的 方案改了八遍
    膝盖一直疼 电话打不通 成绩忽上忽下 饭菜没人夸 合同看不明白 行李超重太多 花全枯了 耳朵嗡嗡响 快递丢了两件
    朋友借钱不还 背单词背不住 周末还得加班 阳台没有太阳 牙医约不上号 视频剪不完

    有点着急 说不上难过 气得发抖 哭笑不得 挺无奈的 其实蛮开心 越想越怕 不知跟谁讲 没什么头绪 心平气和 困得要命
    觉得丢脸 又好奇又怕 完全没底 忍不住想笑 谁也不怪 嗓子都哑了 腿都软了 很不服气 怪不好意思 半信半疑 憋了好久 松了口气

    你会从哪一步开始 帮我列个清单吧 要不要先放一放 能讲个例子吗 换成你怎么选 给我一句实话 写封信合适吗
    有没有省事的办法 该找谁商量呢 怎么开口比较好 多久才算正常 值不值得坚持 这算谁的责任 哪里能查到规定
    用什么工具顺手 先治标还是治本 陪我聊两句 替我想个标题 怎样才不伤人 花多少钱算合理 下次如何避免 你信不信缘分 教我个口诀
"""
WHO, WHAT, FEELING, WISH = (clauses.split() for clauses in GRAMMAR.split("\n\n"))
NUM = len(WHO)


def different_messages() -> list[str]:
    """Return 529 Chinese messages of four clauses, any two of which share one clause at most."""
    return [
        f"{WHO[i]}，{WHAT[j]}，{FEELING[(i + j) % NUM]}，{WISH[(i + 2 * j) % NUM]}？"
        for i in range(NUM)
        for j in range(NUM)
    ]


def copy_of(message: str, rng: Random) -> str:
    """Return the message with another order of clauses, other punctuation, or other widths; often all of them."""
    parts = message.rstrip("？").split("，")
    if rng.random() < 0.7:
        parts = list(rng.choice([list(order) for order in permutations(parts) if list(order) != parts]))
    text = rng.choice(["，", "。", "、", " ", ",", "！", "……", "\n"]).join(parts) + rng.choice(
        ["？", "?", "", "！", "~"]
    )
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" and rng.random() < 0.5 else c for c in text)


def test_all_of_200_changed_chinese_copies_are_found_and_nothing_else() -> None:
    rng = Random(5)
    messages = different_messages()
    known = NearDuplicates(messages)
    copies = [copy_of(text, rng) for text in rng.sample(messages, 200)]
    assert all(known.find(text) for text in copies)
    assert len(set(copies) & set(messages)) < 5, "hardly a copy is one character by character"
    first = NearDuplicates()
    assert not [text for text in messages if first.find(text) or first.add(text)]


def test_clusters_are_the_messages_with_their_copies_whatever_the_order() -> None:
    rng = Random(6)
    messages = different_messages()
    origins = [*range(len(messages)), *(rng.randrange(len(messages)) for _ in range(200))]
    rng.shuffle(origins)
    seen: set[int] = set()
    texts = []
    for origin in origins:
        texts.append(copy_of(messages[origin], rng) if origin in seen else messages[origin])
        seen.add(origin)
    expected = [[i for i, at in enumerate(origins) if at == origin] for origin in range(len(messages))]
    several = sorted(
        (group for group in expected if len(group) > 1), key=lambda group: (-len(group), group[0])
    )
    assert clusters(texts) == several


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("今天天气怎么样？", "今天天气怎么样!", "duplicate"),
        ("Hello there, friend", "ＨＥＬＬＯ there friend", "duplicate"),
        ("请帮我写一封感谢信给我的老师", "请帮我写一封感谢信给我的老师吧", "near_duplicate"),
        ("最近总是失眠，白天没精神", "白天没精神，最近总是失眠。", "near_duplicate"),
        ("最近总是失眠 白天没精神", "白天没精神；最近总是失眠", "near_duplicate"),
        (
            "Since it keeps raining, my garden is a swamp. What should I plant?",
            "What should I plant? My garden is a swamp, since it keeps raining.",
            "near_duplicate",
        ),
        (
            "Please help me write a letter to my teacher",
            "Please help me to write a letter to my teacher",
            "near_duplicate",
        ),
        ("请帮我写一封感谢信给我的老师", "我的自行车链条掉了怎么办", None),
        ("最近总是失眠，白天没精神", "最近总是失眠，怎么办才好", None),
        ("Please help me write a letter", "My bicycle chain came off again", None),
        ("😀", "😡", None),
    ],
)
def test_repeats_are_found_in_chinese_and_english_alike(first: str, second: str, found: str | None) -> None:
    assert NearDuplicates([first]).find(second) == found
    assert NearDuplicates([second]).find(first) == found


@given(st.text(), st.text())
def test_similarity_is_symmetric_and_one_for_equal_texts(left: str, right: str) -> None:
    assert similarity(left, right) == similarity(right, left)
    assert 0.0 <= similarity(left, right) <= 1.0
    assert similarity(left, left) == 1.0


def english(rng: Random, length: int = 14) -> str:
    """Return a sentence of invented words."""
    return " ".join("".join(rng.choices("aeionrstldkmpbg", k=rng.randint(3, 8))) for _ in range(length))


def test_the_index_finds_what_comparing_one_by_one_finds() -> None:
    rng = Random(7)
    texts = [english(rng) for _ in range(2 * EXACT_UP_TO)]
    known = NearDuplicates(texts)
    edited = [" ".join([*text.split()[1:], "indeed"]) for text in texts]
    near = [any(similarity(text, other) >= 0.7 for other in texts) for text in edited[:100]]
    found = [known.find(text) is not None for text in edited[:100]]
    assert sum(near) > 50
    assert sum(a != b for a, b in zip(near, found, strict=True)) <= 2


def test_texts_can_be_added_while_finding_across_the_border_of_the_index() -> None:
    rng = Random(8)
    known = NearDuplicates()
    for number in range(EXACT_UP_TO + 40):
        text = english(rng)
        assert known.find(text) is None
        known.add(text)
        assert known.find(f"{text} too") == "near_duplicate"
        assert len(known) == number + 1


def test_a_lower_threshold_finds_looser_repeats() -> None:
    first, second = "我想学做红烧肉，家里只有电磁炉", "我想学做红烧鱼，家里只有煤气灶"
    assert NearDuplicates([first]).find(second) is None
    assert NearDuplicates([first], threshold=0.3).find(second) == "near_duplicate"
    assert clusters([first, second], threshold=0.3) == [[0, 1]]


def test_texts_without_repeats_have_no_clusters() -> None:
    assert clusters([]) == []
    assert clusters(different_messages()) == []
