"""Orders and comparisons become utilities and how sure they are: Bradley-Terry, Plackett-Luce with ties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from character.ranking.score_model import normal_cdf
from character.statistics.arrays import Floats

PRIOR_SD = 2.0
"""The standard deviation of utilities before anything is seen, in logits: it keeps them finite."""
_STEPS = 50
_Derivatives = Callable[[Floats], tuple[Floats, Floats]]
"""The gradient of a likelihood at some utilities, and its information there."""


@dataclass(frozen=True)
class Utilities:
    """Utilities in logits (their mean is 0) and their covariance, by Laplace's approximation."""

    means: Floats
    covariance: Floats

    def z(self) -> Floats:
        """Return the differences i - j in standard deviations, 0 on the diagonal."""
        variance = np.diagonal(self.covariance)
        spread = variance[:, None] + variance[None, :] - 2 * self.covariance
        return (self.means[:, None] - self.means[None, :]) / np.sqrt(np.maximum(spread, 1e-12))

    def probabilities(self) -> Floats:
        """Return the matrix of the probabilities that i is truly better than j, 0.5 on the diagonal."""
        result = normal_cdf(self.z())
        np.fill_diagonal(result, 0.5)
        return result

    def scores(self) -> Floats:
        """Return each candidate's mean probability of being better than another one, in 0..1."""
        table = self.probabilities()
        n = len(table)
        return np.asarray((table.sum(axis=1) - 0.5) / max(1, n - 1), dtype=float)


def bradley_terry(wins: Floats, *, prior_sd: float = PRIOR_SD) -> Utilities:
    """Return the utilities under which the comparisons are most likely.

    ``wins[i, j]`` counts i over j, a tie half each. P(i over j) = 1 / (1 + exp(u_j - u_i)), with a normal
    prior (Bradley & Terry 1952). The effect of the first place cancels where each pair was judged in both
    orders.
    """
    derivatives = _of_comparisons(wins)
    return _with_covariance(derivatives, _maximum(derivatives, wins.shape[:-1], prior_sd), prior_sd)


def bradley_terry_means(wins: Floats, *, prior_sd: float = PRIOR_SD) -> Floats:
    """Return the means of ``bradley_terry`` for many tables at once: (tables, n, n) in, (tables, n) out.

    For resampling: some forty times faster than one by one.
    """
    u = _maximum(_of_comparisons(wins), wins.shape[:-1], prior_sd)
    return np.asarray(u - u.mean(axis=-1, keepdims=True), dtype=float)


def _of_comparisons(wins: Floats) -> _Derivatives:
    counts = wins + np.swapaxes(wins, -1, -2)

    def derivatives(u: Floats) -> tuple[Floats, Floats]:
        p = 1 / (1 + np.exp(u[..., None, :] - u[..., :, None]))
        gradient = (wins - counts * p).sum(axis=-1)
        weight = counts * p * (1 - p)
        return gradient, weight.sum(axis=-1)[..., None] * np.eye(wins.shape[-1]) - weight

    return derivatives


def plackett_luce(
    orders: Sequence[Sequence[Sequence[int]]], num_candidates: int, *, prior_sd: float = PRIOR_SD
) -> Utilities:
    """Return the utilities under which the orders (groups of equals, best first) are most likely.

    The best of what is left is chosen with probability exp(u_i) / Σ exp(u_j) (Plackett 1975). A group of
    equals counts as if each were chosen from all that was left then (Breslow 1974), which keeps the
    likelihood concave.
    """
    stages: list[tuple[list[int], list[int]]] = []  # what was chosen, of what was left; the last is no choice
    for order in orders:
        left = [index for group in order for index in group]
        for group in order[:-1]:
            stages.append((list(group), left))
            left = [index for index in left if index not in group]

    def derivatives(u: Floats) -> tuple[Floats, Floats]:
        gradient, information = np.zeros(num_candidates), np.zeros((num_candidates, num_candidates))
        for chosen, left in stages:
            weights = np.exp(u[left] - u[left].max())
            p = np.zeros(num_candidates)
            p[left] = weights / weights.sum()
            gradient[chosen] += 1
            gradient -= len(chosen) * p
            information += len(chosen) * (np.diag(p) - np.outer(p, p))
        return gradient, information

    return _with_covariance(derivatives, _maximum(derivatives, (num_candidates,), prior_sd), prior_sd)


def _maximum(derivatives: _Derivatives, shape: tuple[int, ...], prior_sd: float) -> Floats:
    """Find the maximum, or several at once, by Newton's method.

    A concave likelihood with a normal prior always lets it succeed.
    """
    u, prior = np.zeros(shape), np.eye(shape[-1]) / prior_sd**2
    for _ in range(_STEPS):
        gradient, information = derivatives(u)
        step = np.linalg.solve(information + prior, (gradient - u / prior_sd**2)[..., None])[..., 0]
        largest = np.abs(step).max(axis=-1, keepdims=True)
        u = u + step * np.minimum(1.0, 2.0 / np.maximum(1e-12, largest))
        if largest.max() < 1e-9:
            break
    return u


def _with_covariance(derivatives: _Derivatives, u: Floats, prior_sd: float) -> Utilities:
    _, information = derivatives(u)
    covariance = np.linalg.inv(information + np.eye(len(u)) / prior_sd**2)
    return Utilities(u - u.mean(), np.asarray(covariance, dtype=float))


def borda(ranks_or_scores: Floats) -> Floats:
    """Return the mean share of others that each candidate beats (a tie half), over passes; NaN was not shown.

    In 0..1: (number shown - mid-rank) / (number shown - 1), averaged (de Borda 1781).
    """
    from character.statistics.agreement import mid_ranks

    shares, counts = np.zeros(ranks_or_scores.shape), np.zeros(ranks_or_scores.shape[1])
    for row, scores in enumerate(ranks_or_scores):
        shown = ~np.isnan(scores)
        if shown.sum() > 1:
            shares[row, shown] = (shown.sum() - mid_ranks(scores[shown])) / (shown.sum() - 1)
            counts += shown
    sums = shares.sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), 0.5)
