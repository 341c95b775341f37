"""Selection by successive halving: within its budget, on shared items, and right where one wording is better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizers.errors import OptimizerError
from optimizers.strategies.racing import Selection, select, shrunk

Table = np.ndarray


def recorded(rights: Sequence[float], number: int, *, seed: int = 0, agreement: float = 0.8) -> Table:
    """Verdicts (0 or 1) of wordings that are right so often, by item and order; some items are harder."""
    rng = np.random.default_rng(seed)
    hard = rng.random(number)
    first = (0.5 * hard + 0.5 * rng.random((len(rights), number))) < np.array(rights)[:, None]
    again = rng.random(first.shape) < agreement
    other = rng.random(first.shape) < np.array(rights)[:, None]
    return np.stack([first, np.where(again, first, other)], axis=2).astype(float)


def replay(table: Table, **settings: object) -> Selection:
    """Select among the rows of a table of recorded verdicts."""
    return select(
        list(range(len(table))),
        lambda wording, item: [float(x) for x in table[wording, item]],
        list(range(table.shape[1])),
        **settings,  # type: ignore[arg-type]
    )


def test_the_best_wording_is_found_in_half_the_calls() -> None:
    found: Counter[int] = Counter()
    for seed in range(40):
        selection = replay(recorded([0.5, 0.55, 0.9, 0.6, 0.5, 0.65, 0.55, 0.6], 40, seed=seed), seed=seed)
        found[selection.best] += 1
        assert selection.num_judgements <= 8 * 40 // 2
    assert found[2] >= 38


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 17), st.integers(1, 30), st.integers(0, 600), st.integers(0, 1000))
def test_no_budget_is_passed_and_no_judgement_is_made_twice(
    wordings: int, items: int, budget: int, seed: int
) -> None:
    table = recorded(np.linspace(0.4, 0.9, wordings).tolist(), items, seed=seed)
    asked: Counter[tuple[int, int]] = Counter()

    def judge(wording: int, item: int) -> float:
        asked[wording, item] += 1
        return float(table[wording, item, 0])

    selection = select(range(wordings), judge, range(items), budget, seed=seed)
    assert sum(asked.values()) == selection.num_judgements <= budget
    assert max(asked.values(), default=0) <= 1
    assert 0 <= selection.best < wordings
    assert [s.dropped_in for s in selection.standings].count(0) == 1


def test_wordings_that_are_still_in_have_judged_the_same_items() -> None:
    table = recorded([0.6, 0.7, 0.8, 0.9, 0.5], 24)
    asked: dict[int, list[int]] = {}

    def judge(wording: int, item: int) -> float:
        asked.setdefault(wording, []).append(item)
        return float(table[wording, item].mean())

    select(range(5), judge, range(24))
    longest = max(asked.values(), key=len)
    assert all(items == longest[: len(items)] for items in asked.values())


def test_the_same_seed_gives_the_same_selection_and_another_seed_other_items() -> None:
    table = recorded([0.6, 0.7, 0.65, 0.75], 30)
    assert replay(table, seed=4) == replay(table, seed=4)
    assert replay(table, seed=4).standings != replay(table, seed=5).standings


def test_threads_give_what_one_after_the_other_gives() -> None:
    table = recorded([0.6, 0.7, 0.65, 0.75], 30)

    def run(questions: Sequence[Callable[[], Sequence[float] | None]]) -> list[Sequence[float] | None]:
        with ThreadPoolExecutor(4) as pool:
            return [each.result() for each in [pool.submit(question) for question in questions]]

    assert replay(table, run=run) == replay(table)


def test_a_tie_goes_to_the_cheaper_wording_then_to_the_earlier() -> None:
    same = np.ones((4, 10, 2))
    assert replay(same).best == 0
    assert replay(same, costs=[5, 3, 1, 1]).best == 2


def test_a_clearly_worse_wording_is_dropped_before_its_half_is() -> None:
    table = np.zeros((4, 40, 2))
    table[0] = 1.0
    table[1, ::2] = 1.0
    selection = replay(table)
    assert selection.best == 0
    assert any(standing.is_raced_out for standing in selection.standings)
    assert selection.num_judgements < 4 * 40 // 2


def test_of_two_equally_right_the_one_whose_orders_agree_is_chosen() -> None:
    consistent = np.repeat(np.array([1.0] * 14 + [0.0] * 6)[:, None], 2, axis=1)
    biased = np.array([[1.0, 1.0]] * 8 + [[1.0, 0.0]] * 12)
    table = np.stack([biased, consistent])
    assert replay(table, budget=40).best == 1
    means = [[float(verdict.mean()) for verdict in row] for row in table]
    assert select([0, 1], lambda wording, item: means[wording][item], range(20), 40).best == 0


def test_agreement_decides_where_wordings_differ_by_chance_and_not_where_they_truly_differ() -> None:
    rng = np.random.default_rng(0)
    equal = (rng.random((4, 60)) < 0.7).astype(float)
    agreed = np.repeat(np.array([[0.9], [0.5], [0.7], [0.8]]), 60, axis=1)
    assert np.argsort(shrunk(equal, agreed)).tolist() == [1, 2, 3, 0]
    apart = (rng.random((4, 60)) < np.array([[0.3], [0.95], [0.5], [0.5]])).astype(float)
    found = shrunk(apart, agreed)
    assert found.argmax() == 1
    assert abs(found - apart.mean(axis=1)).max() < 0.1


def test_without_a_second_order_or_a_second_item_the_share_alone_counts() -> None:
    shares = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    assert shrunk(shares, np.zeros((2, 3))).tolist() == shares.mean(axis=1).tolist()
    assert shrunk(shares[:, :1], np.ones((2, 1))).tolist() == [1.0, 0.0]
    assert shrunk(shares[:1], np.ones((1, 3))).tolist() == [pytest.approx(2 / 3)]


def test_a_wording_that_is_consistently_wrong_is_not_chosen() -> None:
    wrong = np.zeros((20, 2))
    biased = np.array([[1.0, 0.0]] * 14 + [[1.0, 1.0]] * 6)
    good = np.array([[1.0, 1.0]] * 18 + [[0.0, 0.0]] * 2)
    assert replay(np.stack([wrong, biased]), budget=40).best == 1
    assert replay(np.stack([wrong, biased, good])).best == 2


def test_an_item_without_a_verdict_for_one_wording_counts_for_none() -> None:
    table: dict[int, list[float | None]] = {0: [1.0, 0.0, 0.0, 0.0], 1: [None, 1.0, 0.0, 0.0]}
    selection = select([0, 1], lambda wording, item: table[wording][item], range(4), 8)
    assert selection.best == 1
    assert selection.num_left_out == 1
    assert [standing.num_items for standing in selection.standings] == [3, 3]


def test_without_a_verdict_the_first_wording_stays() -> None:
    selection = select(["a", "b", "c"], lambda wording, item: None, range(6))
    assert selection.best == 0
    assert selection.standings[0].share is None


def test_a_budget_below_one_item_for_all_is_spent_on_the_cheaper_ones() -> None:
    table = np.ones((6, 10, 2))
    selection = replay(table, budget=3, costs=[9, 9, 9, 1, 2, 3])
    assert selection.best == 3
    assert selection.num_judgements == 3


@pytest.mark.parametrize(
    ("wordings", "items", "share", "costs"),
    [([], [1], 0.5, []), ([1], [], 0.5, []), ([1, 2], [1], 0.5, [1.0]), ([1, 2], [1, 2], 1.5, [])],
)
def test_what_cannot_be_selected_from_is_refused(
    wordings: list[int], items: list[int], share: float, costs: list[float]
) -> None:
    with pytest.raises(OptimizerError):
        select(wordings, lambda wording, item: share, items, 4, costs=costs)


def test_not_a_number_is_no_share() -> None:
    with pytest.raises(OptimizerError):
        select([1, 2], lambda wording, item: float("nan"), [1, 2], 4)
