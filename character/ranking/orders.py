"""In which orders a judge sees the candidates, so that no place in the list favours anyone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations


def balanced_orders(num_candidates: int, seed: int) -> Iterator[tuple[int, ...]]:
    """Yield orders of the candidates without end, so that any first few of them are as balanced as can be.

    Each second order is the reverse of the one before, so two passes cancel any bias that runs evenly from
    the first place to the last. The orders are the rows of a Williams design (Williams 1949): after n of
    them for an even n, 2n for an odd n, each candidate was in each place, and right after each other
    candidate, equally often, so a bias of any shape cancels. Then the next design starts, with the
    candidates dealt anew.
    """
    rng = random.Random(seed)
    n = num_candidates
    # 0, 1, n-1, 2, n-2, …: neighbours differ by each amount once.
    zigzag = [(step + 1) // 2 if step % 2 else (n - step // 2) % n for step in range(n)]
    while True:
        dealt = rng.sample(range(n), n)
        shifts = rng.sample(range(n), n)
        done: set[int] = set()
        for shift in shifts:
            if shift in done:
                continue
            row = tuple(dealt[(step + shift) % n] for step in zigzag)
            yield row
            yield row[::-1]
            # For an even n the reverse of a row is the row half a turn on.
            done |= {shift, (shift + n // 2) % n} if n % 2 == 0 else {shift}


def round_robin(num_candidates: int, seed: int) -> list[tuple[int, int]]:
    """Return each pair of candidates in both orders, n (n - 1) comparisons, the pairs shuffled."""
    rng = random.Random(seed)
    pairs = list(combinations(range(num_candidates), 2))
    rng.shuffle(pairs)
    return [order for left, right in pairs for order in _both(left, right, rng)]


def swiss_round(points: list[float], met: set[frozenset[int]], seed: int) -> list[tuple[int, int]]:
    """Return one round of a Swiss tournament: neighbours by points that have not met, each in both orders.

    ``met`` are the pairs that were compared before; a candidate that finds no new opponent rests, of an
    odd number the last by points of those that have rested least. So ceil(log2 n) rounds cost about n log2 n
    comparisons instead of n (n - 1).
    """
    rng = random.Random(seed)
    waiting = sorted(rng.sample(range(len(points)), len(points)), key=lambda i: -points[i])
    if len(points) % 2:
        met_by = [sum(i in pair for pair in met) for i in range(len(points))]
        waiting.remove(max(waiting, key=lambda i: (met_by[i], waiting.index(i))))
    chosen: list[tuple[int, int]] = []
    while waiting:
        left = waiting.pop(0)
        right = next((other for other in waiting if frozenset((left, other)) not in met), None)
        if right is not None:
            waiting.remove(right)
            chosen += _both(left, right, rng)
    return chosen


def _both(left: int, right: int, rng: random.Random) -> list[tuple[int, int]]:
    orders = [(left, right), (right, left)]
    rng.shuffle(orders)
    return orders
