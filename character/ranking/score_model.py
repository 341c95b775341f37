"""Scores of several passes become one per candidate, with how sure it is and without the position effect."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from character.records import Record
from character.statistics.arrays import Floats, Ints

NOISE_GRID = (0.03, 0.05, 0.08, 0.12, 0.18, 0.27)
"""Standard deviations of one score that are thought possible, on the scale 0..1; all equally likely before.
The least is what rounding to a rubric of 0 to 10 makes by itself."""
SLOPE_SD, FIRST_SD = 0.1, 0.07
"""How large position effects (on the scale 0..1) are thought to be where nothing is known of the judge."""
UTILITY_SD = 0.25
"""How far candidates are thought to lie apart: the prior that keeps probabilities from being too sure."""
MOST_WEIGHT = 4.0
"""How much more, or less, than the usual one a score may count by how sure its judge is."""
_FLAT = 1e-6  # the precision of a prior that says nothing, and keeps the system solvable


@dataclass(frozen=True)
class PositionEffects:
    """How much each place in the list adds to a score: a run's estimate for one judge and list length."""

    effects: tuple[float, ...]


class Habits(Record):
    """What a run knows of its judges from ``num_messages`` of its messages.

    ``places`` has for each judge (a juror's or the model's name) what it gives to places: the slope from the
    first to the last, a bonus of the first and one of the last, on the scale 0..1; ``doubts`` their
    covariance. ``noise`` are weights of ``NOISE_GRID``, ``spread`` is the standard deviation of how well the
    candidates of a message fit.
    """

    places: Mapping[str, tuple[float, ...]]
    doubts: Mapping[str, tuple[tuple[float, ...], ...]]
    noise: tuple[float, ...]
    spread: float
    num_messages: int


@dataclass(frozen=True)
class Fitted:
    """``scores`` per candidate (not clipped), and ``probabilities[i, j]`` that i truly fits better than j.

    ``gain`` is the share of pairs that one more pass is expected to put right.
    """

    scores: Floats
    probabilities: Floats
    gain: float


def fit_scores(scores: Floats, positions: Ints, spreads: Floats | None = None) -> Fitted:
    """Return the candidates' scores under a linear model of what the judge said.

    ``scores`` is passes by candidates in 0..1, NaN where a pass did not show a candidate; ``positions`` holds
    the place each was shown at. One score is taken to be

        candidate + leniency of the pass + slope · place + bonus of the first place + noise,

    with nothing assumed about candidates and leniency, normal priors on slope and bonus (``SLOPE_SD``,
    ``FIRST_SD``), and the noise integrated over ``NOISE_GRID``. In a balanced design the scores are plain
    means; before it is complete the model takes out as much of the position effect as the passes can tell.
    Probabilities hold for candidates that lie ``UTILITY_SD`` apart before anything is seen. The model is that
    of Lindley & Smith 1972.

    ``spreads`` are the judge's own standard deviations of its scores (NaN where unknown): a score of which it
    is less sure than of the others counts for less, within ``MOST_WEIGHT``; how much noise there is in all is
    still told by how far the passes agree.
    """
    seen = ~np.isnan(scores)
    passes, items = np.nonzero(seen)
    places = positions[seen]
    design, prior = design_of(
        tuple(passes.tolist()), tuple(items.tolist()), tuple(places.tolist()), scores.shape
    )
    weights = weights_of(spreads[seen]) if spreads is not None and not np.isnan(spreads).all() else None
    return posterior(design, prior, scores[seen], scores.shape, weights)


def weights_of(spreads: Floats) -> Floats:
    """Return the weight of each score relative to the usual one, from how sure the judge is of it."""
    variances = np.maximum(spreads, NOISE_GRID[0]) ** 2
    weights = np.clip(np.nanmedian(variances) / variances, 1 / MOST_WEIGHT, MOST_WEIGHT)
    return np.asarray(np.where(np.isnan(weights), 1.0, weights), dtype=float)


@lru_cache(maxsize=512)
def design_of(
    passes: tuple[int, ...], items: tuple[int, ...], places: tuple[int, ...], shape: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Return the design matrix (one row per score) and the prior precision of each column.

    The columns of the candidates come first, those of slope and bonus last.
    """
    m, n = shape
    sizes = np.bincount(passes, minlength=m)
    rows = np.arange(len(passes))
    candidate = np.zeros((len(passes), n))
    candidate[rows, items] = 1.0
    columns, precision = [candidate], [np.full(n, _FLAT)]
    if sizes.max() > 1:
        if m > 1:
            # Leniencies sum to zero: the last pass is minus the others; the level stays with the candidates.
            leniency = np.zeros((len(passes), m))
            leniency[rows, passes] = 1.0
            columns.append(leniency[:, :-1] - leniency[:, -1:])
            precision.append(np.full(m - 1, _FLAT))
        place = np.asarray(places, dtype=float)
        last = np.maximum(sizes[np.asarray(passes)] - 1, 1)
        first = (place == 0).astype(float) - 1 / sizes[np.asarray(passes)]
        columns.append(np.column_stack([1 - 2 * place / last, first]))
        precision.append(np.array([SLOPE_SD**-2, FIRST_SD**-2]))
    return np.column_stack(columns), np.concatenate(precision)


def posterior(
    design: Floats,
    prior: Floats,
    values: Floats,
    shape: tuple[int, int],
    weights: Floats | None = None,
    habits: Habits | None = None,
    best_only: bool = False,
) -> Fitted:
    """Return what a design of so many passes by candidates comes to; the candidates' columns are the first.

    ``prior`` is the precision of each column's coefficient; ``habits`` replace what is thought of noise and
    spread. With ``best_only`` the gain is that of the pairs of the best candidate with each other one.
    """
    num_passes, num_candidates = shape
    noise, apart = np.asarray(NOISE_GRID), UTILITY_SD if habits is None else habits.spread
    if weights is not None:
        design, values = design * np.sqrt(weights)[:, None], values * np.sqrt(weights)
    gram, moment = design.T @ design, design.T @ values
    precision = gram[None] / noise[:, None, None] ** 2 + np.diag(prior)[None]
    covariance = np.linalg.inv(precision)
    means = covariance @ moment / noise[:, None] ** 2
    # The evidence of each noise level: the likelihood with all coefficients integrated out.
    residual = (values @ values - means @ moment) / noise**2
    _, log_det = np.linalg.slogdet(precision)
    log_evidence = -0.5 * (residual + log_det) - len(values) * np.log(noise)
    if habits is not None:
        log_evidence += np.log(habits.noise)
    weight = np.exp(log_evidence - log_evidence.max())
    weight /= weight.sum()
    scores = weight @ means[:, :num_candidates]
    block = covariance[:, :num_candidates, :num_candidates]
    variance = np.diagonal(block, axis1=1, axis2=2)
    spread = np.maximum(variance[:, :, None] + variance[:, None, :] - 2 * block, 1e-12)
    gap = means[:, :num_candidates, None] - means[:, None, :num_candidates]
    # A normal prior on the difference of two candidates shrinks it; its sign stays.
    shrink = 2 * apart**2 / (2 * apart**2 + spread)
    z = gap * np.sqrt(shrink / spread)
    probabilities = np.tensordot(weight, normal_cdf(z), axes=1)
    np.fill_diagonal(probabilities, 0.5)
    left, right = np.triu_indices(num_candidates, 1)
    asked = (left == scores.argmax()) | (right == scores.argmax()) | (not best_only)
    # A prior on the candidates leaves less for a further pass to tell, the more of it the noisier the judge.
    slack = 0 * noise if habits is None else (noise / apart) ** 2
    share = 1 / (num_passes + 1 + slack)
    gain = weight @ expected_gain(z[:, left[asked], right[asked]], share[:, None]).mean(axis=1)
    return Fitted(scores, probabilities, float(gain))


def normal_cdf(z: Floats) -> Floats:
    """Return the standard normal distribution function, to 1e-7 (Abramowitz & Stegun 1964, 7.1.26)."""
    x = np.abs(z) / math.sqrt(2)
    t = 1 / (1 + 0.3275911 * x)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    upper = 0.5 * series * np.exp(-x * x)
    return np.asarray(np.where(z > 0, 1 - upper, upper), dtype=float)


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def expected_gain(z: Floats, share: float | Floats) -> Floats:
    """Return how much less likely a pair is expected to be in the wrong order after more has been seen.

    ``z`` is the difference of two candidates in standard deviations; what comes will take away ``share`` of
    its variance. The expectation is over what may be seen (preposterior analysis, Raiffa & Schlaifer 1961).
    """
    share = np.asarray(share)[..., None]
    moved = np.abs(z[..., None] + _NODES * np.sqrt(share)) / np.sqrt(1 - share)
    return np.asarray(normal_cdf(-np.abs(z)) - normal_cdf(-moved) @ _WEIGHTS, dtype=float)
