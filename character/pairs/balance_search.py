"""The search for a subset or weights that bring columns near 0 without moving any other further out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from character.pairs.balance_solvers import (
    Bools,
    SolverLimits,
    choose_rows,
    group_sums,
    reachable_share,
    weigh_rows,
)
from character.statistics.arrays import Floats, Ints

LEAST_OF_TRAIT = 40
"""A trait with so many pairs is balanced by itself; the others only over all pairs."""
LEAST_PAIRS = 10
"""No subset is smaller, whatever the share."""
MAX_WEIGHT = 5.0
"""No pair weighs more than so many average ones."""
_MOST_TRIALS, _MANY_ROWS, _TRIALS_OF_MANY = 5, 5_000, 2
_ROUNDING = 1e-6
_INSIDE = 0.98


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
