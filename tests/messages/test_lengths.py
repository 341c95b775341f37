"""Bands of length: the same words are as long in every script, and only a miss by a whole band is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from character.messages.briefs import briefs, take
from character.messages.lengths import asked_band, count_words, is_wrong_length, length_band

EN = {
    "short": "Is it normal to be stuck on fractions for three weeks?",
    "medium": "My sister has been stuck on fractions for three weeks now. She cries over her homework, and I am "
    "no good at it either. What would you try first?",
    "long": "My sister has been stuck on fractions for three weeks now. She cries over her homework every single "
    "evening, and I am no good at it either. We watched videos, we cut up a cake, and we asked the teacher, who "
    "told us to practise more. There is a test on Friday. I promised to help her, and by now I am as nervous as "
    "she is. What would you try first?",
}
ZH = {
    "short": "我妹妹的分数学了三个星期还不会，正常吗？",
    "medium": "我妹妹的分数学了三个星期还是不会，一写作业就哭，我自己数学也不好，帮不上什么忙。换作是你，会先从哪里讲起？",
    "long": "我妹妹的分数学了三个星期还是不会，每天晚上一写作业就哭，我自己数学也不好，帮不上什么忙。视频也看了，蛋糕也切了，"
    "老师也问过，老师只说要多练。星期五就要考试，我答应过要帮她，现在我和她一样紧张。换作是你，会先从哪里讲起？她连二分之一和三分之一"
    "哪个大都要想半天。",
}


@pytest.mark.parametrize("texts", [EN, ZH])
def test_a_sentence_is_short_and_a_paragraph_long_in_both_languages(texts: dict[str, str]) -> None:
    assert {length: length_band(text) for length, text in texts.items()} == {name: name for name in texts}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_brief_asks_for_a_band(language: str) -> None:
    bands = [asked_band(brief) for brief in take(briefs(language, 1), 30)]
    assert {bands.count(band) for band in ("short", "medium", "long")} == {10}


@pytest.mark.parametrize("texts", [EN, ZH])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_only_short_for_long_and_long_for_short_are_wrong(texts: dict[str, str], language: str) -> None:
    asked = {str(asked_band(brief)): brief for brief in take(briefs(language, 1), 30)}
    wrong = {
        (wanted, got)
        for wanted, brief in asked.items()
        for got, text in texts.items()
        if is_wrong_length(text, brief)
    }
    assert wrong == {("short", "long"), ("long", "short")}


@given(st.text(), st.dictionaries(st.sampled_from(["topic", "register"]), st.text()))
def test_where_a_brief_names_no_length_none_is_wrong(text: str, brief: dict[str, str]) -> None:
    assert not is_wrong_length(text, brief)


@given(st.text(), st.text())
def test_more_text_is_never_shorter(text: str, more: str) -> None:
    assert count_words(text + more) >= count_words(text)
