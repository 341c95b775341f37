"""Columns of numbers, whatever they mean, brought near 0: by leaving rows out, or by weighting them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from character.statistics.arrays import Floats, Ints

LEAST_OF_TRAIT = 40
"""A trait with so many pairs is balanced by itself; the others only over all pairs."""
LEAST_PAIRS = 10
"""No subset is smaller, whatever the share."""
MAX_WEIGHT = 5.0
"""No pair weighs more than so many average ones."""
_MOST_TRIALS, _MANY_ROWS, _TRIALS_OF_MANY = 5, 5_000, 2
_INSIDE = 0.98
Bools = NDArray[np.bool_]
_STEP = 0.1
"""Of what is still too much in the worst column, the share that one round of removals may take away."""
_SLACK, _ROUNDING = 1e-9, 1e-6
_RIDGE = 1e-4
_MAX_ROUNDS, _MAX_HALVINGS = 100, 40


class Problem(NamedTuple):
    """Columns to bring near 0, over all rows (place 0) and within groups (places 1 and up).

    ``tight`` are the bounds that are wanted, ``loose`` those that hold where a bound is given up: what was
    within the threshold stays within it, what was beyond it goes no further out.
    ``wanted`` says where the tight one is asked for. All have a row per place and a column per column.
    ``least`` is how many rows stay at each place.
    """

    columns: Floats
    group: Ints
    tight: Floats
    loose: Floats
    wanted: Bools
    least: Ints


def groups_of(traits: Sequence[str]) -> tuple[Ints, tuple[str, ...]]:
    """Return the group of each row, from 1, and the traits that are one; all others share the last group."""
    counts = Counter(traits)
    own = sorted(name for name, number in counts.items() if number >= LEAST_OF_TRAIT)
    if len(counts) < 2:
        own = []
    numbers = {name: place for place, name in enumerate(own, 1)}
    return np.array([numbers.get(name, len(own) + 1) for name in traits], dtype=np.int64), tuple(own)


def problem(
    columns: Floats, group: Ints, *, ignored: Bools, threshold: float, min_share: float, num_own: int
) -> Problem:
    """Return what is asked for: every mean within the threshold, over all rows and in ``num_own`` groups.

    Within a group the bound is two standard errors of the mean where that is more: so much comes by chance.
    The last group is held to nothing. ``ignored`` columns, and those whose bound alone would leave less than
    ``min_share`` of the rows, are not wanted.
    """
    sums, numbers = group_sums(columns, group, num_own + 1)
    before = sums / np.maximum(numbers, 1)[:, None]
    squares, _ = group_sums(columns**2, group, num_own + 1)
    noise = 2 * np.sqrt(squares) / np.maximum(numbers, 1)[:, None]
    noise[0] = 0.0
    loose = np.maximum(threshold, np.abs(before))
    tight = np.minimum(np.maximum(threshold, noise), loose)
    highest = np.maximum(np.abs(columns).max(axis=0, initial=0.0), threshold)
    tight[-1] = loose[-1] = highest  # no mean can exceed it
    wanted = (tight < loose) & ~ignored[None, :]
    for place, column in zip(*np.nonzero(wanted), strict=True):
        rows = columns[:, column] if place == 0 else columns[group == place, column]
        wanted[place, column] = reachable_share(rows, float(tight[place, column])) >= min_share
    least = np.ceil(min_share * numbers - _ROUNDING).astype(np.int64)
    least[0] = max(least[0], min(numbers[0], LEAST_PAIRS))
    least[-1] = 0
    return Problem(columns, group, tight, loose, wanted, least)


def search_subset(asked: Problem, *, seed: int) -> Floats:
    """Return 1 per row that stays, 0 per other, giving up one bound after another where it must.

    Where some bounds cannot be met together, each of the few that are furthest off is given up on trial; the
    one goes without which the result is worth most: the share of rows that stays, less what stays beyond its
    bound. Where none is enough, the furthest off goes and the search begins again. With all given up every
    row stays.
    """
    wanted = asked.wanted.copy()
    while True:
        keep, beyond = _choose(asked, wanted, seed)
        if beyond is None:
            return keep.astype(np.float64)
        order = _worst(asked, wanted, beyond)
        tried = [(cell, _choose(asked, _without(wanted, cell), seed)) for cell in order]
        fits = [keep for _, (keep, fault) in tried if fault is None]
        if fits:
            return max(fits, key=lambda keep: _worth(asked, keep)).astype(np.float64)
        if not order:
            return np.ones(len(asked.columns))
        wanted = _without(wanted, order[0])


def _worth(asked: Problem, keep: Bools) -> float:
    after = np.abs(asked.columns[keep].mean(axis=0))
    return float(keep.mean() - np.maximum(after - asked.tight[0], 0.0).sum())


def _choose(asked: Problem, wanted: Bools, seed: int) -> tuple[Bools, Floats | None]:
    bounds = np.where(wanted, asked.tight, asked.loose)
    rng = np.random.default_rng([seed, 4])
    return choose_rows(asked.columns, SolverLimits(asked.group, bounds, asked.least), rng=rng)


def _worst(asked: Problem, wanted: Bools, beyond: Floats) -> list[tuple[int, int]]:
    """Return the few wanted bounds that are furthest off, the furthest first."""
    cells = [(int(place), int(column)) for place, column in zip(*np.nonzero(wanted), strict=True)]
    cells.sort(key=lambda cell: (-beyond[cell], asked.tight[cell] - asked.loose[cell], cell))
    return cells[: _TRIALS_OF_MANY if len(asked.columns) > _MANY_ROWS else _MOST_TRIALS]


def _without(wanted: Bools, cell: tuple[int, int]) -> Bools:
    fewer = wanted.copy()
    fewer[cell] = False
    return fewer


def search_weights(asked: Problem, *, ignored: Bools, threshold: float) -> Floats:
    """Return a weight per row, of mean 1 in each group, so that no group's share changes.

    Means are brought to 0, group by group. One that cannot be, or is ``ignored``, is held where it was; so
    is, in every group, one whose mean over all rows would end further out. With all held every weight is 1.
    """
    held = ignored.copy()
    while True:
        weights = np.ones(len(asked.columns))
        for place in np.unique(asked.group):
            rows = asked.group == place
            weights[rows] = _weigh_group(asked.columns[rows], held, threshold)
        further = np.abs(weights @ asked.columns) / len(weights) - asked.loose[0]
        further[held] = np.minimum(further[held], 0.0) if not held.all() else 0.0
        if further.max(initial=0.0) <= _ROUNDING:
            break
        held[int(further.argmax())] = True
    after = np.abs(weights @ asked.columns) / len(weights)
    return weights if (after <= asked.loose[0] + _ROUNDING).all() else np.ones(len(weights))


def _weigh_group(columns: Floats, held: Bools, threshold: float) -> Floats:
    """Return the weights of one group; ones where it is too small."""
    if len(columns) < LEAST_PAIRS:
        return np.ones(len(columns))
    before, held = columns.mean(axis=0), held.copy()
    moves = np.ptp(columns, axis=0) > 0
    loose = np.maximum(threshold, np.abs(before))
    while not held.all():
        # A little inside of where it was: the solver comes near to its goal, and must not end beyond.
        goal = np.where(held, np.where(moves, _INSIDE, 1.0) * before, 0.0)
        weights = weigh_rows(columns - goal, max_weight=MAX_WEIGHT)
        beyond = np.abs(weights @ columns) / len(columns) - np.where(held, loose, threshold)
        if beyond.max(initial=0.0) <= _ROUNDING:
            return weights
        free = np.where(held, -np.inf, np.where(beyond > _ROUNDING, 1.0 + beyond, np.abs(before)))
        held[int(free.argmax())] = True
    return np.ones(len(columns))


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
