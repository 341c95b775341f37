"""Labelled sets: what raters say together, splits that cannot leak, and what a report finds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from optimizers.labelled import (
    Label,
    LabelledError,
    LabelledItem,
    LabelledSet,
    check_labelled,
    detectable_gain,
    read_labelled,
)
from optimizers.labelled.checks import find_cycle
from optimizers.labelled.splits import blocks

EXAMPLES = Path(__file__).parents[2] / "examples" / "labelled"


def _item(message: str = "hello", num_candidates: int = 3, **fields: Any) -> LabelledItem:
    given: dict[str, Any] = {
        "turns": [{"role": "user", "content": message}],
        "trait": {"name": "patience"},
        "candidates": [f"reply {i}" for i in range(num_candidates)],
    }
    return LabelledItem.model_validate({**given, **fields})


@st.composite
def _sets(draw: st.DrawFn) -> LabelledSet:
    """Draw a set whose items share messages (in other spelling, too), groups and traits at will."""
    rows = draw(
        st.lists(st.tuples(st.integers(0, 12), st.integers(0, 8), st.booleans()), min_size=2, max_size=30)
    )
    items = [
        _item(
            f"{'Message' if loud else 'message,'} {message}",
            id=str(number),
            group=f"g{group}" if group else "",
            trait={"name": "patience" if message % 2 else "humour"},
        )
        for number, (message, group, loud) in enumerate(rows)
    ]
    return LabelledSet(items=tuple(items))


@given(_sets(), st.sampled_from([(0.5, 0.5), (0.6, 0.2, 0.2), (0.9, 0.1)]), st.integers(0, 5))
def test_no_split_parts_a_message_or_a_group(
    labelled: LabelledSet, fractions: tuple[float, ...], seed: int
) -> None:
    if len(blocks(labelled.items)) < len(fractions):
        with pytest.raises(LabelledError, match="too few"):
            labelled.split(fractions, seed)
        return
    parts = labelled.split(fractions, seed)
    assert sorted(item.id for part in parts for item in part.items) == sorted(
        item.id for item in labelled.items
    )
    assert all(part.items for part in parts)
    for key in ("group", "message_key"):
        homes = [{getattr(item, key) for item in part.items} for part in parts]
        assert all(not homes[i] & homes[j] for i in range(len(parts)) for j in range(i))
    assert parts == labelled.split(fractions, seed)


@given(_sets(), st.integers(2, 4), st.integers(0, 5))
def test_folds_hold_every_item_out_once_and_leak_nothing(labelled: LabelledSet, k: int, seed: int) -> None:
    assume(len(blocks(labelled.items)) >= k)
    folds = labelled.folds(k, seed)
    held = Counter(item.id for _rest, fold in folds for item in fold.items)
    assert held == {item.id: 1 for item in labelled.items}
    for rest, fold in folds:
        assert len(rest) + len(fold) == len(labelled)
        assert not {item.message_key for item in rest.items} & {item.message_key for item in fold.items}
        assert not {item.group for item in rest.items} & {item.group for item in fold.items}


def test_groups_that_share_a_message_are_one_group() -> None:
    """a and b share a message, b and c a group: so a and c stay together as well."""
    linked = (
        _item("one", id="a", group="x"),
        _item("One!", id="b", group="y"),
        _item("two", id="c", group="y"),
    )
    parts = LabelledSet(items=(*linked, _item("three", id="d"))).split((0.5, 0.5))
    assert {frozenset(item.id for item in part.items) for part in parts} == {frozenset("abc"), frozenset("d")}


def test_a_split_has_the_sizes_and_the_traits_asked_for() -> None:
    items = [_item(f"m{i}", trait={"name": "humour" if i % 4 == 0 else "patience"}) for i in range(40)]
    parts = LabelledSet(items=tuple(items)).split((0.6, 0.4), seed=3)
    assert [len(part) for part in parts] == [24, 16]
    assert [sum(item.trait["name"] == "humour" for item in part.items) for part in parts] == [6, 4]


def test_another_seed_splits_otherwise() -> None:
    labelled = LabelledSet(items=tuple(_item(f"m{i}") for i in range(30)))
    assert labelled.split((0.5, 0.5), 0) != labelled.split((0.5, 0.5), 1)


@pytest.mark.parametrize("fractions", [(), (0.5, 0.6), (1.5, -0.5), (1.0, 0.0)])
def test_fractions_that_are_no_parts_of_a_whole_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(LabelledError, match="sum is 1"):
        LabelledSet(items=(_item("a"), _item("b"))).split(fractions)


def test_consensus_takes_scores_as_they_are_and_orders_by_mid_rank() -> None:
    labels = [{"scores": [0.9, 0.2, None]}, {"order": [[1], [0, 2]]}, {"choices": [[2, 0, 1.0]]}]
    item = _item(labels=labels)
    assert item.consensus() == [
        pytest.approx((0.9 + 0.25 + 0.0) / 3),
        pytest.approx(0.6),
        pytest.approx(0.625),
    ]
    assert _item(labels=[{"order": [[2]]}]).consensus() == [None, None, None]
    assert _item().consensus() == [None, None, None]


def test_pairs_put_the_better_first_with_its_share_of_the_votes() -> None:
    item = _item(labels=[{"scores": [0.9, 0.2, 0.2]}, {"order": [[1], [0]]}, {"choices": [[2, 1, 1.0]]}])
    assert item.pairs() == [(0, 2, 1.0), (2, 1, 0.75)]


def test_several_verdicts_of_one_rater_on_a_pair_are_one_vote() -> None:
    item = _item(labels=[{"choices": [[0, 1, 1.0], [1, 0, 0.0], [0, 1, 0.0]]}, {"choices": [[0, 1, 0.0]]}])
    assert item.pairs() == [(1, 0, pytest.approx(2 / 3))]


@given(
    st.lists(st.one_of(st.none(), st.sampled_from([0.0, 0.3, 0.3, 1.0])), min_size=4, max_size=4),
    st.integers(0, 99),
)
def test_permuted_labels_are_the_same_labels_of_other_candidates(
    scores: list[float | None], seed: int
) -> None:
    labels = [{"scores": scores}, {"order": [[3], [0, 1]]}, {"choices": [[0, 2, 1.0]]}]
    before = LabelledSet(items=(_item("m", 4, labels=labels),))
    after = before.permuted(seed)
    assert after == before.permuted(seed)
    assert LabelledItem.model_validate(after.items[0].model_dump())
    for value in (LabelledItem.consensus, LabelledItem.pairs):
        assert len(value(before.items[0])) == len(value(after.items[0]))
    assert Counter(before.items[0].consensus()) == Counter(after.items[0].consensus())
    assert check_labelled(before).num_pairs == check_labelled(after).num_pairs


def test_permuting_leaves_no_order_to_learn() -> None:
    items = tuple(_item(f"m{i}", labels=[{"scores": [1.0, 0.5, 0.0]}]) for i in range(300))
    shown = [item.pairs() for item in LabelledSet(items=items).permuted(1).items]
    kept = sum(i < j for pairs in shown for i, j, _share in pairs) / 900
    assert 0.42 < kept < 0.58


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({"scores": [0.1, 0.2]}, "2 scores for 3"),
        ({"scores": [0.1, 0.2, 1.2]}, "less than or equal to 1"),
        ({"scores": [0.1, 0.2, float("nan")]}, "finite|equal to"),
        ({"scores": [0.1, 0.2, "0.3"]}, "number"),
        ({"scores": [0.1, 0.2, True]}, "number"),
        ({"order": [[0], [3]]}, "index 3"),
        ({"order": [[0], [-1]]}, "greater than or equal to 0"),
        ({"order": [[0], [1, 0]]}, "named twice"),
        ({"order": [[0], []]}, "empty group"),
        ({"choices": [[1, 1, 1.0]]}, "compared with itself"),
        ({"choices": [[0, 9, 1.0]]}, "index 9"),
        ({"choices": [[0, 1, 2.0]]}, "less than or equal to 1"),
        ({"stars": 5}, "[Ee]xtra"),
    ],
)
def test_a_label_that_does_not_fit_its_candidates_is_refused(label: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        _item(labels=[label])


def test_the_fingerprint_follows_the_content_alone() -> None:
    one, two = _item("one", labels=[{"scores": [1.0, 0.5, 0.0]}]), _item("two")
    labelled = LabelledSet(items=(one, two), name="a")
    assert labelled.fingerprint == LabelledSet(items=(two, one), name="b").fingerprint
    assert labelled.fingerprint != LabelledSet(items=(_item("one"), two)).fingerprint


def test_a_report_counts_and_names_what_is_wrong() -> None:
    items = (
        _item("one", labels=[{"rater": "x", "choices": [[0, 1, 1.0], [1, 2, 1.0], [2, 0, 1.0]]}]),
        _item("One?", id="again", candidates=["reply 2", "Reply 0", "reply 1"], group="g"),
        _item(
            "two",
            candidates=["same", "same!", "c"],
            id="same",
            labels=[{"rater": "x", "scores": [0.5, 0.5, 0.5]}],
        ),
    )
    report = check_labelled(LabelledSet(items=items, dropped={"duplicate": 2}))
    assert (report.num_items, report.num_groups, report.num_labels, report.num_pairs) == (3, 1, 2, 3)
    assert report.num_tied == 3
    assert report.duplicates == report.unlabelled == ("again",)
    assert report.across_groups == report.shared_messages == (items[0].id, "again")
    assert report.identical_candidates == report.without_pairs == ("same",)
    assert [(cycle.item, cycle.rater, cycle.candidates) for cycle in report.cycles] == [
        (items[0].id, "x", (0, 1, 2))
    ]
    notes = "\n".join(report.notes)
    for said in ("Too few labels", "One rater", "Cycles in 1 judgement", "2 duplicate", "15 points"):
        assert said in notes


def test_a_rater_who_disagrees_is_named() -> None:
    items = tuple(
        _item(
            f"m{i}",
            4,
            labels=[
                {"rater": "ann", "scores": [1.0, 0.7, 0.3, 0.0]},
                {"rater": "bob", "scores": [0.9, 0.8, 0.2, 0.1]},
                {"rater": "eve", "scores": [0.0, 0.2, 0.8, 1.0]},
            ],
        )
        for i in range(10)
    )
    report = check_labelled(LabelledSet(items=items))
    assert [(rater.rater, rater.agreement) for rater in report.raters] == [
        ("ann", None),
        ("bob", None),
        ("eve", 0.0),
    ]
    assert report.alpha is not None
    assert report.alpha < 0.2
    assert any(note.startswith("eve orders only 0 %") for note in report.notes)


def test_more_labels_tell_smaller_gains() -> None:
    gains = [detectable_gain(n) for n in (0, 1, 10, 20, 40)]
    assert gains == sorted(gains, reverse=True)
    assert gains[2] == pytest.approx(1.96 * 0.25 / 10**0.5)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] != pair[1]), max_size=12
    )
)
def test_a_cycle_is_found_where_there_is_one(wins: list[tuple[int, int]]) -> None:
    cycle = find_cycle(wins)
    assert all(pair in wins for pair in zip(cycle, (*cycle[1:], *cycle[:1]), strict=True))
    reached = {(i, j) for i, j in wins}
    for k in range(6):
        reached |= {(i, j) for i in range(6) for j in range(6) if (i, k) in reached and (k, j) in reached}
    assert bool(cycle) == any((i, i) in reached for i in range(6))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_shipped_sets_are_sound_and_call_neither_more_nor_less_better(language: str) -> None:
    labelled = read_labelled(EXAMPLES / f"patience-and-humour.{language}.jsonl")
    report = check_labelled(labelled)
    assert (report.num_items, report.num_groups) == (24, 24)
    assert sorted(report.traits.values()) == [12, 12]
    assert report.languages == {language: 24}
    assert not report.cycles
    assert not report.duplicates
    assert not report.identical_candidates
    assert report.alpha is not None
    assert 0.8 < report.alpha < 1.0
    assert all(rater.agreement is not None and rater.agreement < 0.95 for rater in report.raters)
    means: dict[str, list[float]] = {}
    for item in labelled.items:
        for level, score in zip(item.levels, item.consensus(), strict=True):
            means.setdefault(level, []).append(score or 0.0)
    average = {level: sum(scores) / len(scores) for level, scores in means.items()}
    assert average["overdone"] < average["absent"] < average["subtle"]
    assert average["natural"] > 0.8
    best = Counter(
        item.levels[int(np.argmax([score or 0.0 for score in item.consensus()]))] for item in labelled.items
    )
    assert best["natural"] < len(labelled)


def test_labels_are_kept_as_they_were_given() -> None:
    label = Label(rater="x", scores=(1.0, None, 0.0))
    assert _item(labels=[label]).labels == (label,)
