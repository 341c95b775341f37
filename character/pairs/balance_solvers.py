"""The two ways to balance columns of numbers, whatever they mean: leave rows out, or weight them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from character.statistics.arrays import Floats, Ints

Bools = NDArray[np.bool_]
_STEP = 0.1
"""Of what is still too much in the worst column, the share that one round of removals may take away."""
_SLACK = 1e-9
_RIDGE = 1e-4
_MAX_ROUNDS, _MAX_HALVINGS = 100, 40


def reachable_share(column: Floats, threshold: float) -> float:
    """Return the largest share of rows that can stay so that this column's mean is within the threshold."""
    if not len(column) or abs(column.mean()) <= threshold:
        return 1.0
    ordered = np.sort(column * np.sign(column.mean()))
    fits = np.cumsum(ordered) <= threshold * np.arange(1, len(column) + 1)
    return float(np.flatnonzero(fits)[-1] + 1) / len(column) if fits.any() else 0.0


class SolverLimits(NamedTuple):
    """What the means of columns may be, over all rows and within each group of them.

    ``group`` numbers the group of each row from 1; ``bounds[0]`` are the bounds over all rows, ``bounds[g]``
    those within group g, one per column, above 0; ``least[0]`` and ``least[g]`` say how many rows have to
    stay.
    """

    group: Ints
    bounds: Floats
    least: Ints


def group_sums(columns: Floats, group: Ints, number: int) -> tuple[Floats, Ints]:
    """Return each column's sums and the number of rows, of all (place 0) and per group (1 to ``number``)."""
    sums = np.zeros((number + 1, columns.shape[1]))
    sums[0] = columns.sum(axis=0)
    np.add.at(sums, group, columns)
    counts = np.bincount(group, minlength=number + 1).astype(np.int64)
    counts[0] = len(columns)
    return sums, counts


def choose_rows(
    columns: Floats, limits: SolverLimits, *, rng: np.random.Generator
) -> tuple[Bools, Floats | None]:
    """Return which rows stay so that every mean is within its bound, or by how much each is beyond it.

    Rows that most relieve the means beyond their bounds go first, each weighing by how far beyond it is; then
    rows come back, in random order, as far as all stay within. Where the least number of rows is reached, or
    no row helps any more, it gives up: the second value then has the shape of the bounds, else it is None.
    """
    keep = np.ones(len(columns), dtype=bool)
    sums, numbers = group_sums(columns, limits.group, len(limits.bounds) - 1)
    while True:
        beyond = np.maximum(np.abs(sums) - limits.bounds * numbers[:, None], 0.0)
        if beyond.max(initial=0.0) <= _SLACK:
            break
        free = numbers - limits.least
        relief = _relief(columns, limits, beyond, sums)
        relief[~keep | (free[limits.group] <= 0)] = -np.inf
        size = max(1, min(int(_STEP * beyond.max()), int(free[0])))
        gone = _within(_largest(relief, size, rng), limits.group, free)
        if free[0] <= 0 or not len(gone):
            return keep, beyond
        keep[gone] = False
        less, fewer = group_sums(columns[gone], limits.group[gone], len(limits.bounds) - 1)
        sums, numbers = sums - less, numbers - fewer
    _put_back(columns, limits, keep, rng)
    return keep, None


def _relief(columns: Floats, limits: SolverLimits, beyond: Floats, sums: Floats) -> Floats:
    helps = columns @ (beyond * np.sign(sums)).T
    costs = (limits.bounds * beyond).sum(axis=1)
    own = np.take_along_axis(helps, limits.group[:, None], axis=1)[:, 0]
    return np.asarray(helps[:, 0] + own - costs[0] - costs[limits.group])


def _largest(relief: Floats, size: int, rng: np.random.Generator) -> Ints:
    """Return the rows of the largest positive relief, at most ``size``, equal ones in random order."""
    shaken = relief * (1 + 1e-6 * rng.random(len(relief)))
    top = np.argpartition(-shaken, min(size, len(shaken) - 1))[:size]
    return np.asarray(top[relief[top] > 0], dtype=np.int64)


def _within(rows: Ints, group: Ints, free: Ints) -> Ints:
    """Return those rows that can go without leaving a group with too few."""
    left, going = free.copy(), []
    for row in rows:
        if left[group[row]] > 0:
            left[group[row]] -= 1
            going.append(int(row))
    return np.array(going, dtype=np.int64)


def _put_back(columns: Floats, limits: SolverLimits, keep: Bools, rng: np.random.Generator) -> None:
    sums, numbers = group_sums(columns[keep], limits.group[keep], len(limits.bounds) - 1)
    for _ in range(2):  # what came back in the first sweep may have made room for others
        out = rng.permutation(np.flatnonzero(~keep))
        for row in out:
            places = [0, int(limits.group[row])]
            after, more = sums[places] + columns[row], numbers[places] + 1
            if (np.abs(after) <= limits.bounds[places] * more[:, None]).all():
                keep[row] = True
                sums[places], numbers[places] = after, more


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
        lower = _dual(design, after, ridge, max_weight)
        if lower <= value:
            return after, lower
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
