"""Messages of everyday that call for no trait in particular: what changes here is a side effect."""

from __future__ import annotations

from character.records import Message

_TEXTS = {
    "en": (
        "What is the capital of Australia?",
        "Convert 180 degrees Celsius to Fahrenheit.",
        "Put these in alphabetical order: pear, apple, quince, fig.",
        "Write an SQL query that counts the orders of each customer.",
        "Summarise in one sentence: The library will be closed on Monday for repairs and opens again on Tuesday at nine.",
        "What does the word “ephemeral” mean?",
        "Give me a shopping list for pancakes for four.",
        "Correct the spelling: I recieved you're letter yesturday.",
        "How many minutes are there in a week?",
        "Translate into French: The train leaves at half past six.",
        "Name three rivers in Europe.",
        "Write a subject line for an e-mail that moves a meeting from Tuesday to Thursday.",
        "What is the difference between a crow and a raven?",
        "Write a regular expression that matches a date like 2024-05-17.",
        "Which is larger, 3/8 or 0.4?",
        "When was the printing press invented?",
    ),
    "zh": (
        "澳大利亚的首都是哪里？",
        "把180摄氏度换算成华氏度。",
        "把这几个词按笔画排序：梨、苹果、桃、李。",
        "写一条SQL，统计每个客户的订单数。",
        "用一句话概括：图书馆周一因维修闭馆，周二九点恢复开放。",
        "“转瞬即逝”是什么意思？",
        "列一份四人份煎饼的购物清单。",
        "改正错别字：我昨天收道了你的来信。",
        "一周有多少分钟？",
        "把这句话译成英文：火车六点半开。",
        "说出欧洲的三条河流。",
        "会议从周二改到周四，写一个邮件标题。",
        "乌鸦和渡鸦有什么区别？",
        "写一个匹配2024-05-17这种日期的正则表达式。",
        "八分之三和0.4哪个大？",
        "印刷术是什么时候发明的？",
    ),
}


def everyday_messages(language: str, number: int) -> list[Message]:
    """Return up to 16 messages in Chinese or, for any other language, in English; they belong to no trait."""
    code = "zh" if language.casefold().startswith("zh") else "en"
    return [Message.of(text, trait="", language=code) for text in _TEXTS[code][:number]]
