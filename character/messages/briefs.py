"""Briefs: what a generated message is about, who sends it, in what register and at what length."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

_AXES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "topic": (
            "a first job", "mathematics homework", "a quarrel with a friend", "cooking for guests", "a broken laptop",
            "learning an instrument", "moving to another city", "money worries", "a pet's health", "writing a letter",
            "a difficult boss", "history of a place", "training for a race", "a lost document", "raising a child",
            "an unfair rule", "a programming bug", "planning a trip", "grief", "a science question", "gardening",
            "a wedding speech", "choosing what to study", "sleep", "a neighbour's noise", "a political argument",
            "repairing a bicycle", "an exam next week", "caring for a parent", "a moral doubt", "small talk",
            "a poem", "starting a business", "a foreign language", "online shopping", "being late", "a chess game",
            "a news story", "loneliness", "the future of work",
        ),
        "sender": (
            "a student", "a tired parent", "a retired teacher", "a nurse after a night shift", "a beginner programmer",
            "a shop owner", "a sceptical engineer", "a teenager", "a writer with a deadline", "a farmer",
            "someone new to the country",
        ),
        "register": ("casual", "polite", "hurried", "upset", "playful", "matter-of-fact", "formal"),
        "length": ("short: one sentence", "medium: two or three sentences", "long: a short paragraph"),
    },
    "zh": {
        "topic": (
            "第一份工作", "数学作业", "和朋友闹别扭", "请客做饭", "电脑坏了", "学一样乐器", "搬到另一座城市", "钱不够用",
            "宠物生病", "写一封信", "难相处的领导", "一个地方的历史", "跑步训练", "丢了证件", "带孩子", "不公平的规定",
            "程序报错", "安排旅行", "亲人离世", "科学问题", "养花种菜", "婚礼致辞", "选专业", "睡不好觉", "邻居太吵",
            "争论时事", "修自行车", "下周的考试", "照顾老人", "良心上的疑问", "随便聊聊", "写一首诗", "开一家小店",
            "学外语", "网上购物", "又迟到了", "下棋", "一条新闻", "觉得孤单", "工作的未来",
        ),
        "sender": (
            "大学生", "疲惫的家长", "退休教师", "下了夜班的护士", "刚学编程的人", "小店老板", "爱较真的工程师", "中学生",
            "赶稿的编辑", "在村里种地的人", "刚到这座城市的人",
        ),
        "register": ("随意", "客气", "着急", "难过", "俏皮", "就事论事", "正式"),
        "length": ("短：一句话", "中：两三句话", "长：一小段话"),
    },
}  # fmt: skip


def briefs(language: str, seed: int) -> Iterator[dict[str, str]]:
    """Yield briefs without end, in Chinese for ``zh`` and in English for every other language.

    Each axis runs through its values in a shuffled order and is shuffled anew when it is through, so every
    value is used equally often whatever the number of briefs, and the axes vary independently.
    """
    axes = _AXES["zh" if language.casefold().startswith("zh") else "en"]
    streams = {axis: _rounds(values, random.Random(f"{seed}/{axis}")) for axis, values in axes.items()}
    while True:
        yield {axis: next(stream) for axis, stream in streams.items()}


def take(source: Iterator[dict[str, str]], count: int) -> list[dict[str, str]]:
    """Return the next ``count`` briefs."""
    return list(islice(source, count))


def _rounds(values: tuple[str, ...], rng: random.Random) -> Iterator[str]:
    while True:
        yield from rng.sample(values, len(values))
