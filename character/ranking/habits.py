"""What a judge's places, noise and scores are like over a run, so that one pass tells what two would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from character.ranking.score_model import (
    FIRST_SD,
    NOISE_GRID,
    SLOPE_SD,
    UTILITY_SD,
    Fitted,
    Known,
    design_of,
    posterior,
    weights_of,
)
from character.records import Ranking, RankingPass, Record
from character.statistics.arrays import Floats, Ints

_PRIOR = np.diag([SLOPE_SD**2, FIRST_SD**2, FIRST_SD**2])
_DOUBT = 0.01**2
"""The variance of each effect of a place that remains, however much was seen: a habit is not a constant."""
_LEAST_SPREAD, _PSEUDO_SPREADS = 0.05, 8.0
_STEPS = 15
_DECIMALS = 8  # the same on every machine, and after a file


class Habits(Record):
    """What a run knows of its judges from ``num_messages`` of its messages.

    ``places`` has for each judge (a juror's or the model's name) what it gives to places: the slope from the
    first to the last, a bonus of the first and one of the last, on the scale 0..1; ``doubts`` the covariance
    of these. ``noise`` are weights of ``NOISE_GRID``, ``spread`` is the standard deviation of how well the
    candidates of a message fit.
    """

    places: Mapping[str, tuple[float, float, float]]
    doubts: Mapping[str, tuple[tuple[float, float, float], ...]]
    noise: tuple[float, ...]
    spread: float
    num_messages: int

    def known(self, best_only: bool) -> Known:
        """Return what is thought before a judge has seen some candidates."""
        return Known(self.noise, self.spread, best_only)


def judge_of(one: RankingPass) -> str:
    """Return who made a pass."""
    return one.juror or one.model


def _basis(places: Ints, sizes: Ints) -> Floats:
    """Return slope, first and last place (the last axis) of places among so many shown."""
    last = np.maximum(sizes - 1, 1)
    ends = [(places == 0) - 1 / sizes, (places == sizes - 1) - 1 / sizes]
    return np.stack([1 - 2 * places / last, *ends], axis=-1)


def fit_known(
    scores: Floats,
    positions: Ints,
    passes: Sequence[RankingPass],
    spreads: Floats,
    habits: Habits,
    *,
    best_only: bool,
) -> Fitted:
    """Return what ``fit_scores`` does, by a run's knowledge of its judges in place of general priors.

    A judge of whom nothing is known yet has those.
    """
    seen = ~np.isnan(scores)
    rows, items = np.nonzero(seen)
    places, sizes = positions[seen], seen.sum(axis=1)[rows]
    key = tuple(rows.tolist()), tuple(items.tolist()), tuple(places.tolist())
    design, prior = design_of(*key, scores.shape)
    columns, values = [design[:, :-2]], scores[seen]
    judges = np.array([judge_of(one) for one in passes])
    for judge in dict.fromkeys(judges.tolist()):
        shown = _basis(places, sizes) * (judges[rows] == judge)[:, None]
        values = values - shown @ np.asarray(habits.places.get(judge, (0.0, 0.0, 0.0)))
        columns.append(shown @ np.linalg.cholesky(np.asarray(habits.doubts.get(judge, _PRIOR))))
    precision = np.concatenate([prior[:-2], np.ones(3 * (len(columns) - 1))])
    weights = weights_of(spreads[seen])
    known = habits.known(best_only)
    return posterior(np.column_stack(columns), precision, values, scores.shape, weights, known)


@dataclass(frozen=True)
class _Block:
    """What the passes of one judge over the candidates of one message tell.

    ``gram`` and ``moment`` are the normal equations of the places within passes, ``squares`` and ``freedom``
    what is to be explained there; ``places`` and ``scores`` the candidates' means over passes, centred.
    """

    judge: str
    passes: int
    gram: Floats
    moment: Floats
    squares: float
    freedom: int
    places: Floats
    scores: Floats

    def left(self, effects: Floats, doubts: Floats) -> float:
        """Return the sum of squares that effects of such doubt leave within passes."""
        explained = 2 * effects @ self.moment - effects @ self.gram @ effects
        return max(1e-9, self.squares - float(explained)) + float(np.trace(self.gram @ doubts))


def _blocks(rankings: Iterable[Ranking]) -> Iterator[_Block]:
    for ranking in rankings:
        whole = [one for one in ranking.passes if len(one.shown) == len(ranking.scores) > 1]
        for judge in dict.fromkeys(map(judge_of, whole)):
            yield _block(judge, [one for one in whole if judge_of(one) == judge])


def _block(judge: str, passes: list[RankingPass]) -> _Block:
    scores = np.array([one.scores for one in passes], dtype=float)
    m, n = scores.shape
    places = np.argsort([one.shown for one in passes], axis=1)
    basis = _basis(places, np.full((m, n), n))
    scores, basis = scores - scores.mean(axis=1, keepdims=True), basis - basis.mean(axis=1, keepdims=True)
    mean_scores, mean_basis = scores.mean(axis=0), basis.mean(axis=0)
    within, moved = scores - mean_scores, basis - mean_basis
    return _Block(
        judge,
        m,
        np.einsum("pik,pil->kl", moved, moved),
        np.einsum("pik,pi->k", moved, within),
        float((within**2).sum()),
        (m - 1) * (n - 1),
        mean_basis,
        mean_scores,
    )


def learn(rankings: Iterable[Ranking]) -> Habits | None:
    """Return what the passes of these rankings tell of their judges; None where there are none.

    Empirical Bayes (Efron & Morris 1973): a score is candidate + leniency + place + noise; by EM the noise is
    a mixture over ``NOISE_GRID``, candidates and effects of places are normal, with the priors of
    ``fit_scores`` as their start. Passes over the same candidates tell places and noise apart from
    candidates; single passes tell of places what the candidates' spread leaves.
    """
    known = [ranking for ranking in rankings if ranking.status == "ranked"]
    blocks = list(_blocks(known))
    if not blocks:
        return None
    grid = np.asarray(NOISE_GRID)
    noise, spread = np.full(len(grid), 1 / len(grid)), UTILITY_SD**2
    judges = dict.fromkeys(block.judge for block in blocks)
    effects = {judge: np.zeros(3) for judge in judges}
    doubts = dict.fromkeys(judges, np.asarray(_PRIOR, dtype=float))
    for _ in range(_STEPS):
        precisions = {judge: np.linalg.inv(_PRIOR) for judge in judges}
        moments = {judge: np.zeros(3) for judge in judges}
        weights, spreads = np.full(len(grid), 1 / len(grid)), [UTILITY_SD**2] * int(_PSEUDO_SPREADS)
        for block in blocks:
            judge, left = block.judge, block.left(effects[block.judge], doubts[block.judge])
            log = np.log(noise) - block.freedom * np.log(grid) - left / (2 * grid**2)
            weight = np.exp(log - log.max())
            weight /= weight.sum()
            weights += weight
            exact, rough = weight @ grid**-2.0, weight @ grid**2 / block.passes
            between = 1 / (spread + rough)
            precisions[judge] += block.gram * exact + block.places.T @ block.places * between
            moments[judge] += block.moment * exact + block.places.T @ block.scores * between
            rest = block.scores - block.places @ effects[judge]
            spreads.append(float(rest @ rest) / (len(rest) - 1) - float(rough))
        doubts = {judge: np.linalg.inv(precisions[judge]) for judge in judges}
        effects = {judge: doubts[judge] @ moments[judge] for judge in judges}
        noise, spread = weights / weights.sum(), max(_LEAST_SPREAD**2, float(np.mean(spreads)))
    return Habits(
        places={judge: _rounded(effects[judge]) for judge in judges},
        doubts={judge: tuple(map(_rounded, doubts[judge] + _DOUBT * np.eye(3))) for judge in judges},
        noise=tuple(np.round(noise, _DECIMALS).tolist()),
        spread=round(spread**0.5, _DECIMALS),
        num_messages=len(known),
    )


def _rounded(row: Floats) -> tuple[float, float, float]:
    slope, first, last = np.round(row, _DECIMALS).tolist()
    return slope, first, last
