"""A judge whose truth, noise and liking for places are known, for benchmarks of how judgements are combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from character.records import RankingPass


@dataclass(frozen=True)
class Judge:
    """Scores candidates by the rubric of 0 to 10: utility, plus slope and bonus of the place, plus noise, rounded.

    ``slope`` is what the first place gains and the last one loses, ``first`` what the first place gains on top,
    ``noise`` a standard deviation; all on the scale 0..1.
    """

    noise: float
    slope: float = 0.0
    first: float = 0.0

    def score(self, utilities: np.ndarray, order: Sequence[int], rng: np.random.Generator) -> RankingPass:
        """Return one pass over the candidates in this order."""
        scores: list[float | None] = [None] * len(utilities)
        for place, index in enumerate(order):
            bias = self.slope * (1 - 2 * place / max(1, len(order) - 1)) + self.first * (place == 0)
            value = utilities[index] + bias + rng.normal(0, self.noise)
            scores[index] = round(10 * min(1.0, max(0.0, float(value)))) / 10
        return RankingPass(shown=tuple(int(i) for i in order), scores=tuple(scores), model="simulated")


def draw_utilities(num_candidates: int, rng: np.random.Generator) -> np.ndarray:
    """Return how well the candidates of one message truly fit."""
    return rng.uniform(0.15, 0.85, num_candidates)
