"""A light model says which words decided, in either language, and its reasons add up to its log-odds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preference.teaching import pairs_of

from character.errors import InputError
from character.preference import preference_model
from character.preference.explain import why

# Length-used, so that nothing but n-grams is in a score.
MODEL = preference_model("light", length_free=False).fit(
    [*pairs_of("patience"), *pairs_of("patience", "zh", seed=1)]
)


def test_the_sign_of_the_trait_is_the_first_reason() -> None:
    found = why(MODEL, "Well, happy to go through it again.", "Well, the weather stays dry.", "patience")
    assert found.probability > 0.5
    assert found.reasons[0].side == "a"
    assert found.reasons[0].text in ("happy", "through", "again", "go")


def test_in_chinese_a_reason_is_a_phrase() -> None:
    found = why(MODEL, "先把事情分开，不用着急慢慢说。", "先把事情分开，检查一遍。", "patience")
    assert found.reasons[0].text in "不用着急慢慢说"
    assert len(found.reasons[0].text) >= 4


@settings(max_examples=40, deadline=None)
@given(a=st.text(max_size=80), b=st.text(max_size=80))
def test_reasons_and_rest_add_up_to_the_log_odds(a: str, b: str) -> None:
    found = why(MODEL, a, b, "patience")
    assert sum(reason.weight for reason in found.reasons) + found.rest == pytest.approx(found.log_odds)
    assert found.log_odds == pytest.approx(MODEL.score("", a, "patience") - MODEL.score("", b, "patience"))


def test_with_every_word_shown_the_rest_is_what_no_word_says() -> None:
    found = why(MODEL, "no need to hurry", "the weather stays dry", "patience", num_reasons=100)
    assert abs(found.rest) < 0.35 * sum(abs(reason.weight) for reason in found.reasons)


def test_what_both_say_cancels_out() -> None:
    found = why(MODEL, "no need to hurry", "no need to hurry", "patience")
    assert found.log_odds == 0
    assert all(reason.side == "both" for reason in found.reasons)


def test_an_embedding_model_says_that_it_cannot_tell() -> None:
    model = preference_model(
        "embedding", embedder=lambda texts: [[len(t), t.count("a") + 1.0] for t in texts]
    )
    with pytest.raises(InputError, match="cannot say why"):
        why(model.fit(pairs_of(number=6)), "a", "b", "patience")
