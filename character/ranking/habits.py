"""What judges give to places, their noise and their candidates over a run: one pass then tells more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from character.ranking.score_model import (
    FIRST_SD,
    NOISE_GRID,
    SLOPE_SD,
    UTILITY_SD,
    Fitted,
    Habits,
    design_of,
    posterior,
    weights_of,
)
from character.records import Ranking, RankingPass
from character.statistics.arrays import Floats, Ints

_PRIOR = np.diag([SLOPE_SD**2, FIRST_SD**2, FIRST_SD**2])
_DOUBT = 0.01**2
"""The variance of what is given to places that remains, however much was seen: a habit is no constant."""
_LEAST_SPREAD, _PSEUDO_MESSAGES = 0.05, 8
_STEPS, _DECIMALS = 15, 8


def _basis(places: Ints, sizes: Ints) -> Floats:
    """Return slope, first and last place (the last axis) of places among so many shown."""
    ends = [(places == 0) - 1 / sizes, (places == sizes - 1) - 1 / sizes]
    return np.stack([1 - 2 * places / np.maximum(sizes - 1, 1), *ends], axis=-1)


def fit_known(
    scores: Floats, passes: Sequence[RankingPass], spreads: Floats, habits: Habits, best_only: bool
) -> Fitted:
    """Return what ``fit_scores`` does, by what is known of these judges in place of its general priors."""
    seen = ~np.isnan(scores)
    rows, items = np.nonzero(seen)
    row, item = tuple(rows.tolist()), tuple(items.tolist())
    place = tuple(passes[i].shown.index(j) for i, j in zip(row, item, strict=True))
    design, prior = design_of(row, item, place, scores.shape)
    basis = _basis(np.array(place), seen.sum(axis=1)[rows])
    columns, values = [design[:, :-2]], scores[seen]
    judges = np.array([one.juror or one.model for one in passes])
    for judge in dict.fromkeys(judges.tolist()):
        shown = basis * (judges[rows] == judge)[:, None]
        values = values - shown @ np.asarray(habits.places.get(judge, (0.0, 0.0, 0.0)))
        columns.append(shown @ np.linalg.cholesky(np.asarray(habits.doubts.get(judge, _PRIOR))))
    precision = np.concatenate([prior[:-2], np.ones(3 * (len(columns) - 1))])
    weights = None if np.isnan(spreads).all() else weights_of(spreads[seen])
    return posterior(np.column_stack(columns), precision, values, scores.shape, weights, habits, best_only)


class _Block(NamedTuple):
    """The passes of one judge over one message: the normal equations of places within passes, what is to be
    explained there with its degrees of freedom, and the candidates' means over passes.
    """

    judge: str
    passes: int
    gram: Floats
    moment: Floats
    squares: float
    freedom: int
    places: Floats
    scores: Floats


def _blocks(ranking: Ranking) -> Iterator[_Block]:
    whole = [one for one in ranking.passes if len(one.shown) == len(ranking.scores) > 1]
    for judge in dict.fromkeys(one.juror or one.model for one in whole):
        passes = [one for one in whole if (one.juror or one.model) == judge]
        scores = np.array([one.scores for one in passes], dtype=float)
        m, n = scores.shape
        basis = _basis(np.argsort([one.shown for one in passes], axis=1), np.full((m, n), n))
        scores -= scores.mean(axis=1, keepdims=True)
        mean, mean_basis = scores.mean(axis=0), basis.mean(axis=0)
        within, moved = (scores - mean).ravel(), (basis - mean_basis).reshape(-1, 3)
        squares, freedom = float(within @ within), (m - 1) * (n - 1)
        yield _Block(judge, m, moved.T @ moved, moved.T @ within, squares, freedom, mean_basis, mean)


def learn(rankings: Iterable[Ranking]) -> Habits | None:
    """Return what the passes of these rankings tell of their judges; None where there are none.

    Empirical Bayes (Efron & Morris 1973): a score is candidate + leniency + place + noise; by EM the noise is
    a mixture over ``NOISE_GRID``, candidates and effects of places are normal, with the priors of
    ``fit_scores`` as their start. Passes over the same candidates tell places and noise apart from
    candidates; single passes tell of places what the candidates' spread leaves.
    """
    known = [ranking for ranking in rankings if ranking.status == "ranked"]
    blocks = [block for ranking in known for block in _blocks(ranking)]
    if not blocks:
        return None
    grid = np.asarray(NOISE_GRID)
    noise, spread = np.full(len(grid), 1 / len(grid)), UTILITY_SD**2
    judges = dict.fromkeys(block.judge for block in blocks)
    effects, doubts = dict.fromkeys(judges, np.zeros(3)), dict.fromkeys(judges, np.asarray(_PRIOR))
    for _ in range(_STEPS):
        precisions = {judge: np.linalg.inv(_PRIOR) for judge in judges}
        moments = {judge: np.zeros(3) for judge in judges}
        weights, spreads = np.full(len(grid), 1 / len(grid)), [UTILITY_SD**2] * _PSEUDO_MESSAGES
        for judge, passes, gram, moment, squares, freedom, places, scores in blocks:
            effect = effects[judge]
            left = max(1e-9, squares - 2 * effect @ moment + effect @ gram @ effect)
            left += np.trace(gram @ doubts[judge])
            log = np.log(noise) - freedom * np.log(grid) - left / (2 * grid**2)
            weight = np.exp(log - log.max())
            weight /= weight.sum()
            weights += weight
            sure, rough = weight @ grid**-2.0, weight @ grid**2 / passes
            between = places.T / (spread + rough)
            precisions[judge] += gram * sure + between @ places
            moments[judge] += moment * sure + between @ scores
            rest = scores - places @ effect
            spreads.append(rest @ rest / (len(rest) - 1) - rough)
        doubts = {judge: np.linalg.inv(precisions[judge]) for judge in judges}
        effects = {judge: doubts[judge] @ moments[judge] for judge in judges}
        noise, spread = weights / weights.sum(), max(_LEAST_SPREAD**2, float(np.mean(spreads)))
    doubted = {judge: (doubts[judge] + _DOUBT * np.eye(3)).round(_DECIMALS).tolist() for judge in judges}
    return Habits(
        places={judge: tuple(effects[judge].round(_DECIMALS).tolist()) for judge in judges},
        doubts={judge: tuple(map(tuple, rows)) for judge, rows in doubted.items()},
        noise=tuple(noise.round(_DECIMALS).tolist()),
        spread=round(spread**0.5, _DECIMALS),
        num_messages=len(known),
    )
