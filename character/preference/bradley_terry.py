"""Bradley-Terry on differences of features: the weights that best explain which side of each pair was chosen.

P(a better than b) = 1 / (1 + exp(-(x_a - x_b)·w)), fitted with a ridge by L-BFGS. Bradley & Terry 1952.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from character.errors import MissingExtraError
from character.preference.ngrams import Floats, Ints

STRENGTH = 5.0
"""The variance that a weight is expected to have: half its inverse times the squared weights is the penalty."""
LENGTH_PENALTY, PRIOR_PENALTY = 10.0, 1.0
MOST_WEIGHT = 5.0
"""How much a pair may count at most to make up for there being few whose chosen side is the shorter (or longer)."""
_SMOOTHED = 1.0


@dataclass(frozen=True)
class Duels:
    """Pairs as places in a matrix of texts: who won, who lost, how much each counts, and log-length differences."""

    chosen: Ints
    rejected: Ints
    weight: Floats
    longer: Floats
    fold: Ints

    def at(self, rows: Ints) -> Duels:
        """Return these pairs alone."""
        return Duels(
            self.chosen[rows], self.rejected[rows], self.weight[rows], self.longer[rows], self.fold[rows]
        )

    def margins(self, scores: Floats) -> Floats:
        """Return the score of the chosen minus that of the rejected side."""
        return np.asarray(scores[self.chosen] - scores[self.rejected])


class Head(NamedTuple):
    """Weights of the features, and how far they follow the prior (1 as it is, 0 not at all; 0 without one)."""

    weights: Floats
    prior_share: float = 0.0


def fit_head(matrix: Any, duels: Duels, *, length_free: bool, prior: Floats | None = None) -> Head:
    """Return the weights w that explain the duels; ``matrix`` (texts, features) is dense or sparse.

    With a ``prior`` w = ρ prior + d: both are fitted, ρ held near 1 and d near 0, so that few pairs leave the
    prior as it is and many overrule it. ``length_free`` makes pairs whose chosen side is the shorter count as
    much in sum as the others, and explains what is left of length by a term that the weights do without.
    """
    from scipy.optimize import minimize

    num_texts, num_features = matrix.shape
    transposed = matrix.T.tocsr() if hasattr(matrix, "tocsr") else matrix.T
    before = np.zeros(len(duels.chosen)) if prior is None else duels.margins(matrix @ prior)
    weight = duels.weight * length_weights(duels) if length_free else duels.weight
    longer = _unit(duels.longer) if length_free else np.zeros(len(duels.longer))

    def loss(point: Floats) -> tuple[float, Floats]:
        weights, length, share = point[:-2], point[-2], point[-1]
        margin = duels.margins(matrix @ weights) + length * longer + share * before
        pull = -weight / (1 + np.exp(np.clip(margin, -500, 500)))
        of_text = np.bincount(duels.chosen, pull, num_texts) - np.bincount(duels.rejected, pull, num_texts)
        gradient = np.empty(len(point))
        gradient[:-2] = transposed @ of_text + weights / STRENGTH
        gradient[-2] = pull @ longer + LENGTH_PENALTY * length
        gradient[-1] = pull @ before + PRIOR_PENALTY * (share - 1)
        penalty = weights @ weights / STRENGTH + LENGTH_PENALTY * length**2 + PRIOR_PENALTY * (share - 1) ** 2
        return float(weight @ np.logaddexp(0, -margin) + penalty / 2), gradient

    start = np.zeros(num_features + 2)
    start[-1] = 1.0
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300, "ftol": 1e-7, "maxcor": 5}
    )
    if prior is None:
        return Head(found.x[:-2])
    return Head(found.x[:-2] + found.x[-1] * prior, float(found.x[-1]))


def length_weights(duels: Duels) -> Floats:
    """Return weights of mean 1 under which the chosen side is the longer as often as the shorter; ties count 1."""
    sign = np.sign(duels.longer)
    weight = np.ones(len(sign))
    uneven = sign != 0
    for side in (-1.0, 1.0):
        share = duels.weight[sign == side].sum() / max(duels.weight[uneven].sum(), 1e-12)
        if share > 0:
            weight[sign == side] = min(0.5 / share, MOST_WEIGHT)
    return weight * (len(weight) / weight.sum()) if len(weight) else weight


def temperature_of(margins: Floats, weight: Floats) -> float:
    """Return the T > 0 under which margins / T are the best calibrated log-odds (temperature scaling).

    The sides are taken to be right with Platt's (n + 1) / (n + 2) instead of 1, so that a few pairs, all of
    them right, do not make it certain. Platt 1999; Guo et al. 2017.
    """
    from scipy.optimize import minimize_scalar

    target = (weight.sum() + _SMOOTHED) / (weight.sum() + 2 * _SMOOTHED)

    def loss(log_inverse: float) -> float:
        odds = margins * np.exp(log_inverse)
        return float(
            weight @ (target * np.logaddexp(0, -odds) + (1 - target) * np.logaddexp(0, odds))
            + log_inverse**2 / 20
        )

    found = minimize_scalar(loss, bounds=(-5.0, 5.0), method="bounded")
    return float(np.exp(-found.x))


@contextmanager
def fitting() -> Iterator[None]:
    """Have what is fitted inside computed in one thread; raises MissingExtraError where the extra is not installed.

    The vectors are small: on a machine that is busy, BLAS threads that wait for one another made a fit of one second
    take a minute.
    """
    try:
        import scipy.optimize
        import scipy.sparse  # noqa: F401
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise MissingExtraError("fitting a preference model", "preference") from None
    with threadpool_limits(limits=1):
        yield


def _unit(values: Floats) -> Floats:
    """Return values scaled to a root mean square of 1 (their centre stays: sides can be swapped)."""
    spread = float(np.sqrt(np.mean(values**2))) if len(values) else 0.0
    return values / spread if spread > 0 else values
