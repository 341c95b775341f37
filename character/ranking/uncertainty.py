"""How unsure a ranking is: what is worth a person's time comes first."""

from __future__ import annotations

from itertools import combinations

from character.records import Ranking


def doubt(ranking: Ranking) -> float:
    """Return how unsure a ranking is, 0 (sure of each pair) to 1 (of none).

    From the probabilities the mean of 1 - |2 p - 1| over pairs of candidates; where the ranking has
    none, the same of the scores, with 1 - |difference| for each pair.
    """
    doubts = [doubt_of_pair(ranking, i, j) for i, j in combinations(range(len(ranking.scores)), 2)]
    return sum(doubts) / len(doubts) if doubts else 0.0


def doubt_of_pair(ranking: Ranking, i: int, j: int) -> float:
    """Return how unsure a ranking is which of two candidates fits better, 0..1; 1 where it ranks nothing."""
    if ranking.status != "ranked":
        return 1.0
    if ranking.probabilities:
        return 1 - abs(2 * ranking.probabilities[i][j] - 1)
    return 1 - abs(ranking.scores[i] - ranking.scores[j])


def uncertainty(ranking: Ranking) -> float:
    """Return how unsure a ranking is, 0..1; 1 where there is no ranking, as nothing is known then.

    By its probabilities, else by its scores and the consistency of its passes.
    """
    if ranking.status != "ranked":
        return 1.0
    if ranking.probabilities or ranking.consistency is None:
        return doubt(ranking)
    return (doubt(ranking) + (1 - ranking.consistency) / 2) / 2
