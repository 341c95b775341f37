"""Bradley-Terry on differences of features: the weights that best explain which side of each pair was chosen.

P(a better than b) = 1 / (1 + exp(-(x_a - x_b)·w)), fitted with a ridge by L-BFGS. Bradley & Terry 1952.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from character.errors import MissingExtraError
from character.statistics.arrays import Floats, Ints

STRENGTH = 5.0
"""The variance expected of a weight: half its inverse times the squared weights is the penalty."""
SLOPE_DOUBT = 10
"""How many pairs without any slope over length are added to those there are."""


class Duels(NamedTuple):
    """Pairs as places in a matrix of texts: who won, who lost, what each counts, log-length differences."""

    chosen: Ints
    rejected: Ints
    weight: Floats
    longer: Floats
    fold: Ints

    def at(self, rows: Ints | NDArray[np.bool_]) -> Duels:
        """Return the pairs of these places, or those that are marked."""
        return Duels._make(column[rows] for column in self)

    def margins(self, scores: Floats) -> Floats:
        """Return the score of the chosen minus that of the rejected side."""
        return np.asarray(scores[self.chosen] - scores[self.rejected])


def fit_head(matrix: Any, duels: Duels, prior: Floats | None = None) -> Floats:
    """Return the weights w that explain the duels; ``matrix`` (texts, features) is dense or sparse.

    With a ``prior`` they are drawn towards it instead of towards 0, so that few pairs leave it as it is and
    many overrule it.
    """
    from scipy.optimize import minimize

    num_texts, num_features = matrix.shape
    transposed = matrix.T.tocsr() if hasattr(matrix, "tocsr") else matrix.T
    centre = np.zeros(num_features) if prior is None else prior
    before = duels.margins(matrix @ centre)

    def loss(change: Floats) -> tuple[float, Floats]:
        margin = before + duels.margins(matrix @ change)
        pull = -duels.weight / (1 + np.exp(np.clip(margin, -500, 500)))
        of_text = np.bincount(duels.chosen, pull, num_texts) - np.bincount(duels.rejected, pull, num_texts)
        value = duels.weight @ np.logaddexp(0, -margin) + change @ change / (2 * STRENGTH)
        return float(value), transposed @ of_text + change / STRENGTH

    options = {"maxiter": 300, "ftol": 1e-7, "maxcor": 5}
    least = minimize(loss, np.zeros(num_features), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(centre + least.x)


def length_slope(margins: Floats, duels: Duels) -> float:
    """Return how much held-out margins grow per unit of log-length difference, beside their average.

    Least squares with an intercept: the intercept is what the chosen sides have besides length, so that a
    trait whose pairs favour long replies is not blamed for it. Ten pairs' worth of doubt draw it towards 0.
    """
    if len(margins) < 2:
        return 0.0
    longer = duels.longer - np.average(duels.longer, weights=duels.weight)
    spread = float(duels.weight @ longer**2)
    if spread <= 0:
        return 0.0
    beside = margins - np.average(margins, weights=duels.weight)
    shrunk = len(margins) / (len(margins) + SLOPE_DOUBT)
    return float(duels.weight @ (longer * beside)) / spread * shrunk


class OddsCalibration(NamedTuple):
    """A temperature, and the log loss (nats) of each held-out pair with it."""

    temperature: float
    losses: Floats


def calibrate(margins: Floats, weight: Floats) -> OddsCalibration:
    """Return the T > 0 under which margins / T are the best calibrated log-odds (temperature scaling).

    The sides are taken to be right with Platt's (n + 1) / (n + 2) instead of 1, so that a few pairs, all of
    them right, do not make it certain. Platt 1999; Guo et al. 2017.
    """
    from scipy.optimize import minimize_scalar

    target = (weight.sum() + 1) / (weight.sum() + 2)

    def losses(log_inverse: float) -> Floats:
        odds = margins * np.exp(log_inverse)
        return np.asarray(target * np.logaddexp(0, -odds) + (1 - target) * np.logaddexp(0, odds))

    def penalized(log_inverse: float) -> float:
        return float(weight @ losses(log_inverse) + log_inverse**2 / 20)

    best = minimize_scalar(penalized, bounds=(-5.0, 5.0), method="bounded").x
    return OddsCalibration(float(np.exp(-best)), losses(best))


def surely_better(one: OddsCalibration, other: OddsCalibration, weight: Floats) -> bool:
    """Whether the losses of ``one`` are lower, by more than the standard error of the difference."""
    gain = other.losses - one.losses
    mean = float(np.average(gain, weights=weight))
    error = float(np.sqrt(np.average((gain - mean) ** 2, weights=weight) / max(1, len(gain) - 1)))
    return mean > error


@contextmanager
def fitting() -> Iterator[None]:
    """Compute what is fitted inside in one thread; raises MissingExtraError where the extra is not installed.

    The vectors are small: on a busy machine BLAS threads that wait for one another made a fit of one second
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
