"""The two ways to balance columns of numbers: leave rows out, or weight them. Nothing here knows what the columns mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from character.audit.pair_table import Floats

Bools = NDArray[np.bool_]
_STEP = 0.1
"""Of what is still too much in the worst column, the share that one round of removals may take away."""
_SLACK = 1e-9
_RIDGE = 1e-4
_MAX_ROUNDS, _MAX_HALVINGS = 100, 40


def reachable_share(column: Floats, threshold: float) -> float:
    """Return the largest share of rows that can stay so that the mean of this column alone is within the threshold."""
    if not len(column) or abs(column.mean()) <= threshold:
        return 1.0
    ordered = np.sort(column * np.sign(column.mean()))
    fits = np.cumsum(ordered) <= threshold * np.arange(1, len(column) + 1)
    return float(np.flatnonzero(fits)[-1] + 1) / len(column) if fits.any() else 0.0


def choose_rows(
    columns: Floats, threshold: float, *, least: int, rng: np.random.Generator
) -> tuple[Bools, int | None]:
    """Return which rows stay so that the mean of every column is within ± threshold, or the column that prevents it.

    Rows that most relieve the columns beyond the threshold go first, each column weighing by how far beyond
    it is; then rows come back, in random order, as far as all columns stay within. With fewer than
    ``least`` rows left it gives up: the second value is then the place of the worst column, else None.
    """
    keep = np.ones(len(columns), dtype=bool)
    sums, number = columns.sum(axis=0), len(columns)
    while True:
        beyond = np.maximum(np.abs(sums) - threshold * number, 0.0)
        if beyond.max(initial=0.0) <= _SLACK:
            break
        size = max(1, min(int(_STEP * beyond.max()), number - least))
        relief = columns @ (beyond * np.sign(sums)) - threshold * beyond.sum()
        relief[~keep] = -np.inf
        gone = _largest(relief, size, rng)
        if number <= least or not len(gone):
            return keep, int(beyond.argmax())
        keep[gone] = False
        sums, number = sums - columns[gone].sum(axis=0), number - len(gone)
    _put_back(columns, threshold, keep, rng)
    return keep, None


def _largest(relief: Floats, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the rows of the largest positive relief, at most ``size``, equal ones in random order."""
    shaken = relief * (1 + 1e-6 * rng.random(len(relief)))
    top = np.argpartition(-shaken, min(size, len(shaken) - 1))[:size]
    return np.asarray(top[relief[top] > 0], dtype=np.int64)


def _put_back(columns: Floats, threshold: float, keep: Bools, rng: np.random.Generator) -> None:
    sums, number = columns[keep].sum(axis=0), int(keep.sum())
    for _ in range(2):  # what came back in the first sweep may have made room for others
        out = rng.permutation(np.flatnonzero(~keep))
        for row in out:
            after = sums + columns[row]
            if np.abs(after).max(initial=0.0) <= threshold * (number + 1):
                keep[row] = True
                sums, number = after, number + 1


def weigh_rows(columns: Floats, *, max_weight: float) -> Floats:
    """Return weights of mean 1, each above 0 and at most ``max_weight``, that bring every column's mean to 0.

    Entropy balancing (Hainmueller 2012) with an upper bound, which is truncated raking (Deville and Särndal
    1992): of all such weights those nearest to equal ones in Kullback–Leibler divergence, found by Newton's
    method on the dual. Where no such weights exist the means come as near to 0 as a small ridge lets them:
    look at them afterwards.
    """
    number = len(columns)
    if not number:
        return np.ones(0)
    design = np.column_stack([columns, np.ones(number)])
    ridge = np.full(design.shape[1], _RIDGE * number)
    ridge[-1] = _SLACK * number
    point = np.zeros(design.shape[1])
    value = _dual(design, point, ridge, max_weight)
    for _ in range(_MAX_ROUNDS):
        weights = _bounded(design @ point, max_weight)
        gradient = design.T @ weights + ridge * point
        gradient[-1] -= number
        if np.abs(gradient).max() <= 1e-7 * number:
            break
        inside = np.where(weights < max_weight, weights, 0.0)
        step = np.linalg.solve((design * inside[:, None]).T @ design + np.diag(ridge), gradient)
        point, value = _descend(design, point, step, value, ridge, max_weight)
    weights = _bounded(design @ point, max_weight)
    return np.asarray(weights / weights.mean())


def _descend(
    design: Floats, point: Floats, step: Floats, value: float, ridge: Floats, max_weight: float
) -> tuple[Floats, float]:
    """Return the first point along the step, halved again and again, at which the dual is not larger."""
    size = 1.0
    for _ in range(_MAX_HALVINGS):
        after = point - size * step
        found = _dual(design, after, ridge, max_weight)
        if found <= value:
            return after, found
        size /= 2
    return point, value


def _bounded(exponents: Floats, max_weight: float) -> Floats:
    return np.asarray(np.exp(np.clip(exponents, -50.0, np.log(max_weight))))


def _dual(design: Floats, point: Floats, ridge: Floats, max_weight: float) -> float:
    """Return Σ F(x·point) - n·intercept + ridge, F being the integral of the bounded exponential."""
    exponents = design @ point
    bound = np.log(max_weight)
    over = np.maximum(exponents - bound, 0.0)
    integral = np.exp(np.minimum(exponents, bound)) + max_weight * over
    return float(integral.sum() - len(design) * point[-1] + 0.5 * (ridge * point**2).sum())
