"""Pairs from rankings: every design, and everything that must never become a pair."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from character import Candidate, Candidates, Message, Ranking, build_pairs
from character.config import LEAST_CANDIDATES, PAIR_DESIGNS, Config, PairDesign
from character.errors import UnknownNameError
from character.pairs.designs import LEVEL_DESIGNS
from character.records import Level
from character.responses.responder import spread_levels

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
_BY_RANKING = [design for design in PAIR_DESIGNS if design not in LEVEL_DESIGNS]


@given(scores=_SCORES, design=st.sampled_from(_BY_RANKING), min_margin=st.floats(0, 1))
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


SIX: tuple[Level, ...] = ("natural", "absent", "overdone", "subtle", "opposite", "overdone")


def _levelled(
    levels: tuple[Level | None, ...], scores: list[float], *, sure: bool = False
) -> tuple[Candidates, Ranking]:
    items = tuple(Candidate(text=f"answer {i}", level=level) for i, level in enumerate(levels))
    candidates = Candidates(message_id=MESSAGE.id, trait="patience", items=items)
    ranking = Ranking.from_scores(candidates, scores)
    if not sure:
        return candidates, ranking
    odds = tuple(tuple(0.5 + (a - b) / 2 for b in scores) for a in scores)
    return candidates, ranking.model_copy(update={"probabilities": odds})


def _by_level(
    design: PairDesign, levels: tuple[Level | None, ...], scores: list[float]
) -> tuple[list[str], list[str]]:
    candidates, ranking = _levelled(levels, scores)
    pairs, drops = build_pairs(MESSAGE, candidates, ranking, design=design, min_margin=0.1)
    return [f"{pair.chosen[-1]}>{pair.rejected[-1]}" for pair in pairs], [drop.reason for drop in drops]


@pytest.mark.parametrize(
    ("design", "pairs"),
    [
        ("opposite", ["3>4"]),
        ("overdone", ["3>2", "3>5"]),
        ("anchored", ["3>1", "0>1", "2>1", "5>1"]),
    ],
)
def test_designs_by_level_choose_what_is_in_character(design: PairDesign, pairs: list[str]) -> None:
    # The candidate asked to be subtle (3) turned out better than the natural one (0).
    made, dropped = _by_level(design, SIX, [0.8, 0.1, 0.5, 0.9, 0.0, 0.3])
    assert made == pairs
    assert dropped == (["against_level"] if design == "anchored" else [])


def test_where_the_ranking_says_otherwise_than_the_levels_there_is_no_pair() -> None:
    scores = [0.5, 0.4, 0.9, 0.2, 0.5, 0.45]
    assert _by_level("overdone", SIX, scores) == ([], ["against_level", "low_margin"])
    assert _by_level("opposite", SIX, scores) == ([], ["tie"])


@pytest.mark.parametrize(
    ("design", "levels"),
    [
        ("opposite", ("natural", "absent", "overdone")),
        ("overdone", ("absent", "overdone", "opposite")),
        ("anchored", ("natural", "subtle", "overdone")),
        ("anchored", ("absent", "absent", "absent")),
        ("neutral", ("natural", "absent", "overdone")),
        ("neutral", (None, None, None)),
    ],
)
def test_levels_that_are_missing_are_counted(design: PairDesign, levels: tuple[Level | None, ...]) -> None:
    assert _by_level(design, levels, [0.9, 0.5, 0.1]) == ([], ["level_missing"])


def test_neutral_pairs_repeat_a_level_and_a_coin_decides_not_the_ranking() -> None:
    better_chosen = 0
    for number in range(400):
        message = Message.of(f"message {number}", trait="patience")
        items = tuple(Candidate(text=f"answer {i}", level="natural" if i < 2 else "absent") for i in range(3))
        candidates = Candidates(message_id=message.id, trait="patience", items=items)
        ranking = Ranking.from_scores(candidates, [0.9, 0.2, 0.5])
        (pair,), drops = build_pairs(message, candidates, ranking, design="neutral", min_margin=0.5)
        (again,), _ = build_pairs(
            message, candidates, Ranking.from_scores(candidates, [0.1, 0.6, 0.5]), design="neutral"
        )
        assert not drops
        assert pair.chosen_level == pair.rejected_level == "natural"
        assert pair.margin == pytest.approx(pair.score_chosen - pair.score_rejected)
        assert (again.chosen, again.rejected) == (pair.chosen, pair.rejected)
        better_chosen += pair.margin > 0
    assert 160 <= better_chosen <= 240  # a fair coin leaves this range once in about 20,000 times


def test_a_pair_knows_its_probability_and_an_uncertain_one_is_left_out() -> None:
    candidates, ranking = _levelled(SIX[:4], [0.9, 0.1, 0.75, 0.3], sure=True)
    pairs, drops = build_pairs(MESSAGE, candidates, ranking, min_probability=0.6)
    assert [(pair.rejected[-1], pair.probability) for pair in pairs] == [("3", 0.8), ("1", 0.9)]
    assert [drop.reason for drop in drops] == ["uncertain"]


def test_a_pair_of_unknown_probability_is_not_uncertain() -> None:
    candidates, ranking = _ranked([0.9, 0.1])
    ((pair,), drops) = build_pairs(MESSAGE, candidates, ranking, min_probability=0.99)
    assert pair.probability is None
    assert not drops


@pytest.mark.parametrize("sure", [True, False])
def test_a_cap_keeps_the_surest_pairs_in_their_order_and_counts_the_rest(sure: bool) -> None:
    candidates, ranking = _levelled(SIX[:4], [0.9, 0.1, 0.75, 0.3], sure=sure)
    pairs, drops = build_pairs(
        MESSAGE, candidates, ranking, design="all", min_probability=0.0, max_per_message=2
    )
    assert [f"{pair.chosen[-1]}>{pair.rejected[-1]}" for pair in pairs] == ["0>1", "2>1"]
    assert [drop.reason for drop in drops] == ["over_cap"] * 4


@given(
    scores=_SCORES,
    levels=st.lists(
        st.sampled_from(("natural", "absent", "overdone", "subtle", "opposite")), min_size=8, max_size=8
    ),
    design=st.sampled_from(PAIR_DESIGNS),
    cap=st.integers(1, 3),
)
def test_no_design_makes_a_pair_the_ranking_speaks_against_but_the_control(
    scores: list[float], levels: list[Level], design: PairDesign, cap: int
) -> None:
    candidates, ranking = _levelled(tuple(levels[: len(scores)]), scores, sure=True)
    pairs, drops = build_pairs(
        MESSAGE, candidates, ranking, design=design, min_margin=0.1, min_probability=0.6, max_per_message=cap
    )
    assert len(pairs) <= cap
    assert pairs or drops
    for pair in pairs:
        assert design == "neutral" or (pair.margin >= 0.1 and (pair.probability or 0) >= 0.6)


def test_the_least_candidates_of_a_design_are_those_whose_default_levels_suffice() -> None:
    for design in LEVEL_DESIGNS:
        possible = [
            number
            for number in range(2, 9)
            for has_opposite in (True, False)
            if "level_missing"
            not in _by_level(design, spread_levels(number, has_opposite=has_opposite), [0.5] * number)[1]
        ]
        assert LEAST_CANDIDATES.get(design, 2) == min(possible)
        Config.model_validate({"responses": {"candidates": min(possible)}, "pairs": {"design": design}})


@pytest.mark.parametrize(
    ("responses", "design", "said"),
    [
        ({"candidates": 4}, "opposite", "needs at least 5 candidates"),
        ({"candidates": 2}, "overdone", "needs at least 3 candidates"),
        ({"candidates": 4}, "neutral", "needs at least 5 candidates"),
        ({"candidates": 2, "levels": ["natural", "absent"]}, "opposite", "needs the level opposite"),
        ({"candidates": 2, "levels": ["absent", "overdone"]}, "overdone", "natural or subtle"),
        ({"candidates": 2, "levels": ["natural", "subtle"]}, "anchored", "needs the level absent"),
        ({"candidates": 2, "levels": ["natural", "absent"]}, "neutral", "a level that is named twice"),
    ],
)
def test_a_design_that_can_never_work_is_refused(
    responses: dict[str, object], design: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Config.model_validate({"responses": responses, "pairs": {"design": design}})
