"""Orders and scores, each from the other: an order is groups of indices, best first, ties in one group."""

from __future__ import annotations

from collections.abc import Sequence


def order_by_score(scores: tuple[float, ...]) -> tuple[tuple[int, ...], ...]:
    """Return groups of indices from the highest score to the lowest, equal scores in one group."""
    groups: dict[float, list[int]] = {}
    for index, score in enumerate(scores):
        groups.setdefault(score, []).append(index)
    return tuple(tuple(groups[score]) for score in sorted(groups, reverse=True))


def scores_by_order(order: Sequence[Sequence[int]]) -> dict[int, float]:
    """Return a score in 0..1 per index in groups, best first, by mid-rank: 1 for the best, 0 for the last.

    A lone index has none: it comes before no other.
    """
    scores: dict[int, float] = {}
    last = sum(map(len, order)) - 1
    before = 0
    for group in order:
        if last:
            scores |= dict.fromkeys(group, 1 - (before + (len(group) - 1) / 2) / last)
        before += len(group)
    return scores
