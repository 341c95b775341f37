"""The arithmetic of a calibration: what place and length do to scores, and the isotonic map to the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from character.statistics.arrays import Floats, Ints

CAP = 0.25
"""The most that place and length as biases may move a score together, in points of a 0..1 score."""
MOST_CREDIT = 0.5
"""The most that a candidate may gain or lose because the raters favour its length."""
REACH = CAP + MOST_CREDIT
NUM_KNOTS = 8
LEAST_PER_KNOT = 6
PRIOR_LABELS = 24.0
"""How many imaginary labels say what the judge says, over all groups together."""
LEAST_SLOPE = 0.2
"""The share of the judge's own differences that stays where the labels see none.

So that no order is lost: a ranking has two decimals, and what falls together there is a tie.
"""
EDGE = 0.005
"""How far from 0 and 1 the outermost groups stay, so that scores beyond them have room."""


@dataclass(frozen=True)
class JudgedPass:
    """One judgement: candidates' indices as shown, and a score in 0..1 per candidate (None: not judged)."""

    shown: Sequence[int]
    scores: Sequence[float | None]


@dataclass(frozen=True)
class JudgedItem:
    """What a judge and the raters said of a message: passes, and the raters' consensus in 0..1 per candidate.

    ``labels`` has None where nobody said anything; ``lengths`` has a positive length per candidate, or is
    empty. Items of one ``group`` count as one message for standard errors; without it each is its own.
    """

    labels: Sequence[float | None]
    passes: Sequence[JudgedPass]
    lengths: Sequence[float] = ()
    group: str = ""


def centred_logs(lengths: Sequence[float]) -> Floats:
    """Return log lengths less their mean."""
    logs = np.log(np.maximum(np.asarray(lengths, dtype=float), 1.0))
    return np.asarray(logs - logs.mean(), dtype=float)


def isotonic(values: ArrayLike, weights: ArrayLike) -> Floats:
    """Return the weighted least-squares fit that never decreases, by pooling adjacent violators.

    Source: Ayer et al. 1955; Barlow et al. 1972.
    """
    blocks: list[tuple[float, float, int]] = []  # mean, weight, size
    for value, weight in zip(np.asarray(values, float), np.asarray(weights, float), strict=True):
        mean, total, size = float(value), float(weight), 1
        while blocks and blocks[-1][0] > mean:
            before, heavy, wide = blocks.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, size = total + heavy, size + wide
        blocks.append((mean, total, size))
    return np.repeat([block[0] for block in blocks], [block[2] for block in blocks])


def fit_knots(scores: Floats, labels: Floats, reach: float = CAP) -> tuple[tuple[float, float], ...]:
    """Return the knots of the map from scores to labels, strictly increasing from -reach to 1 + reach.

    Scores are grouped, neighbours together. Each group is moved by the median of label less score, its part
    of ``PRIOR_LABELS`` imaginary zeros among them (the median, because the absolute error is to fall, and
    because a judge who often agrees exactly is to be left alone); isotonic regression then puts groups out of
    order right.
    """
    groups = _groups(scores)
    x = np.array([scores[group].mean() for group in groups])
    prior = max(1, round(PRIOR_LABELS / len(groups)))
    shifts = [np.median(np.append((labels - scores)[group], np.zeros(prior))) for group in groups]
    weights = np.array([len(group) + prior for group in groups], dtype=float)
    fitted = isotonic(x + np.array(shifts), weights)
    y = (1 - LEAST_SLOPE) * np.clip(fitted, 0.0, 1.0) + LEAST_SLOPE * np.clip(x, -reach, 1 + reach)
    return _closed(np.clip(x, -reach + EDGE, 1 + reach - EDGE), _squeezed(y), reach)


def straight_knots(scores: Floats, reach: float = CAP) -> tuple[tuple[float, float], ...]:
    """Return the knots of a map that leaves scores as they are, pressed together where some pass 0..1."""
    x = np.clip(np.unique([scores.min(), scores.max()]), -reach + EDGE, 1 + reach - EDGE)
    return _closed(x, _squeezed(x), reach)


def _groups(scores: Floats) -> list[Ints]:
    """Return the indices of neighbouring scores in groups of about equal size; equal scores stay together."""
    number = int(np.clip(len(scores) // LEAST_PER_KNOT, 1, NUM_KNOTS))
    order = np.argsort(scores, kind="stable")
    groups: list[list[int]] = []
    for index in order:
        place = len(groups) * len(scores) / number
        taken = sum(map(len, groups))
        apart = bool(groups) and scores[index] - scores[groups[-1][-1]] > 1e-3
        if not groups or (apart and taken >= place):
            groups.append([])
        groups[-1].append(int(index))
    return [np.asarray(group) for group in groups]


def _squeezed(y: Floats) -> Floats:
    """Return the values inside EDGE..1 - EDGE, evenly pressed together so that none become equal."""
    low, high = min(EDGE, float(y.min())), max(1 - EDGE, float(y.max()))
    return np.asarray(EDGE + (y - low) * (1 - 2 * EDGE) / (high - low), dtype=float)


def _closed(x: Floats, y: Floats, reach: float) -> tuple[tuple[float, float], ...]:
    """Return the knots with one at each end, to which the map goes on as steep as on the whole, at most 1."""
    spread = float(x[-1] - x[0])
    slope = float(np.clip((y[-1] - y[0]) / spread, LEAST_SLOPE, 1.0)) if spread > 0 else 1.0
    first = (-reach, max(0.0, float(y[0]) - slope * float(x[0] + reach)))
    last = (1 + reach, min(1.0, float(y[-1]) + slope * float(1 + reach - x[-1])))
    inner = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    knots = [(round(a, 6), round(b, 6)) for a, b in (first, *inner, last)]
    rising = [knots[0]]
    for knot in knots[1:]:
        if knot[0] > rising[-1][0] and knot[1] > rising[-1][1]:
            rising.append(knot)
    return tuple(rising)
