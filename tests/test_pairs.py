"""Pairs from rankings: every design, and everything that must never become a pair."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from character import Candidate, Candidates, Message, Ranking, build_pairs
from character.config import PAIR_DESIGNS, PairDesign
from character.errors import UnknownNameError

MESSAGE = Message.of("Can you explain fractions?", trait="patience")


def _candidates(texts: list[str]) -> Candidates:
    items = tuple(Candidate(text=text, level="natural", model="m") for text in texts)
    return Candidates(message_id=MESSAGE.id, trait="patience", items=items)


def _ranked(scores: list[float], texts: list[str] | None = None) -> tuple[Candidates, Ranking]:
    candidates = _candidates(texts or [f"answer {i}" for i in range(len(scores))])
    return candidates, Ranking.from_scores(candidates, scores)


def _sides(design: PairDesign, scores: list[float], min_margin: float = 0.0) -> list[tuple[str, str]]:
    candidates, ranking = _ranked(scores)
    pairs, _drops = build_pairs(MESSAGE, candidates, ranking, design=design, min_margin=min_margin)
    return [(pair.chosen[-1], pair.rejected[-1]) for pair in pairs]


@pytest.mark.parametrize(
    ("design", "sides"),
    [
        ("best_worst", [("1", "2")]),
        ("best_rest", [("1", "0"), ("1", "3"), ("1", "2")]),
        ("adjacent", [("1", "0"), ("0", "3"), ("3", "2")]),
        ("all", [("1", "0"), ("1", "3"), ("1", "2"), ("0", "3"), ("0", "2"), ("3", "2")]),
    ],
)
def test_each_design_pairs_the_sides_it_names(design: PairDesign, sides: list[tuple[str, str]]) -> None:
    assert _sides(design, [0.7, 0.9, 0.1, 0.4]) == sides


def test_ties_and_low_margins_are_left_out_and_counted() -> None:
    candidates, ranking = _ranked([0.9, 0.9, 0.85, 0.2])
    pairs, drops = build_pairs(MESSAGE, candidates, ranking, design="best_rest", min_margin=0.1)
    assert [(pair.chosen, pair.rejected, pair.margin) for pair in pairs] == [("answer 0", "answer 3", 0.7)]
    assert [drop.reason for drop in drops] == ["tie", "low_margin"]


def test_a_tie_makes_no_pair_even_where_no_margin_is_asked_for() -> None:
    candidates, ranking = _ranked([0.5, 0.5])
    pairs, drops = build_pairs(MESSAGE, candidates, ranking, min_margin=0.0)
    assert not pairs
    assert [drop.reason for drop in drops] == ["tie"]


@pytest.mark.parametrize("other", ["answer", "answer ", "ａnswer", "answer\n"])
def test_sides_that_read_the_same_make_no_pair(other: str) -> None:
    candidates, ranking = _ranked([0.9, 0.1], ["answer", other])
    pairs, drops = build_pairs(MESSAGE, candidates, ranking)
    assert not pairs
    assert [drop.reason for drop in drops] == ["identical"]


@pytest.mark.parametrize("status", ["unranked", "unsuitable"])
def test_rankings_without_scores_make_no_pair(status: str) -> None:
    candidates = _candidates(["a", "b"])
    ranking = Ranking.model_validate(
        {"message_id": MESSAGE.id, "candidates_id": candidates.id, "trait": "patience", "status": status}
    )
    pairs, drops = build_pairs(MESSAGE, candidates, ranking)
    assert not pairs
    assert [drop.reason for drop in drops] == [status]


def test_an_unknown_design_names_the_known_ones() -> None:
    candidates, ranking = _ranked([0.9, 0.1])
    with pytest.raises(UnknownNameError, match="best_worst") as caught:
        build_pairs(MESSAGE, candidates, ranking, design="best_wurst")  # type: ignore[arg-type]
    assert "did you mean 'best_worst'" in str(caught.value)


_SCORES = st.lists(st.floats(0, 1), min_size=2, max_size=8)


@given(scores=_SCORES, design=st.sampled_from(PAIR_DESIGNS), min_margin=st.floats(0, 1))
def test_every_pair_is_better_over_worse_and_nothing_is_lost(
    scores: list[float], design: PairDesign, min_margin: float
) -> None:
    candidates, ranking = _ranked(scores)
    pairs, drops = build_pairs(MESSAGE, candidates, ranking, design=design, min_margin=min_margin)
    n = len(scores)
    asked = {"best_worst": 1, "best_rest": n - 1, "adjacent": n - 1, "all": n * (n - 1) // 2}[design]
    assert len(pairs) + len(drops) == asked
    for pair in pairs:
        assert pair.score_chosen > pair.score_rejected
        assert pair.margin >= min_margin
        assert pair.chosen != pair.rejected


@given(scores=_SCORES)
def test_ids_follow_from_the_content_alone(scores: list[float]) -> None:
    candidates, ranking = _ranked(scores)
    first, _ = build_pairs(MESSAGE, candidates, ranking, design="all", min_margin=0)
    second, _ = build_pairs(MESSAGE, candidates, ranking, design="all", min_margin=0)
    assert [pair.id for pair in first] == [pair.id for pair in second]
    assert len({pair.id for pair in first}) == len(first)
