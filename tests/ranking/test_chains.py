"""Orders written as chains: ties are kept, and what is no full order is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from character.ranking.chains import parse_chain

NAMES = ["1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 > 3 = 1", ((1,), (0, 2))),
        ("2>3>1", ((1,), (2,), (0,))),
        ("So: **2** > [3] ＝ 1.", ((1,), (0, 2))),
        ("1 = 2 = 3", ((0, 1, 2),)),
        ("最终排序：2 ＞ 1 ≈ 3。", ((1,), (0, 2))),
        ("First I thought 2 > 3 alone, in all 2 > 3 > 1", ((1,), (2,), (0,))),
        ("2 > 3 = 1\n\n2 > 1 = 3", ((1,), (0, 2))),
    ],
)
def test_a_chain_is_read_with_its_ties(text: str, expected: tuple[tuple[int, ...], ...]) -> None:
    assert parse_chain(text, NAMES) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2, 3, 1",
        "2 > 3",
        "2 > 3 > 4 > 1",
        "2 > 3 > 2 > 1",
        "2 > 3 > 1, or rather 3 > 2 > 1",
        "12 > 3 > 1",
        "2 > 3 > 1.5",
        "2 > 3 > 10",
        "the second is best, then the third",
    ],
)
def test_what_is_no_full_order_is_not_guessed(text: str) -> None:
    assert parse_chain(text, NAMES) is None


def test_names_may_be_words() -> None:
    text = "Overall: Assistant 2 > Assistant 10 = assistant 1"
    assert parse_chain(text, ["Assistant 1", "Assistant 2", "Assistant 10"]) == ((1,), (0, 2))


@given(st.permutations(range(5)), st.lists(st.sampled_from([" > ", " = ", ">", "="]), min_size=4, max_size=4))
def test_any_chain_that_is_written_is_read_back(order: list[int], links: list[str]) -> None:
    text = "".join(f"{i + 1}{link}" for i, link in zip(order, [*links, ""], strict=True))
    groups = parse_chain(text, [str(i + 1) for i in range(5)])
    assert groups is not None
    assert sorted(i for group in groups for i in group) == list(range(5))
    assert len(groups) == 1 + sum(">" in link for link in links)
    place = {i: number for number, group in enumerate(groups) for i in group}
    assert [place[i] for i in order] == sorted(place.values())
