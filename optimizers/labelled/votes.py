"""What several raters say together: a score per candidate, and a vote per pair of candidates."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from character.records import scores_by_order

if TYPE_CHECKING:
    from optimizers.labelled.records import Label, LabelledItem


def consensus(item: LabelledItem) -> list[float | None]:
    """Return one score in 0..1 per candidate, the mean over raters; None where nobody said anything.

    A rater's scores count as they are; an order counts by mid-rank (best 1, worst 0), choices by the
    share of comparisons won. Of several parts of one label the first of these counts.
    """
    number = len(item.candidates)
    table = [scores_of(label, number) for label in item.labels]
    return [_mean([row[i] for row in table]) for i in range(number)]


def scores_of(label: Label, number: int) -> list[float | None]:
    """Return what one label amounts to as scores in 0..1: its scores, else its order, else its choices."""
    if any(score is not None for score in label.scores):
        return list(label.scores)
    return _by_order(label, number) if label.order else _by_choices(label.choices, number)


def _by_order(label: Label, number: int) -> list[float | None]:
    scores = scores_by_order(label.order)
    return [scores.get(index) for index in range(number)]


def _by_choices(choices: Sequence[tuple[int, int, float]], number: int) -> list[float | None]:
    won: list[list[float | None]] = [[] for _ in range(number)]
    for i, j, share in choices:
        won[i].append(share)
        won[j].append(1 - share)
    return [_mean(shares) for shares in won]


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None


def pairs(item: LabelledItem) -> list[tuple[int, int, float]]:
    """Return (i, j, share) for each pair of which the raters put i first on the whole; share in (0.5, 1].

    Every rater has one vote per pair (a tie is half a vote), from scores, order and choices alike.
    Pairs that the votes tie, or that nobody compared, are left out.
    """
    number = len(item.candidates)
    tables = [votes_of(label, number) for label in item.labels]
    ordered = []
    for i, j in combinations(range(number), 2):
        votes = [table[i, j] for table in tables if (i, j) in table]
        share = sum(votes) / len(votes) if votes else 0.5
        if share != 0.5:
            ordered.append((i, j, share) if share > 0.5 else (j, i, 1 - share))
    return ordered


def votes_of(label: Label, number: int) -> dict[tuple[int, int], float]:
    """Return a label's vote for each pair i < j it compares: 1 where i is better, 0 where j is, 0.5 tied.

    Where scores, order and choices speak of the same pair, the vote is their mean.
    """
    votes: dict[tuple[int, int], list[float]] = {}
    for values in (list(label.scores), _by_order(label, number)):
        for i, j in combinations(range(len(values)), 2):
            left, right = values[i], values[j]
            if left is not None and right is not None:
                votes.setdefault((i, j), []).append(0.5 + ((left > right) - (left < right)) / 2)
    chosen: dict[tuple[int, int], list[float]] = {}
    for i, j, share in label.choices:
        chosen.setdefault((min(i, j), max(i, j)), []).append(share if i < j else 1 - share)
    for pair, shares in chosen.items():
        votes.setdefault(pair, []).append(sum(shares) / len(shares))
    return {pair: sum(shares) / len(shares) for pair, shares in votes.items()}
