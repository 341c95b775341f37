"""Text questions: near duplicates in both languages, refusals, languages, stable hashes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from character.text import (
    detect_language,
    fingerprint,
    fold,
    is_refusal,
    jaccard,
    shingles,
    stable_seed,
)


@given(st.text(), st.text())
def test_jaccard_is_symmetric_and_one_for_equal_texts(left: str, right: str) -> None:
    forth, back = jaccard(shingles(left), shingles(right)), jaccard(shingles(right), shingles(left))
    assert forth == back
    assert 0.0 <= forth <= 1.0
    assert jaccard(shingles(left), shingles(left)) == 1.0


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert shingles(fold(text)) == shingles(fold(fold(text)))


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I cannot assist with this request.",
        "Sorry, I am unable to provide that.",
        "I can't help with that.",
        "As an AI language model, I cannot answer this.",
        "抱歉，我无法提供这方面的帮助。",
        "对不起，我不能协助完成这个请求。",
        "作为一个人工智能，我无法回答这个问题。",
        "我无法为您提供相关信息。",
    ],
)
def test_refusals_are_recognized(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry you had such a day. Let us look at it together.",
        "I can't remember past conversations, but tell me and I will know for this one.",
        "I cannot feel lasting attachment; I do care how this goes for you.",
        "我无法记住以前的对话，不过你可以再讲一遍。",
        "抱歉让你久等了，我们慢慢来。",
        "不能这样算，先通分再相加。",
        "You can't help with that until the glue dries.",
        "I'm sorry, but I can't help with that. " + "Here is what you can do instead, step by step. " * 10,
    ],
)
def test_answers_that_only_sound_like_refusals_are_none(text: str) -> None:
    assert not is_refusal(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("你好", "zh"),
        ("我在用 Python 写代码", "zh"),
        ("hello", "en"),
        ("The word 你好 means hello", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_the_one_that_outweighs_the_other(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_hashes_and_seeds_are_the_same_in_every_process() -> None:
    code = "from character.text import fingerprint, stable_seed; print(fingerprint({'b': [1, '二'], 'a': None}), stable_seed('耐心', 3))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "99"}
    )
    assert done.stdout.split() == [fingerprint({"a": None, "b": [1, "二"]}), str(stable_seed("耐心", 3))]
