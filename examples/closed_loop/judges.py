"""Judges to compare ours with: one knows the truth, one has a second taste that nobody asked for."""

from __future__ import annotations

from typing import Any

import dspy

from character.backends.dspy_compat import without_usage_note
from character.constitution import Trait
from character.ranking.ranker import Ranker
from character.records import Candidates, Message, Ranking
from closed_loop.world import is_on_topic, read_reply


@without_usage_note
class TruthRanker(dspy.Module):
    """Ranks by the grammar, without a model: a patient reply that is on topic and well formed fits best."""

    def forward(self, message: Message, candidates: Candidates) -> Ranking:
        """Return the ranking that the truth amounts to."""
        return Ranking.from_scores(candidates, [_truth(message, text) for text in candidates.texts])


def _truth(message: Message, text: str) -> float:
    reading = read_reply(text)
    score = (
        0.1 + 0.6 * (reading.patience > 0) + 0.2 * is_on_topic(message, text) + 0.1 * (not reading.unknown)
    )
    return round(score, 2)


@without_usage_note
class BiasedRanker(dspy.Module):
    """Judges the trait as our ranker does, and adds what it thinks of another: a judge that also likes jokes.

    ``weight`` is how much the other trait counts beside the trait asked about.
    """

    def __init__(self, other: Trait, weight: float) -> None:
        super().__init__()
        self.ranker, self.other, self.weight = Ranker(), other, weight

    async def aforward(
        self, message: Message, candidates: Candidates, trait: Trait, seed: int = 0
    ) -> Ranking:
        """Return the ranking by both tastes."""
        asked: dict[str, Any] = {"message": message, "candidates": candidates, "seed": seed}
        own: Ranking = await self.ranker.acall(trait=trait, **asked)
        second: Ranking = await self.ranker.acall(trait=self.other, **asked)
        if own.status != "ranked" or second.status != "ranked":
            return own
        scores = [
            (a + self.weight * b) / (1 + self.weight) for a, b in zip(own.scores, second.scores, strict=True)
        ]
        return Ranking.from_scores(candidates, scores).model_copy(
            update={"passes": own.passes, "usage": own.usage + second.usage}
        )
