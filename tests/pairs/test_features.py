"""The features: each counts what it says, in both languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from character import Trait
from character.pairs.feature_words import trait_words, words_of_trait
from character.pairs.features import FEATURES, features_of, opener


@pytest.mark.parametrize(
    ("feature", "text", "number"),
    [
        ("characters", " 你好 \n", 2),
        ("tokens", "four letters", 3),
        ("headers", "# One\ntext # not\n### Two", 2),
        ("headers", "#hashtag", 0),
        ("bold", "**a** and **b c** but not ** d **", 2),
        ("code", "`x` and\n```\ny\n```", 3),
        ("tables", "| a | b |\n|---|---|\n| 1 | 2 |\na | b", 3),
        ("list_items", "- a\n* b\n1. c\n2) d\n（3）丙\n四、丁\n1990 was a year", 6),
        ("list_items", "well-known - dashes", 0),
        ("emoji", "好的😀👍🏽🇨🇳✨ ok", 4),
        ("emoji", "plain text, “quotes” — and 中文。", 0),
        ("exclamations", "Yes! 好！", 2),
        ("questions", "Why? 为什么？", 2),
        ("refusals", "Sorry, I can’t do that.", 1),
        ("refusals", "这个我无法提供。", 1),
        ("hedges", "Perhaps it might rain, I think.", 3),
        ("hedges", "也许可能吧", 2),
        ("hedges", "He mightily thinks", 0),
        ("apologies", "Sorry, my apologies.", 2),
        ("apologies", "非常抱歉，对不起", 2),
        ("first_person", "I like my tea", 0.5),
        ("first_person", "我喜欢茶", 0.25),
    ],
)
def test_a_feature_counts_what_it_says(feature: str, text: str, number: float) -> None:
    assert features_of(text)[feature] == number


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Great question! Let me see", "great question"),
        ("Well, I would say", "well"),
        ("I’m happy to", "i'm happy"),
        ("**Sure** thing", "sure"),
        ("😊 Hello there friend", "hello there"),
        ("1. First of all", "first of"),
        ("当然可以帮你看看", "当然可以"),
        ("好的，我来看看", "好的"),
        ("“没问题”", "没问题"),
        ("?!", ""),
    ],
)
def test_an_opener_is_two_words_or_four_han_characters(text: str, first: str) -> None:
    assert opener(text) == first


def test_a_traits_own_words_are_found_in_their_forms() -> None:
    patience = Trait(name="patience", description="Takes the time an explanation needs and stays calm.")
    words = words_of_trait(patience)
    assert (
        features_of("Patiently and calmly she explained; a patient explanation.", words)["trait_words"] == 4
    )
    assert features_of("The weather is fine and that takes the cake.", words)["trait_words"] == 0
    assert features_of("He asks humorously", trait_words("humour"))["trait_words"] == 1


def test_chinese_trait_words_lie_between_function_characters() -> None:
    trait = Trait(name="耐心", description="在解释或回答问题时详细、耐心, 不急躁")
    words = words_of_trait(trait)
    assert set(words.han) == {"耐心", "解释", "回答问题", "详细", "急躁"}
    assert features_of("我会耐心地详细解释，别急躁。", words)["trait_words"] == 4


@given(st.text(max_size=300))
def test_any_text_has_every_feature_and_none_is_negative(text: str) -> None:
    found = features_of(text, trait_words("耐心 patience", text))
    assert list(found) == list(FEATURES)
    assert all(number >= 0 for number in found.values())
    assert found["first_person"] <= 1
    assert opener(text) == opener(f"  {text.strip()} ") or not text.strip()
