"""The passes of one ranking become its scores, its order and the probabilities between candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, zip_longest
from typing import Literal, get_args

import numpy as np

from character.errors import UnknownNameError
from character.ranking.choice_models import Utilities, borda, bradley_terry, plackett_luce
from character.ranking.habits import fit_known
from character.ranking.score_model import Fitted, Habits, PositionEffects, expected_gain, fit_scores
from character.records import RankingPass, order_by_score
from character.statistics.agreement import kendall_tau_b
from character.statistics.arrays import Bools, Floats

Method = Literal["model", "mean", "borda", "bradley_terry", "plackett_luce"]
METHODS: tuple[Method, ...] = get_args(Method)
Effects = Mapping[tuple[str, int], PositionEffects]
"""Known position effects by judge (the juror's or the model's name) and number of candidates shown."""


@dataclass(frozen=True)
class Combined:
    """``scores`` in 0..1 per candidate (two decimals), ``probabilities[i][j]`` that i truly fits better.

    ``consistency`` is that of the judge with itself (see ``consistency``), ``gain`` the share of pairs that
    one more pass is expected to put right.
    """

    scores: tuple[float, ...]
    probabilities: tuple[tuple[float, ...], ...]
    consistency: float | None
    gain: float


def combine(
    passes: Sequence[RankingPass],
    num_candidates: int,
    *,
    method: Method = "model",
    effects: Effects | None = None,
    habits: Habits | None = None,
    best_only: bool = False,
) -> Combined:
    """Return what the passes amount to. At least one is needed, and each candidate has to be in one.

    ``model``: the linear model of ``fit_scores``, with position effects taken out; ``mean``: plain means of
    the scores, with the model's probabilities; ``borda``, ``bradley_terry`` and ``plackett_luce`` use the
    order within each pass alone. With ``habits`` it is ``fit_known``, and the gain that of the best one's
    pairs alone where ``best_only``. Raises UnknownNameError for a method.
    """
    if method not in METHODS:
        raise UnknownNameError("aggregation method", method, METHODS)
    table = np.array([[np.nan if s is None else s for s in done.scores] for done in passes], dtype=float)
    for row, done in enumerate(passes):
        of_judge = (effects or {}).get((done.juror or done.model, len(done.shown)))
        if of_judge is not None:
            table[row, list(done.shown)] -= of_judge.effects
    spreads = _spreads(passes, table)
    if habits is None:
        fitted = _fitted(method, table, passes, spreads)
    else:
        fitted = fit_known(table, passes, spreads, habits, best_only)
    rounded = np.round(np.clip(fitted.scores, 0.0, 1.0), 2)
    clipped = np.round(np.clip(fitted.probabilities, 0.0001, 0.9999), 4)  # nothing is certain
    probabilities = tuple(tuple(row) for row in clipped.tolist())
    return Combined(tuple(rounded.tolist()), probabilities, consistency(table), fitted.gain)


def consistency(table: Floats) -> float | None:
    """Return how far a judge agrees with itself, in -1..1; None where nothing was judged twice.

    ``table`` has a row per pass and nan for what was not shown. It is the mean Kendall tau-b between passes
    that share at least two candidates; a pass that ties everything agrees with none and counts as 0. Where
    every pass shows one candidate, the first scores of all are one pass, the second ones another, and so on.
    Where every pass shows two of more, it is 2 s - 1 with s the share of pairs of verdicts on the same two
    candidates that agree; where either is a tie, it counts half.
    """
    most = max((~np.isnan(table)).sum(axis=1), default=0)
    if most == 1:
        table = _rounds(table)
    elif most == 2 and table.shape[1] > 2:
        return _same_verdicts(table)
    taus = []
    for left, right in combinations(table, 2):
        shared = ~np.isnan(left) & ~np.isnan(right)
        if shared.sum() > 1:
            taus.append(kendall_tau_b(left[shared], right[shared]) or 0.0)
    return round(float(np.mean(taus)), 4) if taus else None


def _rounds(table: Floats) -> Floats:
    """Return passes of one candidate each as passes over all: the k-th has the k-th score of each."""
    columns = [column[~np.isnan(column)] for column in table.T]
    return np.array(list(zip_longest(*columns, fillvalue=np.nan)))


def _same_verdicts(table: Floats) -> float | None:
    """Return 2 s - 1, s being the mean over pairs of candidates of the share of verdicts that agree."""
    verdicts: dict[tuple[int, ...], list[float]] = {}
    for row in table:
        shown = np.flatnonzero(~np.isnan(row))
        if len(shown) == 2:
            verdict = float(np.sign(row[shown[0]] - row[shown[1]]))
            verdicts.setdefault(tuple(shown.tolist()), []).append(verdict)
    agreed = [
        np.mean([a * b for a, b in combinations(signs, 2)]) for signs in verdicts.values() if len(signs) > 1
    ]
    return round(float(np.mean(agreed)), 4) if agreed else None


def _spreads(passes: Sequence[RankingPass], table: Floats) -> Floats:
    """Return the judge's own standard deviation of each score; nan where it wrote its judgement."""
    spreads = np.full(table.shape, np.nan)
    for row, done in enumerate(passes):
        if done.spreads:
            spreads[row] = [np.nan if spread is None else spread for spread in done.spreads]
    return spreads


def _fitted(method: Method, table: Floats, passes: Sequence[RankingPass], spreads: Floats) -> Fitted:
    if method == "bradley_terry":
        return _bradley_terry(table, np.any(~np.isnan(spreads), axis=1))
    if method in ("borda", "plackett_luce"):
        fitted = _of(plackett_luce([_order(row) for row in table], table.shape[1]), len(table))
        return replace(fitted, scores=borda(table)) if method == "borda" else fitted
    places = np.zeros(table.shape, dtype=np.int64)
    for row, done in enumerate(passes):
        places[row, list(done.shown)] = range(len(done.shown))
    fitted = fit_scores(table, places, spreads)
    return replace(fitted, scores=np.nanmean(table, axis=0)) if method == "mean" else fitted


def _bradley_terry(table: Floats, by_odds: Bools) -> Fitted:
    n = table.shape[1]
    wins = np.zeros((n, n))
    for row, is_share in zip(table, by_odds, strict=True):
        shown = np.flatnonzero(~np.isnan(row))
        for i, j in combinations(shown, 2):
            gap = row[i] - row[j]
            share = 0.5 + 0.5 * (gap if is_share and len(shown) == 2 else np.sign(gap))
            wins[i, j] += share
            wins[j, i] += 1 - share
    return _of(bradley_terry(wins), max(1.0, float(wins.sum()) / (n * (n - 1) / 2)))


def _of(utilities: Utilities, judgements: float) -> Fitted:
    """Return what utilities amount to, after so many judgements of each pair."""
    z = utilities.z()[np.triu_indices(len(utilities.means), 1)]
    gain = float(expected_gain(z, 1 / (judgements + 1)).mean()) if z.size else 0.0
    return Fitted(utilities.scores(), utilities.probabilities(), gain)


def _order(row: Floats) -> list[list[int]]:
    shown = [int(i) for i in np.flatnonzero(~np.isnan(row))]
    groups = order_by_score(tuple(float(row[i]) for i in shown))
    return [[shown[k] for k in group] for group in groups]
