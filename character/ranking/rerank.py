"""The rankings of a run once more, without the position effects that the run shows. No model is called."""

from __future__ import annotations

from collections.abc import Iterable

from character.ranking.combine import METHODS, Effects, combine
from character.ranking.position_bias import PositionEstimator
from character.records import Ranking, order_by_score


def position_effects(rankings: Iterable[Ranking]) -> Effects:
    """Return what each place is worth to each judge, over all these rankings; 0 where there are too few."""
    estimator = PositionEstimator()
    for ranking in rankings:
        if ranking.status == "ranked":
            estimator.add(ranking)
    return {(judge, length): estimator.effects(judge, length) for judge, length in estimator.judges()}


def rerank(ranking: Ranking, effects: Effects) -> Ranking:
    """Return the ranking that its passes amount to with these position effects taken out.

    A ranking without passes or without a known method (one that another module made) stays as it is.
    """
    if ranking.status != "ranked" or not ranking.passes or ranking.method not in METHODS:
        return ranking
    combined = combine(ranking.passes, len(ranking.scores), method=ranking.method, effects=effects)
    facts = ranking.model_dump(exclude={"id", "scores", "order", "probabilities", "consistency"})
    return Ranking(
        **facts,
        scores=combined.scores,
        order=order_by_score(combined.scores),
        probabilities=combined.probabilities,
        consistency=combined.consistency,
    )
