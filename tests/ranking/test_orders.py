"""Presentation orders: every first few are balanced, a whole design is balanced in full."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise

from hypothesis import given
from hypothesis import strategies as st

from character.ranking.orders import balanced_orders, round_robin, swiss_round

SIZES = st.integers(2, 8)
SEEDS = st.integers(0, 2**31 - 1)


@given(SIZES, SEEDS)
def test_a_whole_design_shows_each_candidate_in_each_place_and_after_each_other_equally_often(
    n: int, seed: int
) -> None:
    length = n if n % 2 == 0 else 2 * n
    orders = list(islice(balanced_orders(n, seed), length))
    places = Counter((place, index) for order in orders for place, index in enumerate(order))
    neighbours = Counter(pair for order in orders for pair in pairwise(order))
    assert len(places) == n * n
    assert set(places.values()) == {length // n}
    assert len(neighbours) == n * (n - 1)
    assert set(neighbours.values()) == {length // n}


@given(SIZES, SEEDS, st.integers(1, 20))
def test_each_second_order_is_the_reverse_of_the_one_before(n: int, seed: int, pairs: int) -> None:
    orders = list(islice(balanced_orders(n, seed), 2 * pairs))
    assert all(back == forth[::-1] for forth, back in zip(orders[::2], orders[1::2], strict=True))
    assert all(sorted(order) == list(range(n)) for order in orders)


@given(SIZES, SEEDS)
def test_a_round_robin_compares_each_pair_once_in_each_order(n: int, seed: int) -> None:
    shown = round_robin(n, seed)
    assert sorted(shown) == [(i, j) for i in range(n) for j in range(n) if i != j]
    assert all(left == right[::-1] for left, right in zip(shown[::2], shown[1::2], strict=True))


@given(st.sampled_from([2, 4, 6, 8]), SEEDS)
def test_a_swiss_round_matches_neighbours_by_points_that_have_not_met(n: int, seed: int) -> None:
    points = [float(i // 2) for i in range(n)]
    first = swiss_round(points, set(), seed)
    assert len(first) == 2 * (n // 2)
    assert all(points[i] == points[j] for i, j in first), "equals are matched while there are some"
    met = {frozenset(pair) for pair in first}
    again = {frozenset(pair) for pair in swiss_round(points, met, seed)}
    assert not met & again


@given(st.sampled_from([3, 5, 7, 9]), SEEDS)
def test_of_an_odd_number_another_one_rests_in_each_round(n: int, seed: int) -> None:
    met: set[frozenset[int]] = set()
    rested = []
    for turn in range(2):
        points = [float(sum(i in pair for pair in met)) for i in range(n)]  # who rested has the fewest
        shown = swiss_round(points, met, seed + turn)
        assert len(shown) == 2 * (n // 2)
        met |= {frozenset(pair) for pair in shown}
        rested += [i for i in range(n) if not any(i in pair for pair in shown)]
    assert len(set(rested)) == 2
