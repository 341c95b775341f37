"""Selection for spread: the right number, the same each time, far apart, and the mix kept."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from character.messages.diverse import select_spread
from character.text import jaccard, shingles

TEXTS = st.lists(st.text(alphabet="abc分数", min_size=1, max_size=12), max_size=9)


def _spread(texts: list[str]) -> float:
    grams = [shingles(text) for text in texts]
    return min((1 - jaccard(a, b) for a, b in combinations(grams, 2)), default=1.0)


@given(TEXTS, st.integers(0, 10))
def test_it_returns_as_many_different_indices_as_it_can_in_order_and_always_the_same(
    texts: list[str], num: int
) -> None:
    chosen = select_spread(texts, num)
    assert len(chosen) == min(num, len(texts))
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= set(range(len(texts)))
    assert select_spread(texts, num) == chosen


@settings(max_examples=60)
@given(TEXTS, st.integers(2, 4))
def test_the_least_distance_is_at_least_half_of_the_best_possible(texts: list[str], num: int) -> None:
    best = max((_spread(list(some)) for some in combinations(texts, min(num, len(texts)))), default=1.0)
    chosen = [texts[i] for i in select_spread(texts, num)]
    assert _spread(chosen) >= best / 2 - 1e-9


def test_what_is_nearly_the_same_is_left_out_first_in_both_languages() -> None:
    texts = [
        "怎么教妹妹学分数？",
        "怎么教弟弟学分数？",
        "周末去哪里爬山？",
        "How do I bake bread?",
        "How do I bake a bread?",
    ]
    assert select_spread(texts, 3) == [0, 2, 3]


@given(st.integers(1, 11), st.randoms(use_true_random=False))
def test_every_value_keeps_its_share_to_within_one(num: int, rng: object) -> None:
    lengths = ["short", "medium", "long"] * 4
    rng.shuffle(lengths)  # type: ignore[attr-defined]
    texts = [f"{chr(97 + i) * 9} {length}" for i, length in enumerate(lengths)]
    chosen = select_spread(texts, num, groups=[{"length": length} for length in lengths])
    counts = Counter(lengths[i] for i in chosen)
    assert all(abs(counts[length] - num / 3) < 1 for length in set(lengths))


def test_the_shares_are_those_that_were_asked_for_not_those_that_came() -> None:
    lengths = ["short"] * 8 + ["long"] * 4
    texts = [f"{chr(97 + i) * 9}" for i in range(12)]
    groups = [{"length": length} for length in lengths]
    asked = [{"length": "short"}, {"length": "long"}]
    chosen = select_spread(texts, 6, groups=groups, asked=asked)
    assert Counter(lengths[i] for i in chosen) == {"short": 3, "long": 3}


def test_a_text_without_a_brief_comes_last() -> None:
    groups = [{}, {"length": "short"}, {"length": "long"}]
    asked = [{"length": "short"}, {"length": "long"}]
    assert select_spread(["aaaa", "bbbb", "cccc"], 2, groups=groups, asked=asked) == [1, 2]


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="one group per text"):
        select_spread(["a", "b"], 1, groups=[{}])
    with pytest.raises(ValueError, match="0 or more"):
        select_spread(["a"], -1)
